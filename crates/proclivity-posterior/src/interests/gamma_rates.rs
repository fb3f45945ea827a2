//! The posterior of rates, and what follows from it for shares.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::dirichlet::sample_shares;
use super::shares::quantile;
use crate::error::{in_range, same_length};
use crate::{Dirichlet, InterestLikelihood, PosteriorError, ShareInterval};

/// Independent λₖ ~ Gamma(aₖ, bₖ), and the shares θₖ = λₖ / Σⱼ λⱼ.
#[derive(Debug, Clone, PartialEq)]
pub struct GammaRates {
    concentration: Vec<f64>,
    exposure: Vec<f64>,
}

impl GammaRates {
    /// From the a and b of each rate.
    ///
    /// # Shapes
    /// `concentration`, `exposure`: `[interests]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without interests, [`PosteriorError::Length`] when the lengths
    /// differ, [`PosteriorError::OutOfRange`] unless each number is positive and finite.
    pub fn new(concentration: Vec<f64>, exposure: Vec<f64>) -> Result<Self, PosteriorError> {
        if concentration.is_empty() {
            return Err(PosteriorError::Empty { what: "interests" });
        }
        same_length("exposures of interests", concentration.len(), exposure.len())?;
        for (name, list) in [("concentration", &concentration), ("exposure", &exposure)] {
            for &value in list {
                let valid = value > 0.0 && value.is_finite();
                in_range(name, value, valid, "a positive, finite number")?;
            }
        }
        Ok(Self { concentration, exposure })
    }

    /// How many interests there are.
    pub fn interest_count(&self) -> usize {
        self.concentration.len()
    }

    /// The a of each rate, in events.
    pub fn concentration(&self) -> &[f64] {
        &self.concentration
    }

    /// The b of each rate.
    pub fn exposure(&self) -> &[f64] {
        &self.exposure
    }

    /// E\[λₖ\] = aₖ / bₖ of each interest: events in a unit of exposure.
    pub fn rates(&self) -> Vec<f64> {
        self.concentration.iter().zip(&self.exposure).map(|(a, b)| a / b).collect()
    }

    /// Expected rates as shares: (aₖ/bₖ) / Σⱼ (aⱼ/bⱼ), in which counts add up.
    ///
    /// # Approximation
    /// With equal exposures this is E\[θ\]; else [`mean_shares`](Self::mean_shares) is. The
    /// difference shrinks as counts grow.
    pub fn shares(&self) -> Vec<f64> {
        self.contribution(&self.concentration)
    }

    /// What one more count of each interest adds to its expected share, given all exposures and the
    /// present total: `shares()[k] == concentration()[k] * share_per_count()[k]`.
    pub fn share_per_count(&self) -> Vec<f64> {
        let total: f64 = self.rates().iter().sum();
        self.exposure.iter().map(|b| 1.0 / (b * total)).collect()
    }

    /// What counts give to [`shares`](Self::shares): the counts of an event, or the concentration
    /// of the prior. Those of the prior and of all events add up to the shares.
    ///
    /// # Shapes
    /// `counts`, result: `[interests]`
    pub fn contribution(&self, counts: &[f64]) -> Vec<f64> {
        counts.iter().zip(self.share_per_count()).map(|(count, share)| count * share).collect()
    }

    /// E\[θ\], whatever the exposures.
    ///
    /// # Formula
    /// E\[θₖ\] = ∫₀^∞ aₖ/(bₖ+t) Πⱼ (bⱼ/(bⱼ+t))^aⱼ dt = ∫₀¹ wₖ/Σⱼwⱼ dv with wₖ = aₖ t/(bₖ+t), t where
    /// Πⱼ (bⱼ/(bⱼ+t))^aⱼ = v. The integrand is a share itself and constant where exposures are
    /// equal. Double-exponential quadrature of 53 points is right to ten digits.
    pub fn mean_shares(&self) -> Vec<f64> {
        if self.has_equal_exposures() {
            return self.shares();
        }
        let log_exposure: Vec<f64> = self.exposure.iter().map(|b| b.ln()).collect();
        let mut mean = vec![0.0; self.interest_count()];
        let mut weights = mean.clone();
        let mut total = 0.0;
        // log t grows as v falls from 1 to 0.
        let mut log_t = log_exposure.iter().copied().fold(f64::INFINITY, f64::min);
        for node in -26..=26_i32 {
            let x = std::f64::consts::PI * (f64::from(node) / 8.0).sinh();
            // v = 1/(1 + e^x), and v(1 − v) cosh its weight.
            let surprise = softplus(x);
            let measure = (f64::from(node) / 8.0).cosh() * (x - 2.0 * surprise).exp();
            log_t = self.log_tilt(&log_exposure, surprise, log_t);
            let shares = self.concentration.iter().zip(&log_exposure);
            for (weight, (a, log_b)) in weights.iter_mut().zip(shares) {
                *weight = a * sigmoid(log_t - log_b);
            }
            let sum: f64 = weights.iter().sum();
            if sum > 0.0 {
                mean.iter_mut().zip(&weights).for_each(|(mean, w)| *mean += measure * w / sum);
                total += measure;
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= total);
        mean
    }

    /// log t where Σⱼ aⱼ log(1 + t/bⱼ) is a number above 0. The logarithm of the sum is a concave,
    /// increasing function of log t, on which Newton's steps are monotone after the first.
    fn log_tilt(&self, log_exposure: &[f64], target: f64, start: f64) -> f64 {
        let mut log_t = start;
        for _ in 0..100 {
            let (mut value, mut slope) = (0.0, 0.0);
            for (a, log_b) in self.concentration.iter().zip(log_exposure) {
                value += a * softplus(log_t - log_b);
                slope += a * sigmoid(log_t - log_b);
            }
            let step = (target / value).ln() * value / slope;
            if !step.is_finite() {
                break;
            }
            log_t += step;
            if step.abs() <= 1e-12 * log_t.abs().max(1.0) {
                break;
            }
        }
        log_t
    }

    /// The Dirichlet that the shares follow, if every interest was exposed alike.
    pub fn dirichlet(&self) -> Option<Dirichlet> {
        if self.has_equal_exposures() {
            Dirichlet::new(self.concentration.clone()).ok()
        } else {
            None
        }
    }

    fn has_equal_exposures(&self) -> bool {
        let first = self.exposure[0];
        self.exposure.iter().all(|b| (b - first).abs() <= 1e-12 * first)
    }

    /// Mean and central credible interval of each share.
    ///
    /// Beta quantiles where exposures are equal, else those of 4,096 seeded draws.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the level lies between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<ShareInterval>, PosteriorError> {
        in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        let means = self.mean_shares().into_iter().enumerate();
        if let Some(dirichlet) = self.dirichlet() {
            let tail = (1.0 - level) / 2.0;
            let interval = |(k, mean)| {
                let at = |p| quantile(|share| dirichlet.marginal_cdf(k, share), p);
                ShareInterval { mean, lower: at(tail), upper: at(1.0 - tail) }
            };
            return Ok(means.map(interval).collect());
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let draws: Vec<Vec<f64>> = (0..4_096).map(|_| self.sample(&mut rng)).collect();
        let interval = |(k, mean)| {
            ShareInterval::of_draws(mean, draws.iter().map(|draw| draw[k]).collect(), level)
        };
        Ok(means.map(interval).collect())
    }

    /// One joint draw of θ, such as for Thompson sampling.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        sample_shares(&self.concentration, &self.exposure, rng)
    }

    /// Writes log P(x|X) = log Σₖ E\[θₖ\] φₖ(x) of every item.
    ///
    /// # Panics
    /// When a length differs, as for [`InterestLikelihood::log_probs`].
    pub fn log_probs(&self, likelihood: &InterestLikelihood, out: &mut [f64]) {
        likelihood.log_probs(&self.mean_shares(), out);
    }
}

/// log(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1 / (1 + e⁻ˣ).
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
