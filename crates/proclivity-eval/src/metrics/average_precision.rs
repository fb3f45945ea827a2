//! Average precision: the precision at each hit. Its mean over users is MAP.

use super::RelevantRanks;

/// The precisions at the ranks of the relevant items in the first k places, summed, over the number
/// of relevant items; `k = usize::MAX` takes the whole ranking.
///
/// # Formula
/// AP@k = (1 / |relevant items|) · Σ over relevant items of rank r ≤ k of P@r;
/// MAP@k is its mean over users.
///
/// With one relevant item this is 1 / rank, 0 beyond k: MRR cut at k.
///
/// The denominator is that of `trec_eval` (`map_cut`) and `ranx`: what is relevant but not found
/// counts as precision 0, as in the definition for the whole ranking. RecBole divides by
/// min(k, |relevant items|), which can fall as k grows: its AP@k is this one times
/// |relevant items| / min(k, |relevant items|). The two agree where k ≥ |relevant items|.
///
/// # Source
/// C. Buckley and E. M. Voorhees. *Evaluating evaluation measure stability.* SIGIR 2000; C. D.
/// Manning, P. Raghavan and H. Schütze. *Introduction to Information Retrieval*, chapter 8.
/// Cambridge University Press, 2008.
pub fn average_precision(ranks: &RelevantRanks, k: usize) -> f64 {
    let hits = ranks.ranks().iter().take_while(|&&rank| rank <= k);
    let precisions = hits.map(|&rank| ranks.hits(rank) as f64 / rank as f64);
    precisions.sum::<f64>() / ranks.relevant() as f64
}
