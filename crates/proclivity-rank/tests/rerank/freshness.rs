//! The tilt: its identity, its derivative, and that it is the least divergence.

use proclivity_rank::{Freshness, FreshnessConfig, Ranked};
use proptest::prelude::*;

use crate::candidates;

fn freshness(boost: f64) -> Freshness {
    FreshnessConfig { boost, half_life: 10.0 }.build().unwrap()
}

fn age(item: u32) -> f64 {
    f64::from(item) * 0.7 - 3.0
}

/// 2^(−age / half-life), as the docs have it.
fn fresh(item: u32) -> f64 {
    0.5_f64.powf(age(item).max(0.0) / 10.0)
}

fn mass(list: &[Ranked]) -> f64 {
    list.iter().map(|x| x.probability).sum()
}

fn mean_freshness(list: &[Ranked]) -> f64 {
    list.iter().map(|x| x.probability * fresh(x.item)).sum::<f64>() / mass(list)
}

proptest! {
    #[test]
    fn boost_0_changes_nothing(candidates in candidates(0..40)) {
        prop_assert_eq!(freshness(0.0).rerank(&candidates, 40, age).unwrap().items, candidates);
    }

    #[test]
    fn odds_change_by_the_boost_and_the_mass_is_kept(
        candidates in candidates(2..40),
        boost in 0.0..5.0,
        k in 0..50_usize,
    ) {
        let list = freshness(boost).rerank(&candidates, 50, age).unwrap().items;
        prop_assert!((mass(&list) - mass(&candidates)).abs() < 1e-12);
        prop_assert!(list.windows(2).all(|x| x[0].probability >= x[1].probability));
        let before = |item: u32| candidates.iter().find(|x| x.item == item).unwrap().probability;
        for pair in list.windows(2).filter(|x| x[1].probability > 0.0) {
            let (a, b) = (pair[0], pair[1]);
            let change = (a.probability / b.probability).ln() - (before(a.item) / before(b.item)).ln();
            prop_assert!((change - boost * (fresh(a.item) - fresh(b.item))).abs() < 1e-9);
        }
        let head = freshness(boost).rerank(&candidates, k, age).unwrap();
        prop_assert_eq!(&head.items[..], &list[..k.min(list.len())]);
    }

    /// The derivative of the mean freshness in the boost is its variance: it never falls.
    #[test]
    fn mean_freshness_grows_with_the_boost(candidates in candidates(2..40), boost in 0.0..5.0) {
        if mass(&candidates) == 0.0 {
            return Ok(());
        }
        let at = |boost: f64| mean_freshness(&freshness(boost).rerank(&candidates, 40, age).unwrap().items);
        prop_assert!(at(boost + 0.5) >= at(boost) - 1e-12);
        let list = freshness(boost).rerank(&candidates, 40, age).unwrap().items;
        let mean = mean_freshness(&list);
        let squares = list.iter().map(|x| x.probability * (fresh(x.item) - mean).powi(2));
        let variance = squares.sum::<f64>() / mass(&list);
        let slope = (at(boost + 1e-4) - at(boost)) / 1e-4;
        prop_assert!((slope - variance).abs() < 1e-4, "{slope} {variance}");
    }

    /// Any other distribution with the same mean freshness is further from the candidates'.
    #[test]
    fn no_distribution_as_fresh_is_nearer(
        candidates in candidates(3..20),
        boost in 0.1..3.0,
        direction in prop::collection::vec(-1.0..1.0_f64, 20),
    ) {
        let candidates: Vec<Ranked> = candidates.into_iter().filter(|x| x.probability > 0.0).collect();
        if candidates.len() < 3 {
            return Ok(());
        }
        let list = freshness(boost).rerank(&candidates, 40, age).unwrap().items;
        let before = |item: u32| candidates.iter().find(|x| x.item == item).unwrap().probability;
        let divergence = |shift: &[f64]| -> f64 {
            let pairs = list.iter().zip(shift);
            pairs.map(|(x, d)| {
                let p = (x.probability + d) / mass(&candidates);
                p * (p / (before(x.item) / mass(&candidates))).ln()
            }).sum()
        };
        // A direction that changes neither the mass nor the mean freshness.
        let n = list.len() as f64;
        let features: Vec<f64> = list.iter().map(|x| fresh(x.item)).collect();
        let mean = features.iter().sum::<f64>() / n;
        let centred: Vec<f64> = features.iter().map(|x| x - mean).collect();
        let direction = &direction[..list.len()];
        let of_direction = direction.iter().sum::<f64>() / n;
        let square: f64 = centred.iter().map(|x| x * x).sum();
        let along: f64 = centred.iter().zip(direction).map(|(x, d)| x * d).sum::<f64>() / square;
        let least = list.last().unwrap().probability;
        let shift: Vec<f64> = centred.iter().zip(direction)
            .map(|(x, d)| (d - of_direction - along * x) * least * 0.2).collect();
        if list.iter().zip(&shift).any(|(x, d)| x.probability + d <= 0.0) {
            return Ok(());
        }
        prop_assert!(divergence(&shift) >= divergence(&vec![0.0; list.len()]) - 1e-12);
    }
}

#[test]
fn half_of_the_boost_is_left_after_a_half_life() {
    let freshness = freshness(2.0);
    let boosts = [-5.0, 0.0, 10.0, 20.0, f64::INFINITY].map(|age| freshness.log_boost(age));
    assert_eq!(boosts, [2.0, 2.0, 1.0, 0.5, 0.0]);
}
