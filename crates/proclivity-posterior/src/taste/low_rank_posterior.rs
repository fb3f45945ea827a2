//! What a belief of low rank says of weights and of items.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::cholesky::{self, Cholesky};
use super::{LowRankNormal, StudentT};
use crate::error::same_length;
use crate::{Moments, PosteriorError, Sample};

/// P(θ|X) of a [`LowRankNormal`], with what its questions have in common.
#[derive(Debug, Clone)]
pub struct LowRankPosterior<'a> {
    belief: &'a LowRankNormal,
    /// Of I + Uᵀ·diag(diagonal)⁻¹·U.
    woodbury: Cholesky,
}

impl<'a> LowRankPosterior<'a> {
    pub(super) fn new(belief: &'a LowRankNormal, woodbury: Cholesky) -> Self {
        Self { belief, woodbury }
    }

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
        let unit = cholesky::unit(self.belief.dim(), feature)?;
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

impl Sample for LowRankPosterior<'_> {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.sample(rng)
    }
}

impl Moments for LowRankPosterior<'_> {
    fn means(&self) -> Vec<f64> {
        self.belief.mean().iter().map(|&mean| f64::from(mean)).collect()
    }

    fn variances(&self) -> Vec<f64> {
        let dim = self.belief.dim();
        let mut unit = vec![0.0; dim];
        let variance = |feature: usize| {
            unit[feature] = 1.0;
            let variance = self.covered(&unit)[feature];
            unit[feature] = 0.0;
            variance
        };
        (0..dim).map(variance).collect()
    }
}
