//! The next item by hypotheses said in words: P(h|X) of a history, and the mixture that it weighs.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{in_range, known_items};
use crate::log_sum_exp::log_sum_exp;
use crate::{
    Belief, Family, Finite, FiniteEvidence, FinitePosterior, HypothesisScores, LogLikelihood,
    PosteriorError, Predictive, SharpnessConfig, SharpnessFit,
};

/// How [`HypothesisModel`] is fitted.
///
/// A hypothesis speaks of one interest, a history of several: were every event to count in full,
/// some dozen events would settle on one hypothesis, whatever comes later. So the likelihood is a
/// power likelihood, P(X|h) = Πₜ P(xₜ|h)^(`power` · `decay`^age of t), in which a long history is
/// worth `power` / (1 − `decay`) events at most. Neither is a probability's: choose both on
/// validation.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `power` | 0.3 | events that the newest event counts as | (0, 1] |
/// | `decay` | 1 | weight of an event to that of the next one; at 1 order doesn't matter | (0, 1] |
/// | `rounds` | 3 | times that sharpness and prior are fitted in turns | from 1 |
/// | `sharpness` | [`SharpnessConfig`] | where the sharpness is looked for | |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct HypothesisConfig {
    pub power: f64,
    pub decay: f64,
    pub rounds: usize,
    pub sharpness: SharpnessConfig,
}

impl Default for HypothesisConfig {
    fn default() -> Self {
        Self { power: 0.3, decay: 1.0, rounds: 3, sharpness: SharpnessConfig::default() }
    }
}

/// Steps of expectation–maximisation for the prior in a round.
const PRIOR_STEPS: usize = 50;

/// P(next item | history) as a mixture of what hypotheses said in words make of the catalog.
///
/// # Formula
/// P(x|X) = Σₕ P(h|X) P(x|h), where P(h|X) ∝ P(h) Πₜ P(xₜ|h)^(`power` · `decay`^age of t) and
/// log P(x|h) = log softmax over the catalog of
/// sharpness · (log p(x|h) − log p(x|∅)) + log popularity(x); "none of these" is popularity alone.
#[derive(Debug, Clone)]
pub struct HypothesisModel {
    config: HypothesisConfig,
    names: Vec<String>,
    prior: Finite,
    fit: SharpnessFit,
    /// `[items, hypotheses + 1]`
    log_probs: Array2<f64>,
}

impl HypothesisConfig {
    /// Whether every parameter lies in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first that doesn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        for (name, value) in [("power", self.power), ("decay", self.decay)] {
            in_range(name, value, value > 0.0 && value <= 1.0, "in (0, 1]")?;
        }
        in_range("rounds", self.rounds as f64, self.rounds > 0, "a number from 1")?;
        self.sharpness.validate()
    }

    /// Fits popularity, the population's prior over hypotheses and the sharpness to sequences of
    /// items, each from the oldest to the newest.
    ///
    /// The sharpness is the one of least log loss on every sequence's last item, among the items
    /// that don't stand before it, given those; popularity and prior, too, are then fitted to what
    /// stands before. The prior is P(h) of most (power) likelihood by expectation–maximisation,
    /// shrunk by one user spread evenly over the hypotheses.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] when no sequence ends in an item that doesn't stand before,
    /// [`PosteriorError::UnknownItem`] for an item without scores, [`PosteriorError::OutOfRange`]
    /// for a parameter outside of its range.
    pub fn fit(
        &self,
        sequences: &[&[u32]],
        scores: &HypothesisScores,
    ) -> Result<HypothesisModel, PosteriorError> {
        self.validate()?;
        let items = scores.item_count();
        sequences.iter().try_for_each(|sequence| known_items(sequence, items))?;
        let last = sequences.iter().filter_map(|sequence| sequence.split_last());
        let last: Vec<(&[u32], u32)> = last
            .filter(|(x, before)| !before.contains(x))
            .map(|(&x, before)| (before, x))
            .collect();
        if last.is_empty() {
            return Err(PosteriorError::Empty { what: "last items" });
        }
        let before: Vec<&[u32]> = last.iter().map(|&(history, _)| history).collect();
        let popularity = log_popularity(&before, items);
        let tempered = self.tempered(&before, scores);
        let mut prior = Finite::new(&vec![1.0; scores.names().len() + 1])?;
        let mut round = || {
            let log_prior = prior.posterior(&prior.nothing())?;
            let fit = self.sharpness.minimize(|sharpness| {
                let likelihood = Likelihood::new(scores, popularity.view(), sharpness)?;
                Ok(likelihood.log_loss(&last, &tempered, log_prior.log_probs()))
            })?;
            let likelihood = Likelihood::new(scores, popularity.view(), fit.sharpness)?;
            prior = likelihood.population(&tempered)?;
            Ok::<_, PosteriorError>(fit)
        };
        let mut fit = round()?;
        for _ in 1..self.rounds {
            fit = round()?;
        }
        let popularity = log_popularity(sequences, items);
        let likelihood = Likelihood::new(scores, popularity.view(), fit.sharpness)?;
        let prior = likelihood.population(&self.tempered(sequences, scores))?;
        let log_probs = likelihood.log_probs;
        Ok(HypothesisModel { config: *self, names: scores.names().to_vec(), prior, fit, log_probs })
    }

    /// What is left of each history for every sharpness.
    fn tempered(&self, histories: &[&[u32]], scores: &HypothesisScores) -> Vec<Tempered> {
        let lifts = scores.lifts();
        let of = |history: &&[u32]| {
            let mut tempered = Tempered { lifts: vec![0.0; lifts.ncols()], weight: 0.0 };
            for &item in history.iter() {
                tempered.weight = self.decay * tempered.weight + self.power;
                for (sum, lift) in tempered.lifts.iter_mut().zip(lifts.row(item as usize)) {
                    *sum = self.decay * *sum + self.power * lift;
                }
            }
            tempered
        };
        histories.par_iter().map(of).collect()
    }

    /// What a history says of the hypotheses, `log_probs` being `[items, hypotheses + 1]`.
    fn evidence(
        &self,
        history: &[u32],
        family: &Finite,
        log_probs: ArrayView2<'_, f64>,
    ) -> Result<FiniteEvidence, PosteriorError> {
        let mut belief = Belief::new(family);
        for &item in history {
            let of_item = log_probs.row(item as usize);
            belief.forget(self.decay)?;
            let event = LogLikelihood(of_item.as_slice().unwrap_or_default());
            belief.update_weighted(family, &event, self.power)?;
        }
        Ok(belief.evidence().clone())
    }
}

/// Σₜ weightₜ · lift of xₜ under each hypothesis, and Σₜ weightₜ.
///
/// log P(x|h) is sharpness · lift(x, h) + log popularity(x) − a normaliser of h: for every sharpness
/// these sums are all that P(h|X) needs of a history, so that a fit reads it once.
struct Tempered {
    lifts: Vec<f64>,
    weight: f64,
}

/// log P(x|h) at one sharpness.
struct Likelihood {
    sharpness: f64,
    /// `[items, hypotheses + 1]`
    log_probs: Array2<f64>,
    probs: Array2<f64>,
    log_normalizers: Vec<f64>,
}

impl Likelihood {
    fn new(
        scores: &HypothesisScores,
        log_popularity: ArrayView1<'_, f64>,
        sharpness: f64,
    ) -> Result<Self, PosteriorError> {
        let log_probs = scores.log_probs(log_popularity, sharpness)?;
        let lifts = scores.lifts();
        let of_first = lifts.row(0).into_iter().zip(log_probs.row(0));
        let log_normalizers = of_first
            .map(|(lift, log_prob)| sharpness * lift + log_popularity[0] - log_prob)
            .collect();
        let probs = log_probs.mapv(f64::exp);
        Ok(Self { sharpness, log_probs, probs, log_normalizers })
    }

    /// P(h|X).
    fn posterior(&self, history: &Tempered, log_prior: &[f64]) -> Array1<f64> {
        let sums = history.lifts.iter().zip(&self.log_normalizers).zip(log_prior);
        let joint: Vec<f64> = sums
            .map(|((lift, normalizer), log_prior)| {
                log_prior + self.sharpness * lift - history.weight * normalizer
            })
            .collect();
        let total = log_sum_exp(&joint);
        joint.into_iter().map(|joint| (joint - total).exp()).collect()
    }

    /// Nats per last item, among the items that its history doesn't hold.
    fn log_loss(&self, last: &[(&[u32], u32)], histories: &[Tempered], log_prior: &[f64]) -> f64 {
        let log_prob = |(&(history, target), tempered): (&(&[u32], u32), &Tempered)| {
            let posterior = self.posterior(tempered, log_prior);
            let prob = |item: u32| self.probs.row(item as usize).dot(&posterior);
            let had: BTreeSet<u32> = history.iter().copied().collect();
            let mass: f64 = had.into_iter().map(prob).sum();
            // Rounding must not make it a probability above 1.
            (prob(target).ln() - (1.0 - mass).max(0.0).ln()).min(0.0)
        };
        // Summed in order, so that the sum doesn't depend on the threads.
        let log_probs: Vec<f64> = last.par_iter().zip(histories).map(log_prob).collect();
        -log_probs.iter().sum::<f64>() / last.len() as f64
    }

    /// P(h) of most (power) likelihood, with one user spread evenly.
    fn population(&self, histories: &[Tempered]) -> Result<Finite, PosteriorError> {
        let hypotheses = self.log_normalizers.len();
        let evenly = 1.0 / hypotheses as f64;
        let mut shares = vec![evenly; hypotheses];
        for _ in 0..PRIOR_STEPS {
            let log_prior: Vec<f64> = shares.iter().map(|share| share.ln()).collect();
            shares = vec![evenly; hypotheses];
            for history in histories {
                let posterior = self.posterior(history, &log_prior);
                shares.iter_mut().zip(posterior).for_each(|(share, prob)| *share += prob);
            }
        }
        Finite::new(&shares)
    }
}

impl HypothesisModel {
    /// What the hypotheses are called; "none of these" follows the last.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// P(h), "none of these" last.
    pub fn prior(&self) -> &Finite {
        &self.prior
    }

    /// The sharpness, and the log losses that chose it.
    pub fn sharpness(&self) -> &SharpnessFit {
        &self.fit
    }

    /// log P(x|h) of an item under each hypothesis, "none of these" last: an event of a
    /// [`Belief`] that is kept with its user, `None` outside of the catalog.
    pub fn log_likelihood(&self, item: u32) -> Option<LogLikelihood<'_>> {
        let items = self.log_probs.as_slice()?;
        items.chunks_exact(self.log_probs.ncols()).nth(item as usize).map(LogLikelihood)
    }

    /// P(h|X), "none of these" last.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] for an item outside of the catalog.
    pub fn posterior(&self, history: &[u32]) -> Result<FinitePosterior, PosteriorError> {
        known_items(history, self.log_probs.nrows())?;
        self.prior.posterior(&self.config.evidence(history, &self.prior, self.log_probs.view())?)
    }

    /// log P(x|X) of every item x.
    ///
    /// # Errors
    /// Those of [`posterior`](Self::posterior).
    pub fn predict(&self, history: &[u32]) -> Result<Vec<f64>, PosteriorError> {
        self.posterior(history)?.predict(self.log_probs.t())
    }
}

impl Predictive for HypothesisModel {
    fn item_count(&self) -> usize {
        self.log_probs.nrows()
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let log_probs = self.predict(history).expect("a history of the catalog's items");
        out.copy_from_slice(&log_probs);
    }
}

/// log of an item's share of all events, as many more being spread evenly as there are items.
fn log_popularity(sequences: &[&[u32]], items: usize) -> Array1<f64> {
    let mut counts = Array1::ones(items);
    sequences.iter().copied().flatten().for_each(|&item| counts[item as usize] += 1.0);
    let total: f64 = counts.sum();
    counts.mapv_into(|count: f64| (count / total).ln())
}
