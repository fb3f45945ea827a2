//! Rank-biased precision: what a reader finds who may stop at every item.

use super::RelevantRanks;
use crate::EvalError;

/// The probability that a reader who has looked at one item goes on to the next.
///
/// Such a reader looks at 1 / (1 − persistence) items on average: .5 is impatient, .8 usual for
/// the web, .95 thorough.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Persistence(f64);

impl Persistence {
    /// A probability from 0 to below 1.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for anything else.
    pub fn new(persistence: f64) -> Result<Self, EvalError> {
        if (0.0..1.0).contains(&persistence) {
            return Ok(Self(persistence));
        }
        Err(EvalError::OutOfRange {
            name: "persistence",
            value: persistence,
            expected: "a probability from 0 to below 1",
        })
    }

    /// The probability.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// How many relevant items are found per item looked at, over the whole ranking.
///
/// # Formula
/// RBP = (1 − p) · Σ over relevant items of rank r of pʳ⁻¹
///
/// Unlike NDCG and MAP it isn't divided by what was there to be found: a ranking that has all
/// relevant items first reaches 1 − p^|relevant items|. Items that were not ranked add 0; beyond a
/// list of n items they could add pⁿ at most.
///
/// # Source
/// A. Moffat and J. Zobel. *Rank-biased precision for measurement of retrieval effectiveness.* ACM
/// TOIS 27(1), 2008.
pub fn rank_biased_precision(ranks: &RelevantRanks, persistence: Persistence) -> f64 {
    let Persistence(p) = persistence;
    let discounts = ranks.ranks().iter().map(|&rank| p.powf((rank - 1) as f64));
    (1.0 - p) * discounts.sum::<f64>()
}
