//! The laws of the re-rankers, against plain algorithms and enumeration.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod category_cap;
mod dpp;
mod exposure;
mod freshness;
mod hostile;
mod interest_calibration;
mod mmr;

use proclivity_rank::Ranked;
use proptest::prelude::*;

/// Candidates whose items aren't their positions, with ties and zeros among the probabilities, the
/// most probable first.
fn candidates(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Ranked>> {
    let weight = prop_oneof![(0..4_i32).prop_map(f64::from), 0.0..4.0, Just(-0.0)];
    prop::collection::vec(weight, len).prop_map(|mut weights| {
        weights.sort_by(|a, b| b.total_cmp(a));
        let total = weights.iter().sum::<f64>().max(1.0);
        let ranked = |(position, weight): (usize, &f64)| Ranked {
            item: item_at(position),
            probability: weight / total,
        };
        weights.iter().enumerate().map(ranked).collect()
    })
}

/// Neither ascending nor descending; distinct up to 97 positions.
fn item_at(position: usize) -> u32 {
    (position as u32 * 41 + 13) % 97
}

const ITEMS: usize = 97;

/// A number from −1 to 1 per item and column, the same for the same seed.
fn embeddings(dim: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0..1.0_f32, ITEMS * dim)
}

/// Every set of up to `k` positions below `n`.
fn subsets(n: usize, k: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_u32 << n)
        .filter(move |set| set.count_ones() as usize <= k)
        .map(move |set| (0..n).filter(|position| set >> position & 1 == 1).collect())
}

fn ids(list: &[Ranked]) -> Vec<u32> {
    list.iter().map(|ranked| ranked.item).collect()
}
