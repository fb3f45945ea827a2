//! What every recommender has to beat: popularity and chance.

use proclivity_posterior::Predictive;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
        if item_counts.is_empty() {
            return Err(EvalError::Empty { what: "items" });
        }
        let events: f64 = item_counts.iter().map(|&count| count as f64).sum();
        let total = events + smoothing * item_counts.len() as f64;
        if !(smoothing >= 0.0 && total > 0.0 && total.is_finite()) {
            return Err(EvalError::OutOfRange {
                name: "smoothing",
                value: smoothing,
                expected: "a finite number from 0, above 0 where there are no events",
            });
        }
        let log_probs = item_counts.iter().map(|&count| ((count as f64 + smoothing) / total).ln());
        Ok(Self { log_probs: log_probs.collect() })
    }
}

impl Predictive for Popularity {
    fn item_count(&self) -> usize {
        self.log_probs.len()
    }

    fn log_probs(&self, _history: &[u32], out: &mut [f64]) {
        out.copy_from_slice(&self.log_probs);
    }
}

/// Chance: every item is equally probable, up to a perturbation that orders them at random.
///
/// Exactly equal probabilities would all tie, and ties count against the target: chance would
/// look worse than it is. The perturbation depends on the seed and the history alone.
///
/// # Formula
/// P(x) ∝ exp(10⁻⁶ · uₓ), uₓ uniform on \[0, 1)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    item_count: usize,
    seed: u64,
}

impl Random {
    /// How far a log probability may be from that of the uniform distribution.
    const PERTURBATION: f64 = 1e-6;

    /// Chance over a catalog of this size.
    pub fn new(item_count: usize, seed: u64) -> Self {
        Self { item_count, seed }
    }
}

impl Predictive for Random {
    fn item_count(&self) -> usize {
        self.item_count
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.item_count, "length of `out`");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        for item in history {
            hasher.update(&item.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(hasher.finalize().into());
        let mut total = 0.0;
        for out in out.iter_mut() {
            *out = Self::PERTURBATION * rng.random::<f64>();
            total += out.exp();
        }
        let log_total = total.ln();
        out.iter_mut().for_each(|out| *out -= log_total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_probs(predictive: &dyn Predictive, history: &[u32]) -> Vec<f64> {
        let mut out = vec![0.0; predictive.item_count()];
        predictive.log_probs(history, &mut out);
        let total: f64 = out.iter().map(|p| p.exp()).sum();
        assert!((total - 1.0).abs() < 1e-9);
        out
    }

    #[test]
    fn popularity_is_the_smoothed_share() {
        let popularity = Popularity::new(&[6, 3, 0], 1.0).unwrap();
        for (log_prob, expected) in log_probs(&popularity, &[0]).iter().zip([7.0, 4.0, 1.0]) {
            assert!((log_prob.exp() - expected / 12.0).abs() < 1e-12);
        }
        let unsmoothed = Popularity::new(&[1, 0], 0.0).unwrap();
        assert_eq!(log_probs(&unsmoothed, &[]), [0.0, f64::NEG_INFINITY]);
    }

    #[test]
    fn popularity_refuses_what_has_no_distribution() {
        assert!(matches!(Popularity::new(&[], 1.0), Err(EvalError::Empty { .. })));
        for (counts, smoothing) in [([0], 0.0), ([1], -0.5), ([1], f64::NAN), ([1], f64::INFINITY)]
        {
            let result = Popularity::new(&counts, smoothing);
            assert!(matches!(result, Err(EvalError::OutOfRange { .. })));
        }
    }

    #[test]
    fn chance_depends_on_seed_and_history_alone_and_is_uniform() {
        let random = Random::new(100, 1);
        let first = log_probs(&random, &[3, 4]);
        assert_eq!(first, log_probs(&random, &[3, 4]));
        assert_ne!(first, log_probs(&random, &[4, 3]));
        assert_ne!(first, log_probs(&Random::new(100, 2), &[3, 4]));
        assert!(first.iter().all(|p| (p + 100.0_f64.ln()).abs() < 2e-6));
        let mut distinct = first;
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
    }
}
