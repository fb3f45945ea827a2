//! Normal beliefs about weights θ of features, in canonical form: precision and precision · mean.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView1};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::cholesky::{self, Cholesky};
use super::{StudentT, triangle};
use crate::error::{in_range, same_length};
use crate::{
    Conjugate, Exact, Family, Fingerprint, LinearMoments, Moments, PosteriorError, Sample,
    Statistic, fixed,
};

/// Weights θ of features under a normal prior.
///
/// Measurements with known noise are [`Exact`], choices are [`Approximate`](crate::Approximate).
/// Evidence is summed in fixed point, each entry rounded to 2⁻³².
///
/// # Formula
/// θ ~ Normal(mean, precision⁻¹); precisionₙ = precision + Σ Pᵢ,
/// precisionₙ · meanₙ = precision · mean + Σ sᵢ for evidence (Pᵢ, sᵢ)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Normal {
    mean: Array1<f64>,
    precision: Array2<f64>,
    log_det: f64,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    mean: Array1<f64>,
    precision: Array2<f64>,
}

impl Normal {
    /// A prior by the mean and precision of the weights.
    ///
    /// # Shapes
    /// `mean`: `[dim]`; `precision`: `[dim, dim]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`], [`PosteriorError::Length`], [`PosteriorError::NotFinite`],
    /// [`PosteriorError::OutOfRange`] unless the precision is symmetric,
    /// [`PosteriorError::NotPositiveDefinite`].
    pub fn new(mean: Array1<f64>, precision: Array2<f64>) -> Result<Self, PosteriorError> {
        cholesky::of_mean(&mean)?;
        same_length("rows of the precision", mean.len(), precision.nrows())?;
        let log_det = cholesky::of_precision(&precision)?.log_det();
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(mean.iter().copied())
            .with(precision.iter().copied())
            .finish();
        Ok(Self { mean, precision, log_det, fingerprint })
    }

    /// A prior around 0 with independent weights of the same precision.
    ///
    /// # Errors
    /// Those of [`Normal::new`].
    pub fn isotropic(dim: usize, precision: f64) -> Result<Self, PosteriorError> {
        Self::new(Array1::zeros(dim), Array2::from_diag_elem(dim, precision))
    }

    /// How many features there are.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn precision(&self) -> &Array2<f64> {
        &self.precision
    }
}

impl TryFrom<Parameters> for Normal {
    type Error = PosteriorError;
    fn try_from(of: Parameters) -> Result<Self, PosteriorError> {
        Self::new(of.mean, of.precision)
    }
}

impl From<Normal> for Parameters {
    fn from(family: Normal) -> Self {
        Self { mean: family.mean, precision: family.precision }
    }
}

impl Family for Normal {
    const NAME: &'static str = "normal";
    type Statistic = NormalEvidence;
    type Posterior = NormalPosterior;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> NormalEvidence {
        let dim = self.dim();
        NormalEvidence { precision: vec![0; triangle::len(dim)], shift: vec![0; dim] }
    }

    fn posterior(&self, evidence: &NormalEvidence) -> Result<NormalPosterior, PosteriorError> {
        let dim = self.dim();
        same_length("features", dim, evidence.shift.len())?;
        same_length("precision", triangle::len(dim), evidence.precision.len())?;
        let told = |i, j| fixed::from_steps(evidence.precision[triangle::at(dim, i, j)]);
        let factor = Cholesky::new("precision of the posterior", dim, |i, j| {
            self.precision[[i, j]] + told(i, j)
        })?;
        // Around the prior's mean, so that without evidence this is the prior to the last bit.
        let shift = (0..dim).map(|i| {
            let at_mean: f64 = self.mean.iter().enumerate().map(|(j, m)| told(i, j) * m).sum();
            fixed::from_steps(evidence.shift[i]) - at_mean
        });
        let moved = factor.solve(shift.collect());
        Ok(NormalPosterior { mean: &self.mean + &Array1::from(moved), factor })
    }
}

impl Conjugate for Normal {
    /// A(prior + evidence) − A(prior): log P(X) of measurements without their base measure, which is
    /// −½ log(2π·variance) − value² / (2·variance) each.
    ///
    /// # Formula
    /// A = ½ meanᵀ·precision·mean − ½ log |precision|
    fn log_evidence(&self, evidence: &NormalEvidence) -> Result<f64, PosteriorError> {
        let posterior = self.posterior(evidence)?;
        let before: f64 = self.mean.dot(&self.precision.dot(&self.mean));
        let after = posterior.factor.quadratic(&posterior.mean.to_vec());
        Ok((after - before + self.log_det - posterior.factor.log_det()) / 2.0)
    }
}

/// A sum of precisions, and of precisions times what they speak for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormalEvidence {
    /// The upper triangle, in 2⁻³².
    precision: Vec<i64>,
    /// In 2⁻³².
    shift: Vec<i64>,
}

impl NormalEvidence {
    /// From the upper triangle of a precision, by row and column, and precision · mean.
    pub(super) fn new(
        shift: &[f64],
        precision: impl Fn(usize, usize) -> f64,
    ) -> Result<Self, PosteriorError> {
        let dim = shift.len();
        let mut steps = Vec::with_capacity(triangle::len(dim));
        for i in 0..dim {
            for j in i..dim {
                steps.push(fixed::to_steps("precision", precision(i, j))?);
            }
        }
        let shift = shift.iter().map(|&value| fixed::to_steps("precision times mean", value));
        Ok(Self { precision: steps, shift: shift.collect::<Result<_, _>>()? })
    }
}

impl Statistic for NormalEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        let sum = Self {
            precision: triangle::added("precision", &self.precision, &other.precision, weight)?,
            shift: triangle::added("precision times mean", &self.shift, &other.shift, weight)?,
        };
        sum.validate()?;
        *self = sum;
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        triangle::scale(&mut self.precision, kept);
        triangle::scale(&mut self.shift, kept);
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let dim = self.shift.len();
        same_length("precision", triangle::len(dim), self.precision.len())?;
        triangle::diagonal(dim)
            .try_for_each(|at| triangle::not_negative("precision", self.precision[at]))
    }
}

/// P(θ|X), or the normal that stands for it.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalPosterior {
    mean: Array1<f64>,
    /// Of the precision.
    factor: Cholesky,
}

impl NormalPosterior {
    pub(super) fn new(mean: Array1<f64>, factor: Cholesky) -> Self {
        Self { mean, factor }
    }

    pub(super) fn factor(&self) -> &Cholesky {
        &self.factor
    }

    /// E\[θ\].
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// Cov\[θ\].
    ///
    /// # Shapes
    /// Result: `[dim, dim]`
    pub fn covariance(&self) -> Array2<f64> {
        self.factor.inverse()
    }

    /// log p(θ).
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for weights of another dimension.
    pub fn log_density(&self, theta: ArrayView1<'_, f64>) -> Result<f64, PosteriorError> {
        same_length("weights", self.mean.len(), theta.len())?;
        let away: Vec<f64> = theta.iter().zip(&self.mean).map(|(t, m)| t - m).collect();
        let log_scale = self.factor.log_det() - self.mean.len() as f64 * (2.0 * PI).ln();
        Ok((log_scale - self.factor.quadratic(&away)) / 2.0)
    }

    /// The marginal of one weight.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when there is no such feature.
    pub fn marginal(&self, feature: usize) -> Result<StudentT, PosteriorError> {
        self.expected_value(&cholesky::unit(self.mean.len(), feature)?)
    }

    /// The distribution of features · θ: a normal, by location and scale.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of features, [`PosteriorError::OutOfRange`]
    /// when they aren't finite or are all 0.
    pub fn expected_value(&self, features: &[f64]) -> Result<StudentT, PosteriorError> {
        same_length("features", self.mean.len(), features.len())?;
        let (location, variance) = self.linear_moments(features);
        StudentT::new(location, variance.sqrt(), f64::INFINITY)
    }

    /// One draw of θ, for all items at once.
    ///
    /// # Shapes
    /// Result: `[dim]`
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Array1<f64> {
        let normal = self.mean.iter().map(|_| StandardNormal.sample(rng)).collect();
        &self.mean + &Array1::from(self.factor.half_solve_transposed(normal))
    }
}

impl Sample for NormalPosterior {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.sample(rng).to_vec()
    }
}

impl LinearMoments for NormalPosterior {
    fn parameter_count(&self) -> usize {
        self.mean.len()
    }

    fn linear_moments(&self, weights: &[f64]) -> (f64, f64) {
        self.factor.linear_moments(&self.mean, weights)
    }
}

impl Moments for NormalPosterior {
    fn means(&self) -> Vec<f64> {
        self.mean.to_vec()
    }

    fn variances(&self) -> Vec<f64> {
        self.factor.inverse().diag().to_vec()
    }
}

/// One event: features · θ, measured with noise of a known variance.
///
/// # Shapes
/// `features`: `[dim]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<'a> {
    /// What was measured of θ.
    pub features: &'a [f64],
    /// The value.
    pub value: f64,
    /// The variance of the noise, above 0.
    pub variance: f64,
}

impl Exact<Normal> for Measured<'_> {
    fn statistic(&self, family: &Normal) -> Result<NormalEvidence, PosteriorError> {
        same_length("features", family.dim(), self.features.len())?;
        let valid = self.variance > 0.0 && self.variance.is_finite();
        in_range("variance", self.variance, valid, "a positive, finite number")?;
        let shift: Vec<f64> =
            self.features.iter().map(|x| x * self.value / self.variance).collect();
        NormalEvidence::new(&shift, |i, j| self.features[i] * self.features[j] / self.variance)
    }
}
