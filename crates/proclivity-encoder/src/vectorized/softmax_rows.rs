//! The softmax of attention scores where each row sees one more key than the one above, and its
//! gradient.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp, sum_of};

/// softmax(scale · scores) of each row over its first keys, 0 behind them: the first row sees
/// `first` + 1 keys.
///
/// # Shapes
/// `[rows, keys]`
pub(crate) fn causal_softmax(scores: &mut [f32], keys: usize, first: usize, scale: f32) {
    Arch::new().dispatch(Forward { scores, keys, first, scale });
}

/// Turns the gradients of weights into those of scores, in place.
pub(crate) fn causal_softmax_backward(
    weights: &[f32],
    gradient: &mut [f32],
    keys: usize,
    first: usize,
    scale: f32,
) {
    Arch::new().dispatch(Backward { weights, gradient, keys, first, scale });
}

struct Forward<'a> {
    scores: &'a mut [f32],
    keys: usize,
    first: usize,
    scale: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, scores) in self.scores.chunks_exact_mut(self.keys).enumerate() {
            let (seen, hidden) = scores.split_at_mut(self.first + row + 1);
            hidden.fill(0.0);
            let (chunks, rest) = seen.as_chunks_mut::<LANES>();
            let mut most = [f32::NEG_INFINITY; LANES];
            for chunk in &*chunks {
                for lane in 0..LANES {
                    most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
                }
            }
            let most = most.iter().chain(&*rest).copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sums = [0.0_f32; LANES];
            for chunk in chunks {
                for lane in 0..LANES {
                    chunk[lane] = exp((chunk[lane] - most) * self.scale);
                    sums[lane] += chunk[lane];
                }
            }
            for score in rest {
                *score = exp((*score - most) * self.scale);
                sums[0] += *score;
            }
            let factor = 1.0 / sums.into_iter().sum::<f32>();
            seen.iter_mut().for_each(|weight| *weight *= factor);
        }
    }
}

struct Backward<'a> {
    weights: &'a [f32],
    gradient: &'a mut [f32],
    keys: usize,
    first: usize,
    scale: f32,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { weights, gradient, keys, first, scale } = self;
        let rows = weights.chunks_exact(keys).zip(gradient.chunks_exact_mut(keys));
        for (row, (weights, gradient)) in rows.enumerate() {
            let seen = first + row + 1;
            gradient[seen..].fill(0.0);
            let mean = sum_of(&weights[..seen], &gradient[..seen], |a, b| a * b);
            for (gradient, weight) in gradient[..seen].iter_mut().zip(&weights[..seen]) {
                *gradient = (*gradient - mean) * weight * scale;
            }
        }
    }
}
