//! The softmax over the vocabulary with its gradient, one pass on the host and all cores: the
//! backends' own exponential is scalar, and autodiff would keep five arrays of this size.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::vectorized::exp;

const LANES: usize = 16;
/// Rows of one task: fixed, so that sums don't depend on the number of threads.
const ROWS: usize = 32;

/// Turns logits into the gradient of `scale` · Σ −log softmax(logits + bias)\[target\], in place.
///
/// Returns the sum of the losses, unscaled, and the gradient with respect to the bias.
pub(crate) fn loss_gradient(
    logits: &mut [f32],
    bias: &[f32],
    targets: &[u32],
    scale: f32,
) -> (f64, Vec<f32>) {
    let vocab = bias.len();
    let parts: Vec<(f64, Vec<f32>)> = logits
        .par_chunks_mut(vocab * ROWS)
        .zip(targets.par_chunks(ROWS))
        .map(|(rows, targets)| Arch::new().dispatch(LossGradient { rows, bias, targets, scale }))
        .collect();
    let mut bias_gradient = vec![0.0; vocab];
    let mut loss = 0.0;
    for (part, gradient) in parts {
        loss += part;
        for (total, value) in bias_gradient.iter_mut().zip(gradient) {
            *total += value;
        }
    }
    (loss, bias_gradient)
}

struct LossGradient<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    targets: &'a [u32],
    scale: f32,
}

impl WithSimd for LossGradient<'_> {
    type Output = (f64, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f64, Vec<f32>) {
        let Self { rows, bias, targets, scale } = self;
        let mut bias_gradient = vec![0.0; bias.len()];
        let mut loss = 0.0;
        for (row, &target) in rows.chunks_exact_mut(bias.len()).zip(targets) {
            let most = add_bias(row, bias);
            let of_target = row[target as usize];
            let sum = exponentiate(row, most);
            loss += f64::from(sum.ln() + most - of_target);
            let factor = scale / sum;
            for (value, total) in row.iter_mut().zip(&mut bias_gradient) {
                *value *= factor;
                *total += *value;
            }
            row[target as usize] -= scale;
            bias_gradient[target as usize] -= scale;
        }
        (loss, bias_gradient)
    }
}

/// log softmax(logits + bias)\[target\] of each row; the logits are overwritten.
pub(crate) fn log_probs(logits: &mut [f32], bias: &[f32], targets: &[u32]) -> Vec<f64> {
    logits
        .par_chunks_mut(bias.len())
        .zip(targets)
        .map(|(row, &target)| {
            let most = add_bias(row, bias);
            let of_target = row[target as usize];
            let sum = exponentiate(row, most);
            f64::from(of_target - most) - f64::from(sum).ln()
        })
        .collect()
}

/// Adds the bias and returns the largest sum.
#[inline(always)]
fn add_bias(row: &mut [f32], bias: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (rows, row_rest) = row.as_chunks_mut::<LANES>();
    let (biases, bias_rest) = bias.as_chunks::<LANES>();
    for (values, biases) in rows.iter_mut().zip(biases) {
        for lane in 0..LANES {
            values[lane] += biases[lane];
            most[lane] = if values[lane] > most[lane] { values[lane] } else { most[lane] };
        }
    }
    for (value, bias) in row_rest.iter_mut().zip(bias_rest) {
        *value += bias;
        most[0] = most[0].max(*value);
    }
    most.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces each value by exp(value − most) and returns their sum.
#[inline(always)]
fn exponentiate(row: &mut [f32], most: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (rows, rest) = row.as_chunks_mut::<LANES>();
    for values in rows {
        for lane in 0..LANES {
            values[lane] = exp(values[lane] - most);
            sums[lane] += values[lane];
        }
    }
    for value in rest {
        *value = exp(*value - most);
        sums[0] += *value;
    }
    sums.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_accurate() {
        for step in 0..870_000 {
            let x = -(step as f32) * 1e-4;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 3e-7 * exact, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 2e-38);
    }

    #[test]
    fn the_gradient_is_the_loss_s_difference_quotient() {
        let logits = [0.3, -1.0, 2.0, 0.1, 0.0, 0.0, 1.5, -0.5, 0.7, 0.2_f32];
        let bias = [0.5, -0.5, 0.1, 0.0, 1.0];
        let targets = [2, 4];
        let loss = |logits: &[f32], bias: &[f32]| -> f64 {
            -log_probs(&mut logits.to_vec(), bias, &targets).iter().sum::<f64>()
        };
        let mut gradient = logits;
        let (sum, bias_gradient) = loss_gradient(&mut gradient, &bias, &targets, 1.0);
        assert!((sum - loss(&logits, &bias)).abs() < 1e-5);
        let step = 1e-2;
        for place in 0..logits.len() {
            let (mut up, mut down) = (logits, logits);
            up[place] += step;
            down[place] -= step;
            let slope = (loss(&up, &bias) - loss(&down, &bias)) / f64::from(2.0 * step);
            assert!((slope - f64::from(gradient[place])).abs() < 1e-3);
        }
        for place in 0..bias.len() {
            let (mut up, mut down) = (bias, bias);
            up[place] += step;
            down[place] -= step;
            let slope = (loss(&logits, &up) - loss(&logits, &down)) / f64::from(2.0 * step);
            assert!((slope - f64::from(bias_gradient[place])).abs() < 1e-3);
        }
    }
}
