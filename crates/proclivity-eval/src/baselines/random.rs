//! Chance.

use proclivity_posterior::Predictive;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
