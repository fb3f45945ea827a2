//! LayerNorm of a sum, as a block of a post-norm transformer ends.

use pulp::{Arch, Simd, WithSimd};

use super::LANES;

/// What a LayerNorm multiplies with, adds, and keeps its divisor from 0 by.
pub(crate) struct NormWeights<'a> {
    /// `[width]`
    pub(crate) gamma: &'a [f32],
    /// `[width]`
    pub(crate) beta: &'a [f32],
    pub(crate) epsilon: f32,
}

/// LayerNorm of x + bias + residual, row by row, in place of x.
///
/// # Shapes
/// x, residual: `[rows, width]`, bias: `[width]`
pub(crate) fn add_norm(x: &mut [f32], bias: &[f32], residual: &[f32], norm: &NormWeights<'_>) {
    Arch::new().dispatch(AddNorm { x, bias, residual, norm });
}

struct AddNorm<'a> {
    x: &'a mut [f32],
    bias: &'a [f32],
    residual: &'a [f32],
    norm: &'a NormWeights<'a>,
}

impl WithSimd for AddNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, bias, residual, norm } = self;
        let width = norm.gamma.len();
        for (x, residual) in x.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
            for ((x, bias), residual) in x.iter_mut().zip(bias).zip(residual) {
                *x += bias + residual;
            }
            let mean = sum(x, |x| x) / width as f32;
            let variance = sum(x, |x| (x - mean) * (x - mean)) / width as f32;
            let scale = 1.0 / (variance + norm.epsilon).sqrt();
            for ((x, gamma), beta) in x.iter_mut().zip(norm.gamma).zip(norm.beta) {
                *x = (*x - mean) * scale * gamma + beta;
            }
        }
    }
}

#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += term(chunk[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&x| term(x)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_normalized_as_in_f64() {
        let numbers = |salt: usize, count: usize| -> Vec<f32> {
            (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 250.0 - 2.0).collect()
        };
        for width in [1, 37, 64] {
            let (x, residual) = (numbers(1, 3 * width), numbers(2, 3 * width));
            let [bias, gamma, beta] = [3, 4, 5].map(|salt| numbers(salt, width));
            let norm = NormWeights { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
            let mut got = x.clone();
            add_norm(&mut got, &bias, &residual, &norm);
            for row in 0..3 {
                let of_row = row * width..(row + 1) * width;
                let sums: Vec<f64> = x[of_row.clone()]
                    .iter()
                    .zip(&residual[of_row.clone()])
                    .zip(&bias)
                    .map(|((x, residual), bias)| f64::from(x + residual + bias))
                    .collect();
                let mean = sums.iter().sum::<f64>() / width as f64;
                let variance = sums.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                for (at, got) in got[of_row].iter().enumerate() {
                    let unit = (sums[at] - mean) / (variance + 1e-5).sqrt();
                    let expected = unit * f64::from(gamma[at]) + f64::from(beta[at]);
                    assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} for {expected}");
                }
            }
        }
    }
}
