//! Where an item would stand without one of the user's events.

use proclivity_posterior::Predictive;

use crate::top_k::log_mass;
use crate::{RankError, rank_of};

/// Where an item stands when one event is left out of the history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterfactualRank {
    /// The position in the history that is left out, from 0.
    pub position: usize,
    /// The item's rank among the admissible items, from 1, ties against it.
    pub rank: usize,
    /// log P(item | the history without the event, the next item is admissible).
    pub log_prob: f64,
}

/// Where `item` would stand without each of these positions of the history: "without your view of
/// X this would have ranked 37th".
///
/// Each answer is exact for the predictive, which is asked again with the shorter history. The
/// answers don't add up: two events that say the same can each be left out without a change. They
/// are about the model, not about the user: who hadn't seen X might have done other things.
///
/// `admissible` stays what it is: an item that was left out of the history is a candidate only if
/// `admissible` lets it be. With a filter of what was seen it stays out, so that all ranks are
/// among the same candidates. `item` itself is always a candidate. Of an item that the history has
/// twice, only the occurrence at the position is left out.
///
/// The predictive's parameters stay what they are, too. If it was fitted on this very history, wrap
/// it in a [`Predictive`] that refits, to leave the event out there as well.
///
/// # Errors
/// [`RankError::UnknownItem`] for an item or a history outside of the catalog,
/// [`RankError::UnknownPosition`] outside of the history, [`RankError::InvalidLogProb`] for a
/// predictive with NaN or +∞.
pub fn counterfactual_ranks(
    predictive: &(impl Predictive + ?Sized),
    history: &[u32],
    item: u32,
    positions: impl IntoIterator<Item = usize>,
    admissible: impl Fn(u32) -> bool,
) -> Result<Vec<CounterfactualRank>, RankError> {
    let items = predictive.item_count();
    if let Some(&item) = history.iter().chain([&item]).find(|&&item| item as usize >= items) {
        return Err(RankError::UnknownItem { item, items });
    }
    let candidate = |other: u32| other == item || admissible(other);
    let mut log_probs = vec![0.0; items];
    let without = |position: usize| {
        if position >= history.len() {
            return Err(RankError::UnknownPosition { position, events: history.len() });
        }
        let rest = [&history[..position], &history[position + 1..]].concat();
        predictive.log_probs(&rest, &mut log_probs);
        let invalid = |value: &f64| value.is_nan() || *value == f64::INFINITY;
        if let Some(item) = log_probs.iter().position(invalid) {
            return Err(RankError::InvalidLogProb { item, value: log_probs[item] });
        }
        let log_prob = log_probs[item as usize];
        let possible = log_prob > f64::NEG_INFINITY;
        Ok(CounterfactualRank {
            position,
            rank: rank_of(&log_probs, item, candidate),
            log_prob: if possible { log_prob - log_mass(&log_probs, candidate) } else { log_prob },
        })
    };
    positions.into_iter().map(without).collect()
}
