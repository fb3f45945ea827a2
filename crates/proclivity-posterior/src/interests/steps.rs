//! Fractions of an event in 32 bits, and parts of an event that add up to it.

use crate::PosteriorError;
use crate::error::in_range;

/// How many steps one event has: 2¹⁶.
const ONE: f64 = 65_536.0;

/// The nearest number of steps of 2⁻¹⁶ of an event.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] unless the weight lies in \[0, 32,767\].
pub(super) fn to_steps(weight: f64) -> Result<i32, PosteriorError> {
    in_range("weight of an event", weight, (0.0..=32_767.0).contains(&weight), "in [0, 32,767]")?;
    Ok((weight * ONE).round() as i32)
}

/// What a number of steps stands for, in events.
pub(super) fn to_events(steps: i64) -> f64 {
    steps as f64 / ONE
}

/// Whole steps in proportion to weights, by largest remainder: they add up to `steps` exactly, and
/// each is less than one step off. `None` unless the weights have a positive, finite sum.
pub(super) fn apportion(weights: &[f64], steps: i32) -> Option<Box<[i32]>> {
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    let scale = f64::from(steps) / total;
    let mut left = steps;
    let mut parts = Vec::with_capacity(weights.len());
    // The remainder, and among equal ones the first: numbers whose order is the order of service.
    let mut remainders = Vec::with_capacity(weights.len());
    for (position, weight) in (0_u32..).zip(weights) {
        let exact = weight * scale;
        let whole = exact as i32;
        left -= whole;
        parts.push(whole);
        let remainder = ((exact - f64::from(whole)) * 4_294_967_296.0) as u32;
        remainders.push(u64::from(remainder) << 32 | u64::from(u32::MAX - position));
    }
    let more = usize::try_from(left).unwrap_or(0).min(parts.len());
    if more > 0 {
        let at = remainders.len() - more;
        remainders.select_nth_unstable(at);
        for key in &remainders[at..] {
            parts[(u32::MAX - *key as u32) as usize] += 1;
        }
        left -= more as i32;
    }
    // Rounding of the products themselves, where the weights are whole steps.
    if left != 0
        && let Some(largest) = parts.iter_mut().max()
    {
        *largest += left;
    }
    Some(parts.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_add_up_and_are_the_largest_remainders(
            weights in prop::collection::vec(prop_oneof![Just(0.0), 0.0_f64..1.0, 0.0_f64..1e-9], 1..40),
            steps in 0_i32..1 << 24,
        ) {
            let total: f64 = weights.iter().sum();
            let Some(parts) = apportion(&weights, steps) else {
                prop_assert!(total == 0.0);
                return Ok(());
            };
            prop_assert_eq!(parts.iter().sum::<i32>(), steps);
            let exact: Vec<f64> = weights.iter().map(|w| w / total * f64::from(steps)).collect();
            for (part, exact) in parts.iter().zip(&exact) {
                prop_assert!((f64::from(*part) - exact).abs() < 1.0 + 1e-6, "{part} for {exact}");
            }
            // No part that was rounded down has a larger remainder than one that was rounded up.
            let rounded = |up: bool| {
                let sides = parts.iter().zip(&exact);
                sides.filter(move |(part, exact)| (f64::from(**part) > **exact) == up)
            };
            let smallest_up = rounded(true).map(|(_, x)| x.fract()).fold(1.0, f64::min);
            let largest_down = rounded(false).map(|(_, x)| x.fract()).fold(0.0, f64::max);
            prop_assert!(largest_down <= smallest_up + 1e-6);
        }
    }

    #[test]
    fn ties_are_served_from_the_first() {
        assert_eq!(*apportion(&[1.0, 1.0, 1.0], 5).unwrap(), [2, 2, 1]);
        assert_eq!(*apportion(&[0.3], 7).unwrap(), [7]);
        assert!(apportion(&[0.0, 0.0], 7).is_none());
        assert!(apportion(&[f64::INFINITY, 1.0], 7).is_none());
        assert!(to_steps(-1.0).is_err() && to_steps(f64::NAN).is_err() && to_steps(4e4).is_err());
    }
}
