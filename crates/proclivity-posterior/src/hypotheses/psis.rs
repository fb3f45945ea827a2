//! Pareto-smoothed importance sampling: weights that a few draws don't dominate, and whether to trust
//! them.

use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;
use crate::log_sum_exp::log_sum_exp;

/// Smoothed importance weights, and the shape of their tail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParetoSmoothed {
    /// The logs of the smoothed weights, which sum to one.
    pub log_weights: Vec<f64>,
    /// k̂, the shape of the generalized Pareto distribution of the largest weights; `None` where it
    /// can't be told, for want of five distinct weights in the tail.
    pub shape: Option<f64>,
}

impl ParetoSmoothed {
    /// Whether means by these weights are reliable: k̂ below min(1 − 1/log₁₀ n, 0.7).
    ///
    /// Equal weights have no tail and are as good as draws from the target itself.
    pub fn is_reliable(&self) -> bool {
        let count = self.log_weights.len() as f64;
        let equal = || self.log_weights.iter().all(|w| (w + count.ln()).abs() < 1e-9);
        self.shape.map_or_else(equal, |shape| shape < (1.0 - 1.0 / count.log10()).min(0.7))
    }
}

/// Replaces the largest of the weights by the expected order statistics of a generalized Pareto
/// distribution fitted to them.
///
/// The tail are the min(n/5, 3√n) largest of n weights of independent draws; a smoothed weight is
/// never above the largest raw one.
///
/// # Errors
/// [`PosteriorError::Empty`] without weights, [`PosteriorError::OutOfRange`] for NaN or +∞, or when
/// all are −∞.
///
/// # Source
/// Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72);
/// the fit is that of Zhang and Stephens (2009), Technometrics 51(3), with the paper's weak prior on
/// the shape.
pub fn pareto_smooth(log_weights: &[f64]) -> Result<ParetoSmoothed, PosteriorError> {
    if log_weights.is_empty() {
        return Err(PosteriorError::Empty { what: "weights" });
    }
    for &value in log_weights {
        let valid = !value.is_nan() && value < f64::INFINITY;
        in_range("log-weight", value, valid, "−∞ or a finite number")?;
    }
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    in_range("largest log-weight", largest, largest.is_finite(), "a finite number")?;
    let mut smoothed: Vec<f64> = log_weights.iter().map(|weight| weight - largest).collect();
    let mut order: Vec<usize> = (0..smoothed.len()).collect();
    order.sort_by(|&a, &b| smoothed[a].total_cmp(&smoothed[b]));
    let count = smoothed.len() as f64;
    let tail_count = (count / 5.0).min(3.0 * count.sqrt()).ceil() as usize;
    let body = order.len().saturating_sub(tail_count + 1);
    let cut = smoothed[order[body]].max(f64::MIN_POSITIVE.ln());
    let tail: Vec<usize> = order.into_iter().filter(|&index| smoothed[index] > cut).collect();
    let mut shape = None;
    if tail.len() > 4 {
        let threshold = cut.exp();
        let excesses: Vec<f64> =
            tail.iter().map(|&index| smoothed[index].exp() - threshold).collect();
        if let Some(fit) = GeneralizedPareto::fit(&excesses) {
            for (rank, &index) in tail.iter().enumerate() {
                let excess = fit.quantile((rank as f64 + 0.5) / tail.len() as f64);
                smoothed[index] = (excess + threshold).ln().min(0.0);
            }
            shape = Some(fit.shape);
        }
    }
    let total = log_sum_exp(&smoothed);
    smoothed.iter_mut().for_each(|weight| *weight -= total);
    Ok(ParetoSmoothed { log_weights: smoothed, shape })
}

/// P(X > x) = (1 + shape · x / scale)^(−1/shape).
struct GeneralizedPareto {
    shape: f64,
    scale: f64,
}

impl GeneralizedPareto {
    /// Zhang and Stephens' estimate from ascending positive numbers; `None` where they are too alike
    /// for one. The shape is drawn to ½ as by ten more observations.
    fn fit(sorted: &[f64]) -> Option<Self> {
        const PRIOR_SCALE: f64 = 3.0;
        const PRIOR_COUNT: f64 = 10.0;
        let count = sorted.len() as f64;
        let quartile = sorted[((count / 4.0 + 0.5) as usize).max(1) - 1];
        let largest = sorted[sorted.len() - 1];
        let points = 30 + count.sqrt() as usize;
        let mean_log = |b: f64| sorted.iter().map(|x| (-b * x).ln_1p()).sum::<f64>() / count;
        let profile: Vec<(f64, f64)> = (1..=points)
            .map(|point| {
                let spread = 1.0 - (points as f64 / (point as f64 - 0.5)).sqrt();
                let b = spread / (PRIOR_SCALE * quartile) + 1.0 / largest;
                let shape = mean_log(b);
                (b, count * ((-b / shape).ln() - shape - 1.0))
            })
            .collect();
        let total = log_sum_exp(&profile.iter().map(|&(_, log_lik)| log_lik).collect::<Vec<_>>());
        let weights = profile.iter().map(|&(b, log_lik)| (b, (log_lik - total).exp()));
        let kept: Vec<_> = weights.filter(|&(_, weight)| weight >= 10.0 * f64::EPSILON).collect();
        let mass: f64 = kept.iter().map(|(_, weight)| weight).sum();
        let b = kept.iter().map(|(b, weight)| b * weight).sum::<f64>() / mass;
        let shape = mean_log(b);
        let scale = -shape / b;
        let shape = (count * shape + 0.5 * PRIOR_COUNT) / (count + PRIOR_COUNT);
        (shape.is_finite() && scale.is_finite()).then_some(Self { shape, scale })
    }

    fn quantile(&self, probability: f64) -> f64 {
        let log_survival = (-probability).ln_1p();
        if self.shape.abs() < f64::EPSILON {
            -self.scale * log_survival
        } else {
            self.scale * (-self.shape * log_survival).exp_m1() / self.shape
        }
    }
}
