//! NDCG: hits discounted by their rank, in proportion to the best possible list.

use super::RelevantRanks;

/// The normalised discounted cumulative gain of the first k places, relevance being yes or no.
///
/// # Formula
/// NDCG@k = Σ over relevant items of rank r ≤ k of 1/log₂(r + 1), divided by
/// Σ for r = 1 … min(k, |relevant items|) of 1/log₂(r + 1)
///
/// With one relevant item this is 1/log₂(rank + 1), 0 beyond k.
///
/// # Source
/// K. Järvelin and J. Kekäläinen. *Cumulated gain-based evaluation of IR techniques.* ACM TOIS
/// 20(4), 2002; with the discount log₂(r + 1) of `trec_eval` and of C. Burges et al., ICML 2005.
pub fn ndcg(ranks: &RelevantRanks, k: usize) -> f64 {
    let ideal: f64 = (1..=k.min(ranks.relevant())).map(discount).sum();
    if ideal == 0.0 {
        return 0.0;
    }
    let hits = &ranks.ranks()[..ranks.hits(k)];
    hits.iter().copied().map(discount).sum::<f64>() / ideal
}

/// 1/log₂(rank + 1), of a rank from 1.
pub(super) fn discount(rank: usize) -> f64 {
    1.0 / (rank as f64 + 1.0).log2()
}
