//! LayerNorm of tokens that lie side by side.

use pulp::{Arch, Simd, WithSimd};

use super::lanes::{in_panel, panels};
use super::{HALF, LANES, NormWeights};

/// LayerNorm of each token, in place.
///
/// # Shapes
/// values: panels of `[width, lanes]`
pub(crate) fn lane_norm(values: &mut [f32], lanes: usize, norm: &NormWeights<'_>) {
    Arch::new().dispatch(LaneNorm { values, lanes, norm });
}

struct LaneNorm<'a> {
    values: &'a mut [f32],
    lanes: usize,
    norm: &'a NormWeights<'a>,
}

impl WithSimd for LaneNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { values, lanes, norm } = self;
        for panel in panels(lanes) {
            let of_panel = in_panel(values, lanes, &panel);
            let values = &mut values[of_panel];
            if panel.len() == LANES {
                normalize(values.as_chunks_mut::<LANES>().0, norm);
            } else {
                normalize(values.as_chunks_mut::<HALF>().0, norm);
            }
        }
    }
}

#[inline(always)]
fn normalize<const LANES: usize>(rows: &mut [[f32; LANES]], norm: &NormWeights<'_>) {
    let share = 1.0 / rows.len() as f32;
    let (mut means, mut scales) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for row in rows.iter() {
        for lane in 0..LANES {
            means[lane] += row[lane];
        }
    }
    means = means.map(|sum| sum * share);
    for row in rows.iter() {
        for lane in 0..LANES {
            scales[lane] += (row[lane] - means[lane]) * (row[lane] - means[lane]);
        }
    }
    scales = scales.map(|sum| 1.0 / (sum * share + norm.epsilon).sqrt());
    for ((row, gamma), beta) in rows.iter_mut().zip(norm.gamma).zip(norm.beta) {
        for lane in 0..LANES {
            row[lane] = (row[lane] - means[lane]) * scales[lane] * gamma + beta;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorized::{add_norm, into_lanes, lanes, out_of_lanes};

    #[test]
    fn it_is_that_of_rows() {
        let width = 37;
        let numbers = |salt: usize, count: usize| -> Vec<f32> {
            (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 250.0 - 2.0).collect()
        };
        let (gamma, beta) = (numbers(1, width), numbers(2, width));
        let norm = NormWeights { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
        for tokens in [1, 8, 9, 16, 17, 40] {
            let mut rows = numbers(3, tokens * width);
            let mut values = into_lanes(&rows, tokens);
            lane_norm(&mut values, lanes(tokens), &norm);
            add_norm(&mut rows, &vec![0.0; width], &vec![0.0; tokens * width], &norm);
            for (got, expected) in out_of_lanes(&values, tokens).into_iter().zip(rows) {
                assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
            }
        }
    }
}
