//! The guard's weights, learned across users.

use ndarray::ArrayView2;

use crate::PosteriorError;
use crate::error::in_range;
use crate::linear_mixture::fit_weights;

/// How probable each member of a guard is before a user is seen, from other users' events.
///
/// The first event of a user can't be foretold better than by these: so they are learned across
/// users, by marginal likelihood, and drawn to equal weights so that no member is ruled out.
///
/// # Formula
/// The mode over w of Σᵤ log Σₘ wₘ P(Xᵤ|m) + (`pseudo_users` / M) Σₘ log wₘ, by
/// expectation–maximisation
///
/// # Shapes
/// `log_probs`: `[users, members]`, log P(Xᵤ|m) of a user's events (the first few, or all) under each
/// member: its log-evidence, or the sum of its prequential log-probabilities
///
/// # Errors
/// [`PosteriorError::Empty`] without members, [`PosteriorError::OutOfRange`] for NaN or +∞, or unless
/// `pseudo_users` is above 0 and finite. Users whom no member allows are left out; without users all
/// weights are equal.
pub fn guard_weights(
    log_probs: ArrayView2<'_, f64>,
    pseudo_users: f64,
) -> Result<Vec<f64>, PosteriorError> {
    let members = log_probs.ncols();
    if members == 0 {
        return Err(PosteriorError::Empty { what: "members of the guard" });
    }
    let valid = pseudo_users > 0.0 && pseudo_users.is_finite();
    in_range("pseudo_users", pseudo_users, valid, "above 0 and finite")?;
    for &value in &log_probs {
        let valid = !value.is_nan() && value < f64::INFINITY;
        in_range("log-probability", value, valid, "−∞ or a finite number")?;
    }
    let users: Vec<Vec<f64>> = log_probs
        .rows()
        .into_iter()
        .filter_map(|row| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let relative = || row.iter().map(|value| (value - largest).exp()).collect();
            (largest > f64::NEG_INFINITY).then(relative)
        })
        .collect();
    Ok(fit_weights(members, |weights| {
        let mut next = vec![pseudo_users / members as f64; members];
        for probs in &users {
            let total: f64 = probs.iter().zip(weights).map(|(p, weight)| p * weight).sum();
            for ((next, p), weight) in next.iter_mut().zip(probs).zip(weights) {
                *next += p * weight / total;
            }
        }
        next
    }))
}

/// The logs of weights, normalised.
///
/// # Errors
/// [`PosteriorError::Empty`] without weights, [`PosteriorError::OutOfRange`] for one that is negative
/// or not finite, or when all are 0.
pub(super) fn log_weights(weights: &[f64]) -> Result<Vec<f64>, PosteriorError> {
    if weights.is_empty() {
        return Err(PosteriorError::Empty { what: "members of the guard" });
    }
    for &weight in weights {
        let valid = weight >= 0.0 && weight.is_finite();
        in_range("weight of a member", weight, valid, "a finite number from 0")?;
    }
    let total: f64 = weights.iter().sum();
    in_range("sum of the weights", total, total > 0.0 && total.is_finite(), "above 0")?;
    Ok(weights.iter().map(|weight| (weight / total).ln()).collect())
}
