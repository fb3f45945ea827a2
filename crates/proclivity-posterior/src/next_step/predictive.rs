//! The predictive of next-step: the rows of a history's items, mixed by age.

use std::sync::Arc;

use fnv::FnvHashSet;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::counts::Row;
use super::prior::RowPrior;
use super::{Kernel, NextStepConfig, TransitionCounts, Transitions};
use crate::error::known_items;
use crate::vectorized::{add_each, ln};
use crate::{Dirichlet, Family, PosteriorError, Predictive, Statistic};

/// A Dirichlet–Markov model: row i says what comes within a few steps of item i.
///
/// # Formula
/// Row i ~ Dirichlet(strength · p₀(·|i)) with p₀(j|i) = (1 − g) K(i, j) + g · popularity(j);
/// its counts C(i, j) sum decayᵈ⁻¹ over every j that came d ≤ window steps after i, plus
/// `symmetric_share` of those before, plus `kernel_smoothing` · (K C)(i, j). With T(i) the sum of
/// row i's counts,
///
/// P(j | history) = Σₐ wₐ (C(hₐ, j) + strength · p₀(j|hₐ)) / (T(hₐ) + strength)
///
/// over the ages a of the history's distinct items, with wₐ = (1 − s) fastᵃ / Σ fastᵃ +
/// s · slowᵃ / Σ slowᵃ of the decays of two timescales. An item never follows itself. An empty
/// history has popularity as its predictive.
///
/// # Approximation
/// Windowed counts use an event several times, which makes this a composite likelihood: the
/// predictive is chosen by held-out data, and intervals of its rows are too narrow, see
/// [`NextStep::row`]. Counts are kept in steps of 2⁻³². Items so old that together they would weigh
/// less than a thousandth on their timescale are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct NextStep {
    family: Transitions,
    prior: RowPrior,
    rows: Vec<Arc<Row>>,
    totals: Vec<f64>,
    /// P(j | i) where rows are written out.
    table: Option<Arc<Array2<f32>>>,
}

impl NextStep {
    /// Counts transitions in sequences of items, each from the oldest to the newest.
    ///
    /// Without a kernel, popularity is the whole prior. What comes later is added by a
    /// [`Belief`](crate::Belief) of [`Transitions`].
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without items, [`PosteriorError::UnknownItem`] outside of the
    /// catalog, [`PosteriorError::Length`] when the kernel has another number of items,
    /// [`PosteriorError::OutOfRange`] for a bad configuration.
    pub fn fit(
        config: NextStepConfig,
        sequences: &[&[u32]],
        item_count: usize,
        kernel: Option<Kernel>,
    ) -> Result<Self, PosteriorError> {
        let family = Transitions::new(config, item_count, kernel)?;
        family.posterior(&family.count(sequences)?)
    }

    /// From counts of the family's own kind.
    pub(super) fn new(family: &Transitions, evidence: &TransitionCounts) -> Self {
        let config = family.config();
        let empty = Arc::new(Row::default());
        let mut rows = vec![empty; family.item_count()];
        for (&item, row) in evidence.rows() {
            rows[item as usize] = Arc::clone(row);
        }
        let evenly = config.popularity_strength / rows.len() as f64;
        let mut popularity: Vec<f64> = rows.iter().map(|row| evenly + row.occurrences()).collect();
        let total: f64 = popularity.iter().sum();
        popularity.iter_mut().for_each(|share| *share /= total);
        let prior = RowPrior {
            kernel: family.shared_kernel(),
            popularity,
            share: config.popularity_share,
            strength: config.prior_strength,
        };
        let smoothed = |item: u32| -> f64 {
            prior.neighbors(item).map(|(near, weight)| weight * rows[near as usize].total()).sum()
        };
        let totals = (0_u32..).zip(&rows).map(|(item, row)| {
            let smoothing = config.kernel_smoothing;
            row.total() + if smoothing > 0.0 { smoothing * smoothed(item) } else { 0.0 }
        });
        let totals = totals.collect();
        Self { family: family.clone(), prior, rows, totals, table: None }
    }

    /// The same model with its rows P(·|i) written out in single precision, where smoothing adds up
    /// so many counts for the rows that this is faster: predictives then cost one pass over the
    /// catalog for each item of the history. It takes 4 bytes for each pair of items. Other models,
    /// such as those of large catalogs, stay as they are.
    #[must_use]
    pub fn tabulated(mut self) -> Self {
        // To add a count where it belongs takes as long as to add so many that lie in a row.
        const SCATTERED: usize = 4;
        let items = self.rows.len();
        let smoothing = self.config().kernel_smoothing > 0.0;
        let counts = |item: u32| self.rows[item as usize].counts().len();
        let added: usize = (0..items as u32)
            .map(|item| {
                let near = self.prior.neighbors(item).filter(|_| smoothing);
                counts(item) + near.map(|(near, _)| counts(near)).sum::<usize>()
            })
            .sum();
        if SCATTERED * added > items * items {
            let mut table = Array2::zeros((items, items));
            let rows = table.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
            rows.for_each_init(
                || vec![0.0; items],
                |means, (item, mut row)| {
                    self.mix(&[(item as u32, 1.0)], means);
                    row.iter_mut().zip(means).for_each(|(to, from)| *to = *from as f32);
                },
            );
            self.table = Some(Arc::new(table));
        }
        self
    }

    /// The smoothed popularity of each item, which sums to one.
    ///
    /// # Formula
    /// (nₓ + strength / items) / (N + strength)
    pub fn popularity(&self) -> &[f64] {
        &self.prior.popularity
    }

    /// The configuration.
    pub fn config(&self) -> &NextStepConfig {
        self.family.config()
    }

    /// The counts, with which a [`Belief::from_evidence`](crate::Belief::from_evidence) goes on.
    pub fn counts(&self) -> TransitionCounts {
        TransitionCounts::shared(&self.family.nothing(), (0_u32..).zip(&self.rows))
    }

    /// What comes after one item, as the Dirichlet whose mean the predictive takes.
    ///
    /// # Shapes
    /// concentrations: `[items]`
    ///
    /// # Approximation
    /// Popularity is plugged in, not integrated over. In a window of more than one step, with a
    /// symmetric share or with smoothing each event counts several times, so that the row is surer
    /// than it may be: on independent events of one distribution its intervals of 50 % and 90 %
    /// hold 50 % and 90 % of the time at window 1, but 42 % and 80 % in the default window
    /// (`windows_make_rows_too_sure` in `tests/next_step.rs`). [`MarkovChain`](crate::MarkovChain)
    /// has exact rows.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn row(&self, item: u32) -> Result<Dirichlet, PosteriorError> {
        known_items(&[item], self.rows.len())?;
        let mut concentrations = self.prior.concentrations(item);
        self.add_counts(item, &mut concentrations);
        Dirichlet::new(concentrations)
    }

    /// Adds the smoothed counts of a row.
    fn add_counts(&self, from: u32, out: &mut [f64]) {
        let smoothing = self.config().kernel_smoothing;
        let near = self.prior.neighbors(from).map(|(near, weight)| (near, smoothing * weight));
        for (row, weight) in near.chain([(from, 1.0)]).filter(|&(_, weight)| weight > 0.0) {
            self.rows[row as usize].add_to(out, weight);
        }
    }

    /// How much each position of the history gives to the probability of an item: the shares of
    /// P(item | history) that its rows bring. They sum to the probability; a repeated item's share
    /// stands at its newest position. An empty history has no contributions.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn contributions(&self, history: &[u32], item: u32) -> Result<Vec<f64>, PosteriorError> {
        known_items(history, self.rows.len())?;
        known_items(&[item], self.rows.len())?;
        let mut contributions = vec![0.0; history.len()];
        for (position, weight) in self.history_weights(history) {
            contributions[position] = weight * self.row_probability(history[position], item);
        }
        Ok(contributions)
    }

    fn row_probability(&self, from: u32, item: u32) -> f64 {
        let count = |row: u32| self.rows[row as usize].count(item);
        let near = self.prior.neighbors(from).map(|(near, weight)| weight * count(near));
        let counts = count(from) + self.config().kernel_smoothing * near.sum::<f64>();
        let prior = self.prior.concentration(from, item);
        (counts + prior) / (self.totals[from as usize] + self.prior.strength)
    }

    /// Normalised weights of the newest position of each distinct item, newest first.
    fn history_weights(&self, history: &[u32]) -> Vec<(usize, f64)> {
        let config = self.config();
        let slow_share = config.slow_share;
        let fast = aged(history, config.history_decay);
        if slow_share == 0.0 {
            return fast;
        }
        let slow = aged(history, config.slow_history_decay);
        let both = fast.len().max(slow.len());
        let weight =
            |of: &[(usize, f64)], age: usize| of.get(age).map_or(0.0, |&(_, weight)| weight);
        let position = |age: usize| fast.get(age).or_else(|| slow.get(age)).map(|&(at, _)| at);
        (0..both)
            .filter_map(|age| {
                let mixed =
                    (1.0 - slow_share) * weight(&fast, age) + slow_share * weight(&slow, age);
                Some((position(age)?, mixed))
            })
            .collect()
    }
}

/// decayᵃ / Σ decayᵃ for the newest position of each distinct item, newest first, until the rest
/// would weigh less than a thousandth together.
fn aged(history: &[u32], decay: f64) -> Vec<(usize, f64)> {
    const LEFT_OUT: f64 = 1e-3;
    let mut seen = FnvHashSet::default();
    let mut weights: Vec<(usize, f64)> = Vec::new();
    let mut weight = 1.0;
    for (position, &item) in history.iter().enumerate().rev() {
        if decay < 1.0 && weight < LEFT_OUT * (1.0 - decay) {
            break;
        }
        if seen.insert(item) {
            weights.push((position, weight));
            weight *= decay;
        }
    }
    let total: f64 = weights.iter().map(|&(_, weight)| weight).sum();
    weights.iter_mut().for_each(|(_, weight)| *weight /= total);
    weights
}

impl NextStep {
    fn probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.rows.len(), "one output for each item");
        let weights = self.history_weights(history);
        let weights: Vec<(u32, f64)> =
            weights.into_iter().map(|(position, weight)| (history[position], weight)).collect();
        match self.table.as_ref().and_then(|table| table.as_slice()) {
            Some(table) if !weights.is_empty() => {
                out.fill(0.0);
                for &(item, weight) in &weights {
                    let row = &table[item as usize * out.len()..][..out.len()];
                    add_each(out, row, |out, p| *out += weight * f64::from(p));
                }
            }
            _ => self.mix(&weights, out),
        }
    }

    /// The mean of the rows of items with weights that sum to one; popularity of none.
    fn mix(&self, weights: &[(u32, f64)], out: &mut [f64]) {
        let (smoothing, strength) = (self.config().kernel_smoothing, self.prior.strength);
        // Probability is linear in rows of counts, rows of the kernel and popularity: collect the
        // coefficient of each row before touching any.
        let mut rows: Vec<(u32, f64)> = Vec::new();
        let mut popularity = if weights.is_empty() { 1.0 } else { 0.0 };
        out.fill(0.0);
        for &(item, weight) in weights {
            let scale = weight / (self.totals[item as usize] + strength);
            let share = self.prior.popularity_share(item);
            rows.push((item, scale));
            popularity += scale * strength * share;
            for (near, kernel) in self.prior.neighbors(item) {
                rows.push((near, scale * smoothing * kernel));
                out[near as usize] += scale * strength * (1.0 - share) * kernel;
            }
        }
        rows.sort_unstable_by_key(|&(row, _)| row);
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let coefficient: f64 = group.iter().map(|&(_, c)| c).sum();
            if coefficient > 0.0 {
                self.rows[group[0].0 as usize].add_to(out, coefficient);
            }
        }
        for (out, share) in out.iter_mut().zip(&self.prior.popularity) {
            *out += popularity * share;
        }
    }
}

impl Predictive for NextStep {
    fn item_count(&self) -> usize {
        self.rows.len()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        self.probs(history, out);
        ln(out);
    }
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "NextStep")]
struct Saved<Family, Evidence> {
    version: u32,
    /// Before anything of the catalog's size is made, that it is that of a family.
    fingerprint: u64,
    family: Family,
    evidence: Evidence,
}

impl Serialize for NextStep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let evidence = self.counts();
        let fingerprint = self.family.fingerprint();
        Saved { version: VERSION, fingerprint, family: &self.family, evidence }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NextStep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let saved = Saved::<Transitions, TransitionCounts>::deserialize(deserializer)?;
        if saved.version != VERSION {
            return Err(D::Error::custom(PosteriorError::Version {
                expected: VERSION,
                got: saved.version,
            }));
        }
        if saved.fingerprint != saved.family.fingerprint() {
            let family = Transitions::NAME;
            return Err(D::Error::custom(PosteriorError::ForeignBelief { family }));
        }
        saved.evidence.validate().map_err(D::Error::custom)?;
        saved.family.posterior(&saved.evidence).map_err(D::Error::custom)
    }
}
