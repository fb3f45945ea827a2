//! The Dirichlet distribution, the prior and the exact posterior of shares.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma};
use serde::{Deserialize, Serialize};
use statrs::function::{beta, gamma};

use crate::PosteriorError;
use crate::error::in_range;
use crate::log_sum_exp::log_sum_exp;

/// Dirichlet(a₁, …, a_K): a distribution over shares θ ≥ 0 with Σₖ θₖ = 1.
///
/// # Formula
/// log p(θ) = Σₖ (aₖ − 1) log θₖ − Σₖ log Γ(aₖ) + log Γ(Σₖ aₖ)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Dirichlet {
    concentration: Vec<f64>,
    total: f64,
}

impl Dirichlet {
    /// From the concentration of each share.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without shares, [`PosteriorError::OutOfRange`] unless each
    /// concentration is positive and finite.
    pub fn new(concentration: Vec<f64>) -> Result<Self, PosteriorError> {
        if concentration.is_empty() {
            return Err(PosteriorError::Empty { what: "shares" });
        }
        for &value in &concentration {
            let valid = value > 0.0 && value.is_finite();
            in_range("concentration", value, valid, "a positive, finite number")?;
        }
        let total = concentration.iter().sum();
        Ok(Self { concentration, total })
    }

    /// From a mean and a strength, the number of events that the prior is worth.
    ///
    /// # Formula
    /// aₖ = strength · meanₖ / Σⱼ meanⱼ
    ///
    /// # Errors
    /// As for [`Dirichlet::new`].
    pub fn from_mean(mean: &[f64], strength: f64) -> Result<Self, PosteriorError> {
        let sum: f64 = mean.iter().sum();
        Self::new(mean.iter().map(|share| strength * share / sum).collect())
    }

    /// The concentrations a.
    pub fn concentration(&self) -> &[f64] {
        &self.concentration
    }

    /// Σₖ aₖ, in events.
    pub fn strength(&self) -> f64 {
        self.total
    }

    /// E\[θ\].
    pub fn mean(&self) -> Vec<f64> {
        self.concentration.iter().map(|a| a / self.total).collect()
    }

    /// P(θₖ ≤ share): the marginal Beta(aₖ, Σ − aₖ) distribution function.
    ///
    /// # Panics
    /// When there is no share k.
    pub fn marginal_cdf(&self, k: usize, share: f64) -> f64 {
        let (a, rest) = (self.concentration[k], self.total - self.concentration[k]);
        if share <= 0.0 {
            0.0
        } else if share >= 1.0 || rest <= 0.0 {
            1.0
        } else {
            beta::beta_reg(a, rest, share)
        }
    }

    /// The log of the normalising constant.
    ///
    /// # Formula
    /// Σₖ log Γ(aₖ) − log Γ(Σₖ aₖ)
    pub fn log_partition(&self) -> f64 {
        let parts: f64 = self.concentration.iter().map(|&a| gamma::ln_gamma(a)).sum();
        parts - gamma::ln_gamma(self.total)
    }

    /// One draw of θ, by normalised Gamma variates.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        sample_shares(&self.concentration, &vec![1.0; self.concentration.len()], rng)
    }
}

/// λ / Σ λ for one draw of λₖ ~ Gamma(aₖ, bₖ), all positive and finite.
///
/// In logarithms, as small concentrations make variates that are nearly all 0: a variate of a < 1
/// is one of a + 1 times U^(1/a).
pub(super) fn sample_shares<R: Rng + ?Sized>(
    concentration: &[f64],
    exposure: &[f64],
    rng: &mut R,
) -> Vec<f64> {
    let log_variate = |a: f64, rng: &mut R| {
        let variate = |shape: f64, rng: &mut R| {
            Gamma::new(shape, 1.0).map_or(f64::MIN_POSITIVE, |gamma| gamma.sample(rng)).ln()
        };
        if a < 1.0 {
            // 1 − U, as U may be 0.
            variate(a + 1.0, rng) + (1.0 - rng.random::<f64>()).ln() / a
        } else {
            variate(a, rng)
        }
    };
    let rates = concentration.iter().zip(exposure);
    let log_rates: Vec<f64> = rates.map(|(&a, b)| log_variate(a, rng) - b.ln()).collect();
    let total = log_sum_exp(&log_rates);
    log_rates.into_iter().map(|log_rate| (log_rate - total).exp()).collect()
}

impl TryFrom<Vec<f64>> for Dirichlet {
    type Error = PosteriorError;
    fn try_from(concentration: Vec<f64>) -> Result<Self, PosteriorError> {
        Self::new(concentration)
    }
}

impl From<Dirichlet> for Vec<f64> {
    fn from(dirichlet: Dirichlet) -> Self {
        dirichlet.concentration
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn samples_have_the_moments_of_the_formula() {
        let dirichlet = Dirichlet::new(vec![0.5, 1.5, 4.0]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<Vec<f64>> = (0..40_000).map(|_| dirichlet.sample(&mut rng)).collect();
        for k in 0..3 {
            let mean = draws.iter().map(|d| d[k]).sum::<f64>() / draws.len() as f64;
            let m = dirichlet.mean()[k];
            let variance = m * (1.0 - m) / (dirichlet.strength() + 1.0);
            let error = (variance / draws.len() as f64).sqrt();
            assert!((mean - m).abs() < 4.0 * error, "share {k}: {mean} for {m}");
            let below = draws.iter().filter(|d| d[k] <= m).count() as f64 / draws.len() as f64;
            assert!((below - dirichlet.marginal_cdf(k, m)).abs() < 0.01);
        }
    }

    #[test]
    fn bad_concentrations_are_named() {
        assert_eq!(Dirichlet::new(vec![]), Err(PosteriorError::Empty { what: "shares" }));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                Dirichlet::new(vec![1.0, bad]),
                Err(PosteriorError::OutOfRange { name: "concentration", .. })
            ));
        }
    }
}
