//! Maximal marginal relevance: each next item probable, and unlike those before it.

use serde::{Deserialize, Serialize};

use super::candidates::{Pool, similarity_of};
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked};

/// How [`Mmr`] trades probability for diversity.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `diversity_weight` | 0.3 | 0 leaves the order of probability, 1 asks for dissimilarity alone | \[0, 1\] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct MmrConfig {
    pub diversity_weight: f64,
}

impl Default for MmrConfig {
    fn default() -> Self {
        Self { diversity_weight: 0.3 }
    }
}

impl MmrConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<Mmr, RankError> {
        let weight = self.diversity_weight;
        in_range("diversity_weight", weight, (0.0..=1.0).contains(&weight), "in [0, 1]")?;
        Ok(Mmr { weight })
    }
}

/// Re-ranks by maximal marginal relevance.
///
/// # Formula
/// The next item is argmax over x of (1 − λ) · P(x) / max P − λ · max over chosen y of s(x, y), with
/// λ the `diversity_weight` (the paper's is 1 − λ); the maximum over nothing is 0. P / max P makes
/// relevance a number from 0 to 1, as a similarity is, for long and for short lists of candidates
/// alike.
///
/// # Source
/// J. Carbonell and J. Goldstein, The use of MMR, diversity-based reranking for reordering documents
/// and producing summaries, SIGIR 1998.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mmr {
    weight: f64,
}

impl Mmr {
    /// The best `k` of the candidates, in O(k · n) similarities.
    ///
    /// `similarity` takes the items' indices. The list holds min(k, n) items; among equals the more
    /// probable one is chosen, then the one that came first.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`], [`RankError::DuplicateItem`] or
    /// [`RankError::InvalidSimilarity`].
    pub fn rerank(
        &self,
        candidates: &[Ranked],
        k: usize,
        similarity: impl Fn(u32, u32) -> f64,
    ) -> Result<Reranked, RankError> {
        let mut pool = Pool::new(candidates)?;
        let max = candidates.iter().map(|x| x.probability).fold(f64::MIN_POSITIVE, f64::max);
        let mut nearest = vec![0.0_f64; candidates.len()];
        let mut items = Vec::with_capacity(k.min(candidates.len()));
        let gain = |position: usize, nearest: &[f64]| {
            let relevance = candidates[position].probability / max;
            (1.0 - self.weight) * relevance - self.weight * nearest[position]
        };
        while items.len() < k
            && let Some(chosen) = pool.take_best(|position| gain(position, &nearest))
        {
            for &position in pool.remaining() {
                let (a, b) = (candidates[position].item, candidates[chosen].item);
                let alike = similarity_of(&similarity, a, b)?;
                let first = items.is_empty();
                nearest[position] = if first { alike } else { alike.max(nearest[position]) };
            }
            items.push(candidates[chosen]);
        }
        Ok(Reranked { items, requested: k })
    }
}
