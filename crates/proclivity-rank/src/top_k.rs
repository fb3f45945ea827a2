//! The most probable admissible items, and the rank of a single one.

use std::cmp::Ordering;

use proclivity_posterior::log_sum_exp;

use crate::best::Best;
use crate::{RankError, TieBreak};

/// An item of a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The item's index.
    pub item: u32,
    /// Its probability, given that the next item is an admissible one.
    pub probability: f64,
}

/// The most probable admissible items, the most probable first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The items. Never padded: as many as were requested, or all admissible ones if these are
    /// fewer.
    pub items: Vec<Ranked>,
    /// How many items were asked for.
    pub requested: usize,
    /// How many items were admissible.
    pub admissible: usize,
    /// The log of the probability that the predictive gives to all admissible items together,
    /// by which the probabilities were renormalised; −∞ where they have none.
    pub log_mass: f64,
}

impl Ranking {
    /// Whether there were fewer admissible items than requested.
    pub fn is_short(&self) -> bool {
        self.admissible < self.requested
    }
}

/// The `k` most probable admissible items, in descending order, in O(n + k log k).
///
/// Equally probable items stand in the order of `ties`. The probabilities are renormalised over
/// all admissible items, listed or not: what remains uncertain once it is known that the next
/// item is admissible. If all of these are impossible (−∞), each is listed with probability 0.
///
/// # Formula
/// P(x | admissible) = exp(log_probs\[x\]) / Σ over admissible y of exp(log_probs\[y\])
///
/// # Errors
/// [`RankError::InvalidLogProb`] when any item, admissible or not, has NaN or +∞;
/// [`RankError::Length`] when `ties` orders another number of items.
pub fn top_k(
    log_probs: &[f64],
    k: usize,
    admissible: impl Fn(u32) -> bool,
    ties: &TieBreak,
) -> Result<Ranking, RankError> {
    if ties.len() != log_probs.len() {
        return Err(RankError::Length {
            what: "items with an order among ties",
            expected: log_probs.len(),
            got: ties.len(),
        });
    }
    let mut best = Best::new(k.min(log_probs.len()), ties);
    let mut count = 0;
    for (index, &log_prob) in log_probs.iter().enumerate() {
        if log_prob.is_nan() || log_prob == f64::INFINITY {
            return Err(RankError::InvalidLogProb { item: index, value: log_prob });
        }
        let item = index as u32;
        if admissible(item) {
            count += 1;
            best.push(item, log_prob);
        }
    }
    let log_mass = log_mass(log_probs, &admissible);
    let items = best.into_sorted().into_iter().map(|(item, log_prob)| {
        let possible = log_prob > f64::NEG_INFINITY;
        Ranked {
            item,
            probability: if possible { (log_prob - log_mass).exp().min(1.0) } else { 0.0 },
        }
    });
    Ok(Ranking { items: items.collect(), requested: k, admissible: count, log_mass })
}

/// The rank of an item among the admissible ones, counted from 1, with ties against it.
///
/// `target` is taken as admissible. A NaN counts against the target, whichever side it is on.
///
/// # Formula
/// 1 + |{x admissible, x ≠ target : log_probs\[x\] ≥ log_probs\[target\]}|
///
/// # Panics
/// When `target` is outside of `log_probs`.
pub fn rank_of(log_probs: &[f64], target: u32, admissible: impl Fn(u32) -> bool) -> usize {
    let threshold = log_probs[target as usize];
    let before = log_probs.iter().enumerate().filter(|&(index, log_prob)| {
        log_prob.partial_cmp(&threshold) != Some(Ordering::Less)
            && index != target as usize
            && admissible(index as u32)
    });
    1 + before.count()
}

/// log Σ exp over the admissible items, −∞ over none.
pub(crate) fn log_mass(log_probs: &[f64], admissible: impl Fn(u32) -> bool) -> f64 {
    let pairs = log_probs.iter().enumerate();
    let admitted =
        pairs.filter(|&(item, _)| admissible(item as u32)).map(|(_, log_prob)| *log_prob);
    log_sum_exp(&admitted.collect::<Vec<_>>())
}
