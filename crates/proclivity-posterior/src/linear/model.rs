//! The posterior of the linear model: scores, how sure they are, and where they come from.

use ndarray::Axis;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::config::{LinearConfig, Precision, Timescale};
use super::evidence::LinearEvidence;
use super::family::Linear;
use super::solve::{Real, Solved, add_scaled, factorize};
use crate::error::{in_range, known_items, same_length};
use crate::log_sum_exp::log_sum_exp;
use crate::vectorized::ln;
use crate::{PosteriorError, Predictive};

/// Weights from the features of a history to every next item, and their uncertainty.
///
/// # Formula
/// score(j) = xᵀWⱼ, with variance σⱼ² · xᵀ(XᵀX + Λ)⁻¹x: the covariance of the features is shared, the
/// variance of what is left over is each item's own,
///
/// σⱼ² = (1/items + Σ(yⱼ − X Wⱼ)² + (Wⱼ − Mⱼ)ᵀΛ(Wⱼ − Mⱼ)) / (1 + rows),
///
/// which counts one event beforehand that any item may have been.
#[derive(Debug, Clone)]
pub struct LinearModel {
    config: LinearConfig,
    solution: Solution,
    residual_variances: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Solution {
    Double(Solved<f64>),
    Single(Solved<f32>),
}

/// The same call in either precision.
macro_rules! each_precision {
    ($solution:expr, $solved:ident => $call:expr) => {
        match $solution {
            Solution::Double($solved) => $call,
            Solution::Single($solved) => $call,
        }
    };
}

impl LinearModel {
    pub(super) fn solve(
        family: &Linear,
        evidence: &LinearEvidence,
    ) -> Result<Self, PosteriorError> {
        let (solution, residual_variances) = match family.config().precision {
            Precision::Double => {
                let (solved, variances) = solve::<f64>(family, evidence)?;
                (Solution::Double(solved), variances)
            }
            Precision::Single => {
                let (solved, variances) = solve::<f32>(family, evidence)?;
                (Solution::Single(solved), variances)
            }
        };
        Ok(Self { config: family.config().clone(), solution, residual_variances })
    }

    /// σ² of each item.
    pub fn residual_variances(&self) -> &[f64] {
        &self.residual_variances
    }

    /// The weight of a feature, which is an item in a timescale, for an item that comes next.
    ///
    /// # Panics
    /// When there is no such timescale or item.
    pub fn weight(&self, timescale: usize, from: u32, to: u32) -> f64 {
        assert!(timescale < self.config.timescales.len(), "no such timescale");
        let feature = timescale * self.item_count() + from as usize;
        each_precision!(&self.solution, solved => solved.weights()[[feature, to as usize]].value())
    }

    /// The score of every item to come next: about its probability, but possibly below zero.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn scores(&self, history: &[u32]) -> Result<Vec<f64>, PosteriorError> {
        known_items(history, self.item_count())?;
        let mut scores = vec![0.0; self.item_count()];
        self.write_scores(history, &mut scores);
        Ok(scores)
    }

    fn write_scores(&self, history: &[u32], scores: &mut [f64]) {
        scores.fill(0.0);
        each_precision!(&self.solution, solved => {
            for (feature, x) in self.features(history) {
                add_scaled(solved.weights().index_axis(Axis(0), feature), x, scores);
            }
        });
    }

    /// The variance of every item's score.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn score_variances(&self, history: &[u32]) -> Result<Vec<f64>, PosteriorError> {
        let spread = self.spread(history)?;
        Ok(self.residual_variances.iter().map(|variance| variance * spread).collect())
    }

    /// xᵀ(XᵀX + Λ)⁻¹x
    pub(super) fn spread(&self, history: &[u32]) -> Result<f64, PosteriorError> {
        known_items(history, self.item_count())?;
        Ok(each_precision!(&self.solution, solved => solved.quadratic_form(self.features(history))))
    }

    /// One draw of all scores from their posterior, independent across items as the posterior is:
    /// what Thompson sampling ranks by.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn sample_scores<R: Rng + ?Sized>(
        &self,
        history: &[u32],
        rng: &mut R,
    ) -> Result<Vec<f64>, PosteriorError> {
        let spread = self.spread(history)?;
        let mut scores = self.scores(history)?;
        for (score, variance) in scores.iter_mut().zip(&self.residual_variances) {
            let standard: f64 = StandardNormal.sample(rng);
            *score += (variance * spread).sqrt() * standard;
        }
        Ok(scores)
    }

    /// One draw of an item's weights, Wⱼ ~ N(mean, σⱼ² (XᵀX + Λ)⁻¹).
    ///
    /// # Shapes
    /// result: `[timescales · items]`, timescale by timescale
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn sample_weights<R: Rng + ?Sized>(
        &self,
        item: u32,
        rng: &mut R,
    ) -> Result<Vec<f64>, PosteriorError> {
        known_items(&[item], self.item_count())?;
        let item = item as usize;
        let deviation = self.residual_variances[item].sqrt();
        Ok(each_precision!(&self.solution, solved => {
            let means = solved.weights().column(item);
            let standard = (0..means.len()).map(|_| StandardNormal.sample(rng));
            let noise = solved.correlate(&standard.collect::<Vec<f64>>());
            means.iter().zip(noise).map(|(mean, noise)| mean.value() + deviation * noise).collect()
        }))
    }

    /// What each position of the history gives to the score of an item; they sum to the score.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn contributions(&self, history: &[u32], item: u32) -> Result<Vec<f64>, PosteriorError> {
        known_items(history, self.item_count())?;
        known_items(&[item], self.item_count())?;
        let mut contributions = vec![0.0; history.len()];
        for (block, timescale) in self.config.timescales.iter().enumerate() {
            let newest_first = history.iter().zip(&mut contributions).rev();
            for ((&from, contribution), x) in newest_first.zip(timescale.weights()) {
                *contribution += x * self.weight(block, from, item);
            }
        }
        Ok(contributions)
    }

    /// Features that aren't zero, with their values; one may come several times.
    fn features<'a>(&'a self, history: &'a [u32]) -> impl Iterator<Item = (usize, f64)> + 'a {
        let items = self.item_count();
        let features = move |(block, timescale): (usize, &'a Timescale)| {
            let newest_first = history.iter().rev().zip(timescale.weights());
            newest_first.map(move |(&item, x)| (block * items + item as usize, x))
        };
        self.config.timescales.iter().enumerate().flat_map(features)
    }
}

impl Predictive for LinearModel {
    fn item_count(&self) -> usize {
        self.residual_variances.len()
    }

    /// log softmax of scores over the temperature of the configuration: a way to read scores as
    /// probabilities that held-out data has to justify, not a posterior predictive.
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.item_count(), "one output for each item");
        self.write_scores(history, out);
        out.iter_mut().for_each(|score| *score /= self.config.temperature);
        let total = log_sum_exp(out);
        out.iter_mut().for_each(|score| *score -= total);
    }
}

/// log max(score, floor) of each score, which pools with other models' log-probabilities. It is a
/// score: nothing is normalised.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] unless the floor is a positive number.
pub fn positive_log_scores(scores: &mut [f64], floor: f64) -> Result<(), PosteriorError> {
    in_range("floor", floor, floor > 0.0 && floor.is_finite(), "a positive number")?;
    scores.iter_mut().for_each(|score| *score = score.max(floor));
    ln(scores);
    Ok(())
}

fn solve<T: Real>(
    family: &Linear,
    evidence: &LinearEvidence,
) -> Result<(Solved<T>, Vec<f64>), PosteriorError> {
    let items = family.item_count();
    let scales = &family.config().timescales;
    let factor = factorize::<T>(evidence.gram(), scales.len() * items, |feature| {
        scales[feature / items].ridge
    })?;
    // Row i of Λ M in a timescale: its ridge · semantic weight · K(i, ·).
    let kernel_by_target = family.kernel().map(|kernel| {
        let mut columns: Vec<Vec<(u32, f64)>> = vec![Vec::new(); items];
        for from in 0..items as u32 {
            for (to, weight) in kernel.row(from) {
                columns[to as usize].push((from, f64::from(weight)));
            }
        }
        columns
    });
    let prior_means = |to: usize| {
        let near = kernel_by_target.iter().flat_map(move |columns| &columns[to]);
        near.flat_map(move |&(from, weight)| {
            scales.iter().enumerate().map(move |(block, scale)| {
                (block * items + from as usize, scale.ridge, scale.semantic_weight * weight)
            })
        })
    };
    let targets: Vec<f64> = evidence.target_counts().collect();
    same_length("targets", items, targets.len())?;
    let rows = evidence.row_count();
    let prior_entries = kernel_by_target.iter().flatten().map(Vec::len).sum::<usize>();
    let entries = evidence.cross().len() + prior_entries * scales.len();
    Ok(Solved::new(
        factor,
        items,
        entries,
        |columns, right| {
            for (feature, entries) in evidence.cross().rows() {
                for (item, value) in entries.within(columns.clone()) {
                    right[(feature, item - columns.start)] = T::of(value);
                }
            }
            for item in columns.clone() {
                for (feature, ridge, mean) in prior_means(item) {
                    let sum = &mut right[(feature, item - columns.start)];
                    *sum = T::of(sum.value() + ridge * mean);
                }
            }
        },
        |item, right, weights| {
            // YᵀY + MᵀΛM − Wᵀ(XᵀX + Λ)W is the residual and the penalty together.
            let prior: f64 = prior_means(item).map(|(_, ridge, mean)| ridge * mean * mean).sum();
            let explained: f64 =
                right.iter().zip(&*weights).map(|(r, w)| r.value() * w.value()).sum();
            let left_over = (targets[item] + prior - explained).max(0.0);
            (1.0 / items as f64 + left_over) / (1.0 + rows)
        },
    ))
}
