//! Posterior predictive checks: do histories that the model replicates look like the observed one?

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sbc::replicate_rng;
use crate::error::{in_range, same_length};
use crate::{PosteriorError, entropy};

/// How a check is run.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `replicates` | 1,000 | replicated histories | from 1 |
/// | `seed` | 0 | of the replicates | any |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictiveCheckConfig {
    /// Replicated histories.
    pub replicates: usize,
    /// Replicate r draws from stream r of it, whatever the thread.
    pub seed: u64,
}

impl Default for PredictiveCheckConfig {
    fn default() -> Self {
        Self { replicates: 1_000, seed: 0 }
    }
}

/// What the model replicates of one statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictiveCheck {
    /// What the statistic is called.
    pub name: String,
    /// The statistic of what was observed.
    pub observed: f64,
    /// Its mean over the replicates.
    pub mean: f64,
    /// Its standard deviation over the replicates.
    pub standard_deviation: f64,
    /// P(T(replicate) > T(observed)) + ½ P(equal): near 0 or 1 where the model can't do what was
    /// observed.
    ///
    /// Data are used twice, to fit and to check, so it is nearer to ½ than a uniform number would
    /// be: a value that looks extreme is.
    pub p_value: f64,
}

impl PredictiveCheckConfig {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] names the one that isn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("replicates", self.replicates as f64, self.replicates > 0, "from 1")
    }

    /// Compares statistics of an observed history, or of a whole log, with those of replicates.
    ///
    /// `replicate` draws θ from the posterior and then as many events as were observed;
    /// `statistics` returns one number for each name. For a statistic of the next event replicate
    /// that event alone.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for 0 replicates and a statistic that is not finite,
    /// [`PosteriorError::Length`] unless there is one statistic for each name, and those of the
    /// closures.
    ///
    /// # Source
    /// A. Gelman, X.-L. Meng and H. Stern. *Posterior predictive assessment of model fitness via
    /// realized discrepancies.* Statistica Sinica 6, 1996.
    pub fn run<H>(
        &self,
        names: &[&str],
        observed: &H,
        replicate: impl Fn(&mut ChaCha8Rng) -> Result<H, PosteriorError> + Sync,
        statistics: impl Fn(&H) -> Vec<f64> + Sync,
    ) -> Result<Vec<PredictiveCheck>, PosteriorError> {
        self.validate()?;
        let statistics = |history: &H| {
            let values = statistics(history);
            same_length("statistics", names.len(), values.len())?;
            for &value in &values {
                in_range("statistic", value, value.is_finite(), "a finite number")?;
            }
            Ok(values)
        };
        let observed = statistics(observed)?;
        let replicated: Vec<Vec<f64>> = (0..self.replicates)
            .into_par_iter()
            .map(|index| statistics(&replicate(&mut replicate_rng(self.seed, index))?))
            .collect::<Result<_, PosteriorError>>()?;
        let checks = names.iter().zip(observed).enumerate().map(|(index, (name, observed))| {
            let values = || replicated.iter().map(|values| values[index]);
            let count = self.replicates as f64;
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let above = values().filter(|&x| x > observed).count() as f64;
            let equal = values().filter(|&x| x == observed).count() as f64;
            PredictiveCheck {
                name: (*name).to_owned(),
                observed,
                mean,
                standard_deviation: variance.sqrt(),
                p_value: (above + 0.5 * equal) / count,
            }
        });
        Ok(checks.collect())
    }
}

/// The fraction of events whose item was in the history before; 0 without events.
pub fn repeat_rate(history: &[u32]) -> f64 {
    let distinct: std::collections::HashSet<u32> = history.iter().copied().collect();
    (history.len() - distinct.len()) as f64 / history.len().max(1) as f64
}

/// Entropy of the categories of a history, in nats; 0 without events.
///
/// `categories` are those of the items of the catalog. Items outside of it are left out.
///
/// # Shapes
/// `categories`: `[items]`
pub fn category_entropy(history: &[u32], categories: &[u32]) -> f64 {
    let mut counts = std::collections::BTreeMap::<u32, f64>::new();
    for category in history.iter().filter_map(|&item| categories.get(item as usize)) {
        *counts.entry(*category).or_default() += 1.0;
    }
    let total: f64 = counts.values().sum();
    entropy(&counts.values().map(|count| count / total).collect::<Vec<_>>())
}

/// The mean log-popularity of events; 0 without events.
///
/// Of a history of one, the next event, it is that event's. Items outside of the catalog are left
/// out.
///
/// # Shapes
/// `log_popularity`: `[items]`
pub fn mean_log_popularity(history: &[u32], log_popularity: &[f64]) -> f64 {
    let known = || history.iter().filter_map(|&item| log_popularity.get(item as usize));
    known().sum::<f64>() / known().count().max(1) as f64
}
