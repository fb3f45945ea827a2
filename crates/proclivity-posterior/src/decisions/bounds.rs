//! Upper confidence bounds: how good an item could well be.

use ndarray::ArrayView2;
use rand::Rng;

use super::sample::{Sample, Score};
use crate::error::{in_range, same_length};
use crate::{Dirichlet, DirichletMixture, PosteriorError};

/// A posterior under which linear scores wᵀθ have a known mean and variance.
pub trait LinearMoments {
    /// How many parameters θ has.
    fn parameter_count(&self) -> usize;

    /// Mean and variance of wᵀθ.
    ///
    /// # Panics
    /// When there isn't one weight for each parameter.
    fn linear_moments(&self, weights: &[f64]) -> (f64, f64);
}

impl LinearMoments for Dirichlet {
    fn parameter_count(&self) -> usize {
        self.concentration().len()
    }

    /// Var(wᵀθ) = (Σ mₖwₖ² − (Σ mₖwₖ)²) / (Σ a + 1)
    fn linear_moments(&self, weights: &[f64]) -> (f64, f64) {
        assert_eq!(weights.len(), self.parameter_count(), "one weight for each share");
        let means = self.mean();
        let mean: f64 = means.iter().zip(weights).map(|(m, w)| m * w).sum();
        let spread: f64 = means.iter().zip(weights).map(|(m, w)| m * (w - mean).powi(2)).sum();
        (mean, spread / (self.strength() + 1.0))
    }
}

impl LinearMoments for DirichletMixture {
    fn parameter_count(&self) -> usize {
        self.interest_count()
    }

    fn linear_moments(&self, weights: &[f64]) -> (f64, f64) {
        let parts: Vec<(f64, (f64, f64))> = self
            .components()
            .iter()
            .map(|(weight, dirichlet)| (*weight, dirichlet.linear_moments(weights)))
            .collect();
        let mean: f64 = parts.iter().map(|(weight, (mean, _))| weight * mean).sum();
        let variance =
            parts.iter().map(|(weight, (m, variance))| weight * (variance + (m - mean).powi(2)));
        (mean, variance.sum())
    }
}

/// Mean + width standard deviations of the linear score of each item.
///
/// P(x|θ) is linear in shares θ, with φ(x) as weights.
///
/// # Shapes
/// `items`: `[items, parameters]`; result: `[items]`
///
/// # Errors
/// [`PosteriorError::Length`] for another number of parameters, [`PosteriorError::OutOfRange`] for a
/// width that is negative or not finite.
pub fn upper_confidence_bounds(
    posterior: &impl LinearMoments,
    items: ArrayView2<'_, f64>,
    width: f64,
) -> Result<Vec<f64>, PosteriorError> {
    in_range("width", width, width >= 0.0 && width.is_finite(), "a finite number from 0")?;
    same_length("weights of an item", posterior.parameter_count(), items.ncols())?;
    let bound = |weights: ndarray::ArrayView1<'_, f64>| {
        let (mean, variance) = posterior.linear_moments(&weights.to_vec());
        mean + width * variance.sqrt()
    };
    Ok(items.rows().into_iter().map(bound).collect())
}

/// A posterior quantile of each item's score, of whatever form, by joint draws.
///
/// Keeps draws × items scores.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] for 0 draws and unless the probability lies between 0 and 1.
pub fn score_quantiles<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    items: &impl Score<P::Draw>,
    probability: f64,
    draws: usize,
    rng: &mut R,
) -> Result<Vec<f64>, PosteriorError> {
    in_range("draws", draws as f64, draws > 0, "from 1")?;
    let valid = probability > 0.0 && probability < 1.0;
    in_range("probability", probability, valid, "a number between 0 and 1")?;
    let mut by_item = vec![Vec::with_capacity(draws); items.item_count()];
    let mut scores = vec![0.0; items.item_count()];
    for _ in 0..draws {
        items.scores(&posterior.draw(rng), &mut scores);
        by_item.iter_mut().zip(&scores).for_each(|(item, &score)| item.push(score));
    }
    // The draw below which the probability lies.
    let rank = ((probability * draws as f64).ceil() as usize).clamp(1, draws) - 1;
    let quantile = |mut scores: Vec<f64>| *scores.select_nth_unstable_by(rank, f64::total_cmp).1;
    Ok(by_item.into_iter().map(quantile).collect())
}
