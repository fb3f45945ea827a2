//! The guard for exact events: a mixture of priors is a family again, with one shared sum.

use super::weights::log_weights;
use crate::error::{in_range, same_length};
use crate::guard::Predictable;
use crate::log_sum_exp::log_sum_exp;
use crate::{Conjugate, Exact, Family, Fingerprint, PosteriorError};

/// A mixture of priors of one family.
///
/// What exact events add up to doesn't depend on the prior, so all members share one sum: a
/// [`Belief`](crate::Belief) of this family is that of a single member, with every law of it. How
/// probable each member is follows from the sum alone. Unit-weight events cost at most −log of a
/// member's weight more than under that member. Faded and weighted events weigh the members by a
/// power likelihood, without that promise: [`Guarded`](crate::Guarded) keeps it.
///
/// # Formula
/// log P(m|X) = log wₘ + Aₘ(priorₘ + sum) − Aₘ(priorₘ) − log P(X)
#[derive(Debug, Clone, PartialEq)]
pub struct PriorMixture<F> {
    members: Vec<F>,
    log_weights: Vec<f64>,
    fingerprint: u64,
}

impl<F: Conjugate> PriorMixture<F> {
    /// Members that differ in their priors alone, with weights, which are normalised.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without members, [`PosteriorError::Length`] unless each has a weight,
    /// [`PosteriorError::OutOfRange`] for a weight that is negative or not finite, or when all are 0,
    /// and [`PosteriorError::ForeignBelief`] for members whose evidence has different shapes.
    pub fn new(members: Vec<F>, weights: &[f64]) -> Result<Self, PosteriorError> {
        same_length("weights of members", members.len(), weights.len())?;
        let log_weights = log_weights(weights)?;
        if members.windows(2).any(|pair| pair[0].nothing() != pair[1].nothing()) {
            return Err(PosteriorError::ForeignBelief { family: F::NAME });
        }
        let halves = members
            .iter()
            .map(Family::fingerprint)
            .flat_map(|print| [(print >> 32) as u32, print as u32].map(f64::from));
        let fingerprint =
            Fingerprint::new(Self::NAME).with(log_weights.iter().copied()).with(halves).finish();
        Ok(Self { members, log_weights, fingerprint })
    }

    /// log wₘ + log P(X|m).
    fn joint(&self, evidence: &F::Statistic) -> Result<Vec<f64>, PosteriorError> {
        let members = self.members.iter().zip(&self.log_weights);
        members.map(|(member, weight)| Ok(weight + member.log_evidence(evidence)?)).collect()
    }

    /// log P(m|X).
    fn log_probs(&self, evidence: &F::Statistic) -> Result<Vec<f64>, PosteriorError> {
        let mut joint = self.joint(evidence)?;
        let total = log_sum_exp(&joint);
        in_range("log-evidence", total, total.is_finite(), "a member that allows what was seen")?;
        joint.iter_mut().for_each(|value| *value -= total);
        Ok(joint)
    }
}

impl<F: Conjugate> Family for PriorMixture<F> {
    const NAME: &'static str = "prior mixture";
    type Statistic = F::Statistic;
    type Posterior = MixturePosterior<F::Posterior>;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> F::Statistic {
        self.members[0].nothing()
    }

    fn posterior(&self, evidence: &F::Statistic) -> Result<Self::Posterior, PosteriorError> {
        let log_weights = self.log_probs(evidence)?;
        let members = self.members.iter().zip(&log_weights).map(|(member, weight)| {
            weight.is_finite().then(|| member.posterior(evidence)).transpose()
        });
        let members = members.collect::<Result<_, _>>()?;
        Ok(MixturePosterior { log_weights, members })
    }
}

impl<F: Conjugate> Conjugate for PriorMixture<F> {
    fn log_evidence(&self, evidence: &F::Statistic) -> Result<f64, PosteriorError> {
        Ok(log_sum_exp(&self.joint(evidence)?))
    }
}

/// P(θ|X) under a mixture of priors.
#[derive(Debug, Clone, PartialEq)]
pub struct MixturePosterior<P> {
    log_weights: Vec<f64>,
    members: Vec<Option<P>>,
}

impl<P> MixturePosterior<P> {
    /// log P(member|X).
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// Each member's own posterior; `None` for one that rules out what was seen.
    pub fn members(&self) -> &[Option<P>] {
        &self.members
    }
}

/// An event of the members, as one of their mixture: every member sees it alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToEach<E>(pub E);

impl<F: Conjugate, E: Exact<F>> Exact<PriorMixture<F>> for ToEach<E> {
    fn statistic(&self, family: &PriorMixture<F>) -> Result<F::Statistic, PosteriorError> {
        self.0.statistic(&family.members[0])
    }
}

impl<F: Conjugate, E: Predictable<F>> Predictable<PriorMixture<F>> for ToEach<E> {
    fn log_predictive(
        &self,
        family: &PriorMixture<F>,
        evidence: &F::Statistic,
    ) -> Result<f64, PosteriorError> {
        let log_probs = family.log_probs(evidence)?;
        let possible =
            family.members.iter().zip(log_probs).filter(|(_, weight)| weight.is_finite());
        let joint = possible
            .map(|(member, weight)| Ok(weight + self.0.log_predictive(member, evidence)?))
            .collect::<Result<Vec<_>, PosteriorError>>()?;
        Ok(log_sum_exp(&joint))
    }
}
