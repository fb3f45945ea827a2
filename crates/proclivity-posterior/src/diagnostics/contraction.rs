//! Contraction: how much of the prior's uncertainty the data took away.

use statrs::function::gamma::digamma;

use crate::error::{in_range, same_length};
use crate::{Dirichlet, DirichletMixture, PosteriorError};

/// A distribution over several parameters, with means and variances.
pub trait Moments {
    /// The mean of each parameter.
    fn means(&self) -> Vec<f64>;

    /// The variance of each parameter.
    fn variances(&self) -> Vec<f64>;
}

impl Moments for Dirichlet {
    fn means(&self) -> Vec<f64> {
        self.mean()
    }

    fn variances(&self) -> Vec<f64> {
        self.mean().into_iter().map(|m| m * (1.0 - m) / (self.strength() + 1.0)).collect()
    }
}

impl Moments for DirichletMixture {
    fn means(&self) -> Vec<f64> {
        self.mean()
    }

    fn variances(&self) -> Vec<f64> {
        let mean = self.mean();
        let mut variances = vec![0.0; mean.len()];
        for (weight, component) in self.components() {
            let moments = component.means().into_iter().zip(component.variances());
            for ((variance, &mean), (m, v)) in variances.iter_mut().zip(&mean).zip(moments) {
                *variance += weight * (v + (m - mean).powi(2));
            }
        }
        variances
    }
}

/// Draws, each of all parameters; without draws there are no parameters.
impl Moments for [Vec<f64>] {
    fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.first().map_or(0, Vec::len)];
        for draw in self {
            means.iter_mut().zip(draw).for_each(|(mean, x)| *mean += x / self.len() as f64);
        }
        means
    }

    fn variances(&self) -> Vec<f64> {
        let means = self.means();
        let mut variances = vec![0.0; means.len()];
        for draw in self {
            for ((variance, mean), x) in variances.iter_mut().zip(&means).zip(draw) {
                *variance += (x - mean).powi(2) / (self.len().max(2) - 1) as f64;
            }
        }
        variances
    }
}

/// How much of each parameter's prior variance is gone: 0 where nothing was learned, 1 where all is
/// known, negative where the data made it less certain, as surprising ones do.
///
/// # Formula
/// 1 − Var(θₖ|X) / Var(θₖ)
///
/// # Errors
/// [`PosteriorError::Length`] for different numbers of parameters, [`PosteriorError::OutOfRange`]
/// for a prior variance that isn't positive.
pub fn contraction<P: Moments + ?Sized, Q: Moments + ?Sized>(
    prior: &P,
    posterior: &Q,
) -> Result<Vec<f64>, PosteriorError> {
    let (prior, posterior) = (prior.variances(), posterior.variances());
    same_length("parameters", prior.len(), posterior.len())?;
    let each = prior.iter().zip(posterior).map(|(&prior, posterior)| {
        in_range("prior variance", prior, prior > 0.0 && prior.is_finite(), "a positive number")?;
        Ok(1.0 - posterior / prior)
    });
    each.collect()
}

/// Kullback–Leibler divergence of one Dirichlet from another, in nats: what was learned, with the
/// posterior first and the prior second.
///
/// # Formula
/// KL(p‖q) = log B(b) − log B(a) + Σₖ (aₖ − bₖ)(ψ(aₖ) − ψ(Σ a)), p = Dirichlet(a), q = Dirichlet(b),
/// log B the [log-partition](Dirichlet::log_partition)
///
/// # Errors
/// [`PosteriorError::Length`] for different numbers of shares.
pub fn dirichlet_divergence(p: &Dirichlet, q: &Dirichlet) -> Result<f64, PosteriorError> {
    let (a, b) = (p.concentration(), q.concentration());
    same_length("shares", a.len(), b.len())?;
    let total = digamma(p.strength());
    let linear: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (digamma(*a) - total)).sum();
    Ok((q.log_partition() - p.log_partition() + linear).max(0.0))
}
