//! Few tokens side by side: rows that are too few to fill a matrix product fill vectors instead.
//!
//! What is known of tokens lies in panels of [`LANES`] of them, the last one of half as many where
//! these suffice, a panel's numbers `[width, lanes]`. Lanes of no token hold numbers that nobody
//! reads. A number is computed in the same order whatever lies in the other lanes and panels.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{HALF, LANES};

/// Rows of weights that are multiplied together, so that sums fill the registers.
const ROWS: usize = 6;

/// The lanes of all panels.
pub(crate) fn lanes(tokens: usize) -> usize {
    tokens.next_multiple_of(HALF)
}

/// The lanes of each panel.
pub(crate) fn panels(lanes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..lanes).step_by(LANES).map(move |first| first..lanes.min(first + LANES))
}

/// What a panel has of numbers in so many lanes.
#[inline(always)]
pub(super) fn in_panel(values: &[f32], lanes: usize, panel: &Range<usize>) -> Range<usize> {
    let width = values.len() / lanes;
    panel.start * width..panel.end * width
}

/// # Shapes
/// `[tokens, width]` → panels of `[width, lanes]`
pub(crate) fn into_lanes(rows: &[f32], tokens: usize) -> Vec<f32> {
    let width = rows.len() / tokens;
    let mut out = vec![0.0; width * lanes(tokens)];
    let of_panels = out.chunks_mut(width * LANES).zip(rows.chunks(width * LANES));
    for (panel, rows) in of_panels {
        let lanes = panel.len() / width;
        for (lane, row) in rows.chunks_exact(width).enumerate() {
            panel[lane..].iter_mut().step_by(lanes).zip(row).for_each(|(to, x)| *to = *x);
        }
    }
    out
}

/// # Shapes
/// panels of `[width, lanes]` → `[tokens, width]`
pub(crate) fn out_of_lanes(values: &[f32], tokens: usize) -> Vec<f32> {
    let width = values.len() / lanes(tokens);
    let mut out = Vec::with_capacity(tokens * width);
    for (panel, first) in values.chunks(width * LANES).zip((0..).step_by(LANES)) {
        let lanes = panel.len() / width;
        for lane in 0..lanes.min(tokens - first) {
            out.extend(panel[lane..].iter().step_by(lanes));
        }
    }
    out
}

/// Parts whose panels go one below the other.
///
/// # Shapes
/// each part: panels of `[part of width, lanes]` → panels of `[width, lanes]`
pub(crate) fn stacked(parts: &[&[f32]], lanes: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for panel in panels(lanes) {
        for part in parts {
            out.extend_from_slice(&part[in_panel(part, lanes, &panel)]);
        }
    }
    out
}

/// Adds weights · x + bias.
///
/// # Shapes
/// `row(0..rows)`: weights `[from]` and a bias; x: parts whose panels of `[part of from, lanes]` go one below the
/// other; out: panels of `[rows, lanes]`
pub(crate) fn add_lane_product<'a>(
    rows: usize,
    row: impl Fn(usize) -> (&'a [f32], f32),
    x: &[&[f32]],
    lanes: usize,
    out: &mut [f32],
) {
    Arch::new().dispatch(Product { rows, row, x, lanes, out });
}

struct Product<'a, F> {
    rows: usize,
    row: F,
    x: &'a [&'a [f32]],
    lanes: usize,
    out: &'a mut [f32],
}

impl<'w, F: Fn(usize) -> (&'w [f32], f32)> WithSimd for Product<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, row, x, lanes, out } = self;
        // Each row of a group is followed, in the next one, by the row behind it in memory: the
        // processor sees a few long streams and fetches ahead.
        let groups = rows.div_ceil(ROWS);
        for group in 0..groups {
            let at: [usize; ROWS] = std::array::from_fn(|of_group| group + of_group * groups);
            // Where rows have run out, the last one is multiplied again.
            let rows_and_biases = at.map(|at| row(at.min(rows - 1)));
            let (weights, biases) =
                (rows_and_biases.map(|it| it.0), rows_and_biases.map(|it| it.1));
            for (panel, out) in panels(lanes).zip(out.chunks_mut(rows * LANES)) {
                let x = x.iter().map(|x| &x[in_panel(x, lanes, &panel)]);
                if panel.len() == LANES {
                    add_group::<S, LANES>(&at, weights, biases, x, out);
                } else {
                    add_group::<S, HALF>(&at, weights, biases, x, out);
                }
            }
        }
    }
}

#[inline(always)]
fn add_group<'a, S: Simd, const LANES: usize>(
    at: &[usize; ROWS],
    mut weights: [&[f32]; ROWS],
    biases: [f32; ROWS],
    x: impl Iterator<Item = &'a [f32]>,
    out: &mut [f32],
) {
    let out = out.as_chunks_mut::<LANES>().0;
    let mut sums = at.map(|at| out.get(at).copied().unwrap_or([0.0; LANES]));
    for (sums, bias) in sums.iter_mut().zip(biases) {
        sums.iter_mut().for_each(|sum| *sum += bias);
    }
    for x in x {
        let x = x.as_chunks::<LANES>().0;
        let [a, b, c, d, e, f] = weights.map(|row| &row[..x.len()]);
        let rows = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
        for (x, (((((a, b), c), d), e), f)) in x.iter().zip(rows) {
            let x = *x;
            for (sums, weight) in sums.iter_mut().zip([*a, *b, *c, *d, *e, *f]) {
                for lane in 0..LANES {
                    sums[lane] = multiply_add::<S>(weight, x[lane], sums[lane]);
                }
            }
        }
        weights = weights.map(|row| &row[x.len()..]);
    }
    for (at, sums) in at.iter().zip(sums) {
        if let Some(out) = out.get_mut(*at) {
            *out = sums;
        }
    }
}

/// a · b + c in one instruction where there is one.
#[inline(always)]
fn multiply_add<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::F32_LANES >= 8 || cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(salt: usize, count: usize) -> Vec<f32> {
        (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 500.0 - 1.0).collect()
    }

    #[test]
    fn tokens_go_into_lanes_and_out_again() {
        for tokens in 1..40 {
            let rows = numbers(tokens, tokens * 5);
            let values = into_lanes(&rows, tokens);
            assert_eq!(values.len(), 5 * lanes(tokens));
            assert_eq!(
                panels(lanes(tokens)).map(|panel| panel.len()).sum::<usize>(),
                lanes(tokens)
            );
            assert_eq!(out_of_lanes(&values, tokens), rows);
        }
    }

    #[test]
    fn products_are_those_of_f64() {
        for (tokens, from, rows) in [(1, 2, 1), (8, 37, 13), (9, 20, 6), (33, 50, 48), (64, 7, 5)] {
            let (x, weights) = (numbers(1, tokens * from), numbers(2, rows * from));
            let begun = numbers(3, tokens * rows);
            // In two parts, as different threads leave them.
            let cut = from / 2;
            let columns = |columns: Range<usize>| -> Vec<f32> {
                x.chunks(from).flat_map(|row| row[columns.clone()].to_vec()).collect()
            };
            let parts = [columns(0..cut), columns(cut..from)].map(|rows| into_lanes(&rows, tokens));
            let [before, after] = parts.each_ref().map(Vec::as_slice);
            let lanes = lanes(tokens);
            let mut out = into_lanes(&begun, tokens);
            let row = |row: usize| (&weights[row * from..][..from], row as f32 / 7.0);
            add_lane_product(rows, row, &[before, after], lanes, &mut out);
            for (token, got) in out_of_lanes(&out, tokens).chunks(rows).enumerate() {
                for (at, got) in got.iter().enumerate() {
                    let products = x[token * from..][..from].iter().zip(row(at).0);
                    let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    let expected = sum + f64::from(begun[token * rows + at] + row(at).1);
                    assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} for {expected}");
                }
            }
            assert_eq!(out_of_lanes(&stacked(&[before, after], lanes), tokens), x);
        }
    }
}
