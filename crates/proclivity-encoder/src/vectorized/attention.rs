//! Attention of packed texts: each text's tokens look at one another and at no other text's.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// What is added to the scores of attention, by how far the key is from the query.
#[derive(Debug, Clone)]
pub(crate) struct RelativeBias {
    /// `[heads, 2 · reach − 1]`: key − query from 1 − reach on.
    values: Vec<f32>,
    /// Texts have at most as many tokens.
    reach: usize,
}

impl RelativeBias {
    /// From a function of the head and of key − query.
    pub(crate) fn new(heads: usize, reach: usize, bias: impl Fn(usize, isize) -> f32) -> Self {
        let far = reach as isize - 1;
        let distances = (0..heads).flat_map(|head| (-far..=far).map(move |far| (head, far)));
        Self { values: distances.map(|(head, distance)| bias(head, distance)).collect(), reach }
    }

    /// The bias of a text's keys for one of its queries.
    pub(crate) fn row(&self, head: usize, query: usize, length: usize) -> &[f32] {
        let start = head * (2 * self.reach - 1) + self.reach - 1 - query;
        &self.values[start..start + length]
    }
}

/// softmax(Q Kᵀ / √head width + bias) V of each text and head.
///
/// # Shapes
/// `query_key_value`: `[tokens, 3 · width]`, heads side by side; `lengths`: tokens of each text, in
/// their order; result: `[tokens, width]`
pub(crate) fn attention(
    query_key_value: &[f32],
    lengths: &[usize],
    heads: usize,
    bias: Option<&RelativeBias>,
) -> Vec<f32> {
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
                head,
                bias,
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

/// Queries that read a key or value together.
const QUERIES: usize = 4;

#[derive(Default)]
struct Scratch {
    /// `[length, head_width]`: queries, scaled; whole blocks of them.
    queries: Vec<f32>,
    /// `[head_width, length]`: keys with tokens side by side, in whole lanes.
    keys: Vec<f32>,
    /// `[length, head_width]`, in whole lanes.
    values: Vec<f32>,
    /// `[QUERIES, length]`, in whole lanes.
    scores: Vec<f32>,
}

struct Head<'a> {
    head: usize,
    bias: Option<&'a RelativeBias>,
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
        let Self { head, bias, text, width, head_width, first, scratch, out } = self;
        let length = text.len() / (3 * width);
        let padded = length.next_multiple_of(LANES);
        let value_width = head_width.next_multiple_of(LANES);
        let Scratch { queries, keys, values, scores } = scratch;
        resized(queries, length.next_multiple_of(QUERIES) * head_width);
        resized(keys, head_width * padded);
        resized(values, length * value_width);
        resized(scores, QUERIES * padded);
        let scale = 1.0 / (head_width as f32).sqrt();
        for (token, row) in text.chunks_exact(3 * width).enumerate() {
            let part = |part: usize| &row[part * width + first..][..head_width];
            let scaled = part(0).iter().map(|query| query * scale);
            queries[token * head_width..].iter_mut().zip(scaled).for_each(|(to, x)| *to = x);
            for (keys, key) in keys.chunks_exact_mut(padded).zip(part(1)) {
                keys[token] = *key;
            }
            values[token * value_width..][..head_width].copy_from_slice(part(2));
        }
        let blocks =
            queries.chunks_exact(QUERIES * head_width).zip(out.chunks_mut(QUERIES * width));
        for (block, (queries, out)) in blocks.enumerate() {
            products(queries, keys, scores);
            let mut totals = [1.0; QUERIES];
            for (query, scores) in scores.chunks_exact_mut(padded).enumerate() {
                if let Some(bias) = bias.filter(|_| block * QUERIES + query < length) {
                    let bias = bias.row(head, block * QUERIES + query, length);
                    scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
                }
                scores[length..].fill(f32::NEG_INFINITY);
                totals[query] = exponentials(scores);
            }
            for (chunk, first_out) in (first..first + head_width).step_by(LANES).enumerate() {
                let sums = weighted_sums(scores, padded, values, value_width, chunk);
                for ((sums, total), out) in sums.iter().zip(totals).zip(out.chunks_mut(width)) {
                    let out = &mut out[first_out..first + head_width];
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum / total);
                }
            }
        }
    }
}

fn resized(values: &mut Vec<f32>, length: usize) {
    values.clear();
    values.resize(length, 0.0);
}

/// # Shapes
/// queries: `[QUERIES, head_width]`, keys: `[head_width, padded]` → scores: `[QUERIES, padded]`
#[inline(always)]
fn products(queries: &[f32], keys: &[f32], scores: &mut [f32]) {
    let (head_width, padded) = (queries.len() / QUERIES, scores.len() / QUERIES);
    for at in (0..padded).step_by(LANES) {
        let mut sums = [[0.0; LANES]; QUERIES];
        for (dim, keys) in keys.chunks_exact(padded).enumerate() {
            let keys = lanes(&keys[at..]);
            for (query, sums) in sums.iter_mut().enumerate() {
                let query = queries[query * head_width + dim];
                for lane in 0..LANES {
                    sums[lane] += query * keys[lane];
                }
            }
        }
        for (sums, scores) in sums.iter().zip(scores.chunks_exact_mut(padded)) {
            scores[at..at + LANES].copy_from_slice(sums);
        }
    }
}

/// exp of each number less the largest one, and their sum.
#[inline(always)]
fn exponentials(scores: &mut [f32]) -> f32 {
    let (chunks, _) = scores.as_chunks_mut::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in chunks.iter() {
        for lane in 0..LANES {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - most);
            sums[lane] += chunk[lane];
        }
    }
    sums.iter().sum()
}

/// Of one chunk of the values' columns.
///
/// # Shapes
/// scores: `[QUERIES, padded]`, values: `[length, value_width]`
#[inline(always)]
fn weighted_sums(
    scores: &[f32],
    padded: usize,
    values: &[f32],
    value_width: usize,
    chunk: usize,
) -> [[f32; LANES]; QUERIES] {
    let mut sums = [[0.0; LANES]; QUERIES];
    for (token, values) in values.chunks_exact(value_width).enumerate() {
        let values = lanes(&values[chunk * LANES..]);
        for (query, sums) in sums.iter_mut().enumerate() {
            let score = scores[query * padded + token];
            for lane in 0..LANES {
                sums[lane] += score * values[lane];
            }
        }
    }
    sums
}

#[inline(always)]
fn lanes(values: &[f32]) -> &[f32; LANES] {
    &values.as_chunks().0[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_softmax_of_scaled_products_and_bias_text_by_text() {
        let (lengths, heads, head_width) = ([3, 1, 37], 2, 5);
        let width = heads * head_width;
        let tokens: usize = lengths.iter().sum();
        let input: Vec<f32> =
            (0..tokens * 3 * width).map(|at| ((at * 7919) % 1013) as f32 / 250.0 - 2.0).collect();
        let bias_of = |head: usize, distance: isize| (head as f32 + 0.3) * distance as f32 / 20.0;
        let bias = RelativeBias::new(heads, 40, bias_of);
        let got = attention(&input, &lengths, heads, Some(&bias));
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
                            let distance = other as isize - token as isize;
                            let bias = f64::from(bias_of(head, distance));
                            (dot / (head_width as f64).sqrt() + bias).exp()
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
        assert!(attention(&[], &[], 2, None).is_empty());
    }
}
