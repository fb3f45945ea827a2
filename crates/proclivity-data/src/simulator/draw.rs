//! Random draws that the standard distributions don't offer as they are needed here.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma};

/// A draw from Gamma(shape, 1); at least the smallest positive number, so that shares can always
/// be normalised.
pub(super) fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    Gamma::new(shape, 1.0).map_or(0.0, |gamma| gamma.sample(rng)).max(f64::MIN_POSITIVE)
}

/// A draw from Dirichlet(concentration).
pub(super) fn dirichlet(concentration: &[f64], rng: &mut impl Rng) -> Vec<f64> {
    let mut shares: Vec<f64> = concentration.iter().map(|&a| gamma(a, rng)).collect();
    if shares.iter().all(|&share| share <= f64::MIN_POSITIVE) {
        // All vanished, as happens when the concentrations do: one share takes it all.
        shares.fill(0.0);
        shares[pick(concentration, rng)] = 1.0;
        return shares;
    }
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total);
    shares
}

/// An index drawn in proportion to weights.
pub(super) fn pick(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    drawn.unwrap_or(weights.len() - 1)
}
