//! Attention of packed texts: each text's tokens look at one another and at no other text's.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// softmax(Q Kᵀ / √head width) V of each text and head.
///
/// # Shapes
/// `query_key_value`: `[tokens, 3 · width]`, heads side by side; `lengths`: tokens of each text, in
/// their order; result: `[tokens, width]`
pub(crate) fn attention(query_key_value: &[f32], lengths: &[usize], heads: usize) -> Vec<f32> {
    let tokens: usize = lengths.iter().sum();
    let width = query_key_value.len() / tokens.max(1) / 3;
    let mut out = vec![0.0; tokens * width];
    let (mut rest_in, mut rest_out) = (query_key_value, out.as_mut_slice());
    let mut scratch = Scratch::default();
    for &length in lengths {
        let (text, after) = rest_in.split_at(length * 3 * width);
        let (attended, after_out) = rest_out.split_at_mut(length * width);
        for head in 0..heads {
            let head_width = width / heads;
            let head = Head {
                text,
                width,
                head_width,
                first: head * head_width,
                scratch: &mut scratch,
                out: attended,
            };
            Arch::new().dispatch(head);
        }
        (rest_in, rest_out) = (after, after_out);
    }
    out
}

#[derive(Default)]
struct Scratch {
    /// `[head_width, length]`: keys with tokens side by side, in whole lanes.
    keys: Vec<f32>,
    /// `[length]`, in whole lanes.
    scores: Vec<f32>,
}

struct Head<'a> {
    /// `[length, 3 · width]`
    text: &'a [f32],
    width: usize,
    head_width: usize,
    first: usize,
    scratch: &'a mut Scratch,
    /// `[length, width]`
    out: &'a mut [f32],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { text, width, head_width, first, scratch, out } = self;
        let length = text.len() / (3 * width);
        let padded = length.next_multiple_of(LANES);
        scratch.keys.clear();
        scratch.keys.resize(head_width * padded, 0.0);
        for (token, row) in text.chunks_exact(3 * width).enumerate() {
            for (at, key) in row[width + first..][..head_width].iter().enumerate() {
                scratch.keys[at * padded + token] = *key;
            }
        }
        let scale = 1.0 / (head_width as f32).sqrt();
        for (row, out) in text.chunks_exact(3 * width).zip(out.chunks_exact_mut(width)) {
            scratch.scores.clear();
            scratch.scores.resize(padded, 0.0);
            for (query, keys) in
                row[first..][..head_width].iter().zip(scratch.keys.chunks_exact(padded))
            {
                let query = query * scale;
                for (scores, keys) in chunks_mut(&mut scratch.scores).zip(chunks(keys)) {
                    for lane in 0..LANES {
                        scores[lane] += query * keys[lane];
                    }
                }
            }
            let scores = scratch.scores[..length].iter().copied();
            let most = scores.fold(f32::NEG_INFINITY, f32::max);
            for scores in chunks_mut(&mut scratch.scores) {
                for score in scores {
                    *score = exp(*score - most);
                }
            }
            let total: f32 = scratch.scores[..length].iter().sum();
            let out = &mut out[first..][..head_width];
            for (score, row) in scratch.scores[..length].iter().zip(text.chunks_exact(3 * width)) {
                let share = score / total;
                for (out, value) in out.iter_mut().zip(&row[2 * width + first..][..head_width]) {
                    *out += share * value;
                }
            }
        }
    }
}

#[inline(always)]
fn chunks(values: &[f32]) -> impl Iterator<Item = &[f32; LANES]> {
    values.as_chunks().0.iter()
}

#[inline(always)]
fn chunks_mut(values: &mut [f32]) -> impl Iterator<Item = &mut [f32; LANES]> {
    values.as_chunks_mut().0.iter_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_softmax_of_scaled_products_text_by_text() {
        let (lengths, heads, head_width) = ([3, 1, 37], 2, 5);
        let width = heads * head_width;
        let tokens: usize = lengths.iter().sum();
        let input: Vec<f32> =
            (0..tokens * 3 * width).map(|at| ((at * 7919) % 1013) as f32 / 250.0 - 2.0).collect();
        let got = attention(&input, &lengths, heads);
        let row = |token: usize, part: usize, head: usize| {
            let start = token * 3 * width + part * width + head * head_width;
            &input[start..start + head_width]
        };
        let mut start = 0;
        for length in lengths {
            for token in start..start + length {
                for head in 0..heads {
                    let query = row(token, 0, head);
                    let weights: Vec<f64> = (start..start + length)
                        .map(|other| {
                            let dot: f64 = query
                                .iter()
                                .zip(row(other, 1, head))
                                .map(|(a, b)| f64::from(a * b))
                                .sum();
                            (dot / (head_width as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = weights.iter().sum();
                    for at in 0..head_width {
                        let expected: f64 = (start..start + length)
                            .zip(&weights)
                            .map(|(other, weight)| {
                                weight / total * f64::from(row(other, 2, head)[at])
                            })
                            .sum();
                        let got = f64::from(got[token * width + head * head_width + at]);
                        assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
                    }
                }
            }
            start += length;
        }
        assert!(attention(&[], &[], 2).is_empty());
    }
}
