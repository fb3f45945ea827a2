//! Shares of interests: their credible intervals, entropy and divergence.

use serde::{Deserialize, Serialize};

/// Mean and central credible interval of one share of θ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShareInterval {
    /// The posterior mean.
    pub mean: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl ShareInterval {
    /// From draws, which are sorted for it.
    pub(super) fn of_draws(mean: f64, mut draws: Vec<f64>, level: f64) -> Self {
        draws.sort_by(f64::total_cmp);
        let last = draws.len().saturating_sub(1);
        let at = |p: f64| draws.get((p * last as f64).round() as usize).copied().unwrap_or(mean);
        let tail = (1.0 - level) / 2.0;
        Self { mean, lower: at(tail), upper: at(1.0 - tail) }
    }
}

/// The share where a distribution function on \[0, 1\] reaches a probability, by bisection.
pub(super) fn quantile(cdf: impl Fn(f64) -> f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Shannon entropy of shares, in nats; its exponential is the effective number of interests.
///
/// # Formula
/// H(p) = −Σₖ pₖ log pₖ
pub fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

/// Kullback–Leibler divergence of an estimate q from the truth p, in nats.
///
/// # Formula
/// KL(p‖q) = Σₖ pₖ log(pₖ / qₖ), infinite where q is zero and p is not.
pub fn kl_divergence(truth: &[f64], estimate: &[f64]) -> f64 {
    truth.iter().zip(estimate).filter(|&(&p, _)| p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}
