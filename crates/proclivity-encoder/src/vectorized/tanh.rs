//! The hyperbolic tangent, and the Gaussian error linear unit by way of it.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// tanh x of every number, in place.
pub(crate) fn tanh(values: &mut [f32]) {
    Arch::new().dispatch(Each(values, tanh_of));
}

/// x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) of every number, in place.
///
/// # Source
/// Hendrycks and Gimpel 2016, Gaussian Error Linear Units.
pub(crate) fn gelu_tanh(values: &mut [f32]) {
    Arch::new().dispatch(Each(values, gelu_tanh_of));
}

struct Each<'a, F>(&'a mut [f32], F);

impl<F: Fn(f32) -> f32> WithSimd for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self(values, function) = self;
        let (chunks, rest) = values.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for value in chunk {
                *value = function(*value);
            }
        }
        for value in rest {
            *value = function(*value);
        }
    }
}

#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let below = exp(-2.0 * x.abs());
    let positive = (1.0 - below) / (1.0 + below);
    if x >= 0.0 { positive } else { -positive }
}

/// x σ(2u), σ the logistic function.
#[inline(always)]
fn gelu_tanh_of(x: f32) -> f32 {
    const TWICE_ROOT: f32 = 1.595_769;
    let twice = TWICE_ROOT * (x + 0.044_715 * x * x * x);
    let below = exp(-twice.abs());
    let share = if twice >= 0.0 { 1.0 } else { below };
    x * (share / (1.0 + below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_the_standard_library_computes() {
        let inputs: Vec<f32> = (-9_000..=9_000).map(|step| step as f32 * 1e-3).collect();
        let (mut tangents, mut units) = (inputs.clone(), inputs.clone());
        tanh(&mut tangents);
        gelu_tanh(&mut units);
        for ((x, tangent), unit) in inputs.into_iter().zip(tangents).zip(units) {
            let x = f64::from(x);
            assert!((f64::from(tangent) - x.tanh()).abs() < 1e-6, "tanh {x}: {tangent}");
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            let expected = 0.5 * x * (1.0 + inner.tanh());
            assert!((f64::from(unit) - expected).abs() < 2e-6, "gelu {x}: {unit} for {expected}");
        }
        let mut far = [-1e4_f32, 0.0, 1e4, f32::NAN];
        tanh(&mut far);
        assert_eq!(far[..3], [-1.0, 0.0, 1.0]);
        let mut far = [-1e4_f32, 0.0, 1e4, f32::NAN];
        gelu_tanh(&mut far);
        assert!(far[0].abs() < 1e-30);
        assert_eq!(far[1..3], [0.0, 1e4]);
        assert!(far[3].is_nan());
    }
}
