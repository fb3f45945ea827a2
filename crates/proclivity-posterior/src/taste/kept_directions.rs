//! Which directions of an old factor and a new site are kept as the new factor.

use std::iter::Sum;
use std::ops::{AddAssign, Mul};

use ndarray::{Array2, ArrayView1, Axis};

/// Orthonormal directions of [U, L] that hold most of its Gram matrix, as weights of the basis.
///
/// Of each, what the directions that are left out have on average is taken off, as in probabilistic
/// principal components: that much is in the diagonal. Any orthonormal directions Q leave a precision that is positive definite, since A·Q·Qᵀ·Aᵀ is at
/// most A·Aᵀ: a few steps of block power iteration suffice.
///
/// # Shapes
/// `gram`: `[rank + choices, rank + choices]`; result: `[rank, rank + choices]`
pub(super) fn kept_directions(
    gram: &Array2<f64>,
    rank: usize,
    p: &[f64],
    dim: usize,
) -> Array2<f64> {
    let root: Vec<f64> = p.iter().map(|p| p.sqrt()).collect();
    let center = |row: ArrayView1<'_, f64>| -> f64 {
        row.iter().skip(rank).zip(p).map(|(g, p)| g * p).sum()
    };
    // The Gram matrix of [U, L]: L is the choices' part of the basis times R = diag √p − p·√pᵀ.
    let centers: Vec<f64> = gram.outer_iter().map(center).collect();
    let overall = center(ArrayView1::from(&centers));
    let (ones, zeros) = (std::iter::repeat_n(1.0, rank), std::iter::repeat_n(0.0, rank));
    let scales: Vec<f64> = ones.chain(root.iter().copied()).collect();
    let is_choice: Vec<f64> = zeros.chain(p.iter().map(|_| 1.0)).collect();
    let mut own = gram.clone();
    for (i, mut row) in own.outer_iter_mut().enumerate() {
        let (scale, center) = (scales[i], centers[i]);
        let (choice, offset) = (is_choice[i], overall * is_choice[i] - center);
        for (j, value) in row.iter_mut().enumerate() {
            *value = scale * scales[j] * (*value - choice * centers[j] + is_choice[j] * offset);
        }
    }
    let mut directions = own.select(Axis(0), &pivots(&own, rank));
    orthonormalise(&mut directions);
    for _ in 1..POWER_STEPS {
        directions = directions.dot(&own);
        orthonormalise(&mut directions);
    }
    let held: Vec<f64> = (&directions.dot(&own) * &directions).sum_axis(Axis(1)).to_vec();
    let left_out = own.diag().sum() - held.iter().sum::<f64>();
    let left_out = left_out.max(0.0) / (dim - rank).max(1) as f64;
    // In weights of the basis, R·v, each shortened.
    for (mut row, held) in directions.outer_iter_mut().zip(held) {
        let kept = if held > left_out { (1.0 - left_out / held).sqrt() } else { 0.0 };
        let total: f64 = row.iter().skip(rank).zip(&root).map(|(v, root)| v * root).sum();
        for ((v, root), p) in row.iter_mut().skip(rank).zip(&root).zip(p) {
            *v = root * *v - p * total;
        }
        row *= kept;
    }
    directions
}

/// The rows that a pivoted Cholesky factor takes first: those with most that the others don't have.
fn pivots(matrix: &Array2<f64>, count: usize) -> Vec<usize> {
    let mut left = matrix.diag().to_vec();
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(count);
    let mut pivots = Vec::with_capacity(count);
    for _ in 0..count {
        let most = left.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        let Some((pivot, &own)) = most else { break };
        pivots.push(pivot);
        let mut column = matrix.row(pivot).to_vec();
        for before in &factor {
            let along = before[pivot];
            column.iter_mut().zip(before).for_each(|(value, before)| *value -= along * before);
        }
        let scale = if own > 0.0 { own.sqrt().recip() } else { 0.0 };
        column.iter_mut().for_each(|value| *value *= scale);
        left.iter_mut().zip(&column).for_each(|(left, value)| *left -= value * value);
        // Not taken twice, whatever rounding leaves of it.
        left[pivot] = f64::NEG_INFINITY;
        factor.push(column);
    }
    pivots
}

/// Steps of block power iteration for each choice.
const POWER_STEPS: usize = 2;

/// Gram–Schmidt, twice for each row; rows that are sums of others become 0.
fn orthonormalise(rows: &mut Array2<f64>) {
    let width = rows.ncols();
    let Some(rows) = rows.as_slice_mut() else { return };
    for at in 0..rows.len() / width {
        let (before, from) = rows.split_at_mut(at * width);
        let row = &mut from[..width];
        let length = dot(row, row).sqrt();
        for _ in 0..2 {
            for other in before.chunks_exact(width) {
                let along = dot(other, row);
                row.iter_mut().zip(other).for_each(|(v, other)| *v -= along * other);
            }
        }
        let left = dot(row, row).sqrt();
        let scale = if left > 1e-9 * length { 1.0 / left } else { 0.0 };
        row.iter_mut().for_each(|v| *v *= scale);
    }
}

/// In eight sums, which the compiler keeps in registers.
pub(super) fn dot<T: Copy + Default + AddAssign + Mul<Output = T> + Sum>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::default(); 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(&a, &b)| a * b);
    let rest: T = rest.sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    [rest, sums.into_iter().sum()].into_iter().sum()
}
