//! What events are worth where not all can be said.

use std::collections::BTreeMap;

use proclivity_schema::{EventKind, ItemIndex, Log};
use serde::{Deserialize, Serialize};

use crate::TextError;

/// What fits, and what is worth its tokens.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `max_tokens` | 256 | the budget of one history | as many as the tokenizer adds to every text, or more |
/// | `with_special_tokens` | `true` | count what the tokenizer adds to every text, such as `[CLS]` | |
/// | `half_life` | 20 | after so many younger events an event is worth half | more than 0; infinite for no ageing |
/// | `weights` | empty | in place of [`informativeness`] | finite, from 0 |
///
/// # Formula
/// An event with `a` younger ones is worth `weight(kind) · 2^(−a / half_life) · surprise(item)`,
/// where `surprise` is [`Popularity::surprise`] if a popularity is given, and 1 if not or if there
/// is no item. The most worth come first; one that doesn't fit any more is left out, and after three
/// of these in a row no others are tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// The budget of one history.
    pub max_tokens: usize,
    /// Whether what the tokenizer adds to every text is counted.
    pub with_special_tokens: bool,
    /// After so many younger events an event is worth half.
    pub half_life: f64,
    /// What events of a kind are worth, where it isn't their [`informativeness`].
    pub weights: BTreeMap<EventKind, f64>,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            with_special_tokens: true,
            half_life: 20.0,
            weights: BTreeMap::new(),
        }
    }
}

impl BudgetConfig {
    pub(crate) fn check(&self) -> Result<(), TextError> {
        if self.half_life.is_nan() || self.half_life <= 0.0 {
            return Err(TextError::BudgetRange { field: "half_life", value: self.half_life });
        }
        let wrong = |weight: &f64| !weight.is_finite() || *weight < 0.0;
        if let Some(&value) = self.weights.values().find(|weight| wrong(weight)) {
            return Err(TextError::BudgetRange { field: "weights", value });
        }
        Ok(())
    }
}

/// How much a kind tells about its user's interests, from 0 to 1. A choice, not a measurement:
///
/// | weight | kinds |
/// |---|---|
/// | 1 | purchase, return, rate, comment |
/// | 0.8 | search, add to cart, like, dislike, follow, share |
/// | 0.5 | remove from cart, watch, dismiss |
/// | 0.3 | view, click |
/// | 0.1 | skip |
/// | 0.03 | impression |
pub fn informativeness(kind: EventKind) -> f64 {
    match kind {
        EventKind::Purchase | EventKind::Return | EventKind::Rate | EventKind::Comment => 1.0,
        EventKind::Search
        | EventKind::AddToCart
        | EventKind::Like
        | EventKind::Dislike
        | EventKind::Follow
        | EventKind::Share => 0.8,
        EventKind::RemoveFromCart | EventKind::Watch | EventKind::Dismiss => 0.5,
        EventKind::View | EventKind::Click => 0.3,
        EventKind::Skip => 0.1,
        EventKind::Impression => 0.03,
    }
}

/// How often items occur in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popularity {
    counts: Vec<u64>,
    total: u64,
}

impl Popularity {
    /// How often each of the `item_count` items of a catalog occurs in a log.
    pub fn of(log: &Log, item_count: usize) -> Self {
        let mut counts = vec![0u64; item_count];
        for item in log.events().iter().filter_map(|event| event.action.item()) {
            if let Some(count) = counts.get_mut(item.get()) {
                *count += 1;
            }
        }
        let total = counts.iter().sum();
        Self { counts, total }
    }

    /// How much an item tells since it is rare: 1 for an item that never occurred, near 0 for one
    /// that is all that does.
    ///
    /// # Formula
    /// `−ln p / ln(N + n)` with `p = (count + 1) / (N + n)`, `N` events and `n` items.
    pub fn surprise(&self, item: ItemIndex) -> f64 {
        let all = (self.total as f64 + self.counts.len() as f64).max(2.0);
        let count = self.counts.get(item.get()).copied().unwrap_or_default();
        (1.0 - (count as f64 + 1.0).ln() / all.ln()).clamp(0.0, 1.0)
    }
}
