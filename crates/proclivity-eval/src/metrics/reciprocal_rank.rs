//! Reciprocal rank: how far down the first relevant item stands. Its mean is MRR.

use super::RelevantRanks;

/// One over the rank of the first relevant item, over the whole ranking; 0 if none was ranked.
///
/// # Formula
/// RR = 1 / min rank; MRR is its mean over users.
///
/// # Source
/// E. M. Voorhees. *The TREC-8 question answering track report.* TREC-8, 1999.
pub fn reciprocal_rank(ranks: &RelevantRanks) -> f64 {
    ranks.ranks().first().map_or(0.0, |&rank| 1.0 / rank as f64)
}
