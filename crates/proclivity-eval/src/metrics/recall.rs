//! Recall: how much of what is relevant is in the list.

use super::RelevantRanks;

/// The share of the relevant items that stand at rank k or before.
///
/// # Formula
/// R@k = |{relevant items of rank ≤ k}| / |relevant items|
///
/// Some libraries divide by min(k, |relevant items|) instead; `ranx` and `trec_eval` do as here.
///
/// # Source
/// C. D. Manning, P. Raghavan and H. Schütze. *Introduction to Information Retrieval*, chapter 8.
/// Cambridge University Press, 2008.
pub fn recall(ranks: &RelevantRanks, k: usize) -> f64 {
    ranks.hits(k) as f64 / ranks.relevant() as f64
}
