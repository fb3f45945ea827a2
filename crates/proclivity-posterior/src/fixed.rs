//! Fixed-point numbers, whose sums don't depend on their order.

use crate::PosteriorError;

/// 2³²: how many steps one has in 64 bits.
const STEPS: f64 = 4_294_967_296.0;

/// The nearest number of steps of 2⁻³².
///
/// # Errors
/// [`PosteriorError::OutOfRange`] unless it lies within ±2³¹.
pub(crate) fn to_steps(name: &'static str, value: f64) -> Result<i64, PosteriorError> {
    let valid = value.is_finite() && value.abs() < 2_147_483_648.0;
    crate::error::in_range(name, value, valid, "a number within ±2³¹")?;
    Ok((value * STEPS).round() as i64)
}

/// What a number of steps stands for.
pub(crate) fn from_steps(steps: i64) -> f64 {
    steps as f64 / STEPS
}

/// `sum + weight · steps`, in whole steps: exact for weights of ±1, rounded alike for a weight and
/// its negative otherwise. `None` past the range of 64 bits.
pub(crate) fn added(sum: i64, steps: i64, weight: f64) -> Option<i64> {
    sum.checked_add(weighted(steps, weight)?)
}

/// `weight · steps` in whole steps.
pub(crate) fn weighted(steps: i64, weight: f64) -> Option<i64> {
    if weight == 1.0 {
        return Some(steps);
    }
    if weight == -1.0 {
        return steps.checked_neg();
    }
    let product = (steps as f64 * weight).round();
    // 2⁶³ itself is out of range, and the largest f64 below it is in.
    (product.abs() < 9_223_372_036_854_775_808.0).then_some(product as i64)
}

/// A part of a number of steps, rounded towards zero, so that forgetting again and again ends.
pub(crate) fn kept(steps: i64, part: f64) -> i64 {
    if part == 1.0 { steps } else { (steps as f64 * part) as i64 }
}
