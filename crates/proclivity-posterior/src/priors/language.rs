//! What a language model says of a user's interests, worth a stated number of events.

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use crate::error::{in_range, same_length};
use crate::guard::guard_weights;
use crate::log_sum_exp::log_sum_exp;
use crate::minimize::minimize;
use crate::{Dirichlet, PosteriorError};

/// A prior for each user: the population's, and on top of it a language model's shares as if that
/// many events of the user had been seen.
///
/// So the population's strength stays, a share of 0 is unlikely and not impossible, and real events
/// outweigh what was only said.
///
/// # Formula
/// a(user) = a(population) + `pseudo_count` · mean(user)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(Dirichlet, f64)", into = "(Dirichlet, f64)")]
pub struct LanguagePrior {
    population: Dirichlet,
    pseudo_count: f64,
}

/// How [`LanguagePrior::fit`] is shrunk.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `pseudo_count` | 4 | the median of the prior pseudo-count, in events | above 0, finite |
/// | `log_deviation` | 1 | the standard deviation of the log pseudo-count | above 0, at most 20 |
/// | `pseudo_users` | 2 | how many users each guard's weights are drawn to one half by | above 0, finite |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguagePriorConfig {
    /// The median of the prior pseudo-count, in events.
    pub pseudo_count: f64,
    /// The standard deviation of the log pseudo-count.
    pub log_deviation: f64,
    /// How many users draw the guard's weights to one half.
    pub pseudo_users: f64,
}

impl Default for LanguagePriorConfig {
    fn default() -> Self {
        Self { pseudo_count: 4.0, log_deviation: 1.0, pseudo_users: 2.0 }
    }
}

impl LanguagePriorConfig {
    /// Whether every field lies in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first field that doesn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        for (name, value) in
            [("pseudo_count", self.pseudo_count), ("pseudo_users", self.pseudo_users)]
        {
            in_range(name, value, value > 0.0 && value.is_finite(), "above 0 and finite")?;
        }
        let deviation = self.log_deviation;
        in_range("log_deviation", deviation, deviation > 0.0 && deviation <= 20.0, "in (0, 20]")
    }
}

/// What [`LanguagePrior::fit`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct LanguagePriorFit {
    /// The prior with the fitted pseudo-count.
    pub prior: LanguagePrior,
    /// The guard's weights: the language model's, and the population's.
    pub weights: [f64; 2],
}

impl LanguagePrior {
    /// A population's prior and what a language model's word is worth, in events.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the pseudo-count is a finite number from 0.
    pub fn new(population: Dirichlet, pseudo_count: f64) -> Result<Self, PosteriorError> {
        let valid = pseudo_count >= 0.0 && pseudo_count.is_finite();
        in_range("pseudo-count", pseudo_count, valid, "a finite number from 0")?;
        Ok(Self { population, pseudo_count })
    }

    /// The population's prior: the guard's other member.
    pub fn population(&self) -> &Dirichlet {
        &self.population
    }

    /// What the language model's word is worth, in events.
    pub fn pseudo_count(&self) -> f64 {
        self.pseudo_count
    }

    /// The prior of a user of whom a language model says these shares.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of interests, [`PosteriorError::OutOfRange`] for
    /// a share that is negative or not finite, or shares that don't sum to 1 within 10⁻³: an answer
    /// that was cut off or isn't about shares must not pass for one.
    pub fn dirichlet(&self, mean: &[f64]) -> Result<Dirichlet, PosteriorError> {
        self.check(mean)?;
        let total: f64 = mean.iter().sum();
        let words = mean.iter().map(|share| self.pseudo_count * share / total);
        Dirichlet::new(
            self.population.concentration().iter().zip(words).map(|(a, n)| a + n).collect(),
        )
    }

    fn check(&self, mean: &[f64]) -> Result<(), PosteriorError> {
        same_length("shares", self.population.concentration().len(), mean.len())?;
        for &share in mean {
            in_range("share", share, share >= 0.0 && share.is_finite(), "a finite number from 0")?;
        }
        let total: f64 = mean.iter().sum();
        in_range("sum of the shares", total, (total - 1.0).abs() <= 1e-3, "1 within 0.001")
    }

    /// The pseudo-count and the guard's weights under which many users' counts are most probable, the
    /// one drawn to a usual value and the others to one half.
    ///
    /// The pseudo-count is fitted within the guard's mixture: users of whom the language model is
    /// wrong lower its weight and not what its word is worth elsewhere.
    ///
    /// # Formula
    /// argmax over c and w of Σᵤ log \[w P(nᵤ | a + c · meanᵤ) + (1 − w) P(nᵤ | a)\]
    /// − (log c − log `pseudo_count`)² / (2 · `log_deviation`²)
    /// + ½ · `pseudo_users` · (log w + log(1 − w)), with Dirichlet–multinomial P
    ///
    /// # Errors
    /// Those of [`LanguagePrior::dirichlet`], [`PosteriorError::OutOfRange`] for a count that is
    /// negative or not finite or a config's field, [`PosteriorError::Length`] for another number of
    /// counts. Without users it is the config's pseudo-count and one half.
    pub fn fit(
        population: Dirichlet,
        users: &[(&[f64], &[f64])],
        config: &LanguagePriorConfig,
    ) -> Result<LanguagePriorFit, PosteriorError> {
        config.validate()?;
        let at = |deviation: f64| {
            let pseudo_count = config.pseudo_count * (deviation * config.log_deviation).exp();
            Self::new(population.clone(), pseudo_count)
        };
        let by_population = users
            .par_iter()
            .map(|(_, counts)| log_multinomial(&population, counts))
            .collect::<Result<Vec<f64>, _>>()?;
        let fitted = |deviation: f64| -> Result<(f64, LanguagePrior, Vec<f64>), PosteriorError> {
            let prior = at(deviation)?;
            let by_language = users
                .par_iter()
                .map(|(mean, counts)| log_multinomial(&prior.dirichlet(mean)?, counts))
                .collect::<Result<Vec<f64>, _>>()?;
            let mut log_probs = Array2::zeros((users.len(), 2));
            for (mut row, (language, population)) in
                log_probs.rows_mut().into_iter().zip(by_language.iter().zip(&by_population))
            {
                (row[0], row[1]) = (*language, *population);
            }
            let weights = guard_weights(log_probs.view(), config.pseudo_users)?;
            let logs: Vec<f64> = weights.iter().map(|weight| weight.ln()).collect();
            let gain: f64 = log_probs
                .rows()
                .into_iter()
                .map(|row| log_sum_exp(&[row[0] + logs[0], row[1] + logs[1]]))
                .sum();
            let shrinkage = 0.5 * config.pseudo_users * (logs[0] + logs[1]);
            Ok((0.5 * deviation * deviation - gain - shrinkage, prior, weights))
        };
        let grid: Vec<f64> = (-8..=8).map(|half| f64::from(half) / 2.0).collect();
        let best = minimize(|deviation| Ok(fitted(deviation)?.0), &grid, 1e-3)?;
        let (_, prior, weights) = fitted(best.at)?;
        Ok(LanguagePriorFit { prior, weights: [weights[0], weights[1]] })
    }
}

/// log P(n | a) of counts under a Dirichlet–multinomial, without the multinomial coefficient.
fn log_multinomial(prior: &Dirichlet, counts: &[f64]) -> Result<f64, PosteriorError> {
    same_length("counts", prior.concentration().len(), counts.len())?;
    let (mut total, mut log_prob) = (0.0, 0.0);
    for (&count, &concentration) in counts.iter().zip(prior.concentration()) {
        in_range("count", count, count >= 0.0 && count.is_finite(), "a finite number from 0")?;
        if count > 0.0 {
            total += count;
            log_prob += ln_gamma(concentration + count) - ln_gamma(concentration);
        }
    }
    Ok(log_prob + ln_gamma(prior.strength()) - ln_gamma(prior.strength() + total))
}

impl TryFrom<(Dirichlet, f64)> for LanguagePrior {
    type Error = PosteriorError;
    fn try_from((population, pseudo_count): (Dirichlet, f64)) -> Result<Self, PosteriorError> {
        Self::new(population, pseudo_count)
    }
}

impl From<LanguagePrior> for (Dirichlet, f64) {
    fn from(prior: LanguagePrior) -> Self {
        (prior.population, prior.pseudo_count)
    }
}
