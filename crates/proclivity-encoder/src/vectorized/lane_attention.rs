//! One head's attention of tokens that lie side by side.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::lanes::{in_panel, lanes, multiply_add, panels};
use super::{HALF, LANES, RelativeBias, exp};

/// softmax(Q Kᵀ / √head width + bias) V of each text, by one head.
///
/// # Shapes
/// `query_key_value`: panels of `[3 · head width, lanes]` → panels of `[head width, lanes]`;
/// `lengths`: tokens of each text, in their order
pub(crate) fn lane_attention(
    query_key_value: &[f32],
    lengths: &[usize],
    head: usize,
    bias: Option<&RelativeBias>,
) -> Vec<f32> {
    let mut out = vec![0.0; query_key_value.len() / 3];
    let lanes = lanes(lengths.iter().sum());
    let head_width = out.len() / lanes;
    let mut first = 0;
    for &length in lengths {
        let text = Text {
            query_key_value,
            lanes,
            head_width,
            tokens: first..first + length,
            head,
            bias,
            out: &mut out,
        };
        Arch::new().dispatch(text);
        first += length;
    }
    out
}

struct Text<'a> {
    query_key_value: &'a [f32],
    lanes: usize,
    head_width: usize,
    tokens: Range<usize>,
    head: usize,
    bias: Option<&'a RelativeBias>,
    out: &'a mut [f32],
}

impl WithSimd for Text<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        // [2 · head width, length]: keys, then values, tokens side by side.
        let mut keys_values = Vec::with_capacity(2 * self.head_width * self.tokens.len());
        for row in self.head_width..3 * self.head_width {
            for panel in self.panels() {
                let lanes = self.lanes_of(&panel);
                let row = &self.of_panel(&panel)[row * panel.len()..];
                keys_values.extend_from_slice(&row[lanes]);
            }
        }
        for panel in self.panels() {
            if panel.len() == LANES {
                self.attend::<S, LANES>(&panel, &keys_values);
            } else {
                self.attend::<S, HALF>(&panel, &keys_values);
            }
        }
    }
}

impl<'a> Text<'a> {
    /// Those that have some of the text's tokens.
    fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let tokens = self.tokens.clone();
        panels(self.lanes).filter(move |panel| panel.start < tokens.end && tokens.start < panel.end)
    }

    /// The text's lanes of a panel.
    fn lanes_of(&self, panel: &Range<usize>) -> Range<usize> {
        let of_text = self.tokens.start.max(panel.start)..self.tokens.end.min(panel.end);
        of_text.start - panel.start..of_text.end - panel.start
    }

    /// # Shapes
    /// → `[3 · head width, lanes]`
    fn of_panel(&self, panel: &Range<usize>) -> &'a [f32] {
        &self.query_key_value[in_panel(self.query_key_value, self.lanes, panel)]
    }

    /// The queries of a panel, as far as they are the text's.
    #[inline(always)]
    fn attend<S: Simd, const LANES: usize>(&mut self, panel: &Range<usize>, keys_values: &[f32]) {
        let (head_width, length) = (self.head_width, self.tokens.len());
        let queries = &self.of_panel(panel).as_chunks::<LANES>().0[..head_width];
        let (keys, values) = keys_values.split_at(head_width * length);
        let of_text = self.lanes_of(panel);
        let scale = 1.0 / (head_width as f32).sqrt();
        let mut most = [f32::NEG_INFINITY; LANES];
        let mut scores = vec![[0.0_f32; LANES]; length];
        for (key, scores) in scores.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            for (query, key) in queries.iter().zip(keys[key..].iter().step_by(length)) {
                for lane in 0..LANES {
                    sums[lane] = multiply_add::<S>(*key, query[lane], sums[lane]);
                }
            }
            for lane in 0..LANES {
                sums[lane] *= scale;
            }
            if let Some(bias) = self.bias {
                for lane in of_text.clone() {
                    sums[lane] +=
                        bias.row(self.head, panel.start + lane - self.tokens.start, length)[key];
                }
            }
            for lane in 0..LANES {
                most[lane] = if sums[lane] > most[lane] { sums[lane] } else { most[lane] };
            }
            *scores = sums;
        }
        let mut totals = [0.0; LANES];
        for scores in &mut scores {
            for lane in 0..LANES {
                scores[lane] = exp(scores[lane] - most[lane]);
                totals[lane] += scores[lane];
            }
        }
        let out = &mut self.out[head_width * panel.start..head_width * panel.end];
        let out = out.as_chunks_mut::<LANES>().0;
        for (out, values) in out.iter_mut().zip(values.chunks_exact(length)) {
            let mut sums = [0.0; LANES];
            for (scores, value) in scores.iter().zip(values) {
                for lane in 0..LANES {
                    sums[lane] = multiply_add::<S>(*value, scores[lane], sums[lane]);
                }
            }
            for lane in 0..LANES {
                sums[lane] /= totals[lane];
            }
            out[of_text.clone()].copy_from_slice(&sums[of_text.clone()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorized::{attention, into_lanes, out_of_lanes};

    #[test]
    fn it_is_that_of_rows() {
        let head_width = 5;
        let biases = RelativeBias::new(1, 40, |_, distance| 0.3 * distance as f32 / 20.0);
        for lengths in [&[1][..], &[8], &[3, 1, 37], &[16, 16], &[7, 9, 2], &[20, 5]] {
            for bias in [None, Some(&biases)] {
                let tokens: usize = lengths.iter().sum();
                let rows: Vec<f32> = (0..tokens * 3 * head_width)
                    .map(|at| ((at * 7919) % 1013) as f32 / 250.0 - 2.0)
                    .collect();
                let got = lane_attention(&into_lanes(&rows, tokens), lengths, 0, bias);
                let expected = attention(&rows, lengths, 1, bias);
                for (got, expected) in out_of_lanes(&got, tokens).into_iter().zip(expected) {
                    assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
                }
            }
        }
    }
}
