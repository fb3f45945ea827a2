//! No item or provider gets more than its share of what a batch of users is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::candidates::check;
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked, TieBreak};

/// How large a part of the exposures one group may get.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `max_share` | 0.05 | a group's part of all places in the lists | (0, 1] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct ExposureCapConfig {
    pub max_share: f64,
}

impl Default for ExposureCapConfig {
    fn default() -> Self {
        Self { max_share: 0.05 }
    }
}

impl ExposureCapConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<ExposureCap, RankError> {
        let share = self.max_share;
        in_range("max_share", share, share > 0.0 && share <= 1.0, "in (0, 1]")?;
        Ok(ExposureCap { max_share: share })
    }
}

/// Re-ranks the lists of a batch of users so that no group of items is shown too often.
///
/// # Formula
/// Lists Rᵤ of at most k candidates each are to have a large Σ over u, x in Rᵤ of P(x | u), with at
/// most c items of each group in all lists together. There are Σ over u of min(k, nᵤ) places, and c is
/// the largest number with c / places ≤ `max_share`.
///
/// The pairs of a user and a candidate are taken by descending probability wherever the user's list
/// and the group have room.
///
/// - The cap holds always. It is in exposures, of all places: should lists fall short, a group's share
///   of what is shown may be larger ([`CappedLists::largest_share`]).
/// - Lists are never padded. A list is short only if none of the user's other candidates is of a group
///   with room left.
/// - The sum of the probabilities is at least half of the largest that is possible under the cap (the
///   greedy algorithm on the intersection of two partition matroids). The exact optimum is a
///   minimum-cost flow.
/// - Neither the order of the users nor, but for ties within a user's own list, that of the
///   candidates matters: among equally probable pairs, the order of the users' `TieBreak` decides.
///   Users of whom more is known have larger probabilities, and go first.
///
/// # Source
/// M. L. Fisher, G. L. Nemhauser and L. A. Wolsey, An analysis of approximations for maximizing
/// submodular set functions II, Mathematical Programming Study 1978, for the half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExposureCap {
    max_share: f64,
}

/// The lists of a batch under an exposure cap.
#[derive(Debug, Clone, PartialEq)]
pub struct CappedLists {
    /// The list of each user, by descending probability, in the order the users came in.
    pub lists: Vec<Reranked>,
    /// How many exposures a group may have.
    pub capacity: usize,
    /// How many exposures each group has, by group; those without any aren't listed.
    pub exposures: BTreeMap<u32, usize>,
}

impl CappedLists {
    /// The largest part of what is shown that one group has; 0 if nothing is shown.
    pub fn largest_share(&self) -> f64 {
        let shown: usize = self.exposures.values().sum();
        let largest = self.exposures.values().max().copied().unwrap_or(0);
        largest as f64 / shown.max(1) as f64
    }
}

impl ExposureCap {
    /// The lists of at most `k` of each user's candidates, in O(N log N) for N candidates in total.
    ///
    /// `group` takes an item's index: the item itself for a cap by item, its provider's for one by
    /// provider. `users` orders the users among equally probable pairs.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`] or [`RankError::DuplicateItem`] for a user's candidates;
    /// [`RankError::Length`] when `users` orders another number of users; [`RankError::OutOfRange`]
    /// when `max_share` is less than one of the places.
    pub fn rerank<L: AsRef<[Ranked]>>(
        &self,
        candidates: &[L],
        k: usize,
        group: impl Fn(u32) -> u32,
        users: &TieBreak,
    ) -> Result<CappedLists, RankError> {
        if users.len() != candidates.len() {
            return Err(RankError::Length {
                what: "users with an order among ties",
                expected: candidates.len(),
                got: users.len(),
            });
        }
        let lists: Vec<&[Ranked]> = candidates.iter().map(AsRef::as_ref).collect();
        lists.iter().try_for_each(|list| check(list))?;
        let places: usize = lists.iter().map(|list| list.len().min(k)).sum();
        let capacity = self.capacity(places)?;

        let mut pairs: Vec<(f64, u32, u32)> =
            Vec::with_capacity(lists.iter().map(|x| x.len()).sum());
        for (user, list) in lists.iter().enumerate() {
            let of_user = list.iter().enumerate();
            // + 0 makes a 0 of −0, so that the total order is that of the numbers.
            pairs.extend(of_user.map(|(at, x)| (x.probability + 0.0, user as u32, at as u32)));
        }
        pairs.sort_unstable_by(|a, b| {
            let of_users = || users.key(a.1).cmp(&users.key(b.1));
            b.0.total_cmp(&a.0).then_with(of_users).then_with(|| a.2.cmp(&b.2))
        });

        let mut shown: Vec<Vec<Ranked>> = vec![Vec::new(); lists.len()];
        let mut exposures: BTreeMap<u32, usize> = BTreeMap::new();
        for (_, user, at) in pairs {
            let ranked = lists[user as usize][at as usize];
            let items = &mut shown[user as usize];
            if items.len() == k {
                continue;
            }
            let exposed = exposures.entry(group(ranked.item)).or_default();
            if *exposed < capacity {
                *exposed += 1;
                items.push(ranked);
            }
        }
        let lists = shown.into_iter().map(|items| Reranked { items, requested: k }).collect();
        Ok(CappedLists { lists, capacity, exposures })
    }

    /// The most exposures that are no more than the largest share of the places.
    fn capacity(&self, places: usize) -> Result<usize, RankError> {
        let floor = (self.max_share * places as f64) as usize;
        // .29 · 100 is 28.999…
        let exact = (floor + 1) as f64 / places.max(1) as f64 <= self.max_share;
        let capacity = floor + usize::from(exact);
        let valid = capacity > 0 || places == 0;
        in_range("max_share", self.max_share, valid, "at least one of the places in the lists")?;
        Ok(capacity)
    }
}
