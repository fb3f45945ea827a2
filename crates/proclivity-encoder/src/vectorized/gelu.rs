//! The Gaussian error linear unit.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// x · Φ(x) of every number, in place, Φ the normal distribution function, within 3 · 10⁻⁷.
///
/// # Source
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
pub(crate) fn gelu(values: &mut [f32]) {
    Arch::new().dispatch(Gelu(values));
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (chunks, rest) = self.0.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for value in chunk {
                *value = one(*value);
            }
        }
        for value in rest {
            *value = one(*value);
        }
    }
}

/// x Φ(x) = x − x/2 · erfc(x/√2) for x ≥ 0, and x/2 · erfc(−x/√2) below.
#[inline(always)]
fn one(x: f32) -> f32 {
    let tail = x * half_erfc(x.abs()).0;
    if x >= 0.0 { x - tail } else { tail }
}

/// erfc(x/√2) / 2 and exp(−x²/2) of a number that is not below 0.
#[inline(always)]
pub(super) fn half_erfc(x: f32) -> (f32, f32) {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut polynomial = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        polynomial = polynomial * t + coefficient;
    }
    let density = exp(-z * z);
    (0.5 * (polynomial * t * density), density)
}

/// The same, with Φ(x) + x · φ(x), the slope at each number; φ is the normal density.
pub(crate) fn gelu_with_slopes(values: &mut [f32], slopes: &mut [f32]) {
    Arch::new().dispatch(WithSlopes(values, slopes));
}

struct WithSlopes<'a>(&'a mut [f32], &'a mut [f32]);

impl WithSimd for WithSlopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (values, rest) = self.0.as_chunks_mut::<LANES>();
        let (slopes, slopes_rest) = self.1.as_chunks_mut::<LANES>();
        for (values, slopes) in values.iter_mut().zip(slopes) {
            for lane in 0..LANES {
                slopes[lane] = slope(values[lane]);
                values[lane] = one(values[lane]);
            }
        }
        for (value, of_value) in rest.iter_mut().zip(slopes_rest) {
            *of_value = slope(*value);
            *value = one(*value);
        }
    }
}

/// x Φ(x) leaves Φ where it is divided by x, and the density is the exponential that it needs.
#[inline(always)]
fn slope(x: f32) -> f32 {
    const ROOT: f32 = 0.398_942_3;
    let (tail, density) = half_erfc(x.abs());
    let below = if x >= 0.0 { 1.0 - tail } else { tail };
    below + x * ROOT * density
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf by its Taylor series in f64, for |x| up to 6.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..400 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn it_is_x_times_the_normal_distribution_function() {
        let inputs: Vec<f32> = (-5_000..=5_000).map(|step| step as f32 * 1e-3).collect();
        let mut outputs = inputs.clone();
        gelu(&mut outputs);
        for (x, got) in inputs.into_iter().zip(outputs) {
            let x = f64::from(x);
            let expected = 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
            assert!((f64::from(got) - expected).abs() < 1e-6, "{x}: {got} for {expected}");
            let (mut value, mut slope) = ([x as f32], [0.0]);
            gelu_with_slopes(&mut value, &mut slope);
            assert_eq!(value, [got]);
            let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let expected = 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2)) + x * density;
            assert!((f64::from(slope[0]) - expected).abs() < 1e-6, "{x}: slope {slope:?}");
        }
        let mut far = [-1e30_f32, -100.0, 0.0, 100.0, 1e30, f32::NAN];
        gelu(&mut far);
        // What is left of −100 · Φ(−100) is below the smallest normal number.
        assert!(far[..2].iter().all(|value| value.abs() < 1e-37), "{far:?}");
        assert_eq!(far[2..5], [0.0, 100.0, 1e30]);
        assert!(far[5].is_nan());
    }
}
