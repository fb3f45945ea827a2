//! The guard for events of any kind: members are weighed by how well they foretold.

use serde::{Deserialize, Serialize};

use super::weights::log_weights;
use crate::error::{in_range, same_length};
use crate::log_sum_exp::log_sum_exp;
use crate::{Approximate, AssumedDensity, Exact, Family, PosteriorError};

/// An event that has a probability before it is seen.
pub trait Predictable<F: Family> {
    /// log P(event | prior and evidence), in nats; −∞ for one that can't happen.
    ///
    /// # Errors
    /// What is wrong with the event.
    fn log_predictive(&self, family: &F, evidence: &F::Statistic) -> Result<f64, PosteriorError>;
}

/// One user's belief under a mixture of priors, such as a language model's and the population's.
///
/// Every member keeps its own belief and foretells each event; its weight is multiplied by the
/// probability that it gave. So the sum of the guard's log losses over all of a user's events exceeds
/// a member's by at most −log of the weight that the member began with: for any events, exact or
/// approximate, faded or weighted, and of whoever's prior is bad.
///
/// The members' families hold their priors and are passed to each call, in the same order; one may
/// be of this user alone and another of everyone. [`PriorMixture`](crate::PriorMixture) does the same
/// with one shared sum where all events are exact, and can take them back.
///
/// # Formula
/// P(x|X) = Σₘ wₘ(X) Pₘ(x|X), wₘ(X, x) = wₘ(X) Pₘ(x|X) / P(x|X), hence
/// −log P(x₁, …, xₙ) = −log Σₘ wₘ Πₜ Pₘ(xₜ|x₁, …, xₜ₋₁) ≤ −log wₘ − Σₜ log Pₘ(xₜ|x₁, …, xₜ₋₁)
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded<F: Family> {
    members: Vec<AssumedDensity<F>>,
    log_weights: Vec<f64>,
}

impl<F: Family> Guarded<F> {
    /// The belief before any event, from the members and their weights, which are normalised.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without members, [`PosteriorError::Length`] unless each has a weight,
    /// [`PosteriorError::OutOfRange`] for a weight that is negative or not finite, or when all are 0.
    pub fn new(members: &[&F], weights: &[f64]) -> Result<Self, PosteriorError> {
        same_length("weights of members", members.len(), weights.len())?;
        let log_weights = log_weights(weights)?;
        let members = members.iter().map(|family| AssumedDensity::new(*family)).collect();
        Ok(Self { members, log_weights })
    }

    /// log P(member|X); −∞ for a member that ruled out what was seen.
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// Each member's own belief.
    pub fn members(&self) -> &[AssumedDensity<F>] {
        &self.members
    }

    /// log P(event|X): the members' probabilities, mixed by their weights.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of members, [`PosteriorError::ForeignBelief`],
    /// and what is wrong with the event.
    pub fn log_predictive(
        &self,
        members: &[&F],
        event: &impl Predictable<F>,
    ) -> Result<f64, PosteriorError> {
        Ok(log_sum_exp(&self.joint(members, event)?))
    }

    /// One more event that leaves a site in each member. Returns log P(event|X) before it.
    ///
    /// # Errors
    /// Those of [`Guarded::log_predictive`], and [`PosteriorError::OutOfRange`] for an event that no
    /// member allows; the belief is then as it was.
    pub fn absorb<E: Approximate<F> + Predictable<F>>(
        &mut self,
        members: &[&F],
        event: &E,
    ) -> Result<f64, PosteriorError> {
        self.learn(members, event, |member, family| member.absorb(family, event).map(drop))
    }

    /// One more event that needs no approximation. Returns log P(event|X) before it.
    ///
    /// # Errors
    /// Those of [`Guarded::absorb`].
    pub fn update<E: Exact<F> + Predictable<F>>(
        &mut self,
        members: &[&F],
        event: &E,
    ) -> Result<f64, PosteriorError> {
        self.learn(members, event, |member, family| member.update(family, event, 1.0))
    }

    /// Keeps a part of each member's evidence. What was learned about the members stays.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless `kept` lies in \[0, 1\].
    pub fn forget(&mut self, kept: f64) -> Result<(), PosteriorError> {
        self.members.iter_mut().try_for_each(|member| member.forget(kept))
    }

    fn learn(
        &mut self,
        families: &[&F],
        event: &impl Predictable<F>,
        mut step: impl FnMut(&mut AssumedDensity<F>, &F) -> Result<(), PosteriorError>,
    ) -> Result<f64, PosteriorError> {
        let mut log_weights = self.joint(families, event)?;
        let total = log_sum_exp(&log_weights);
        in_range("log-probability", total, total.is_finite(), "an event that a member allows")?;
        log_weights.iter_mut().for_each(|weight| *weight -= total);
        let mut members = self.members.clone();
        for ((member, family), weight) in members.iter_mut().zip(families).zip(&log_weights) {
            // A member that rules the event out has no belief after it, and no say.
            if weight.is_finite() {
                step(member, family)?;
            }
        }
        (self.members, self.log_weights) = (members, log_weights);
        Ok(total)
    }

    /// log P(member|X) + log P(event|member, X).
    fn joint(
        &self,
        families: &[&F],
        event: &impl Predictable<F>,
    ) -> Result<Vec<f64>, PosteriorError> {
        same_length("members of the guard", self.members.len(), families.len())?;
        let members = self.members.iter().zip(families).zip(&self.log_weights);
        let joint = members.map(|((member, family), weight)| {
            member.is_of(family)?;
            if *weight == f64::NEG_INFINITY {
                return Ok(f64::NEG_INFINITY);
            }
            let log_prob = event.log_predictive(family, member.evidence())?;
            let valid = !log_prob.is_nan() && log_prob < f64::INFINITY;
            in_range("log-probability", log_prob, valid, "−∞ or a finite number")?;
            Ok(weight + log_prob)
        });
        joint.collect()
    }
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Guarded")]
struct Saved<Members> {
    version: u32,
    /// `None` is −∞, which not every format can write.
    log_weights: Vec<Option<f64>>,
    members: Members,
}

impl<F: Family> Serialize for Guarded<F> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let finite = |&weight: &f64| weight.is_finite().then_some(weight);
        let log_weights = self.log_weights.iter().map(finite).collect();
        Saved { version: VERSION, log_weights, members: &self.members }.serialize(serializer)
    }
}

impl<'de, F: Family> Deserialize<'de> for Guarded<F> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let saved = Saved::<Vec<AssumedDensity<F>>>::deserialize(deserializer)?;
        let read = || {
            if saved.version != VERSION {
                return Err(PosteriorError::Version { expected: VERSION, got: saved.version });
            }
            same_length("weights of members", saved.members.len(), saved.log_weights.len())?;
            let infinite = |weight: &Option<f64>| weight.unwrap_or(f64::NEG_INFINITY);
            let log_weights: Vec<f64> = saved.log_weights.iter().map(infinite).collect();
            let total = log_sum_exp(&log_weights);
            in_range("log of the sum of weights", total, total.abs() < 1e-6, "0")?;
            Ok(Self { members: saved.members, log_weights })
        };
        read().map_err(D::Error::custom)
    }
}
