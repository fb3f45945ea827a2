//! Hit rate: whether any relevant item is among the first k.

use super::RelevantRanks;

/// 1 where a relevant item stands at rank k or before, else 0; also called success@k.
///
/// # Formula
/// HR@k = \[min rank ≤ k\]
///
/// With one relevant item it equals [`recall`](super::recall).
///
/// # Source
/// M. Deshpande and G. Karypis. *Item-based top-N recommendation algorithms.* ACM TOIS 22(1),
/// 2004.
pub fn hit_rate(ranks: &RelevantRanks, k: usize) -> f64 {
    f64::from(u8::from(ranks.hits(k) > 0))
}
