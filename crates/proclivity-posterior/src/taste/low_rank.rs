//! Normal beliefs about many weights in little memory: a precision that is diagonal plus low rank.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView1, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use super::subspace::Utilities;
use super::{Choice, StudentT};
use crate::PosteriorError;
use crate::error::{in_range, same_length};

/// θ ~ Normal(mean, (diag(diagonal) + U·Uᵀ)⁻¹), U of a few columns: `4 · dim · (rank + 2) + 24` bytes.
///
/// It takes in choices one by one. It keeps no prior apart from what it learned and no events, so
/// that nothing can be merged, taken back or forgotten: [`Sites`](crate::Sites) of
/// [`Normal`](super::Normal) do that, with the full covariance.
///
/// # Approximation
/// Each choice is a normal site, as with the full covariance. Then of [U, L], L·Lᵀ the precision of
/// the site, the span of the `rank` largest directions relative to the diagonal is kept as U, and of
/// the rest its diagonal: the precision of each weight given all the others stays exact, what it has to do with the
/// others is kept where the data said most. `tests/taste.rs` says what this is off by.
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
    fn columns(&self) -> std::slice::ChunksExact<'_, f32> {
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
        let basis = self.basis(choice);
        let gram = self.gram(&basis);
        // U's part and the choices' part of the Gram matrix in the metric of 1/diagonal.
        let inner = gram.slice(s![..rank, ..rank]);
        let cross = gram.slice(s![..rank, rank..]);
        let woodbury = Cholesky::new("precision of the belief", rank, |i, j| {
            inner[[i, j]] + f64::from(u8::from(i == j))
        })?;
        let half = woodbury.half_solve_columns(cross);
        let covariance = &gram.slice(s![rank.., rank..]) - &half.t().dot(&half);
        let at_mean: Vec<f64> = basis[rank * dim..]
            .chunks_exact(dim)
            .zip(set.offsets())
            .map(|(row, offset)| f64::from(dot(row, self.mean())) + offset)
            .collect();
        let moved = Utilities { mean: &at_mean, covariance: covariance.view() }
            .choose(choice.chosen(), 1e-6)?;
        let p = &moved.probabilities;

        // The mean moves by V·Φᵀ·pull, with V by Woodbury's identity.
        let mut pull = vec![0.0; rank];
        pull.extend(&moved.pull);
        let crossed = (0..rank).map(|k| {
            cross.row(k).iter().zip(&pull[rank..]).map(|(c, weight)| c * weight).sum::<f64>()
        });
        let back = woodbury.solve(crossed.collect());
        pull[..rank].iter_mut().zip(back).for_each(|(weight, value)| *weight = -value);

        let kept = kept_directions(&gram, rank, p, dim);
        let mut next = self.values.clone();
        let (mean, rest) = next.split_at_mut(dim);
        let (diagonal, factor) = rest.split_at_mut(dim);
        combine(&basis, dim, &pull, &kept, mean, factor);
        for (value, precision) in mean.iter_mut().zip(self.diagonal()) {
            *value /= precision;
        }
        mean.iter_mut().zip(self.mean()).for_each(|(moved, from)| *moved += from);
        // diag([U, L]·[U, L]ᵀ) less what the new U has of it.
        let mut center = vec![0.0; dim];
        for (row, &p) in basis[rank * dim..].chunks_exact(dim).zip(p) {
            let p = p as f32;
            for ((sum, center), x) in diagonal.iter_mut().zip(&mut center).zip(row) {
                *sum += p * x * x;
                *center += p * x;
            }
        }
        for column in basis[..rank * dim].chunks_exact(dim) {
            diagonal.iter_mut().zip(column).for_each(|(sum, u)| *sum += u * u);
        }
        diagonal.iter_mut().zip(&center).for_each(|(sum, center)| *sum -= center * center);
        for column in factor.chunks_exact(dim) {
            diagonal.iter_mut().zip(column).for_each(|(sum, u)| *sum -= u * u);
        }
        // What is left is not negative, but for rounding.
        diagonal.iter_mut().zip(self.diagonal()).for_each(|(sum, before)| *sum = sum.max(*before));
        if let Some(at) = next.iter().position(|value| !value.is_finite()) {
            let (row, column, value) = (at % dim, at / dim, f64::from(next[at]));
            return Err(PosteriorError::NotFinite { what: "belief", row, column, value });
        }
        self.values = next;
        Ok(())
    }

    /// The columns of U, then the features of each choice less their mean, which utilities are
    /// relative to anyway.
    ///
    /// # Shapes
    /// Result: `[rank + choices, dim]`
    fn basis(&self, choice: &Choice) -> Vec<f32> {
        let features = choice.set().features();
        let dim = self.dim();
        let mut basis = self.values[2 * dim..].to_vec();
        basis.extend(features.iter());
        let mut center = vec![0.0; dim];
        let part = 1.0 / features.nrows() as f32;
        for row in basis[self.rank() * dim..].chunks_exact(dim) {
            center.iter_mut().zip(row).for_each(|(sum, x)| *sum += part * x);
        }
        for row in basis[self.rank() * dim..].chunks_exact_mut(dim) {
            row.iter_mut().zip(&center).for_each(|(x, center)| *x -= center);
        }
        basis
    }

    /// basis · diag(diagonal)⁻¹ · basisᵀ.
    fn gram(&self, basis: &[f32]) -> Array2<f64> {
        let (dim, rows) = (self.dim(), basis.len() / self.dim());
        let root: Vec<f32> = self.diagonal().iter().map(|value| value.sqrt().recip()).collect();
        let mut scaled = basis.to_vec();
        for row in scaled.chunks_exact_mut(dim) {
            row.iter_mut().zip(&root).for_each(|(x, root)| *x *= root);
        }
        let scaled = MatRef::from_row_major_slice(&scaled, rows, dim);
        let mut gram = vec![0.0_f32; rows * rows];
        let into = MatMut::from_column_major_slice_mut(&mut gram, rows, rows);
        matmul(into, Accum::Replace, scaled, scaled.transpose(), 1.0, Par::Seq);
        Array2::from_shape_fn((rows, rows), |(i, j)| f64::from(gram[i.max(j) * rows + i.min(j)]))
    }

    /// P(θ|X), ready for questions.
    ///
    /// # Errors
    /// [`PosteriorError::NotPositiveDefinite`] when the numbers don't suffice.
    pub fn posterior(&self) -> Result<LowRankPosterior<'_>, PosteriorError> {
        let factor = &self.values[2 * self.dim()..];
        let gram = self.gram(factor);
        let woodbury = Cholesky::new("precision of the belief", self.rank(), |i, j| {
            gram[[i, j]] + f64::from(u8::from(i == j))
        })?;
        Ok(LowRankPosterior { belief: self, woodbury })
    }
}

/// Orthonormal directions of [U, L] that hold most of its Gram matrix, as weights of the basis.
///
/// Of each, what the directions that are left out have on average is taken off, as in probabilistic
/// principal components: that much is in the diagonal. Any orthonormal directions Q leave a precision that is positive definite, since A·Q·Qᵀ·Aᵀ is at
/// most A·Aᵀ: a few steps of block power iteration suffice.
///
/// # Shapes
/// `gram`: `[rank + choices, rank + choices]`; result: `[rank, rank + choices]`
fn kept_directions(gram: &Array2<f64>, rank: usize, p: &[f64], dim: usize) -> Array2<f64> {
    let rows = gram.nrows();
    let root: Vec<f64> = p.iter().map(|p| p.sqrt()).collect();
    // v ↦ blockdiag(I, R)·v and its transpose, R = diag √p − p·√pᵀ.
    let spread = |v: &mut [f64]| {
        let total: f64 = v[rank..].iter().zip(&root).map(|(v, r)| v * r).sum();
        v[rank..].iter_mut().zip(&root).zip(p).for_each(|((v, r), p)| *v = r * *v - p * total);
    };
    let gather = |v: &mut [f64]| {
        let mean: f64 = v[rank..].iter().zip(p).map(|(v, p)| v * p).sum();
        v[rank..].iter_mut().zip(&root).for_each(|(v, r)| *v = r * (*v - mean));
    };
    let times_gram = |v: &[f64]| -> Vec<f64> {
        let mut sum = vec![0.0; rows];
        for (row, v) in gram.outer_iter().zip(v) {
            sum.iter_mut().zip(row).for_each(|(sum, g)| *sum += v * g);
        }
        sum
    };
    // Starts from the columns with most of the Gram matrix.
    let center = times_gram(&[vec![0.0; rank], p.to_vec()].concat());
    let overall: f64 = center[rank..].iter().zip(p).map(|(c, p)| c * p).sum();
    let mut order: Vec<(f64, usize)> = (0..rows)
        .map(|at| {
            let own = gram[[at, at]];
            let part = match at.checked_sub(rank) {
                Some(choice) => p[choice] * (own - 2.0 * center[at] + overall),
                None => own,
            };
            (part, at)
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut directions = Array2::zeros((rank, rows));
    order.iter().take(rank).enumerate().for_each(|(row, &(_, at))| directions[[row, at]] = 1.0);
    let mut lengths = Vec::new();
    for _ in 0..POWER_STEPS {
        for row in 0..rank {
            let mut v = directions.row(row).to_vec();
            spread(&mut v);
            let mut v = times_gram(&v);
            gather(&mut v);
            directions.row_mut(row).assign(&ArrayView1::from(&v));
        }
        lengths = orthonormalise(&mut directions);
    }
    let trace: f64 = order.iter().map(|(part, _)| part).sum();
    let left_out = (trace - lengths.iter().sum::<f64>()).max(0.0) / (dim - rank).max(1) as f64;
    for (row, length) in lengths.into_iter().enumerate() {
        let mut v = directions.row(row).to_vec();
        let kept = if length > left_out { (1.0 - left_out / length).sqrt() } else { 0.0 };
        v.iter_mut().for_each(|v| *v *= kept);
        spread(&mut v);
        directions.row_mut(row).assign(&ArrayView1::from(&v));
    }
    directions
}

/// Steps of block power iteration for each choice.
const POWER_STEPS: usize = 3;

/// Gram–Schmidt, twice for each row; rows that are sums of others become 0.
/// Returns how long each row was, less what it had of those before.
fn orthonormalise(rows: &mut Array2<f64>) -> Vec<f64> {
    let mut lengths = Vec::with_capacity(rows.nrows());
    for at in 0..rows.nrows() {
        let (before, mut from) = rows.view_mut().split_at(ndarray::Axis(0), at);
        let mut row = from.row_mut(0);
        let length = row.dot(&row).sqrt();
        for _ in 0..2 {
            for other in before.outer_iter() {
                let along = other.dot(&row);
                row.scaled_add(-along, &other);
            }
        }
        let left = row.dot(&row).sqrt();
        if left > 1e-9 * length {
            row /= left;
            lengths.push(left);
        } else {
            row.fill(0.0);
            lengths.push(0.0);
        }
    }
    lengths
}

/// The basis times the weights of the mean's move, and times those of each kept direction.
fn combine(
    basis: &[f32],
    dim: usize,
    pull: &[f64],
    kept: &Array2<f64>,
    mean: &mut [f32],
    factor: &mut [f32],
) {
    let rows = basis.len() / dim;
    let weights: Vec<f32> = pull.iter().chain(kept).map(|&weight| weight as f32).collect();
    let basis = MatRef::from_column_major_slice(basis, dim, rows);
    let pulled = MatRef::from_column_major_slice(&weights[..rows], rows, 1);
    let into = MatMut::from_column_major_slice_mut(mean, dim, 1);
    matmul(into, Accum::Replace, basis, pulled, 1.0, Par::Seq);
    let kept = MatRef::from_column_major_slice(&weights[rows..], rows, kept.nrows());
    let into = MatMut::from_column_major_slice_mut(factor, dim, kept.ncols());
    matmul(into, Accum::Replace, basis, kept, 1.0, Par::Seq);
}

/// In eight sums, which the compiler keeps in one register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let left: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    left + sums.iter().sum::<f32>()
}

/// P(θ|X) of a [`LowRankNormal`], with what its questions have in common.
#[derive(Debug, Clone)]
pub struct LowRankPosterior<'a> {
    belief: &'a LowRankNormal,
    /// Of I + Uᵀ·diag(diagonal)⁻¹·U.
    woodbury: Cholesky,
}

impl LowRankPosterior<'_> {
    /// Uᵀ·v.
    fn gathered(&self, v: &[f64]) -> Vec<f64> {
        let along = |column: &[f32]| column.iter().zip(v).map(|(u, v)| f64::from(*u) * v).sum();
        self.belief.columns().map(along).collect()
    }

    /// covariance · v.
    fn covered(&self, v: &[f64]) -> Vec<f64> {
        let diagonal = self.belief.diagonal();
        let mut covered: Vec<f64> =
            v.iter().zip(diagonal).map(|(v, d)| v / f64::from(*d)).collect();
        let inner = self.woodbury.solve(self.gathered(&covered));
        for (column, weight) in self.belief.columns().zip(inner) {
            for ((sum, u), d) in covered.iter_mut().zip(column).zip(diagonal) {
                *sum -= weight * f64::from(*u) / f64::from(*d);
            }
        }
        covered
    }

    /// The distribution of features · θ: a normal, by location and scale.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of features, [`PosteriorError::OutOfRange`]
    /// when they aren't finite or are all 0.
    pub fn expected_value(&self, features: &[f32]) -> Result<StudentT, PosteriorError> {
        same_length("features", self.belief.dim(), features.len())?;
        let wide: Vec<f64> = features.iter().map(|&x| f64::from(x)).collect();
        let location = wide.iter().zip(self.belief.mean()).map(|(x, m)| x * f64::from(*m)).sum();
        let variance: f64 = self.covered(&wide).iter().zip(&wide).map(|(v, x)| v * x).sum();
        StudentT::new(location, variance.sqrt(), f64::INFINITY)
    }

    /// The marginal of one weight.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when there is no such feature.
    pub fn marginal(&self, feature: usize) -> Result<StudentT, PosteriorError> {
        let unit = super::cholesky::unit(self.belief.dim(), feature)?;
        self.expected_value(&unit.iter().map(|&value| value as f32).collect::<Vec<_>>())
    }

    /// log p(θ).
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for weights of another dimension.
    pub fn log_density(&self, theta: &[f64]) -> Result<f64, PosteriorError> {
        same_length("weights", self.belief.dim(), theta.len())?;
        let away: Vec<f64> =
            theta.iter().zip(self.belief.mean()).map(|(t, m)| t - f64::from(*m)).collect();
        let diagonal = self.belief.diagonal().iter().map(|&value| f64::from(value));
        let own: f64 = away.iter().zip(diagonal.clone()).map(|(a, d)| a * a * d).sum();
        let shared: f64 = self.gathered(&away).iter().map(|value| value * value).sum();
        let log_det = self.woodbury.log_det() + diagonal.map(f64::ln).sum::<f64>();
        let log_scale = log_det - theta.len() as f64 * (2.0 * std::f64::consts::PI).ln();
        Ok((log_scale - own - shared) / 2.0)
    }

    /// One draw of θ, for all items at once.
    ///
    /// # Formula
    /// θ = mean + V·(√diagonal ∘ z₁ + U·z₂), V the covariance
    ///
    /// # Shapes
    /// Result: `[dim]`
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let diagonal = self.belief.diagonal().iter();
        let mut pull: Vec<f64> = diagonal.map(|&d| f64::from(d).sqrt() * normal()).collect();
        for column in self.belief.columns() {
            let weight = normal();
            pull.iter_mut().zip(column).for_each(|(sum, u)| *sum += weight * f64::from(*u));
        }
        let moved = self.covered(&pull);
        self.belief.mean().iter().zip(moved).map(|(m, d)| f64::from(*m) + d).collect()
    }
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
