//! What a population's interests are like: a Dirichlet prior fitted to many users by marginal
//! likelihood, and shrunk so that few users don't overfit.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

use crate::error::{in_range, same_length};
use crate::{Dirichlet, PosteriorError};

/// What a population is believed to be like before its users are seen.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `strength` | 4 | the median of the prior strength, in events | above 0, finite |
/// | `log_deviation` | 1 | the standard deviation of the log strength | above 0, finite |
/// | `base_count` | 4 | how many users' labels the base mean is worth | above 0, finite |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopulationConfig {
    /// The median of the prior strength, in events.
    pub strength: f64,
    /// The standard deviation of the log of the prior strength.
    pub log_deviation: f64,
    /// How many users' labels the base mean is worth.
    pub base_count: f64,
}

impl Default for PopulationConfig {
    fn default() -> Self {
        Self { strength: 4.0, log_deviation: 1.0, base_count: 4.0 }
    }
}

impl PopulationConfig {
    /// Whether every field lies in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first field that doesn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        for (name, value) in [
            ("strength", self.strength),
            ("log_deviation", self.log_deviation),
            ("base_count", self.base_count),
        ] {
            in_range(name, value, value > 0.0 && value.is_finite(), "above 0 and finite")?;
        }
        Ok(())
    }
}

/// The Dirichlet prior under which many users' counts of interests are most probable, drawn towards
/// a base mean and a usual strength.
///
/// Without users it is the base mean at the config's strength; with many, what the config says
/// doesn't matter. Counts may be fractional: expected labels, weighted or faded events.
///
/// # Formula
/// With concentration a = s · m, the mode over (log s, m) of
/// Σᵤ \[log Γ(s) − log Γ(s + Nᵤ) + Σₖ log Γ(aₖ + nᵤₖ) − log Γ(aₖ)\]
/// − (log s − log strength)² / (2 · `log_deviation`²) + `base_count` · Σₖ baseₖ log mₖ.
/// Each step maximises a lower bound of it (Minka's fixed point, with the priors' terms), so that it
/// never falls, and then takes a Newton step in log s where that is uphill.
///
/// # Shapes
/// `counts`: `[users, interests]`; `base`: `[interests]`, such as equal shares or the shares of all
/// events
///
/// # Errors
/// [`PosteriorError::Length`], [`PosteriorError::Empty`] without interests,
/// [`PosteriorError::OutOfRange`] for a count that is negative or not finite, a base share that isn't
/// above 0, or a config's field; [`PosteriorError::NotConverged`].
///
/// # Source
/// Minka (2000), Estimating a Dirichlet distribution.
pub fn fit_population(
    counts: ArrayView2<'_, f64>,
    base: &[f64],
    config: &PopulationConfig,
) -> Result<Dirichlet, PosteriorError> {
    const STEPS: usize = 5_000;
    const TOLERANCE: f64 = 1e-9;
    config.validate()?;
    same_length("interests", base.len(), counts.ncols())?;
    let base = Dirichlet::new(base.to_vec())?.mean();
    let users = Users::new(counts)?;
    let mut mean = base.clone();
    let mut log_strength = config.strength.ln();
    for _ in 0..STEPS {
        let strength = log_strength.exp();
        let gains = users.gains(&mean, strength);
        let mut next: Vec<f64> = gains
            .labels
            .iter()
            .zip(&base)
            .map(|(gain, base)| gain + config.base_count * base)
            .collect();
        let total: f64 = next.iter().sum();
        next.iter_mut().for_each(|share| *share /= total);
        let bound = gains.best_log_strength(log_strength, config);
        let next_log_strength = users.newton(&next, log_strength, config).unwrap_or(bound);
        let change = next.iter().zip(&mean).map(|(a, b)| (a - b).abs()).sum::<f64>()
            + (next_log_strength - log_strength).abs();
        (mean, log_strength) = (next, next_log_strength);
        if change < TOLERANCE {
            return Dirichlet::from_mean(&mean, log_strength.exp());
        }
    }
    Err(PosteriorError::NotConverged { what: "the population prior", steps: STEPS })
}

/// Counts without their zeros.
struct Users {
    labels: usize,
    rows: Vec<(f64, Vec<(usize, f64)>)>,
}

/// What the users' counts are worth at a mean and strength.
struct Gains {
    /// aₖ Σᵤ (ψ(aₖ + nᵤₖ) − ψ(aₖ)).
    labels: Vec<f64>,
    /// Σᵤ (ψ(s + Nᵤ) − ψ(s)).
    total: f64,
}

impl Users {
    fn new(counts: ArrayView2<'_, f64>) -> Result<Self, PosteriorError> {
        for &count in counts {
            in_range("count", count, count >= 0.0 && count.is_finite(), "a finite number from 0")?;
        }
        let rows = counts.axis_iter(Axis(0)).map(|row| {
            let seen: Vec<(usize, f64)> =
                row.iter().copied().enumerate().filter(|&(_, count)| count > 0.0).collect();
            (seen.iter().map(|(_, count)| count).sum::<f64>(), seen)
        });
        let rows = rows.filter(|(total, _)| *total > 0.0).collect();
        Ok(Self { labels: counts.ncols(), rows })
    }

    /// In parts of a fixed size, so that sums don't depend on how many threads there are.
    fn gains(&self, mean: &[f64], strength: f64) -> Gains {
        const USERS: usize = 1_024;
        let before: Vec<f64> = mean.iter().map(|share| digamma(strength * share)).collect();
        let before_total = digamma(strength);
        let parts: Vec<Gains> = self
            .rows
            .par_chunks(USERS)
            .map(|rows| {
                let mut gains = Gains { labels: vec![0.0; self.labels], total: 0.0 };
                for (total, seen) in rows {
                    gains.total += digamma(strength + total) - before_total;
                    for &(label, count) in seen {
                        let concentration = strength * mean[label];
                        gains.labels[label] +=
                            concentration * (digamma(concentration + count) - before[label]);
                    }
                }
                gains
            })
            .collect();
        let mut sum = Gains { labels: vec![0.0; self.labels], total: 0.0 };
        for part in parts {
            sum.total += part.total;
            sum.labels.iter_mut().zip(part.labels).for_each(|(sum, gain)| *sum += gain);
        }
        sum
    }

    /// The derivative of the objective in log s.
    fn slope(&self, mean: &[f64], log_strength: f64, config: &PopulationConfig) -> f64 {
        let strength = log_strength.exp();
        let gains = self.gains(mean, strength);
        gains.labels.iter().sum::<f64>()
            - strength * gains.total
            - (log_strength - config.strength.ln()) / config.log_deviation.powi(2)
    }

    /// A Newton step in log s of at most 1, where the objective is concave.
    fn newton(&self, mean: &[f64], log_strength: f64, config: &PopulationConfig) -> Option<f64> {
        const STEP: f64 = 1e-4;
        let slope = self.slope(mean, log_strength, config);
        let ahead = self.slope(mean, log_strength + STEP, config);
        let curvature = (ahead - slope) / STEP;
        (curvature < 0.0).then(|| log_strength - (slope / curvature).clamp(-1.0, 1.0))
    }
}

impl Gains {
    /// The maximum over t = log s of A t − B eᵗ − (t − log strength)²/(2 deviation²), by Newton: it is
    /// concave, and from the left of its root the slope, itself concave, is never overshot twice.
    fn best_log_strength(&self, start: f64, config: &PopulationConfig) -> f64 {
        let gain: f64 = self.labels.iter().sum();
        let precision = config.log_deviation.powi(-2);
        let mut log_strength = start;
        for _ in 0..50 {
            let cost = self.total * log_strength.exp();
            let slope = gain - cost - precision * (log_strength - config.strength.ln());
            log_strength += (slope / (cost + precision)).clamp(-1.0, 1.0);
        }
        log_strength
    }
}
