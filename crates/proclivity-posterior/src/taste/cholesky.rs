//! Cholesky factors of precision matrices, on one thread, so that results are the same on all machines.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, MatMut, Par};
use ndarray::{Array1, Array2, ArrayView2};

use crate::PosteriorError;

/// L with L·Lᵀ = A.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cholesky {
    lower: Mat<f64>,
}

impl Cholesky {
    /// The factor of the matrix whose lower triangle `entry` gives, by row and column.
    pub(super) fn new(
        what: &'static str,
        dim: usize,
        mut entry: impl FnMut(usize, usize) -> f64,
    ) -> Result<Self, PosteriorError> {
        let mut lower = Mat::from_fn(
            dim,
            dim,
            |row, column| if row < column { 0.0 } else { entry(row, column) },
        );
        let mut memory =
            MemBuffer::new(cholesky_in_place_scratch::<f64>(dim, Par::Seq, Default::default()));
        let factored = cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        );
        let proper = (0..dim).all(|i| lower[(i, i)] > 0.0 && lower[(i, i)].is_finite());
        if factored.is_ok() && proper {
            Ok(Self { lower })
        } else {
            Err(PosteriorError::NotPositiveDefinite { what })
        }
    }

    pub(super) fn dim(&self) -> usize {
        self.lower.nrows()
    }

    /// log |A|.
    pub(super) fn log_det(&self) -> f64 {
        2.0 * (0..self.dim()).map(|i| self.lower[(i, i)].ln()).sum::<f64>()
    }

    /// Mean and variance of weights · θ for θ ~ Normal(mean, A⁻¹).
    pub(super) fn linear_moments(&self, mean: &Array1<f64>, weights: &[f64]) -> (f64, f64) {
        assert_eq!(weights.len(), mean.len(), "one weight for each parameter");
        let half = self.half_solve(weights.to_vec());
        let location = weights.iter().zip(mean).map(|(w, m)| w * m).sum();
        (location, half.iter().map(|value| value * value).sum())
    }

    /// L⁻¹·b, whose square is bᵀA⁻¹b.
    pub(super) fn half_solve(&self, mut b: Vec<f64>) -> Vec<f64> {
        let rows = b.len();
        let column = MatMut::from_column_major_slice_mut(&mut b, rows, 1);
        solve_lower_triangular_in_place(self.lower.as_ref(), column, Par::Seq);
        b
    }

    /// L⁻¹·B.
    ///
    /// # Shapes
    /// `columns` and result: `[dim, columns]`
    pub(super) fn half_solve_columns(&self, columns: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut solved = Mat::from_fn(columns.nrows(), columns.ncols(), |i, j| columns[[i, j]]);
        solve_lower_triangular_in_place(self.lower.as_ref(), solved.as_mut(), Par::Seq);
        Array2::from_shape_fn(columns.dim(), |(i, j)| solved[(i, j)])
    }

    /// L⁻ᵀ·b: for b standard normal, a draw with covariance A⁻¹.
    pub(super) fn half_solve_transposed(&self, mut b: Vec<f64>) -> Vec<f64> {
        let rows = b.len();
        let column = MatMut::from_column_major_slice_mut(&mut b, rows, 1);
        solve_upper_triangular_in_place(self.lower.transpose(), column, Par::Seq);
        b
    }

    /// A⁻¹·b.
    pub(super) fn solve(&self, b: Vec<f64>) -> Vec<f64> {
        self.half_solve_transposed(self.half_solve(b))
    }

    /// bᵀ·A·b = |Lᵀb|².
    pub(super) fn quadratic(&self, b: &[f64]) -> f64 {
        let along = |column: usize| -> f64 {
            let below = b.iter().enumerate().skip(column);
            below.map(|(row, value)| self.lower[(row, column)] * value).sum()
        };
        (0..self.dim()).map(|column| along(column).powi(2)).sum()
    }

    /// The diagonal of A⁻¹.
    pub(super) fn inverse_diagonal(&self) -> impl Iterator<Item = f64> {
        let mut inverse = Mat::<f64>::zeros(self.dim(), self.dim());
        invert_lower_triangular(inverse.as_mut(), self.lower.as_ref(), Par::Seq);
        (0..self.dim()).map(move |column| {
            (column..inverse.nrows()).map(|row| inverse[(row, column)].powi(2)).sum()
        })
    }

    /// A⁻¹.
    pub(super) fn inverse(&self) -> Array2<f64> {
        let dim = self.dim();
        let mut inverse = Mat::<f64>::zeros(dim, dim);
        invert_lower_triangular(inverse.as_mut(), self.lower.as_ref(), Par::Seq);
        let mut product = Mat::<f64>::zeros(dim, dim);
        faer::linalg::matmul::matmul(
            product.as_mut(),
            faer::Accum::Replace,
            inverse.transpose(),
            inverse.as_ref(),
            1.0,
            Par::Seq,
        );
        Array2::from_shape_fn((dim, dim), |(row, column)| {
            (product[(row, column)] + product[(column, row)]) / 2.0
        })
    }
}

/// Whether a matrix is square, finite and symmetric, and its factor.
pub(super) fn of_precision(precision: &Array2<f64>) -> Result<Cholesky, PosteriorError> {
    let what = "precision of the prior";
    crate::error::same_length(what, precision.nrows(), precision.ncols())?;
    for ((row, column), &value) in precision.indexed_iter() {
        if !value.is_finite() {
            return Err(PosteriorError::NotFinite { what, row, column, value });
        }
        let other = precision[[column, row]];
        let near = (value - other).abs() <= 1e-9 * (value.abs() + other.abs());
        crate::error::in_range(what, value, near, "the same on both sides of the diagonal")?;
    }
    Cholesky::new(what, precision.nrows(), |row, column| precision[[row, column]])
}

/// Whether a prior's mean has features, all of them finite.
pub(super) fn of_mean(mean: &ndarray::Array1<f64>) -> Result<(), PosteriorError> {
    if mean.is_empty() {
        return Err(PosteriorError::Empty { what: "features" });
    }
    match mean.iter().position(|value| !value.is_finite()) {
        Some(row) => {
            let (what, value) = ("mean of the prior", mean[row]);
            Err(PosteriorError::NotFinite { what, row, column: 0, value })
        }
        None => Ok(()),
    }
}

/// 1 at a feature, 0 elsewhere.
pub(super) fn unit(dim: usize, feature: usize) -> Result<Vec<f64>, PosteriorError> {
    let mut unit = vec![0.0; dim];
    match unit.get_mut(feature) {
        Some(value) => *value = 1.0,
        None => {
            let (what, expected) = ("features", feature + 1);
            return Err(PosteriorError::Length { what, expected, got: dim });
        }
    }
    Ok(unit)
}
