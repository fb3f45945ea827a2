//! Exponentials, logarithms and sums of many numbers at once, in the widest instructions there are.
//!
//! Loops are plain, over a fixed number of lanes, so that the compiler vectorises them; `pulp` compiles
//! them for each instruction set and picks the best one when the program runs. No two of them differ
//! by a bit.

use pulp::{Arch, Simd, WithSimd};

/// How many numbers go side by side.
const LANES: usize = 16;

/// eˣ of each number, but for 2⁻⁵¹ of it; what is below the smallest normal number becomes 0.
pub(crate) fn exp(values: &mut [f64]) {
    Arch::new().dispatch(InPlace {
        values,
        fast: exp_up_to_709,
        slow: f64::exp,
        is_fast: |x| x <= 709.0,
    });
}

/// ln of each number, but for 2⁻⁵¹ of it.
pub(crate) fn ln(values: &mut [f64]) {
    let is_fast = |x: f64| (x == 0.0) | (f64::MIN_POSITIVE..=f64::MAX).contains(&x);
    Arch::new().dispatch(InPlace { values, fast: ln_of_normal_or_zero, slow: f64::ln, is_fast });
}

/// Adds numbers to others, each to its own.
pub(crate) fn add_each<To, From: Copy>(
    into: &mut [To],
    from: &[From],
    add: impl Fn(&mut To, From),
) {
    Arch::new().dispatch(AddEach { into, from, add });
}

struct AddEach<'a, To, From, Add> {
    into: &'a mut [To],
    from: &'a [From],
    add: Add,
}

impl<To, From: Copy, Add: Fn(&mut To, From)> WithSimd for AddEach<'_, To, From, Add> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { into, from, add } = self;
        into.iter_mut().zip(from).for_each(|(into, &from)| add(into, from));
    }
}

/// A function of each number, by `slow` where some of the lanes can't go by `fast`.
struct InPlace<'a, Fast, Slow, IsFast> {
    values: &'a mut [f64],
    fast: Fast,
    slow: Slow,
    is_fast: IsFast,
}

impl<Fast, Slow, IsFast> WithSimd for InPlace<'_, Fast, Slow, IsFast>
where
    Fast: Fn(f64) -> f64,
    Slow: Fn(f64) -> f64,
    IsFast: Fn(f64) -> bool,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { values, fast, slow, is_fast } = self;
        let (chunks, rest) = values.as_chunks_mut::<LANES>();
        let one = |x: &mut f64| *x = if is_fast(*x) { fast(*x) } else { slow(*x) };
        for chunk in chunks {
            // Without a branch between the lanes.
            if chunk.iter().fold(true, |all, &x| all & is_fast(x)) {
                for x in chunk {
                    *x = fast(*x);
                }
            } else {
                chunk.iter_mut().for_each(one);
            }
        }
        rest.iter_mut().for_each(one);
    }
}

/// 2ⁿ · exp(r) with |r| ≤ ln 2 / 2, exp(r) by its Taylor polynomial.
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "ln 2 in two parts that add up")]
fn exp_up_to_709(x: f64) -> f64 {
    // Adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LOWEST: f64 = -708.0;
    let clamped = if x > LOWEST { x } else { LOWEST };
    let shifted = clamped * std::f64::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let r = clamped
        - power * 6.931_471_803_691_238_164_90e-1
        - power * 1.908_214_929_270_587_700_02e-10;
    let mut sum = 1.0 / 6_227_020_800.0;
    for factorial in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    ] {
        sum = sum * r + 1.0 / factorial;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(1023);
    if x > LOWEST { sum * f64::from_bits(exponent << 52) } else { 0.0 }
}

/// k ln 2 + ln(1 + f) with 1 + f from √½ to √2.
///
/// # Source
/// The polynomial is that of FreeBSD's `e_log.c`, © 1993 Sun Microsystems: R(s²) of
/// ln(1 + f) = f − f²/2 + s (f²/2 + R), s = f / (2 + f).
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "as they are published")]
fn ln_of_normal_or_zero(x: f64) -> f64 {
    // The bits of √½: subtracting them leaves the power of two of x / √½ in the exponent.
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const MANTISSA: u64 = (1 << 52) - 1;
    // 2⁵² + 1023: a small whole number added to its bits is added to it.
    const SHIFT: u64 = 0x4330_0000_0000_0000;
    let above = x.to_bits().wrapping_sub(ROOT_HALF).wrapping_add(1023 << 52);
    let k = f64::from_bits(SHIFT | above >> 52) - (4_503_599_627_370_496.0 + 1023.0);
    let f = f64::from_bits((above & MANTISSA).wrapping_add(ROOT_HALF)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w
        * (3.999_999_999_940_941_908e-1
            + w * (2.222_219_843_214_978_396e-1 + w * 1.531_383_769_920_937_332e-1));
    let odd = z
        * (6.666_666_666_666_735_130e-1
            + w * (2.857_142_874_366_239_149e-1
                + w * (1.818_357_216_161_805_012e-1 + w * 1.479_819_860_511_658_591e-1)));
    let half = 0.5 * f * f;
    let low = s * (half + (even + odd)) + k * 1.908_214_929_270_587_700_02e-10;
    let ln = k * 6.931_471_803_691_238_164_90e-1 - ((half - low) - f);
    if x == 0.0 { f64::NEG_INFINITY } else { ln }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(fast: f64, exact: f64) -> bool {
        fast == exact
            || (fast.is_nan() && exact.is_nan())
            || (fast / exact - 1.0).abs() <= 2_f64.powi(-51)
    }

    proptest! {
        #[test]
        fn they_are_the_standard_librarys(
            mut exponents in prop::collection::vec(-800.0..720.0_f64, 40),
            bits in prop::collection::vec(any::<u64>(), 40),
            near_one in prop::collection::vec(0.5..2.0_f64, 40),
        ) {
            let before = exponents.clone();
            exp(&mut exponents);
            for (x, y) in before.iter().zip(exponents) {
                prop_assert!(close(y, if *x > -708.0 { x.exp() } else { 0.0 }), "exp {x}: {y}");
            }
            let any: Vec<f64> = bits.iter().map(|&bits| f64::from_bits(bits)).collect();
            for numbers in [any, near_one] {
                let mut logarithms = numbers.clone();
                ln(&mut logarithms);
                for (x, y) in numbers.iter().zip(logarithms) {
                    prop_assert!(close(y, x.ln()), "ln {x}: {y}");
                }
            }
        }
    }

    #[test]
    fn edges_are_where_they_belong() {
        let mut powers =
            [f64::NEG_INFINITY, -708.5, 0.0, 1.0, 709.5, 710.0, f64::INFINITY, f64::NAN];
        exp(&mut powers);
        let nothing = [powers[0], powers[1], powers[2] - 1.0];
        assert_eq!(nothing, [0.0; 3]);
        assert!(powers[4].is_finite() && powers[5] == f64::INFINITY && powers[7].is_nan());
        let mut logarithms =
            [[0.0, 1.0, f64::INFINITY, 5e-324, -1.0, f64::NAN, 2.0, 0.5]; 4].concat();
        ln(&mut logarithms);
        assert_eq!(logarithms[..3], [f64::NEG_INFINITY, 0.0, f64::INFINITY]);
        assert!(
            logarithms[3] == 5e-324_f64.ln() && logarithms[4].is_nan() && logarithms[5].is_nan()
        );
    }
}
