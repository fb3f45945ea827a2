//! Popularity.

use proclivity_posterior::Predictive;

use crate::EvalError;

/// The same for everybody: each item in proportion to its smoothed count.
///
/// # Formula
/// P(x) = (nₓ + smoothing) / (Σ n + smoothing · |catalog|)
#[derive(Debug, Clone, PartialEq)]
pub struct Popularity {
    log_probs: Vec<f64>,
}

impl Popularity {
    /// From how many training events each item has. With a smoothing of 0, items without events
    /// are impossible; .5 to 1 is usual.
    ///
    /// # Errors
    /// [`EvalError::Empty`] without items; [`EvalError::OutOfRange`] for a smoothing that is
    /// negative or not finite, or 0 without any event.
    pub fn new(item_counts: &[u64], smoothing: f64) -> Result<Self, EvalError> {
        let weights: Vec<f64> = item_counts.iter().map(|&count| count as f64).collect();
        Self::of_weights(&weights, smoothing)
    }

    /// From weights in place of counts, each a finite number from 0.
    pub(super) fn of_weights(weights: &[f64], smoothing: f64) -> Result<Self, EvalError> {
        if weights.is_empty() {
            return Err(EvalError::Empty { what: "items" });
        }
        let total = weights.iter().sum::<f64>() + smoothing * weights.len() as f64;
        if !(smoothing >= 0.0 && total > 0.0 && total.is_finite()) {
            return Err(EvalError::OutOfRange {
                name: "smoothing",
                value: smoothing,
                expected: "a finite number from 0, above 0 where there are no events",
            });
        }
        let log_probs = weights.iter().map(|weight| ((weight + smoothing) / total).ln());
        Ok(Self { log_probs: log_probs.collect() })
    }

    /// Makes log probabilities of scores, of which those below 0 count 0, by a mixture with
    /// popularity: log((1 − share) · s / Σ s + share · popularity), and popularity alone where no
    /// score is above 0.
    pub(super) fn mix(&self, share: f64, scores: &mut [f64]) {
        let total: f64 = scores.iter().map(|score| score.max(0.0)).sum();
        if total <= 0.0 {
            return scores.copy_from_slice(&self.log_probs);
        }
        let scale = (1.0 - share) / total;
        for (score, log_prob) in scores.iter_mut().zip(&self.log_probs) {
            *score = (scale * score.max(0.0) + share * log_prob.exp()).ln();
        }
    }
}

/// Whether a share of popularity in a mixture is one.
pub(super) fn check_share(share: f64) -> Result<(), EvalError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    let expected = "a number from 0 to 1";
    Err(EvalError::OutOfRange { name: "popularity_share", value: share, expected })
}

impl Predictive for Popularity {
    fn item_count(&self) -> usize {
        self.log_probs.len()
    }

    fn log_probs(&self, _history: &[u32], out: &mut [f64]) {
        out.copy_from_slice(&self.log_probs);
    }
}
