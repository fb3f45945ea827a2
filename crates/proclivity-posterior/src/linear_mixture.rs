//! A linear mixture of predictives, each weighted by how well it foretells.

use ndarray::ArrayView2;

use crate::error::{in_range, same_length};
use crate::{PosteriorError, Predictive};

/// P(x|history) = Σₘ wₘ Pₘ(x|history).
///
/// A probability of a mixture splits among its members in proportion to what each gives.
pub struct LinearMixture<'a> {
    members: Vec<(&'a dyn Predictive, f64)>,
}

impl<'a> LinearMixture<'a> {
    /// A mixture of members with weights, which are normalised.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without members, [`PosteriorError::Length`] when their catalogs
    /// differ in size, [`PosteriorError::OutOfRange`] for a negative weight or a zero sum.
    pub fn new(members: Vec<(&'a dyn Predictive, f64)>) -> Result<Self, PosteriorError> {
        let Some(&(first, _)) = members.first() else {
            return Err(PosteriorError::Empty { what: "members of the mixture" });
        };
        for &(member, weight) in &members {
            same_length("items of a member", first.item_count(), member.item_count())?;
            let valid = weight >= 0.0 && weight.is_finite();
            in_range("weight of a member", weight, valid, "a finite number from 0")?;
        }
        let total: f64 = members.iter().map(|&(_, weight)| weight).sum();
        in_range("sum of the weights", total, total > 0.0, "a positive number")?;
        let members = members.into_iter().map(|(member, weight)| (member, weight / total));
        Ok(Self { members: members.collect() })
    }
}

impl Predictive for LinearMixture<'_> {
    fn item_count(&self) -> usize {
        self.members[0].0.item_count()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let mut member_log_probs = vec![0.0; out.len()];
        let mut sum = vec![0.0; out.len()];
        for &(member, weight) in self.members.iter().filter(|&&(_, weight)| weight > 0.0) {
            member.log_probs(history, &mut member_log_probs);
            for (sum, log_prob) in sum.iter_mut().zip(&member_log_probs) {
                *sum += weight * log_prob.exp();
            }
        }
        for (out, sum) in out.iter_mut().zip(sum) {
            *out = sum.ln();
        }
    }
}

/// The weights under which a linear mixture gives held-out events the highest probability, by
/// expectation–maximisation.
///
/// # Formula
/// argmax over w of Σₙ log Σₘ wₘ exp(log_probs\[n, m\])
///
/// # Shapes
/// `log_probs`: `[events, members]`
///
/// # Errors
/// [`PosteriorError::Empty`] without events or members.
pub fn mixture_weights(log_probs: ArrayView2<'_, f64>) -> Result<Vec<f64>, PosteriorError> {
    if log_probs.is_empty() {
        return Err(PosteriorError::Empty { what: "events or members" });
    }
    let probs: Vec<Vec<f64>> = log_probs
        .rows()
        .into_iter()
        .filter_map(|row| {
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // An event that no member can explain says nothing about the weights.
            (max > f64::NEG_INFINITY).then(|| row.iter().map(|p| (p - max).exp()).collect())
        })
        .collect();
    Ok(fit_weights(log_probs.ncols(), |weights| {
        let mut next = vec![0.0; weights.len()];
        for probs in &probs {
            let total: f64 = probs.iter().zip(weights).map(|(p, w)| p * w).sum();
            for ((next, p), w) in next.iter_mut().zip(probs).zip(weights) {
                *next += p * w / total;
            }
        }
        next
    }))
}

/// Weights of a linear mixture by expectation–maximisation from equal weights, until they stand.
pub(crate) fn fit_weights(count: usize, step: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    const STEPS: usize = 2_000;
    const TOLERANCE: f64 = 1e-9;
    let mut weights = vec![1.0 / count as f64; count];
    for _ in 0..STEPS {
        let mut next = step(&weights);
        let total: f64 = next.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            break;
        }
        next.iter_mut().for_each(|weight| *weight /= total);
        let change: f64 = next.iter().zip(&weights).map(|(a, b)| (a - b).abs()).sum();
        weights = next;
        if change < TOLERANCE {
            break;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    struct Constant(Vec<f64>);

    impl Predictive for Constant {
        fn item_count(&self) -> usize {
            self.0.len()
        }
        fn log_probs(&self, _: &[u32], out: &mut [f64]) {
            for (out, p) in out.iter_mut().zip(&self.0) {
                *out = p.ln();
            }
        }
    }

    #[test]
    fn it_is_the_weighted_sum() {
        let (a, b) = (Constant(vec![0.5, 0.5, 0.0]), Constant(vec![0.1, 0.2, 0.7]));
        let mixture = LinearMixture::new(vec![(&a, 1.0), (&b, 3.0)]).unwrap();
        let mut out = [0.0; 3];
        mixture.log_probs(&[], &mut out);
        for (log_prob, expected) in out.iter().zip([0.2, 0.275, 0.525]) {
            assert!((log_prob.exp() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn weights_maximise_the_held_out_likelihood() {
        // Member 0 is right on three events of four, by the same factor: w = (4·¾ − …) in closed
        // form, the maximiser of 3 log(.8w + .2(1−w)) + log(.2w + .8(1−w)).
        let p = array![[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.2, 0.8_f64]].mapv(f64::ln);
        let weights = mixture_weights(p.view()).unwrap();
        let loss =
            |w: f64| 3.0 * (0.8 * w + 0.2 * (1.0 - w)).ln() + (0.2 * w + 0.8 * (1.0 - w)).ln();
        let best =
            (0..=1000).map(|i| f64::from(i) / 1000.0).max_by(|a, b| loss(*a).total_cmp(&loss(*b)));
        assert!((weights[0] - best.unwrap()).abs() < 2e-3);
    }
}
