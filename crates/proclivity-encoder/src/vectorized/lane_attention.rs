//! One head's attention of tokens that lie side by side.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::lanes::{add_lane_product, in_panel, lanes, panels};
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
    let lanes = lanes(lengths.iter().sum());
    let panels: Vec<_> = panels(lanes)
        .map(|panel| (panel.clone(), &query_key_value[in_panel(query_key_value, lanes, &panel)]))
        .collect();
    let mut out = vec![0.0; query_key_value.len() / 3];
    let mut first = 0;
    for &length in lengths {
        let head_width = out.len() / lanes;
        let text = Text { panels: &panels, tokens: first..first + length, head_width, head, bias };
        text.attend(&mut out);
        first += length;
    }
    out
}

struct Text<'a> {
    /// `[3 · head width, lanes]` each, and where they are among the lanes.
    panels: &'a [(Range<usize>, &'a [f32])],
    tokens: Range<usize>,
    head_width: usize,
    head: usize,
    bias: Option<&'a RelativeBias>,
}

impl Text<'_> {
    fn attend(&self, out: &mut [f32]) {
        let (head_width, length) = (self.head_width, self.tokens.len());
        let (keys, values) = self.keys_and_values();
        let key = |at| (&keys[at * head_width..][..head_width], 0.0);
        let value = |dim| (&values[dim * length..][..length], 0.0);
        for (panel, query_key_value) in self.panels {
            let lanes = self.lanes(panel);
            let width = panel.len();
            if lanes.is_empty() {
                continue;
            }
            let queries = &query_key_value[..head_width * width];
            let mut scores = vec![0.0; length * width];
            add_lane_product(length, key, &[queries], width, &mut scores);
            let scale = 1.0 / (head_width as f32).sqrt();
            scores.iter_mut().for_each(|score| *score *= scale);
            if let Some(bias) = self.bias {
                for lane in lanes.clone() {
                    let query = panel.start + lane - self.tokens.start;
                    let scores = scores[lane..].iter_mut().step_by(width);
                    let bias = bias.row(self.head, query, length);
                    scores.zip(bias).for_each(|(score, bias)| *score += bias);
                }
            }
            Arch::new().dispatch(Softmax { scores: &mut scores, lanes: width });
            let mut attended = vec![0.0; head_width * width];
            add_lane_product(head_width, value, &[&scores], width, &mut attended);
            let out = &mut out[panel.start * head_width..panel.end * head_width];
            for (out, attended) in out.chunks_mut(width).zip(attended.chunks(width)) {
                out[lanes.clone()].copy_from_slice(&attended[lanes.clone()]);
            }
        }
    }

    /// The text's lanes of a panel.
    fn lanes(&self, panel: &Range<usize>) -> Range<usize> {
        let lane = |token: usize| token.clamp(panel.start, panel.end) - panel.start;
        lane(self.tokens.start)..lane(self.tokens.end)
    }

    /// # Shapes
    /// `[length, head width]` and `[head width, length]`
    fn keys_and_values(&self) -> (Vec<f32>, Vec<f32>) {
        let (head_width, length) = (self.head_width, self.tokens.len());
        let mut keys = Vec::with_capacity(length * head_width);
        let mut values = vec![0.0; head_width * length];
        let mut first = 0;
        for (panel, query_key_value) in self.panels {
            let lanes = self.lanes(panel);
            let (keys_of, values_of) =
                query_key_value[head_width * panel.len()..].split_at(head_width * panel.len());
            for lane in lanes.clone() {
                keys.extend(keys_of[lane..].iter().step_by(panel.len()));
            }
            for (to, from) in
                values.chunks_exact_mut(length).zip(values_of.chunks_exact(panel.len()))
            {
                to[first..first + lanes.len()].copy_from_slice(&from[lanes.clone()]);
            }
            first += lanes.len();
        }
        (keys, values)
    }
}

/// Of each lane, over the rows.
struct Softmax<'a> {
    /// `[rows, lanes]`
    scores: &'a mut [f32],
    lanes: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if self.lanes == LANES {
            softmax(self.scores.as_chunks_mut::<LANES>().0);
        } else {
            softmax(self.scores.as_chunks_mut::<HALF>().0);
        }
    }
}

#[inline(always)]
fn softmax<const LANES: usize>(rows: &mut [[f32; LANES]]) {
    let mut most = [f32::NEG_INFINITY; LANES];
    for row in rows.iter() {
        for lane in 0..LANES {
            most[lane] = if row[lane] > most[lane] { row[lane] } else { most[lane] };
        }
    }
    let mut totals = [0.0; LANES];
    for row in rows.iter_mut() {
        for lane in 0..LANES {
            row[lane] = exp(row[lane] - most[lane]);
            totals[lane] += row[lane];
        }
    }
    for row in rows {
        for lane in 0..LANES {
            row[lane] /= totals[lane];
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
