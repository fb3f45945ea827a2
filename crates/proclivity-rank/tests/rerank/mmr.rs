//! MMR against the definition, evaluated from scratch for each place.

use proclivity_rank::{CosineSimilarity, Mmr, MmrConfig};
use proptest::prelude::*;

use crate::{candidates, embeddings, ids};

fn mmr(diversity_weight: f64) -> Mmr {
    MmrConfig { diversity_weight }.build().unwrap()
}

proptest! {
    #[test]
    fn each_place_is_the_argmax_of_the_definition(
        candidates in candidates(1..40),
        k in 0..50_usize,
        weight in prop_oneof![Just(0.0), 0.0..1.0, Just(1.0)],
        rows in embeddings(3),
    ) {
        let cosine = CosineSimilarity::new(&rows, 3).unwrap();
        let list = mmr(weight).rerank(&candidates, k, |a, b| cosine.between(a, b)).unwrap();
        prop_assert_eq!(list.items.len(), k.min(candidates.len()));
        prop_assert_eq!(list.is_short(), k > candidates.len());

        let max = candidates[0].probability;
        let mut rest = candidates.clone();
        for (place, chosen) in list.items.iter().enumerate() {
            let before = &list.items[..place];
            let value = |x: &proclivity_rank::Ranked| {
                let alike = before.iter().map(|y| cosine.between(x.item, y.item));
                let nearest = alike.reduce(f64::max).unwrap_or(0.0);
                let relevance = if max > 0.0 { x.probability / max } else { 0.0 };
                (1.0 - weight) * relevance - weight * nearest
            };
            // The first of the largest.
            let mut best = 0;
            for x in 1..rest.len() {
                if value(&rest[x]) > value(&rest[best]) {
                    best = x;
                }
            }
            prop_assert_eq!(rest.remove(best), *chosen);
        }
    }

    #[test]
    fn weight_0_keeps_the_order(candidates in candidates(0..40), rows in embeddings(2)) {
        let cosine = CosineSimilarity::new(&rows, 2).unwrap();
        let list = mmr(0.0).rerank(&candidates, 40, |a, b| cosine.between(a, b)).unwrap();
        prop_assert_eq!(list.items, candidates);
    }
}

#[test]
fn a_twin_of_the_first_makes_way() {
    let ranked = |item, probability| proclivity_rank::Ranked { item, probability };
    let candidates = [ranked(0, 0.4), ranked(1, 0.39), ranked(2, 0.1)];
    let rows = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let cosine = CosineSimilarity::new(&rows, 2).unwrap();
    let list = mmr(0.5).rerank(&candidates, 3, |a, b| cosine.between(a, b)).unwrap();
    assert_eq!(ids(&list.items), [0, 2, 1]);
}

#[test]
fn cosines_are_those_of_the_definition() {
    let rows: Vec<f32> = (0..33_u8).map(|x| f32::from(x).sin()).collect();
    let cosine = CosineSimilarity::new(&rows, 11).unwrap();
    let dot = |a: usize, b: usize| -> f64 {
        (0..11).map(|x| f64::from(rows[a * 11 + x]) * f64::from(rows[b * 11 + x])).sum()
    };
    let expected = dot(0, 2) / (dot(0, 0) * dot(2, 2)).sqrt();
    assert!((cosine.between(0, 2) - expected).abs() < 1e-12);
    assert_eq!(cosine.between(1, 2), cosine.between(2, 1));
    let zero = CosineSimilarity::new(&[0.0, 0.0, 1.0, 0.0], 2).unwrap();
    assert_eq!([zero.between(0, 0), zero.between(0, 1), zero.between(1, 1)], [1.0, 0.0, 1.0]);
}
