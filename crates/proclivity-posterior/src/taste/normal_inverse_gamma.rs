//! Bayesian linear regression with a normal–inverse-gamma prior: full covariance, unknown noise, exact.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rand::Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::cholesky::{self, Cholesky};
use super::{StudentT, triangle};
use crate::error::{in_range, same_length};
use crate::{
    Conjugate, Exact, Family, Fingerprint, LinearMoments, Moments, PosteriorError, Sample,
    Statistic, fixed,
};

/// Weights θ of features and the variance σ² of the noise, of which both are learned.
///
/// Products of features and values are summed in fixed point, so that every law of
/// [`Belief`](crate::Belief) holds to the last bit. Each is rounded to 2⁻³² for it: bring features and
/// values near the size of 1.
///
/// # Formula
/// σ² ~ InverseGamma(shape, scale), θ | σ² ~ Normal(mean, σ² · precision⁻¹),
/// value | θ, σ² ~ Normal(features · θ, σ²)
///
/// With S = Xᵀ(y − X·mean): precisionₙ = precision + XᵀX, meanₙ = mean + precisionₙ⁻¹·S,
/// shapeₙ = shape + n/2, scaleₙ = scale + (|y − X·mean|² − Sᵀ·precisionₙ⁻¹·S) / 2.
/// An event of weight w stands for w equal events: n is the sum of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct NormalInverseGamma {
    mean: Array1<f64>,
    precision: Array2<f64>,
    shape: f64,
    scale: f64,
    log_det: f64,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    mean: Array1<f64>,
    precision: Array2<f64>,
    shape: f64,
    scale: f64,
}

impl NormalInverseGamma {
    /// A prior by the mean and precision of the weights, both in units of the noise, and the shape
    /// and scale of the noise's variance.
    ///
    /// # Shapes
    /// `mean`: `[dim]`; `precision`: `[dim, dim]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`], [`PosteriorError::Length`], [`PosteriorError::OutOfRange`] unless
    /// shape and scale are above 0 and the precision is symmetric, [`PosteriorError::NotFinite`],
    /// [`PosteriorError::NotPositiveDefinite`].
    pub fn new(
        mean: Array1<f64>,
        precision: Array2<f64>,
        shape: f64,
        scale: f64,
    ) -> Result<Self, PosteriorError> {
        cholesky::of_mean(&mean)?;
        same_length("rows of the precision", mean.len(), precision.nrows())?;
        let log_det = cholesky::of_precision(&precision)?.log_det();
        let above = |value: f64| value > 0.0 && value.is_finite();
        in_range("shape", shape, above(shape), "a positive, finite number")?;
        in_range("scale", scale, above(scale), "a positive, finite number")?;
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(mean.iter().copied())
            .with(precision.iter().copied())
            .with([shape, scale])
            .finish();
        Ok(Self { mean, precision, shape, scale, log_det, fingerprint })
    }

    /// A prior around 0 with independent weights of the same precision.
    ///
    /// # Errors
    /// Those of [`NormalInverseGamma::new`].
    pub fn isotropic(
        dim: usize,
        precision: f64,
        shape: f64,
        scale: f64,
    ) -> Result<Self, PosteriorError> {
        Self::new(Array1::zeros(dim), Array2::from_diag_elem(dim, precision), shape, scale)
    }

    /// How many features there are.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean of the weights.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// The precision of the weights, in units of the noise.
    pub fn precision(&self) -> ArrayView2<'_, f64> {
        self.precision.view()
    }

    /// The shape of the noise's variance.
    pub fn shape(&self) -> f64 {
        self.shape
    }

    /// The scale of the noise's variance.
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

impl TryFrom<Parameters> for NormalInverseGamma {
    type Error = PosteriorError;
    fn try_from(of: Parameters) -> Result<Self, PosteriorError> {
        Self::new(of.mean, of.precision, of.shape, of.scale)
    }
}

impl From<NormalInverseGamma> for Parameters {
    fn from(family: NormalInverseGamma) -> Self {
        let NormalInverseGamma { mean, precision, shape, scale, .. } = family;
        Self { mean, precision, shape, scale }
    }
}

impl Family for NormalInverseGamma {
    const NAME: &'static str = "normal-inverse-gamma";
    type Statistic = RegressionEvidence;
    type Posterior = NormalInverseGammaPosterior;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> RegressionEvidence {
        RegressionEvidence { products: vec![0; triangle::len(self.dim() + 1)], count: 0 }
    }

    fn posterior(
        &self,
        evidence: &RegressionEvidence,
    ) -> Result<NormalInverseGammaPosterior, PosteriorError> {
        let dim = self.dim();
        same_length("products", triangle::len(dim + 1), evidence.products.len())?;
        let product = |i, j| fixed::from_steps(evidence.products[triangle::at(dim + 1, i, j)]);
        let factor = Cholesky::new("precision of the posterior", dim, |i, j| {
            self.precision[[i, j]] + product(i, j)
        })?;
        // Around the prior's mean, where what is subtracted is small.
        let gram_mean = |i: usize| -> f64 {
            self.mean.iter().enumerate().map(|(j, m)| product(i, j) * m).sum()
        };
        let shift: Vec<f64> = (0..dim).map(|i| product(i, dim) - gram_mean(i)).collect();
        let told = |i: usize| product(i, dim) + shift[i];
        let squares = product(dim, dim) - (0..dim).map(|i| self.mean[i] * told(i)).sum::<f64>();
        let half = factor.half_solve(shift);
        let residual = squares - half.iter().map(|value| value * value).sum::<f64>();
        let rounding = 1e-6 * (1.0 + product(dim, dim).abs());
        in_range("sum of squares left", residual, residual > -rounding, "from 0")?;
        let moved = factor.half_solve_transposed(half);
        Ok(NormalInverseGammaPosterior {
            mean: &self.mean + &Array1::from(moved),
            factor,
            shape: self.shape + fixed::from_steps(evidence.count).max(0.0) / 2.0,
            scale: self.scale + residual.max(0.0) / 2.0,
        })
    }
}

impl Conjugate for NormalInverseGamma {
    /// log p(y|X), in nats, with its base measure (2π)^(−n/2).
    ///
    /// # Formula
    /// ½ log |precision| − ½ log |precisionₙ| + shape · log scale − shapeₙ · log scaleₙ
    /// + log Γ(shapeₙ) − log Γ(shape) − (n/2) · log 2π
    fn log_evidence(&self, evidence: &RegressionEvidence) -> Result<f64, PosteriorError> {
        let posterior = self.posterior(evidence)?;
        let gained = posterior.shape - self.shape;
        Ok((self.log_det - posterior.factor.log_det()) / 2.0 + self.shape * self.scale.ln()
            - posterior.shape * posterior.scale.ln()
            + ln_gamma(posterior.shape)
            - ln_gamma(self.shape)
            - gained * (2.0 * PI).ln())
    }
}

/// Sums of products of features and values, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionEvidence {
    /// The upper triangle of (X, y)ᵀ(X, y), in 2⁻³².
    products: Vec<i64>,
    /// The sum of the weights, in 2⁻³².
    count: i64,
}

impl RegressionEvidence {
    /// The sum of the weights of the events.
    pub fn count(&self) -> f64 {
        fixed::from_steps(self.count)
    }

    /// XᵀX, Xᵀ(y − X·mean) and |y − X·mean|².
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for a mean of another dimension.
    pub(super) fn around(
        &self,
        mean: ArrayView1<'_, f64>,
    ) -> Result<(Array2<f64>, Array1<f64>, f64), PosteriorError> {
        let dim = mean.len();
        same_length("products", triangle::len(dim + 1), self.products.len())?;
        let product = |i, j| fixed::from_steps(self.products[triangle::at(dim + 1, i, j)]);
        let gram = Array2::from_shape_fn((dim, dim), |(i, j)| product(i, j));
        let moment = Array1::from_shape_fn(dim, |i| product(i, dim));
        let left = &moment - &gram.dot(&mean);
        let squares = product(dim, dim) - mean.dot(&(&moment + &left));
        Ok((gram, left, squares))
    }
}

impl Statistic for RegressionEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        let products = triangle::added("products", &self.products, &other.products, weight)?;
        let count = triangle::added("events", &[self.count], &[other.count], weight)?[0];
        let sum = Self { products, count };
        sum.validate()?;
        *self = sum;
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        triangle::scale(&mut self.products, kept);
        triangle::scale(std::slice::from_mut(&mut self.count), kept);
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let dim = triangle::dim("products", self.products.len())?;
        triangle::not_negative("events", self.count)?;
        triangle::diagonal(dim)
            .try_for_each(|at| triangle::not_negative("sum of squares", self.products[at]))
    }
}

/// P(θ, σ²|X, y).
#[derive(Debug, Clone, PartialEq)]
pub struct NormalInverseGammaPosterior {
    mean: Array1<f64>,
    /// Of the precision, in units of the noise.
    factor: Cholesky,
    shape: f64,
    scale: f64,
}

impl NormalInverseGammaPosterior {
    /// E\[θ\], where there is one (shape above ½), and the mode of θ anyway.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// Cov\[θ\] = scale / (shape − 1) · precision⁻¹; `None` up to shape 1, where there is none.
    ///
    /// # Shapes
    /// Result: `[dim, dim]`
    pub fn covariance(&self) -> Option<Array2<f64>> {
        let noise = self.noise_mean()?;
        Some(self.factor.inverse() * noise)
    }

    /// The shape of σ² ~ InverseGamma(shape, scale).
    pub fn shape(&self) -> f64 {
        self.shape
    }

    /// The scale of σ² ~ InverseGamma(shape, scale).
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// E\[σ²\] = scale / (shape − 1); `None` up to shape 1, where there is none.
    pub fn noise_mean(&self) -> Option<f64> {
        (self.shape > 1.0).then(|| self.scale / (self.shape - 1.0))
    }

    /// P(σ² ≤ variance).
    pub fn noise_cdf(&self, variance: f64) -> f64 {
        if variance <= 0.0 {
            return 0.0;
        }
        statrs::function::gamma::gamma_ur(self.shape, self.scale / variance)
    }

    /// log p(θ): multivariate Student t with 2 · shape degrees of freedom.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for weights of another dimension.
    pub fn log_density(&self, theta: ArrayView1<'_, f64>) -> Result<f64, PosteriorError> {
        same_length("weights", self.mean.len(), theta.len())?;
        let dim = self.mean.len() as f64;
        let away: Vec<f64> = theta.iter().zip(&self.mean).map(|(t, m)| t - m).collect();
        let distance = self.factor.quadratic(&away) / (2.0 * self.scale);
        Ok(ln_gamma(self.shape + dim / 2.0)
            - ln_gamma(self.shape)
            - dim / 2.0 * (2.0 * PI * self.scale).ln()
            + self.factor.log_det() / 2.0
            - (self.shape + dim / 2.0) * distance.ln_1p())
    }

    /// The marginal of one weight.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when there is no such feature.
    pub fn marginal(&self, feature: usize) -> Result<StudentT, PosteriorError> {
        self.along(&cholesky::unit(self.mean.len(), feature)?, 0.0)
    }

    /// The distribution of the next value at some features.
    ///
    /// # Formula
    /// StudentT(features · mean, √(scale / shape · (1 + featuresᵀ·precision⁻¹·features)), 2 · shape)
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of features, [`PosteriorError::OutOfRange`]
    /// when they aren't finite.
    pub fn predictive(&self, features: &[f64]) -> Result<StudentT, PosteriorError> {
        self.along(features, 1.0)
    }

    /// The distribution of the value without noise, features · θ.
    ///
    /// # Errors
    /// Those of [`predictive`](NormalInverseGammaPosterior::predictive).
    pub fn expected_value(&self, features: &[f64]) -> Result<StudentT, PosteriorError> {
        self.along(features, 0.0)
    }

    fn along(&self, features: &[f64], noise: f64) -> Result<StudentT, PosteriorError> {
        same_length("features", self.mean.len(), features.len())?;
        let (location, variance) = self.factor.linear_moments(&self.mean, features);
        let scale = (self.scale / self.shape * (noise + variance)).sqrt();
        StudentT::new(location, scale, 2.0 * self.shape)
    }

    /// One joint draw of the weights θ and the variance σ².
    ///
    /// # Shapes
    /// Result: `[dim]` and a number
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> (Array1<f64>, f64) {
        // The shape is positive and finite, as `Gamma` asks for.
        let precision = Gamma::new(self.shape, 1.0).map_or(self.shape, |gamma| gamma.sample(rng));
        let noise = self.scale / precision;
        let normal = self.mean.iter().map(|_| StandardNormal.sample(rng)).collect();
        let away = Array1::from(self.factor.half_solve_transposed(normal)) * noise.sqrt();
        (&self.mean + &away, noise)
    }
}

impl Sample for NormalInverseGammaPosterior {
    type Draw = Vec<f64>;

    /// The weights θ alone.
    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.sample(rng).0.to_vec()
    }
}

/// The variance is infinite up to shape 1, and bounds with it.
impl LinearMoments for NormalInverseGammaPosterior {
    fn parameter_count(&self) -> usize {
        self.mean.len()
    }

    fn linear_moments(&self, weights: &[f64]) -> (f64, f64) {
        let (mean, variance) = self.factor.linear_moments(&self.mean, weights);
        (mean, self.noise_mean().map_or(f64::INFINITY, |noise| noise * variance))
    }
}

impl Moments for NormalInverseGammaPosterior {
    fn means(&self) -> Vec<f64> {
        self.mean.to_vec()
    }

    /// Infinite up to shape 1.
    fn variances(&self) -> Vec<f64> {
        match self.covariance() {
            Some(covariance) => covariance.diag().to_vec(),
            None => vec![f64::INFINITY; self.mean.len()],
        }
    }
}

/// One event: the value that was given to an item of these features, such as a rating.
///
/// # Shapes
/// `features`: `[dim]`; a constant 1 among them makes an intercept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rated<'a> {
    /// What the item is like.
    pub features: &'a [f64],
    /// What it was given.
    pub value: f64,
}

impl Exact<NormalInverseGamma> for Rated<'_> {
    fn statistic(&self, family: &NormalInverseGamma) -> Result<RegressionEvidence, PosteriorError> {
        same_length("features", family.dim(), self.features.len())?;
        let row = |i: usize| *self.features.get(i).unwrap_or(&self.value);
        let dim = family.dim() + 1;
        let mut products = Vec::with_capacity(triangle::len(dim));
        for i in 0..dim {
            for j in i..dim {
                products.push(fixed::to_steps("product of features", row(i) * row(j))?);
            }
        }
        Ok(RegressionEvidence { products, count: fixed::to_steps("event", 1.0)? })
    }
}
