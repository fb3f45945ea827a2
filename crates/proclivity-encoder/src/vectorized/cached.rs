//! Causal attention of new tokens to cached keys and values.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// Keys and values of consecutive tokens, `[tokens, head_width]` each.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// softmax(q Kᵀ / √head width) V for queries that share a key-value head; the spans end with the
/// queries' own tokens, and a token looks at none behind it.
///
/// # Shapes
/// queries: `[tokens, heads_per_key, head_width]` → the same
pub(crate) fn cached_attention(
    queries: &[f32],
    heads_per_key: usize,
    head_width: usize,
    spans: &[Span<'_>],
) -> Vec<f32> {
    let mut out = vec![0.0; queries.len()];
    let attention = Attention { queries, heads_per_key, head_width, spans, out: &mut out };
    Arch::new().dispatch(attention);
    out
}

struct Attention<'a> {
    queries: &'a [f32],
    heads_per_key: usize,
    head_width: usize,
    spans: &'a [Span<'a>],
    out: &'a mut [f32],
}

impl WithSimd for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { queries, heads_per_key, head_width, spans, out } = self;
        let all = spans.iter().map(|span| span.keys.len()).sum::<usize>() / head_width;
        let before = all - queries.len() / (heads_per_key * head_width);
        let scale = 1.0 / (head_width as f32).sqrt();
        let mut scores: Vec<f32> = Vec::new();
        let rows = queries.chunks_exact(head_width).zip(out.chunks_exact_mut(head_width));
        for (row, (query, out)) in rows.enumerate() {
            let visible = before + row / heads_per_key + 1;
            scores.clear();
            let keys = spans.iter().flat_map(|span| span.keys.chunks_exact(head_width));
            scores.extend(keys.take(visible).map(|key| dot(query, key) * scale));
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for score in &mut scores {
                *score = exp(*score - most);
            }
            let total: f32 = scores.iter().sum();
            let values = spans.iter().flat_map(|span| span.values.chunks_exact(head_width));
            for (score, value) in scores.iter().zip(values) {
                let share = score / total;
                for (out, value) in out.iter_mut().zip(value) {
                    *out += share * value;
                }
            }
        }
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 250.0 - 2.0).collect()
    }

    #[test]
    fn it_is_the_causal_softmax_over_all_spans() {
        let (head_width, heads, before, new) = (20, 3, 5, 4);
        let keys = numbers((before + new) * head_width, 1);
        let values = numbers((before + new) * head_width, 2);
        let queries = numbers(new * heads * head_width, 3);
        let cut = before * head_width;
        let spans = [
            Span { keys: &keys[..cut], values: &values[..cut] },
            Span { keys: &keys[cut..], values: &values[cut..] },
        ];
        let got = cached_attention(&queries, heads, head_width, &spans);
        for (row, query) in queries.chunks(head_width).enumerate() {
            let visible = before + row / heads + 1;
            let weights: Vec<f64> = keys
                .chunks(head_width)
                .take(visible)
                .map(|key| {
                    let dot: f64 = query.iter().zip(key).map(|(a, b)| f64::from(a * b)).sum();
                    (dot / (head_width as f64).sqrt()).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for at in 0..head_width {
                let expected: f64 = weights
                    .iter()
                    .zip(values.chunks(head_width))
                    .map(|(weight, value)| weight / total * f64::from(value[at]))
                    .sum();
                let got = f64::from(got[row * head_width + at]);
                assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
            }
        }
        assert!(cached_attention(&[], heads, head_width, &[]).is_empty());
    }
}
