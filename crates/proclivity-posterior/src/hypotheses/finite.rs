//! The finite family: exact sums over a set of hypotheses.

use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{in_range, same_length};
use crate::fixed;
use crate::log_sum_exp::log_sum_exp;
use crate::{Conjugate, Exact, Family, Fingerprint, PosteriorError, Predictable, Statistic};

/// P(h) over finitely many hypotheses, which any log-likelihoods may speak for or against.
///
/// Log-likelihoods are summed in fixed point, so that every law of [`Belief`](crate::Belief) holds to
/// the last bit. Each is rounded to 2⁻³² nats for it.
///
/// # Formula
/// log P(h|X) = log P(h) + Σₓ log P(x|h) − log P(X)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Finite {
    /// As they were given, so that reading what was written gives the same bits.
    weights: Vec<f64>,
    log_prior: Vec<f64>,
    fingerprint: u64,
}

impl Finite {
    /// A prior by weights, which are normalised.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without hypotheses, [`PosteriorError::OutOfRange`] for a weight
    /// that is negative or not finite, or where all are 0.
    pub fn new(weights: &[f64]) -> Result<Self, PosteriorError> {
        if weights.is_empty() {
            return Err(PosteriorError::Empty { what: "hypotheses" });
        }
        for &weight in weights {
            let valid = weight >= 0.0 && weight.is_finite();
            in_range("prior", weight, valid, "a finite number from 0")?;
        }
        let total: f64 = weights.iter().sum();
        in_range("sum of the prior", total, total > 0.0 && total.is_finite(), "above 0")?;
        let log_prior: Vec<f64> = weights.iter().map(|weight| (weight / total).ln()).collect();
        let fingerprint = Fingerprint::new(Self::NAME).with(log_prior.iter().copied()).finish();
        Ok(Self { weights: weights.to_vec(), log_prior, fingerprint })
    }

    /// How many hypotheses there are.
    pub fn hypothesis_count(&self) -> usize {
        self.log_prior.len()
    }

    /// log P(h) + log P(X|h).
    fn log_joint(&self, evidence: &FiniteEvidence) -> Result<Vec<f64>, PosteriorError> {
        same_length("hypotheses", self.log_prior.len(), evidence.sum.len())?;
        same_length("hypotheses", self.log_prior.len(), evidence.impossible.len())?;
        let sums = evidence.sum.iter().zip(&evidence.impossible);
        let joint = self.log_prior.iter().zip(sums).map(|(prior, (&sum, &impossible))| {
            if impossible > 0 { f64::NEG_INFINITY } else { prior + fixed::from_steps(sum) }
        });
        Ok(joint.collect())
    }
}

impl TryFrom<Vec<f64>> for Finite {
    type Error = PosteriorError;
    fn try_from(weights: Vec<f64>) -> Result<Self, PosteriorError> {
        Self::new(&weights)
    }
}

impl From<Finite> for Vec<f64> {
    fn from(family: Finite) -> Self {
        family.weights
    }
}

impl Family for Finite {
    const NAME: &'static str = "finite";
    type Statistic = FiniteEvidence;
    type Posterior = FinitePosterior;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> FiniteEvidence {
        let hypotheses = self.log_prior.len();
        FiniteEvidence { sum: vec![0; hypotheses], impossible: vec![0; hypotheses] }
    }

    fn posterior(&self, evidence: &FiniteEvidence) -> Result<FinitePosterior, PosteriorError> {
        let mut log_probs = self.log_joint(evidence)?;
        let total = log_sum_exp(&log_probs);
        // Add a hypothesis that allows what was seen, such as the "none of these" of choices.
        in_range(
            "log-evidence",
            total,
            total.is_finite(),
            "a hypothesis that allows what was seen",
        )?;
        log_probs.iter_mut().for_each(|log_prob| *log_prob -= total);
        Ok(FinitePosterior { log_probs })
    }
}

impl Conjugate for Finite {
    /// log P(X), in nats; −∞ when no hypothesis allows what was seen.
    fn log_evidence(&self, evidence: &FiniteEvidence) -> Result<f64, PosteriorError> {
        Ok(log_sum_exp(&self.log_joint(evidence)?))
    }
}

/// Σ log P(x|h) of each hypothesis, and how often it was ruled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiniteEvidence {
    /// Over events that the hypothesis allows, in 2⁻³² nats.
    sum: Vec<i64>,
    /// How many events the hypothesis rules out.
    impossible: Vec<u32>,
}

impl Statistic for FiniteEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        same_length("hypotheses", self.sum.len(), other.sum.len())?;
        same_length("hypotheses", self.impossible.len(), other.impossible.len())?;
        let refused = |value: f64| PosteriorError::OutOfRange {
            name: "evidence",
            value,
            expected: "no more than was seen, and within ±2³¹ nats",
        };
        let sums = self.sum.iter().zip(&other.sum);
        let sum = sums
            .map(|(&sum, &steps)| {
                fixed::added(sum, steps, weight).ok_or_else(|| refused(fixed::from_steps(steps)))
            })
            .collect::<Result<_, _>>()?;
        // A rule is a rule whatever its weight: 0^w = 0.
        let sign = if weight == 0.0 { 0 } else { weight.signum() as i64 };
        let counts = self.impossible.iter().zip(&other.impossible);
        let impossible = counts
            .map(|(&count, &more)| {
                let count = i64::from(count) + sign * i64::from(more);
                u32::try_from(count).map_err(|_| refused(count as f64))
            })
            .collect::<Result<_, _>>()?;
        (self.sum, self.impossible) = (sum, impossible);
        Ok(())
    }

    /// What was ruled out stays so until everything is forgotten: 0^kept = 0 for kept > 0.
    fn scale(&mut self, kept: f64) {
        for sum in &mut self.sum {
            *sum = fixed::kept(*sum, kept);
        }
        if kept == 0.0 {
            self.impossible.fill(0);
        }
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        same_length("counts of impossible events", self.sum.len(), self.impossible.len())
    }
}

/// P(h|X).
#[derive(Debug, Clone, PartialEq)]
pub struct FinitePosterior {
    log_probs: Vec<f64>,
}

impl FinitePosterior {
    /// log P(h|X) of each hypothesis.
    pub fn log_probs(&self) -> &[f64] {
        &self.log_probs
    }

    /// P(h|X) of each hypothesis.
    pub fn probs(&self) -> Vec<f64> {
        self.log_probs.iter().map(|log_prob| log_prob.exp()).collect()
    }

    /// log P(x|X) of each choice: what the hypotheses say of it, mixed by their probabilities.
    ///
    /// # Shapes
    /// `log_probs`: `[hypotheses, choices]`; result: `[choices]`
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of rows.
    pub fn predict(&self, log_probs: ArrayView2<'_, f64>) -> Result<Vec<f64>, PosteriorError> {
        same_length("rows of log-probabilities", self.log_probs.len(), log_probs.nrows())?;
        let mixed = |column: ArrayView1<'_, f64>| {
            let possible = self.log_probs.iter().zip(column).filter(|(p, _)| p.is_finite());
            log_sum_exp(&possible.map(|(p, log_prob)| p + log_prob).collect::<Vec<_>>())
        };
        Ok(log_probs.axis_iter(Axis(1)).map(mixed).collect())
    }
}

/// One event, by its log-likelihood under each hypothesis; −∞ rules one out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLikelihood<'a>(pub &'a [f64]);

impl Exact<Finite> for LogLikelihood<'_> {
    fn statistic(&self, family: &Finite) -> Result<FiniteEvidence, PosteriorError> {
        same_length("log-likelihoods", family.hypothesis_count(), self.0.len())?;
        let ruled_out = |value: f64| value == f64::NEG_INFINITY;
        let steps = |&value: &f64| {
            if ruled_out(value) { Ok(0) } else { fixed::to_steps("log-likelihood", value) }
        };
        Ok(FiniteEvidence {
            sum: self.0.iter().map(steps).collect::<Result<_, _>>()?,
            impossible: self.0.iter().map(|&value| u32::from(ruled_out(value))).collect(),
        })
    }
}

impl Predictable<Finite> for LogLikelihood<'_> {
    fn log_predictive(
        &self,
        family: &Finite,
        evidence: &FiniteEvidence,
    ) -> Result<f64, PosteriorError> {
        let statistic = self.statistic(family)?;
        let posterior = family.posterior(evidence)?;
        let allowed = statistic.impossible.iter().zip(&statistic.sum).zip(&posterior.log_probs);
        let joint = allowed
            .filter(|((impossible, _), log_prob)| **impossible == 0 && log_prob.is_finite())
            .map(|((_, &steps), log_prob)| log_prob + fixed::from_steps(steps));
        Ok(log_sum_exp(&joint.collect::<Vec<_>>()))
    }
}
