//! Precision: how much of the list is relevant.

use super::RelevantRanks;

/// The share of the first k places that hold relevant items.
///
/// # Formula
/// P@k = |{relevant items of rank ≤ k}| / k
///
/// A list shorter than k is divided by k all the same, as `trec_eval` does.
///
/// # Source
/// C. D. Manning, P. Raghavan and H. Schütze. *Introduction to Information Retrieval*, chapter 8.
/// Cambridge University Press, 2008.
pub fn precision(ranks: &RelevantRanks, k: usize) -> f64 {
    if k == 0 {
        return 0.0;
    }
    ranks.hits(k) as f64 / k as f64
}
