//! How a log probability that is no sum splits among what moved it: Aumann–Shapley values.

use ndarray::ArrayView2;
use proclivity_posterior::log_sum_exp;

use crate::RankError;

/// What each source moved a value by, on the way from none of them to all.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// What each source moved the value by, below 0 where it moved it down.
    pub contributions: Vec<f64>,
    /// The value without any source: the prior's.
    pub before: f64,
    /// The value with all of them: the posterior's.
    pub after: f64,
    /// By how much the contributions miss `after − before`: what the quadrature is off by.
    pub completeness_error: f64,
}

/// Splits f(1, …, 1) − f(0, …, 0) among the arguments of f, each of them the weight of a source:
/// an event's evidence, a member of a pool.
///
/// `value` writes ∂f/∂tᵢ at weights t into its second argument and returns f(t).
///
/// The contributions sum to the difference (*efficiency*), equal sources get the same (*symmetry*),
/// a source that f doesn't depend on gets 0 (*dummy*), and two sources that always enter as a sum
/// get together what the sum would get alone. They are exact up to quadrature. They are still one
/// convention of several: all sources grow together, and which of two redundant ones "really" did
/// it has no answer. What would happen without a source is [`counterfactual_ranks`]' question.
///
/// # Formula
/// aᵢ = ∫₀¹ ∂f/∂tᵢ (s, …, s) ds, by the 16-point Gauss–Legendre rule on 1, 2, 4, … up to 64 equal
/// parts, until the sum is within 10⁻¹⁰ of the difference, relative to the larger of 1 and |f|.
/// What remains is [`Attribution::completeness_error`]: check it where f may have kinks.
///
/// # Source
/// R. J. Aumann and L. S. Shapley. *Values of non-atomic games.* 1974; as integrated gradients
/// M. Sundararajan, A. Taly and Q. Yan, ICML 2017.
///
/// # Errors
/// [`RankError::NotFinite`] for a value or a gradient that is not finite, such as the log
/// probability of an item that the prior excludes.
///
/// [`counterfactual_ranks`]: crate::counterfactual_ranks
pub fn aumann_shapley(
    sources: usize,
    mut value: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Result<Attribution, RankError> {
    const MOST_PARTS: u32 = 64;
    const TOLERANCE: f64 = 1e-10;

    let mut gradient = vec![0.0; sources];
    let mut weights = vec![0.0; sources];
    let mut at = |weight: f64, gradient: &mut [f64]| {
        weights.fill(weight);
        value(&weights, gradient)
    };
    let before = finite("value without sources", 0, at(0.0, &mut gradient))?;
    let after = finite("value with all sources", 0, at(1.0, &mut gradient))?;
    let scale = 1.0_f64.max(before.abs()).max(after.abs());

    let mut parts = 1;
    loop {
        let mut contributions = vec![0.0; sources];
        for part in 0..parts {
            for (node, node_weight) in gauss_legendre() {
                let place = (f64::from(part) + node) / f64::from(parts);
                at(place, &mut gradient);
                for (i, (sum, &slope)) in contributions.iter_mut().zip(&gradient).enumerate() {
                    *sum += node_weight / f64::from(parts) * finite("gradient", i, slope)?;
                }
            }
        }
        let moved: f64 = contributions.iter().sum();
        let completeness_error = (moved - (after - before)).abs();
        if completeness_error <= TOLERANCE * scale || parts == MOST_PARTS {
            return Ok(Attribution { contributions, before, after, completeness_error });
        }
        parts *= 2;
    }
}

/// Splits the log probability of one item where sources add up to logits: a log-linear pool's
/// members (weight · score), or the events of a linear model under a softmax.
///
/// A source that gives every item the same moves nothing. Items to be left out have −∞ as their
/// base: the log probability is then that given the others.
///
/// # Formula
/// f(t) = log softmax(base + Σᵢ tᵢ · contributions\[i\])\[item\],
/// ∂f/∂tᵢ = contributions\[i, item\] − Σ over y of p_t(y) · contributions\[i, y\]
///
/// # Shapes
/// `base`: `[items]`; `contributions`: `[sources, items]`
///
/// # Errors
/// [`RankError::Length`] for another number of items, [`RankError::UnknownItem`] outside of the
/// catalog, [`RankError::NotFinite`] for a contribution that is not finite and for an item whose
/// base is −∞, [`RankError::InvalidScore`] for a base that is NaN or +∞.
pub fn attribute_log_prob(
    base: &[f64],
    contributions: ArrayView2<'_, f64>,
    item: u32,
) -> Result<Attribution, RankError> {
    let items = base.len();
    if contributions.ncols() != items {
        let got = contributions.ncols();
        return Err(RankError::Length { what: "items of a source", expected: items, got });
    }
    let index = item as usize;
    if index >= items {
        return Err(RankError::UnknownItem { item, items });
    }
    for (item, &value) in base.iter().enumerate() {
        if value.is_nan() || value == f64::INFINITY {
            return Err(RankError::InvalidScore { item, value });
        }
    }
    for (position, &value) in contributions.iter().enumerate() {
        finite("contributions", position, value)?;
    }
    let mut probs = vec![0.0; items];
    aumann_shapley(contributions.nrows(), |weights, gradient| {
        probs.copy_from_slice(base);
        for (weight, row) in weights.iter().zip(contributions.rows()) {
            probs.iter_mut().zip(row).for_each(|(logit, value)| *logit += weight * value);
        }
        let log_prob = probs[index] - log_sum_exp(&probs);
        let total = probs[index] - log_prob;
        probs.iter_mut().for_each(|logit| *logit = (*logit - total).exp());
        for (slope, row) in gradient.iter_mut().zip(contributions.rows()) {
            // Around the item's own, so that a source that is the same for all moves exactly 0.
            *slope = probs.iter().zip(row).map(|(p, value)| p * (row[index] - value)).sum();
        }
        log_prob
    })
}

fn finite(what: &'static str, position: usize, value: f64) -> Result<f64, RankError> {
    if value.is_finite() { Ok(value) } else { Err(RankError::NotFinite { what, position, value }) }
}

/// Nodes in (0, 1) and weights, which sum to 1: exact for polynomials up to degree 31.
///
/// # Source
/// M. Abramowitz and I. A. Stegun. *Handbook of mathematical functions*, table 25.4.
fn gauss_legendre() -> impl Iterator<Item = (f64, f64)> {
    const HALF: [(f64, f64); 8] = [
        (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
        (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
        (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
        (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
        (0.755_404_408_355_003, 0.124_628_971_255_533_87),
        (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
        (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
        (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
    ];
    HALF.into_iter().flat_map(|(node, weight)| {
        [((1.0 - node) / 2.0, weight / 2.0), ((1.0 + node) / 2.0, weight / 2.0)]
    })
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn the_rule_is_exact_up_to_degree_31() {
        for degree in 0..=31 {
            let sum: f64 = gauss_legendre().map(|(node, weight)| weight * node.powi(degree)).sum();
            assert!((sum - 1.0 / f64::from(degree + 1)).abs() < 1e-15, "{degree}: {sum}");
        }
        let sum: f64 = gauss_legendre().map(|(node, w)| w * (2.0 * node - 1.0).powi(32)).sum();
        assert!((sum - 1.0 / 33.0).abs() > 1e-10);
    }
}
