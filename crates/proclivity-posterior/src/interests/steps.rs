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
pub(super) fn to_events(steps: f64) -> f64 {
    steps / ONE
}

/// How many bits of a remainder are compared.
const REMAINDER_BITS: u32 = 20;
/// 2⁵²: the bits of 2⁵² + x end in those of x, which is rounded to a whole number for it. Unlike a
/// conversion, this is vectorised on every machine.
const SHIFT: f64 = 4_503_599_627_370_496.0;

/// Whole steps in proportion to weights from 0, by largest remainder, compared in 2⁻²⁰ of a step: they
/// add up to `steps` exactly, and each is less than one step off. Of equal remainders the first is
/// served. `None` unless the weights have a positive, finite sum.
pub(super) fn apportion(weights: &[f64], steps: i32) -> Option<Box<[i32]>> {
    let total = sum(weights);
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    let scale = f64::from(steps) / total * f64::from(1 << REMAINDER_BITS);
    let mask = (1 << REMAINDER_BITS) - 1;
    let fixed = |weight: f64| (weight * scale + SHIFT).to_bits() & ((1 << 52) - 1);
    let mut parts: Box<[i32]> =
        weights.iter().map(|&weight| (fixed(weight) >> REMAINDER_BITS) as i32).collect();
    let remainders: Box<[i32]> =
        weights.iter().map(|&weight| (fixed(weight) & mask) as i32).collect();
    let mut left = steps - parts.iter().sum::<i32>();

    // The remainders' first eight bits say who is served, but for those who share them with the last.
    let first = |remainder: i32| remainder >> (REMAINDER_BITS - 8);
    let mut heads = [0_i32; 256];
    remainders.iter().for_each(|&remainder| heads[first(remainder) as usize] += 1);
    let (mut last, mut served) = (256, 0);
    while served < left && last > 0 {
        last -= 1;
        served += heads[last as usize];
    }
    if last < 256 {
        for (part, &remainder) in parts.iter_mut().zip(&remainders) {
            let more = i32::from(first(remainder) > last);
            *part += more;
            left -= more;
        }
        let mut tied: Vec<usize> = Vec::with_capacity(heads[last as usize] as usize);
        let positions = remainders.iter().enumerate();
        tied.extend(positions.filter(|&(_, &r)| first(r) == last).map(|(at, _)| at));
        tied.sort_by_key(|&at| (-remainders[at], at));
        for at in tied.into_iter().take(usize::try_from(left).unwrap_or(0)) {
            parts[at] += 1;
            left -= 1;
        }
    }
    // Rounding of the products themselves, where the weights are whole steps.
    if left != 0
        && let Some(largest) = parts.iter_mut().max()
    {
        *largest += left;
    }
    Some(parts)
}

/// A sum in eight lanes, which is vectorised.
fn sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter().chain(rest).sum()
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
