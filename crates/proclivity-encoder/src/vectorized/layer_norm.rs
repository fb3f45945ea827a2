//! Layer normalisation of rows, and its gradient.

use pulp::{Arch, Simd, WithSimd};

use super::sum_of;

/// (x − mean) / √(variance + ε) · scale + shift of each row.
///
/// # Shapes
/// `x` and the result `[rows, width]`, `scale` and `shift` `[width]`
pub(crate) fn layer_norm(x: &[f32], scale: &[f32], shift: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    Arch::new().dispatch(Forward { x, scale, shift, epsilon, out: &mut out });
    out
}

/// Adds the gradients with respect to `x`, `scale` and `shift`, given the result's.
pub(crate) fn layer_norm_backward(
    x: &[f32],
    scale: &[f32],
    epsilon: f32,
    gradient: &[f32],
    into: &mut [f32],
    (scale_gradient, shift_gradient): (&mut [f32], &mut [f32]),
) {
    let backward = Backward { x, scale, epsilon, gradient, into, scale_gradient, shift_gradient };
    Arch::new().dispatch(backward);
}

struct Forward<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    epsilon: f32,
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, scale, shift, epsilon, out } = self;
        let width = scale.len();
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let (mean, inverse) = moments(x, epsilon);
            let parameters = scale.iter().zip(shift);
            for ((out, &x), (scale, shift)) in out.iter_mut().zip(x).zip(parameters) {
                *out = (x - mean) * inverse * scale + shift;
            }
        }
    }
}

struct Backward<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    epsilon: f32,
    gradient: &'a [f32],
    into: &'a mut [f32],
    scale_gradient: &'a mut [f32],
    shift_gradient: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, scale, epsilon, gradient, into, scale_gradient, shift_gradient } = self;
        let width = scale.len();
        // Through the scale, then with the deviation in place of x.
        let (mut scaled, mut deviation) = (vec![0.0; width], vec![0.0; width]);
        let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width));
        for ((x, gradient), into) in rows.zip(into.chunks_exact_mut(width)) {
            let (mean, inverse) = moments(x, epsilon);
            for place in 0..width {
                scaled[place] = gradient[place] * scale[place];
                deviation[place] = (x[place] - mean) * inverse;
                scale_gradient[place] += gradient[place] * deviation[place];
                shift_gradient[place] += gradient[place];
            }
            let share = 1.0 / width as f32;
            let mean = sum_of(&scaled, &scaled, |scaled, _| scaled) * share;
            let along = sum_of(&scaled, &deviation, |a, b| a * b) * share;
            for place in 0..width {
                into[place] += (scaled[place] - mean - deviation[place] * along) * inverse;
            }
        }
    }
}

/// The mean and one over the standard deviation.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let share = 1.0 / x.len() as f32;
    let mean = sum_of(x, x, |x, _| x) * share;
    let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) * share;
    (mean, 1.0 / (variance + epsilon).sqrt())
}
