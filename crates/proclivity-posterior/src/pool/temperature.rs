//! One temperature for all scores: the simplest calibration, and what a splice has to beat.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::newton::{Quadratic, minimize};
use crate::PosteriorError;
use crate::error::{in_range, known_items, same_length};

/// The inverse temperature under which the softmax of scores gives held-out items the highest
/// probability.
///
/// # Formula
/// argmax over β ≥ 0 of Σₙ log softmax(β · scores\[n\])\[targetₙ\]
///
/// # Shapes
/// `scores`: `[events, items]`, −∞ for what can't come next; `targets`: `[events]`
///
/// # Errors
/// [`PosteriorError::Empty`] without events, [`PosteriorError::Length`] for another number of
/// targets, [`PosteriorError::UnknownItem`] outside of the catalog, [`PosteriorError::OutOfRange`]
/// for a target of score −∞, [`PosteriorError::NotFinite`] for a NaN or +∞,
/// [`PosteriorError::NotConverged`] when every target has the highest score, so that no finite one
/// is best.
pub fn inverse_temperature(
    scores: ArrayView2<'_, f32>,
    targets: &[u32],
) -> Result<f64, PosteriorError> {
    if targets.is_empty() {
        return Err(PosteriorError::Empty { what: "events" });
    }
    same_length("targets", scores.nrows(), targets.len())?;
    known_items(targets, scores.ncols())?;
    for (row, &target) in targets.iter().enumerate() {
        let wrong = |score: &f32| score.is_nan() || *score == f32::INFINITY;
        if let Some(column) = scores.row(row).iter().position(wrong) {
            let value = f64::from(scores[[row, column]]);
            return Err(PosteriorError::NotFinite { what: "scores", row, column, value });
        }
        let score = f64::from(scores[[row, target as usize]]);
        in_range("score of a target", score, score.is_finite(), "a finite number")?;
    }
    let loss = |beta: &[f64]| {
        let losses: Vec<[f64; 3]> = targets
            .par_iter()
            .enumerate()
            .map(|(row, &target)| {
                let scores = scores.row(row);
                let target = f64::from(scores[target as usize]);
                let highest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
                for score in scores.iter().filter(|score| score.is_finite()) {
                    let score = f64::from(*score) - highest;
                    let weight = (beta[0] * score).exp();
                    mass += weight;
                    first += weight * score;
                    second += weight * score * score;
                }
                let mean = first / mass;
                let below = target - highest;
                [mass.ln() - beta[0] * below, mean - below, second / mass - mean * mean]
            })
            .collect();
        let mut total = Quadratic::zeros(1);
        for [value, gradient, hessian] in losses {
            total.value += value;
            total.gradient[0] += gradient;
            total.hessian[0] += hessian;
        }
        // Where all scores are the same any temperature is as good.
        total.hessian[0] = total.hessian[0].max(1e-12);
        total
    };
    let found = minimize("the temperature", &[0.0], &[0.0], loss)?;
    Ok(found[0])
}
