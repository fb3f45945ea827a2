//! Normal beliefs about many weights in little memory: a precision that is diagonal plus low rank.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView1, ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use super::kept_directions::{dot, kept_directions};
use super::subspace::Utilities;
use super::{Choice, ChoiceSet, LowRankPosterior};
use crate::PosteriorError;
use crate::error::{in_range, same_length};

/// θ ~ Normal(mean, (diag(diagonal) + U·Uᵀ)⁻¹), U of a few columns: `4 · dim · (rank + 2) + 24` bytes.
///
/// It takes in choices one by one. It keeps no prior apart from what it learned and no events, so
/// that nothing can be merged, taken back or forgotten: [`Sites`](crate::Sites) of
/// [`Normal`](crate::Normal) do that, with the full covariance.
///
/// # Approximation
/// Each choice is a normal site, as with the full covariance. Then of \[U, L\], L·Lᵀ the precision of
/// the site, the span of the `rank` largest directions relative to the diagonal is kept as U, less
/// what the directions left out have on average, and of the rest its diagonal: the precision of each
/// weight given all others stays exact. For unit embeddings of 64 dimensions, after 60 choices out of
/// 32, means of items are off from those of the full covariance by .07 of their standard deviations at
/// rank 0 to 2, .06 at 8, .03 at 32; standard deviations by 1 %:
/// `low_rank_keeps_its_memory_and_its_distance_from_the_full_covariance` in `tests/taste.rs`. Where
/// embeddings differ in few directions, rank does more.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankNormal {
    dim: u32,
    rank: u32,
    /// Mean, diagonal, and the columns of U, one after the other.
    values: Box<[f32]>,
}

impl LowRankNormal {
    /// A prior of independent weights, by mean and precision of each.
    ///
    /// # Shapes
    /// `mean` and `precision`: `[dim]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`], [`PosteriorError::Length`], [`PosteriorError::NotFinite`],
    /// [`PosteriorError::OutOfRange`] unless each precision is above 0 and the rank is at most the
    /// dimension.
    pub fn new(mean: &[f32], precision: &[f32], rank: usize) -> Result<Self, PosteriorError> {
        let dim = mean.len();
        same_length("precisions", dim, precision.len())?;
        in_range("rank", rank as f64, rank <= dim, "at most the dimension")?;
        let factor = std::iter::repeat_n(0.0, dim * rank);
        Self::checked(rank, mean.iter().chain(precision).copied().chain(factor).collect(), dim)
    }

    /// A prior around 0 with independent weights of the same precision.
    ///
    /// # Errors
    /// Those of [`LowRankNormal::new`].
    pub fn isotropic(dim: usize, precision: f32, rank: usize) -> Result<Self, PosteriorError> {
        Self::new(&vec![0.0; dim], &vec![precision; dim], rank)
    }

    fn checked(rank: usize, values: Vec<f32>, dim: usize) -> Result<Self, PosteriorError> {
        if dim == 0 {
            return Err(PosteriorError::Empty { what: "features" });
        }
        let narrow = |count: usize| {
            u32::try_from(count).map_err(|_| PosteriorError::Length {
                what: "features",
                expected: u32::MAX as usize,
                got: count,
            })
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column, value) = (at % dim, at / dim, f64::from(values[at]));
            return Err(PosteriorError::NotFinite { what: "belief", row, column, value });
        }
        for &value in &values[dim..2 * dim] {
            in_range("precision", f64::from(value), value > 0.0, "above 0")?;
        }
        Ok(Self { dim: narrow(dim)?, rank: narrow(rank)?, values: values.into_boxed_slice() })
    }

    /// How many features there are.
    pub fn dim(&self) -> usize {
        self.dim as usize
    }

    /// How many columns U has.
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// E\[θ\].
    pub fn mean(&self) -> &[f32] {
        &self.values[..self.dim()]
    }

    /// The diagonal of the precision without U·Uᵀ.
    pub fn diagonal(&self) -> &[f32] {
        &self.values[self.dim()..2 * self.dim()]
    }

    /// The columns of U.
    pub(super) fn columns(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values[2 * self.dim()..].chunks_exact(self.dim())
    }

    /// One more choice.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of features,
    /// [`PosteriorError::NotConverged`], [`PosteriorError::NotPositiveDefinite`] and
    /// [`PosteriorError::NotFinite`] where features or offsets are so large that the numbers don't
    /// suffice; the belief is then as it was.
    pub fn absorb(&mut self, choice: &Choice) -> Result<(), PosteriorError> {
        let set = choice.set();
        let (dim, rank) = (self.dim(), self.rank());
        same_length("features", dim, set.features().ncols())?;
        let root: Vec<f32> = self.diagonal().iter().map(|value| value.sqrt()).collect();
        let basis = self.basis(set, &root);
        let gram = gram(&basis, dim);
        // U's part and the choices' part.
        let inner = gram.slice(s![..rank, ..rank]);
        let cross = gram.slice(s![..rank, rank..]);
        let woodbury = woodbury(inner)?;
        let half = woodbury.half_solve_columns(cross);
        let covariance = &gram.slice(s![rank.., rank..]) - &half.t().dot(&half);
        let mean: Vec<f32> = self.mean().iter().zip(&root).map(|(m, root)| m * root).collect();
        let at_mean: Vec<f64> = basis[rank * dim..]
            .chunks_exact(dim)
            .zip(set.offsets())
            .map(|(row, offset)| f64::from(dot(row, &mean)) + offset)
            .collect();
        let moved = Utilities { mean: &at_mean, covariance: covariance.view() }
            .choose(choice.chosen(), 1e-5)?;
        let p = &moved.probabilities;

        // The mean moves by V·Φᵀ·pull, with V by Woodbury's identity.
        let crossed = cross.dot(&ArrayView1::from(&moved.pull));
        let back = woodbury.solve(crossed.to_vec());
        let pull: Vec<f64> = back.iter().map(|value| -value).chain(moved.pull).collect();
        let kept = kept_directions(&gram, rank, p, dim);

        let mut next = vec![0.0; self.values.len()];
        let (mean, rest) = next.split_at_mut(dim);
        let (diagonal, factor) = rest.split_at_mut(dim);
        combine(&basis, dim, &pull, mean);
        combine(&basis, dim, kept.as_slice().unwrap_or_default(), factor);
        grown(&basis, rank, p, factor, diagonal);
        for ((mean, root), from) in mean.iter_mut().zip(&root).zip(self.mean()) {
            *mean = from + *mean / root;
        }
        diagonal.iter_mut().zip(self.diagonal()).for_each(|(grown, from)| *grown *= from);
        for column in factor.chunks_exact_mut(dim) {
            column.iter_mut().zip(&root).for_each(|(u, root)| *u *= root);
        }
        if let Some(at) = next.iter().position(|value| !value.is_finite()) {
            let (row, column, value) = (at % dim, at / dim, f64::from(next[at]));
            return Err(PosteriorError::NotFinite { what: "belief", row, column, value });
        }
        self.values = next.into_boxed_slice();
        Ok(())
    }

    /// The columns of U, then the features of each choice less those of the first, which utilities are
    /// relative to anyway; all over the root of the diagonal.
    ///
    /// # Shapes
    /// Result: `[rank + choices, dim]`
    fn basis(&self, set: &ChoiceSet, root: &[f32]) -> Vec<f32> {
        let features = set.features();
        let features = features.as_slice().unwrap_or_default();
        let over: Vec<f32> = root.iter().map(|root| root.recip()).collect();
        let mut basis = Vec::with_capacity(features.len() + self.rank() * root.len());
        for column in self.columns() {
            basis.extend(column.iter().zip(&over).map(|(u, over)| u * over));
        }
        for row in features.chunks_exact(root.len()) {
            let relative = row.iter().zip(features).zip(&over);
            basis.extend(relative.map(|((x, first), over)| (x - first) * over));
        }
        basis
    }

    /// P(θ|X), ready for questions.
    ///
    /// # Errors
    /// [`PosteriorError::NotPositiveDefinite`] when the numbers don't suffice.
    pub fn posterior(&self) -> Result<LowRankPosterior<'_>, PosteriorError> {
        let mut columns = self.values[2 * self.dim()..].to_vec();
        for column in columns.chunks_exact_mut(self.dim()) {
            column.iter_mut().zip(self.diagonal()).for_each(|(u, value)| *u /= value.sqrt());
        }
        let woodbury = woodbury(gram(&columns, self.dim()).view())?;
        Ok(LowRankPosterior::new(self, woodbury))
    }
}

/// basis · basisᵀ.
fn gram(basis: &[f32], dim: usize) -> Array2<f64> {
    let rows = basis.len() / dim;
    let mut gram = vec![0.0_f32; rows * rows];
    let into = MatMut::from_column_major_slice_mut(&mut gram, rows, rows);
    let basis = MatRef::from_row_major_slice(basis, rows, dim);
    matmul(into, Accum::Replace, basis, basis.transpose(), 1.0, Par::Seq);
    let at = |i: usize, j: usize| f64::from(gram[i.min(j) * rows + i.max(j)]);
    Array2::from_shape_fn((rows, rows), |(i, j)| at(i, j))
}

/// The factor of I + Uᵀ·diag(diagonal)⁻¹·U, of which the Gram matrix is a part.
fn woodbury(inner: ArrayView2<'_, f64>) -> Result<Cholesky, PosteriorError> {
    Cholesky::new("precision of the belief", inner.nrows(), |i, j| {
        inner[[i, j]] + f64::from(u8::from(i == j))
    })
}

/// By what the diagonal grows, as a factor: 1 + diag([U, L]·[U, L]ᵀ) − diag(the new U's part of it).
///
/// L·Lᵀ is Σ p·φ·φᵀ − φ̄·φ̄ᵀ: the basis is weighted by 1 for columns of U and p for choices.
fn grown(basis: &[f32], rank: usize, p: &[f64], factor: &[f32], grown: &mut [f32]) {
    let weights: Vec<f32> = p.iter().map(|&p| p as f32).collect();
    let whole = grown.len() / TILE * TILE;
    for from in (0..whole).step_by(TILE) {
        grown_tile::<TILE>(basis, rank, &weights, factor, grown, from);
    }
    for from in whole..grown.len() {
        grown_tile::<1>(basis, rank, &weights, factor, grown, from);
    }
}

fn grown_tile<const WIDTH: usize>(
    basis: &[f32],
    rank: usize,
    weights: &[f32],
    factor: &[f32],
    grown: &mut [f32],
    from: usize,
) {
    let dim = grown.len();
    let tile = |row: &[f32]| row[from..].first_chunk::<WIDTH>().copied().unwrap_or([0.0; WIDTH]);
    let (mut sum, mut center) = ([0.0; WIDTH], [0.0; WIDTH]);
    let mut rows = basis.chunks_exact(dim).map(tile);
    for row in rows.by_ref().take(rank) {
        sum.iter_mut().zip(row).for_each(|(sum, u)| *sum += u * u);
    }
    for (row, weight) in rows.zip(weights) {
        for ((sum, center), x) in sum.iter_mut().zip(&mut center).zip(row) {
            *sum += weight * x * x;
            *center += weight * x;
        }
    }
    for row in factor.chunks_exact(dim).map(tile) {
        sum.iter_mut().zip(row).for_each(|(sum, u)| *sum -= u * u);
    }
    // What is left is not negative, but for rounding.
    for ((grown, sum), center) in grown[from..].iter_mut().zip(sum).zip(center) {
        *grown = 1.0 + (sum - center * center).max(0.0);
    }
}

/// As many numbers as are summed at once, in registers.
const TILE: usize = 16;

/// basisᵀ · weights, a column for each list of weights.
fn combine(basis: &[f32], dim: usize, weights: &[f64], into: &mut [f32]) {
    let rows = basis.len() / dim;
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    let (basis, lists) = (MatRef::from_column_major_slice(basis, dim, rows), into.len() / dim);
    let weights = MatRef::from_column_major_slice(&weights, rows, lists);
    let into = MatMut::from_column_major_slice_mut(into, dim, lists);
    matmul(into, Accum::Replace, basis, weights, 1.0, Par::Seq);
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "LowRankNormal")]
struct Saved<Values> {
    version: u32,
    rank: usize,
    dim: usize,
    values: Values,
}

impl Serialize for LowRankNormal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (rank, dim) = (self.rank(), self.dim());
        Saved { version: VERSION, rank, dim, values: &self.values }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LowRankNormal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let saved = Saved::<Vec<f32>>::deserialize(deserializer)?;
        let check = || {
            if saved.version != VERSION {
                let (expected, got) = (VERSION, saved.version);
                return Err(PosteriorError::Version { expected, got });
            }
            in_range("rank", saved.rank as f64, saved.rank <= saved.dim, "at most the dimension")?;
            let expected = saved.dim.saturating_mul(saved.rank.saturating_add(2));
            same_length("numbers of the belief", expected, saved.values.len())
        };
        check().map_err(D::Error::custom)?;
        Self::checked(saved.rank, saved.values, saved.dim).map_err(D::Error::custom)
    }
}
