//! At most so many items of a category in a list.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::candidates::check;
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked};

/// How many items of one category a list may hold.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `max_per_category` | 3 | items of one category in a list | from 1 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct CategoryCapConfig {
    pub max_per_category: usize,
}

impl Default for CategoryCapConfig {
    fn default() -> Self {
        Self { max_per_category: 3 }
    }
}

impl CategoryCapConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<CategoryCap, RankError> {
        let max = self.max_per_category;
        in_range("max_per_category", max as f64, max >= 1, "a number from 1")?;
        Ok(CategoryCap { max })
    }
}

/// Skips what would be one item of a category too many.
///
/// The candidates are walked through in the order they come in, so that this can follow another
/// re-ranker. The cap always holds; a list that runs out of candidates is short and says so.
///
/// If every item has one category at most, the list is the best there is under the cap: it has, for
/// candidates in order of probability, the largest sum of probabilities (the greedy algorithm on a
/// partition matroid). With several categories an item, it is a good list, but not always the best.
///
/// # Source
/// J. Edmonds, Matroids and the greedy algorithm, Mathematical Programming 1971, for the optimality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryCap {
    max: usize,
}

impl CategoryCap {
    /// The first `k` of the candidates that the cap lets pass, in O(n) expected.
    ///
    /// `categories` takes the item's index and gives what it counts for: `Some(category)`, nothing
    /// (such an item always passes), or several, each of which needs room; one that is named twice
    /// counts once.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`] or [`RankError::DuplicateItem`].
    pub fn rerank<I: IntoIterator<Item = u32>>(
        &self,
        candidates: &[Ranked],
        k: usize,
        categories: impl Fn(u32) -> I,
    ) -> Result<Reranked, RankError> {
        check(candidates)?;
        let mut counts: HashMap<u32, usize> = HashMap::new();
        let passes = candidates.iter().copied().filter(|ranked| {
            let categories: BTreeSet<u32> = categories(ranked.item).into_iter().collect();
            let passes = categories.iter().all(|x| counts.get(x).is_none_or(|&n| n < self.max));
            if passes {
                categories.into_iter().for_each(|x| *counts.entry(x).or_default() += 1);
            }
            passes
        });
        Ok(Reranked { items: passes.take(k).collect(), requested: k })
    }
}
