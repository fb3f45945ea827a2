//! The candidates of a re-ranking, and the list that it makes of them.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::{RankError, Ranked};

/// A re-ranked list. Never padded: it says when it holds fewer items than requested.
#[derive(Debug, Clone, PartialEq)]
pub struct Reranked {
    /// The items, the first to be shown first. Their probabilities are those of the candidates,
    /// unless the re-ranker says that it changes them.
    pub items: Vec<Ranked>,
    /// How many items were asked for.
    pub requested: usize,
}

impl Reranked {
    /// Whether there are fewer items than requested.
    pub fn is_short(&self) -> bool {
        self.items.len() < self.requested
    }
}

/// The candidates that aren't chosen yet, as positions, the most probable first.
pub(super) struct Pool {
    remaining: Vec<usize>,
}

impl Pool {
    /// All candidates; equally probable ones stay in the order they came in.
    pub(super) fn new(candidates: &[Ranked]) -> Result<Self, RankError> {
        check(candidates)?;
        let mut remaining: Vec<usize> = (0..candidates.len()).collect();
        remaining.sort_by(|&a, &b| by_probability(&candidates[a], &candidates[b]));
        Ok(Self { remaining })
    }

    /// Takes the candidate of the largest gain, the more probable one among equals.
    pub(super) fn take_best(&mut self, gain: impl Fn(usize) -> f64) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (index, &position) in self.remaining.iter().enumerate() {
            let gain = gain(position);
            if best.is_none_or(|(_, largest)| gain > largest) {
                best = Some((index, gain));
            }
        }
        best.map(|(index, _)| self.remaining.remove(index))
    }

    /// Splits off the candidates that don't satisfy a condition.
    pub(super) fn keep(&mut self, condition: impl Fn(usize) -> bool) -> Vec<usize> {
        self.remaining.extract_if(.., |&mut position| !condition(position)).collect()
    }

    pub(super) fn remaining(&self) -> &[usize] {
        &self.remaining
    }
}

/// The more probable first; −0 equals 0, and a NaN was refused before.
pub(super) fn by_probability(a: &Ranked, b: &Ranked) -> Ordering {
    b.probability.partial_cmp(&a.probability).unwrap_or(Ordering::Equal)
}

/// Refuses what is no list of distinct items with probabilities.
pub(super) fn check(candidates: &[Ranked]) -> Result<(), RankError> {
    let mut items = HashSet::with_capacity(candidates.len());
    for &Ranked { item, probability } in candidates {
        if !(0.0..=1.0).contains(&probability) {
            return Err(RankError::InvalidProbability { item, value: probability });
        }
        if !items.insert(item) {
            return Err(RankError::DuplicateItem { item });
        }
    }
    Ok(())
}

/// Refuses a similarity that isn't finite.
pub(super) fn similarity_of(
    similarity: &impl Fn(u32, u32) -> f64,
    a: u32,
    b: u32,
) -> Result<f64, RankError> {
    let value = similarity(a, b);
    if value.is_finite() { Ok(value) } else { Err(RankError::InvalidSimilarity { a, b, value }) }
}
