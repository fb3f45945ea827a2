//! Where the relevant items of one user stand.

use crate::EvalError;

/// The ranks of a user's relevant items, at least one of which there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelevantRanks {
    /// Ascending, from 1.
    ranks: Vec<usize>,
    relevant: usize,
}

impl RelevantRanks {
    /// The rank of each relevant item, counted from 1, in any order; `None` for one that was not
    /// ranked.
    ///
    /// # Errors
    /// [`EvalError::Empty`] without relevant items; [`EvalError::ImpossibleRank`] when more items
    /// stand at a rank or before than there are places (tied items share the last of theirs).
    pub fn new(ranks: impl IntoIterator<Item = Option<usize>>) -> Result<Self, EvalError> {
        let ranks: Vec<Option<usize>> = ranks.into_iter().collect();
        if ranks.is_empty() {
            return Err(EvalError::Empty { what: "relevant items" });
        }
        let relevant = ranks.len();
        let mut ranks: Vec<usize> = ranks.into_iter().flatten().collect();
        ranks.sort_unstable();
        for (before, &rank) in ranks.iter().enumerate() {
            if rank <= before {
                return Err(EvalError::ImpossibleRank { rank, relevant: before + 1 });
            }
        }
        Ok(Self { ranks, relevant })
    }

    /// The rank of the only relevant item, as [`rank_of`](proclivity_rank::rank_of) gives it.
    pub(crate) fn single(rank: Option<usize>) -> Self {
        Self { ranks: rank.into_iter().collect(), relevant: 1 }
    }

    /// How many relevant items there are, ranked or not.
    pub fn relevant(&self) -> usize {
        self.relevant
    }

    /// The ranks of those that were ranked, ascending.
    pub fn ranks(&self) -> &[usize] {
        &self.ranks
    }

    /// How many relevant items stand at rank k or before.
    pub fn hits(&self, k: usize) -> usize {
        self.ranks.partition_point(|&rank| rank <= k)
    }
}
