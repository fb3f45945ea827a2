//! Next-step: what follows an item, from counts of what did and from the texts of what might.

mod kernel;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::same_length;
use crate::error::{in_range, known_items};
use crate::{PosteriorError, Predictive};

pub use kernel::{Kernel, nearest_items};

/// How [`NextStep`] counts, smooths and mixes.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `window` | 30 | how many steps ahead an event still counts | from 1 |
/// | `step_decay` | 0.8 | weight of each further step | (0, 1] |
/// | `symmetric_share` | 0.5 | weight of what came before beside what came after | \[0, 1\] |
/// | `kernel_smoothing` | 0.5 | weight of the counts of items with close texts | from 0 |
/// | `prior_strength` | 20 | events that the prior of a row is worth | above 0 |
/// | `popularity_share` | 0.1 | popularity's share of a row's prior, the kernel has the rest | (0, 1] |
/// | `popularity_strength` | 100 | events spread evenly over the catalog in popularity | above 0 |
/// | `history_decay` | 0.5 | weight of each older item of the history | (0, 1] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct NextStepConfig {
    pub window: usize,
    pub step_decay: f64,
    pub symmetric_share: f64,
    pub kernel_smoothing: f64,
    pub prior_strength: f64,
    pub popularity_share: f64,
    pub popularity_strength: f64,
    pub history_decay: f64,
}

impl Default for NextStepConfig {
    fn default() -> Self {
        Self {
            window: 30,
            step_decay: 0.8,
            symmetric_share: 0.5,
            kernel_smoothing: 0.5,
            prior_strength: 20.0,
            popularity_share: 0.1,
            popularity_strength: 100.0,
            history_decay: 0.5,
        }
    }
}

impl NextStepConfig {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        let unit = |x: f64| x > 0.0 && x <= 1.0;
        let positive = |x: f64| x > 0.0 && x.is_finite();
        in_range("window", self.window as f64, self.window > 0, "a number from 1")?;
        in_range("step_decay", self.step_decay, unit(self.step_decay), "in (0, 1]")?;
        let symmetric = self.symmetric_share;
        in_range("symmetric_share", symmetric, (0.0..=1.0).contains(&symmetric), "in [0, 1]")?;
        let smoothing = self.kernel_smoothing;
        let valid = smoothing >= 0.0 && smoothing.is_finite();
        in_range("kernel_smoothing", smoothing, valid, "a finite number from 0")?;
        let strength = self.prior_strength;
        in_range("prior_strength", strength, positive(strength), "a positive number")?;
        let popularity = self.popularity_share;
        in_range("popularity_share", popularity, unit(popularity), "in (0, 1]")?;
        let strength = self.popularity_strength;
        in_range("popularity_strength", strength, positive(strength), "a positive number")?;
        in_range("history_decay", self.history_decay, unit(self.history_decay), "in (0, 1]")
    }
}

/// A Dirichlet–Markov model: row i says what comes within a few steps of item i.
///
/// # Formula
/// Row i ~ Dirichlet(strength · p₀(·|i)) with p₀(j|i) = (1 − g) K(i, j) + g · popularity(j);
/// its counts C(i, j) sum decayᵈ⁻¹ over every j that came d ≤ window steps after i, plus
/// `symmetric_share` of those before, plus `kernel_smoothing` · (K C)(i, j). With T(i) the sum of
/// row i's counts,
///
/// P(j | history) = Σₐ wₐ (C(hₐ, j) + strength · p₀(j|hₐ)) / (T(hₐ) + strength), wₐ ∝ decayᵃ
///
/// over the ages a of the history's distinct items. An item never follows itself. An empty history
/// has popularity as its predictive.
///
/// # Approximation
/// Windowed counts use an event several times, which makes this a composite likelihood: the
/// predictive is chosen by held-out data, and intervals of its rows would be too narrow.
#[derive(Debug, Clone, PartialEq)]
pub struct NextStep {
    config: NextStepConfig,
    kernel: Option<Kernel>,
    offsets: Vec<usize>,
    items: Vec<u32>,
    counts: Vec<f32>,
    totals: Vec<f64>,
    popularity: Vec<f64>,
}

impl NextStep {
    /// Counts transitions in sequences of items, each from the oldest to the newest.
    ///
    /// Without a kernel, popularity is the whole prior.
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
        config.validate()?;
        if item_count == 0 {
            return Err(PosteriorError::Empty { what: "items" });
        }
        for sequence in sequences {
            known_items(sequence, item_count)?;
        }
        if let Some(kernel) = &kernel {
            same_length("items of the kernel", item_count, kernel.item_count())?;
        }
        let rows = count_rows(&config, sequences, item_count);
        let mut offsets = Vec::with_capacity(item_count + 1);
        offsets.push(0);
        let (mut items, mut counts, mut own_totals) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            own_totals.push(row.iter().map(|&(_, count)| f64::from(count)).sum::<f64>());
            items.extend(row.iter().map(|&(item, _)| item));
            counts.extend(row.iter().map(|&(_, count)| count));
            offsets.push(items.len());
        }
        let totals = (0..item_count)
            .map(|item| {
                let smoothed: f64 = kernel
                    .iter()
                    .flat_map(|kernel| kernel.row(item as u32))
                    .map(|(near, weight)| f64::from(weight) * own_totals[near as usize])
                    .sum();
                own_totals[item] + config.kernel_smoothing * smoothed
            })
            .collect();
        let popularity = popularity(sequences, item_count, config.popularity_strength);
        Ok(Self { config, kernel, offsets, items, counts, totals, popularity })
    }

    /// The smoothed popularity of each item, which sums to one.
    pub fn popularity(&self) -> &[f64] {
        &self.popularity
    }

    /// The configuration.
    pub fn config(&self) -> &NextStepConfig {
        &self.config
    }

    /// How much each position of the history gives to the probability of an item: the shares of
    /// P(item | history) that its rows bring. They sum to the probability; a repeated item's share
    /// stands at its newest position. An empty history has no contributions.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn contributions(&self, history: &[u32], item: u32) -> Result<Vec<f64>, PosteriorError> {
        known_items(history, self.popularity.len())?;
        known_items(&[item], self.popularity.len())?;
        let mut contributions = vec![0.0; history.len()];
        for (position, weight) in self.history_weights(history) {
            contributions[position] = weight * self.row_probability(history[position], item);
        }
        Ok(contributions)
    }

    fn row_probability(&self, from: u32, item: u32) -> f64 {
        let count = |row: u32| {
            let range = self.row(row);
            self.items[range.clone()]
                .binary_search(&item)
                .map_or(0.0, |found| f64::from(self.counts[range.start + found]))
        };
        let (mut smoothed, mut kernel) = (0.0, 0.0);
        for (near, weight) in self.kernel.iter().flat_map(|kernel| kernel.row(from)) {
            smoothed += f64::from(weight) * count(near);
            kernel += if near == item { f64::from(weight) } else { 0.0 };
        }
        let counts = count(from) + self.config.kernel_smoothing * smoothed;
        let kernel_share = self.kernel_share(from);
        let prior = kernel_share * kernel + (1.0 - kernel_share) * self.popularity[item as usize];
        let strength = self.config.prior_strength;
        (counts + strength * prior) / (self.totals[from as usize] + strength)
    }

    /// The kernel's share of a row's prior; nothing where the item has no neighbours.
    fn kernel_share(&self, item: u32) -> f64 {
        let has_neighbors = self.kernel.as_ref().is_some_and(|k| k.row(item).next().is_some());
        if has_neighbors { 1.0 - self.config.popularity_share } else { 0.0 }
    }

    fn row(&self, item: u32) -> std::ops::Range<usize> {
        self.offsets[item as usize]..self.offsets[item as usize + 1]
    }

    /// Normalised weights of the newest position of each distinct item, newest first. Items so old
    /// that together they would weigh less than a thousandth are left out.
    fn history_weights(&self, history: &[u32]) -> Vec<(usize, f64)> {
        const LEFT_OUT: f64 = 1e-3;
        let decay = self.config.history_decay;
        let mut weights: Vec<(usize, f64)> = Vec::new();
        let mut weight = 1.0;
        for position in (0..history.len()).rev() {
            if decay < 1.0 && weight < LEFT_OUT * (1.0 - decay) {
                break;
            }
            if weights.iter().any(|&(newer, _)| history[newer] == history[position]) {
                continue;
            }
            weights.push((position, weight));
            weight *= decay;
        }
        let total: f64 = weights.iter().map(|&(_, weight)| weight).sum();
        weights.iter_mut().for_each(|(_, weight)| *weight /= total);
        weights
    }
}

impl Predictive for NextStep {
    fn item_count(&self) -> usize {
        self.popularity.len()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.popularity.len(), "one output for each item");
        let weights = self.history_weights(history);
        let strength = self.config.prior_strength;
        // Probability is linear in rows of counts, rows of the kernel and popularity: collect the
        // coefficient of each row before touching any.
        let mut rows: Vec<(u32, f64)> = Vec::new();
        let mut popularity = if weights.is_empty() { 1.0 } else { 0.0 };
        out.fill(0.0);
        for &(position, weight) in &weights {
            let item = history[position];
            let scale = weight / (self.totals[item as usize] + strength);
            let kernel_share = self.kernel_share(item);
            rows.push((item, scale));
            popularity += scale * strength * (1.0 - kernel_share);
            for (near, kernel) in self.kernel.iter().flat_map(|kernel| kernel.row(item)) {
                let kernel = f64::from(kernel);
                rows.push((near, scale * self.config.kernel_smoothing * kernel));
                out[near as usize] += scale * strength * kernel_share * kernel;
            }
        }
        rows.sort_unstable_by_key(|&(row, _)| row);
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let coefficient: f64 = group.iter().map(|&(_, c)| c).sum();
            let range = self.row(group[0].0);
            if coefficient > 0.0 {
                for (&item, &count) in self.items[range.clone()].iter().zip(&self.counts[range]) {
                    out[item as usize] += coefficient * f64::from(count);
                }
            }
        }
        for (out, share) in out.iter_mut().zip(&self.popularity) {
            *out = (*out + popularity * share).ln();
        }
    }
}

/// (nₓ + strength/items) / (N + strength): the posterior mean of a symmetric Dirichlet.
fn popularity(sequences: &[&[u32]], items: usize, strength: f64) -> Vec<f64> {
    let mut counts = vec![strength / items as f64; items];
    for &item in sequences.iter().copied().flatten() {
        counts[item as usize] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    counts.into_iter().map(|count| count / total).collect()
}

/// One row of counts for each item, items in order of index. Each row is summed on its own, in the
/// order of the sequences, so that the result doesn't depend on threads.
fn count_rows(
    config: &NextStepConfig,
    sequences: &[&[u32]],
    item_count: usize,
) -> Vec<Vec<(u32, f32)>> {
    let mut occurrences: Vec<Vec<(u32, u32)>> = vec![Vec::new(); item_count];
    for (sequence, items) in sequences.iter().enumerate() {
        for (position, &item) in items.iter().enumerate() {
            occurrences[item as usize].push((sequence as u32, position as u32));
        }
    }
    let decays: Vec<f32> =
        (0..config.window as i32).map(|step| config.step_decay.powi(step) as f32).collect();
    let symmetric = config.symmetric_share as f32;
    occurrences
        .par_iter()
        .enumerate()
        .map_init(
            || (vec![0.0_f32; item_count], Vec::new()),
            |(sums, touched): &mut (Vec<f32>, Vec<u32>), (item, occurrences)| {
                let mut add = |other: u32, count: f32| {
                    if other as usize != item && count > 0.0 {
                        if sums[other as usize] == 0.0 {
                            touched.push(other);
                        }
                        sums[other as usize] += count;
                    }
                };
                for &(sequence, position) in occurrences {
                    let (before, rest) = sequences[sequence as usize].split_at(position as usize);
                    for (&other, &decay) in rest[1..].iter().zip(&decays) {
                        add(other, decay);
                    }
                    for (&other, &decay) in before.iter().rev().zip(&decays) {
                        add(other, symmetric * decay);
                    }
                }
                touched.sort_unstable();
                touched
                    .drain(..)
                    .map(|other| (other, std::mem::take(&mut sums[other as usize])))
                    .collect()
            },
        )
        .collect()
}
