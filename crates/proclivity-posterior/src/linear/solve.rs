//! Cholesky factorisation of XᵀX + Λ in one square of memory, and solving with it block by block.

use std::ops::Range;

use faer::linalg::cholesky::llt::{self, factor};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par};
use ndarray::{Array2, ArrayView1, Axis};
use rayon::prelude::*;

use super::sparse::SparseMatrix;
use crate::PosteriorError;
use crate::vectorized::add_each;

/// The floating-point numbers that a model is solved in.
pub(super) trait Real: faer::traits::RealField + Copy + Send + Sync {
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn value(self) -> f64 {
        self
    }
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// The lower triangle of L with L Lᵀ = gram + diag(ridge), from the upper triangle of the gram
/// matrix.
pub(super) fn factorize<T: Real>(
    gram: &SparseMatrix,
    dim: usize,
    ridge: impl Fn(usize) -> f64,
) -> Result<Mat<T>, PosteriorError> {
    let mut matrix = Mat::<T>::zeros(dim, dim);
    // A row of the upper triangle is a column of the lower one.
    for (row, entries) in gram.rows() {
        let column = matrix.col_as_slice_mut(row);
        for (other, value) in entries.within(row..dim) {
            column[other] = T::of(value);
        }
    }
    for feature in 0..dim {
        matrix[(feature, feature)] = T::of(matrix[(feature, feature)].value() + ridge(feature));
    }
    let parallel = Par::rayon(0);
    let scratch = factor::cholesky_in_place_scratch::<T>(dim, parallel, Default::default());
    let mut memory = faer::dyn_stack::MemBuffer::new(scratch);
    factor::cholesky_in_place(
        matrix.as_mut(),
        Default::default(),
        parallel,
        faer::dyn_stack::MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| PosteriorError::NotPositiveDefinite { what: "XᵀX + Λ" })?;
    Ok(matrix)
}

/// (L Lᵀ)⁻¹, both triangles.
fn inverse<T: Real>(factor: &Mat<T>) -> Mat<T> {
    let dim = factor.nrows();
    let parallel = Par::rayon(0);
    let mut inverse = Mat::zeros(dim, dim);
    let mut memory =
        faer::dyn_stack::MemBuffer::new(llt::inverse::inverse_scratch::<T>(dim, parallel));
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    llt::inverse::inverse(inverse.as_mut(), factor.as_ref(), parallel, stack);
    // The upper triangle from the lower, some rows at once so that what is read stays at hand.
    for start in (0..dim).step_by(64) {
        for column in start..dim {
            for row in start..(start + 64).min(column) {
                inverse[(row, column)] = inverse[(column, row)];
            }
        }
    }
    inverse
}

/// (L Lᵀ)⁻¹ R.
fn solve<T: Real>(factor: &Mat<T>, right: &Mat<T>) -> Mat<T> {
    let mut solution = right.clone();
    solve_lower_triangular_in_place(factor.as_ref(), solution.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(factor.as_ref().transpose(), solution.as_mut(), Par::Seq);
    solution
}

/// A product with a matrix that has few numbers.
fn product<T: Real>(left: &Mat<T>, right: &Mat<T>) -> Mat<T> {
    // As many rows at once as leave the whole tile of the product in a core's cache.
    const TILE: usize = 256;
    let mut product = Mat::<T>::zeros(left.nrows(), right.ncols());
    let mut entries = Vec::new();
    for column in 0..right.ncols() {
        let values = right.col_as_slice(column).iter().enumerate();
        entries.extend(values.filter(|(_, x)| x.value() != 0.0).map(|(row, &x)| (row, column, x)));
    }
    entries.sort_unstable_by_key(|&(row, column, _)| (row, column));
    for start in (0..left.nrows()).step_by(TILE) {
        let end = (start + TILE).min(left.nrows());
        for &(row, column, x) in &entries {
            let from = &left.col_as_slice(row)[start..end];
            let into = &mut product.col_as_slice_mut(column)[start..end];
            add_each(into, from, |into, from| *into += x * from);
        }
    }
    product
}

/// A factor and a solution of one row for each feature.
#[derive(Debug, Clone)]
pub(super) struct Solved<T> {
    factor: Mat<T>,
    /// `[features, items]`
    weights: Array2<T>,
}

impl<T: Real> Solved<T> {
    /// Solves L Lᵀ W = R for `items` columns of R, which `right_hand_side` writes where there are
    /// zeros, and returns with it what `summary` makes of each column of R and of W; it may change
    /// the column of W. About `entries` numbers of R aren't 0.
    pub(super) fn new(
        factor: Mat<T>,
        items: usize,
        entries: usize,
        right_hand_side: impl Fn(Range<usize>, &mut Mat<T>) + Sync,
        summary: impl Fn(usize, &[T], &mut [T]) -> f64 + Sync,
    ) -> (Self, Vec<f64>) {
        // Blocks are solved apart, so that nothing depends on the number of threads, and there is
        // never a second copy of W.
        const BLOCK: usize = 256;
        let dim = factor.nrows();
        // With few numbers in R, what the inverse costs (2/3 dim³) comes back many times.
        let inverse = (dim == items && entries < dim * items / 20).then(|| inverse(&factor));
        let mut weights = Array2::from_elem((dim, items), T::of(0.0));
        let blocks: Vec<_> = weights.axis_chunks_iter_mut(Axis(1), BLOCK).collect();
        let summaries: Vec<Vec<f64>> = blocks
            .into_par_iter()
            .enumerate()
            .map(|(block, mut weights)| {
                let start = block * BLOCK;
                let columns = start..start + weights.ncols();
                let mut right = Mat::<T>::zeros(dim, weights.ncols());
                right_hand_side(columns.clone(), &mut right);
                let mut solution = match &inverse {
                    Some(inverse) => product(inverse, &right),
                    None => solve(&factor, &right),
                };
                let summaries = columns.clone().map(|item| {
                    let column = item - columns.start;
                    let right = right.col_as_slice(column);
                    summary(item, right, solution.col_as_slice_mut(column))
                });
                let summaries = summaries.collect();
                for (row, mut weights) in weights.axis_iter_mut(Axis(0)).enumerate() {
                    for (column, weight) in weights.iter_mut().enumerate() {
                        *weight = solution[(row, column)];
                    }
                }
                summaries
            })
            .collect();
        (Self { factor, weights }, summaries.concat())
    }

    /// Lets the factor go.
    pub(super) fn into_weights(self) -> Array2<T> {
        self.weights
    }

    pub(super) fn weights(&self) -> &Array2<T> {
        &self.weights
    }

    /// xᵀ(L Lᵀ)⁻¹x of a sparse x.
    pub(super) fn quadratic_form(&self, features: impl Iterator<Item = (usize, f64)>) -> f64 {
        let mut x = Mat::<T>::zeros(self.factor.nrows(), 1);
        features
            .for_each(|(feature, value)| x[(feature, 0)] = T::of(x[(feature, 0)].value() + value));
        solve_lower_triangular_in_place(self.factor.as_ref(), x.as_mut(), Par::Seq);
        x.col_as_slice(0).iter().map(|value| value.value() * value.value()).sum()
    }

    /// L⁻ᵀz: for standard normal z a draw from N(0, (L Lᵀ)⁻¹).
    pub(super) fn correlate(&self, standard: &[f64]) -> Vec<f64> {
        let mut z = Mat::<T>::from_fn(standard.len(), 1, |row, _| T::of(standard[row]));
        solve_upper_triangular_in_place(self.factor.as_ref().transpose(), z.as_mut(), Par::Seq);
        z.col_as_slice(0).iter().map(|value| value.value()).collect()
    }
}

/// out += x · row
pub(super) fn add_scaled<T: Real>(row: ArrayView1<'_, T>, x: f64, out: &mut [f64]) {
    let add = |out: &mut f64, weight: T| *out += x * weight.value();
    match row.as_slice() {
        Some(row) => add_each(out, row, add),
        None => out.iter_mut().zip(row).for_each(|(out, &weight)| add(out, weight)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_numbers_are_solved_for_as_many_are() {
        // More rows than a tile has.
        const DIM: usize = 300;
        let factor = Mat::<f64>::from_fn(DIM, DIM, |row, column| match row.cmp(&column) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => 3.0,
            std::cmp::Ordering::Greater => ((row * 31 + column * 17) % 13) as f64 / 60.0,
        });
        let right = Mat::<f64>::from_fn(DIM, 5, |row, column| {
            if (row + 7 * column) % 50 == 0 { 1.0 + row as f64 } else { 0.0 }
        });
        let (few, many) = (product(&inverse(&factor), &right), solve(&factor, &right));
        let scale = many.norm_max();
        assert!(scale > 0.0 && (few - many).norm_max() < 1e-10 * scale);
    }
}
