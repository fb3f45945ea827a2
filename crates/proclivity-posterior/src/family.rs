//! Exponential families: what evidence is, what it adds up to, and what it makes of a prior.

use std::fmt::Debug;
use std::hash::Hasher;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PosteriorError;

/// A sum of sufficient statistics: a commutative group under [`add`](Statistic::add), so that
/// evidence can be pooled, and taken back with weight −1.
///
/// Statistics are kept in fixed point where that is possible: then sums don't depend on their order
/// and what was taken back was never there, to the last bit. Where they are kept in floating point
/// the family says within what.
pub trait Statistic:
    Clone + Debug + PartialEq + Send + Sync + Serialize + DeserializeOwned
{
    /// Adds `weight` times another statistic; a negative weight takes back.
    ///
    /// Adding with a weight and again with its negative changes nothing.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for a statistic of another shape,
    /// [`PosteriorError::OutOfRange`] when a sum leaves its range, such as a count below 0; the sum
    /// is then as it was.
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError>;

    /// Keeps a part of the evidence, `kept` in \[0, 1\]: power discounting. Fixed-point numbers are
    /// rounded towards 0, so that forgetting again and again ends with nothing.
    fn scale(&mut self, kept: f64);

    /// Whether events can add up to this: what is read from outside passes through it.
    ///
    /// # Errors
    /// The error that says what is wrong.
    fn validate(&self) -> Result<(), PosteriorError>;
}

/// A prior and the form of what is learned: prior + evidence = posterior.
///
/// A value of a family holds the prior; one value serves every user, whose [`Belief`](crate::Belief)
/// is then evidence alone.
pub trait Family: Clone + Debug + PartialEq + Send + Sync {
    /// What the family is called in saved beliefs.
    const NAME: &'static str;
    /// What events add up to.
    type Statistic: Statistic;
    /// P(θ|X).
    type Posterior;

    /// A number that two families share only if they are the same, prior and all: beliefs carry it,
    /// so that one is never read under another prior. [`Fingerprint`] makes it.
    fn fingerprint(&self) -> u64;

    /// The evidence before any event.
    fn nothing(&self) -> Self::Statistic;

    /// P(θ|X) from the sum of the evidence.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for evidence of another shape, [`PosteriorError::OutOfRange`]
    /// where there is no posterior, such as when no hypothesis allows what was seen.
    fn posterior(&self, evidence: &Self::Statistic) -> Result<Self::Posterior, PosteriorError>;
}

/// A family whose evidence has a probability: no pseudo-likelihood, no composite one.
pub trait Conjugate: Family {
    /// A(prior + evidence) − A(prior): log P(X) of unit-weight events, in nats, without base measure.
    ///
    /// # Errors
    /// Those of [`Family::posterior`].
    fn log_evidence(&self, evidence: &Self::Statistic) -> Result<f64, PosteriorError>;
}

/// Evidence whose statistic doesn't depend on what is believed.
///
/// Then all laws hold: a stream is its batch, in any order, merged in any tree, and what is taken
/// back was never seen. Only such evidence enters a [`Belief`](crate::Belief).
pub trait Exact<F: Family> {
    /// What the event adds to the sum.
    ///
    /// # Errors
    /// What is wrong with the event.
    fn statistic(&self, family: &F) -> Result<F::Statistic, PosteriorError>;
}

/// Evidence that isn't of the family's form, and is replaced by a *site* that is.
///
/// The site depends on the belief without the event, the *cavity*: order matters, and parts can't
/// be merged. [`AssumedDensity`](crate::AssumedDensity) takes each event once,
/// [`Sites`](crate::Sites) keeps them, can take them back by replay and refine them by expectation
/// propagation.
pub trait Approximate<F: Family> {
    /// What stands for the event, given the sum of the other evidence.
    ///
    /// # Errors
    /// What is wrong with the event.
    fn site(&self, family: &F, cavity: &F::Statistic) -> Result<F::Statistic, PosteriorError>;
}

/// A hash of parameters that is the same on every machine and in every release.
#[derive(Default)]
pub struct Fingerprint(fnv::FnvHasher);

impl Fingerprint {
    /// The fingerprint of a family that is called so, without parameters yet.
    pub fn new(name: &str) -> Self {
        let mut hasher = fnv::FnvHasher::default();
        hasher.write(name.as_bytes());
        Self(hasher)
    }

    /// One more list of parameters, in their order.
    #[must_use]
    pub fn with(mut self, parameters: impl IntoIterator<Item = f64>) -> Self {
        let mut count = 0_u64;
        for parameter in parameters {
            self.0.write(&parameter.to_bits().to_le_bytes());
            count += 1;
        }
        self.0.write(&count.to_le_bytes());
        self
    }

    /// The number.
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}
