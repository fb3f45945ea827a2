//! Activation functions with their derivatives: the line that touches one at each number.

use pulp::{Arch, Simd, WithSimd};

use super::gelu::half_erfc;
use super::{LANES, exp};

/// An activation x · s(x) whose s rises from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// s is the normal distribution function.
    Gelu,
    /// s(x) = σ(√(8/π) · (x + 0.044715 x³))
    GeluTanh,
    /// s is the logistic function.
    Silu,
}

/// Slope s(x) + x s′(x) and intercept −x² s′(x) of the tangent at each number: slope · x + intercept
/// is the activation, and its derivative with both held fixed is the activation's.
pub(crate) fn tangents(gate: Gate, values: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut slopes, mut intercepts) = (vec![0.0; values.len()], vec![0.0; values.len()]);
    let (slopes_out, intercepts_out) = (slopes.as_mut_slice(), intercepts.as_mut_slice());
    let arch = Arch::new();
    match gate {
        Gate::Gelu => arch.dispatch(Tangents(normal, values, slopes_out, intercepts_out)),
        Gate::GeluTanh => arch.dispatch(Tangents(cubic, values, slopes_out, intercepts_out)),
        Gate::Silu => arch.dispatch(Tangents(logistic, values, slopes_out, intercepts_out)),
    }
    (slopes, intercepts)
}

/// The function gives s and x s′.
struct Tangents<'a, F>(F, &'a [f32], &'a mut [f32], &'a mut [f32]);

impl<F: Fn(f32) -> (f32, f32)> WithSimd for Tangents<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self(function, values, slopes, intercepts) = self;
        let (chunks, rest) = values.as_chunks::<LANES>();
        let (slope_chunks, slope_rest) = slopes.as_chunks_mut::<LANES>();
        let (intercept_chunks, intercept_rest) = intercepts.as_chunks_mut::<LANES>();
        let outputs = slope_chunks.iter_mut().zip(intercept_chunks);
        for (chunk, (slopes, intercepts)) in chunks.iter().zip(outputs) {
            for lane in 0..LANES {
                let (share, bend) = function(chunk[lane]);
                slopes[lane] = share + bend;
                intercepts[lane] = -chunk[lane] * bend;
            }
        }
        for ((&x, slope), intercept) in rest.iter().zip(slope_rest).zip(intercept_rest) {
            let (share, bend) = function(x);
            *slope = share + bend;
            *intercept = -x * bend;
        }
    }
}

/// As [`super::gelu`] computes it.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const DENSITY: f32 = 0.398_942_3;
    let (tail, bell) = half_erfc(x.abs());
    (if x >= 0.0 { 1.0 - tail } else { tail }, x * DENSITY * bell)
}

#[inline(always)]
fn cubic(x: f32) -> (f32, f32) {
    const TWICE_ROOT: f32 = 1.595_769;
    let square = 0.044_715 * x * x;
    let (share, slope) = sigmoid(TWICE_ROOT * x * (1.0 + square));
    (share, x * slope * TWICE_ROOT * (1.0 + 3.0 * square))
}

#[inline(always)]
fn logistic(x: f32) -> (f32, f32) {
    let (share, slope) = sigmoid(x);
    (share, x * slope)
}

/// The logistic function and its derivative.
#[inline(always)]
fn sigmoid(x: f32) -> (f32, f32) {
    let below = exp(-x.abs());
    let positive = 1.0 / (1.0 + below);
    (if x >= 0.0 { positive } else { below * positive }, below * positive * positive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorized::{gelu, gelu_tanh};

    fn activation(gate: Gate, values: &[f32]) -> Vec<f32> {
        let mut out = values.to_vec();
        match gate {
            Gate::Gelu => gelu(&mut out),
            Gate::GeluTanh => gelu_tanh(&mut out),
            Gate::Silu => out.iter_mut().for_each(|x| *x /= 1.0 + (-*x).exp()),
        }
        out
    }

    #[test]
    fn tangents_touch_the_activations() {
        let values: Vec<f32> = (-6_003..=6_003).map(|step| step as f32 * 1e-3).collect();
        const STEP: f32 = 0.0625;
        let moved = |by: f32| values.iter().map(|x| x + by).collect::<Vec<f32>>();
        for gate in [Gate::Gelu, Gate::GeluTanh, Gate::Silu] {
            let (slopes, intercepts) = tangents(gate, &values);
            let here = activation(gate, &values);
            let at = |by: f32| activation(gate, &moved(by));
            let (near, far) = ([at(-STEP), at(STEP)], [at(-2.0 * STEP), at(2.0 * STEP)]);
            for (place, &x) in values.iter().enumerate() {
                let value = slopes[place] * x + intercepts[place];
                assert!((value - here[place]).abs() < 2e-6, "{gate:?} {x}: {value}");
                // The difference quotient of fourth order.
                let (near, far) = (near[1][place] - near[0][place], far[1][place] - far[0][place]);
                let slope = (8.0 * near - far) / (12.0 * STEP);
                let error = (slopes[place] - slope).abs();
                assert!(error < 5e-5, "{gate:?} {x}: {} for {slope}", slopes[place]);
            }
        }
    }

    #[test]
    fn far_from_0_the_line_is_the_activation() {
        for gate in [Gate::Gelu, Gate::GeluTanh, Gate::Silu] {
            let (slopes, intercepts) = tangents(gate, &[-1e4, 0.0, 1e4]);
            assert!(slopes[0].abs() < 1e-6 && (slopes[2] - 1.0).abs() < 1e-6, "{slopes:?}");
            assert_eq!((slopes[1], intercepts[1]), (0.5, 0.0), "{gate:?}");
            assert!(intercepts.iter().all(|x| x.abs() < 1e-6), "{intercepts:?}");
        }
    }
}
