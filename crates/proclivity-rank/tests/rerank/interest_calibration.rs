//! Steck's calibration against enumeration, and that it never does worse than doing nothing.

use std::f64::consts::E;

use proclivity_rank::{InterestCalibration, InterestCalibrationConfig, Ranked};
use proptest::prelude::*;

use crate::{ITEMS, candidates, ids, item_at, subsets};

const INTERESTS: usize = 3;
const SMOOTHING: f64 = 0.01;

fn calibration(divergence_weight: f64) -> InterestCalibration {
    InterestCalibrationConfig { divergence_weight, smoothing: SMOOTHING }.build().unwrap()
}

/// Shares with zeros and ties among them.
fn shares() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![(0..3_i32).prop_map(f64::from), 0.0..2.0], INTERESTS)
        .prop_map(|weights| {
            let total: f64 = weights.iter().sum();
            let uniform = 1.0 / INTERESTS as f64;
            weights.iter().map(|x| if total > 0.0 { x / total } else { uniform }).collect()
        })
}

fn item_shares() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(shares(), ITEMS)
}

/// The objective as the paper writes it, with KL(p ‖ q̃) by its definition.
fn objective(
    list: &[Ranked],
    weight: f64,
    best_mass: f64,
    shares: &[f64],
    items: &[Vec<f64>],
) -> f64 {
    let score: f64 = list.iter().map(|x| x.probability).sum();
    let score = if best_mass > 0.0 { score / best_mass } else { 0.0 };
    (1.0 - weight) * score - weight * divergence(list, shares, items)
}

fn divergence(list: &[Ranked], shares: &[f64], items: &[Vec<f64>]) -> f64 {
    let term = |interest: usize| {
        let share = shares[interest];
        let of_list = list.iter().map(|x| items[x.item as usize][interest]).sum::<f64>();
        let smoothed = (1.0 - SMOOTHING) * of_list / list.len() as f64 + SMOOTHING * share;
        if share > 0.0 { share * (share / smoothed).ln() } else { 0.0 }
    };
    (0..INTERESTS).map(term).sum()
}

proptest! {
    #[test]
    fn it_is_the_naive_greedy_algorithm_or_the_most_probable_items(
        candidates in candidates(1..15),
        weight in 0.0..1.0,
        k in 1..8_usize,
        shares in shares(),
        items in item_shares(),
    ) {
        let list = calibration(weight).rerank(&candidates, k, &shares, |x| &items[x as usize]).unwrap().items;
        let n = k.min(candidates.len());
        let best_mass: f64 = candidates[..n].iter().map(|x| x.probability).sum();
        let smoothed = |x: usize, interest: usize| {
            let mass = items[candidates[x].item as usize][interest];
            (1.0 - SMOOTHING) * mass + SMOOTHING * shares[interest]
        };
        let mut greedy: Vec<usize> = Vec::new();
        while greedy.len() < n {
            let gain = |x: usize| {
                let term = |interest: usize| {
                    let sum: f64 = greedy.iter().map(|&x| smoothed(x, interest)).sum();
                    shares[interest] * (sum + smoothed(x, interest)).ln()
                };
                let terms: f64 = (0..INTERESTS).filter(|&x| shares[x] > 0.0).map(term).sum();
                let score = candidates[x].probability / best_mass.max(f64::MIN_POSITIVE);
                (1.0 - weight) * score + weight * terms
            };
            let rest = (0..candidates.len()).filter(|x| !greedy.contains(x));
            greedy.push(rest.reduce(|a, b| if gain(b) > gain(a) { b } else { a }).unwrap());
        }
        greedy.sort_unstable();
        let greedy: Vec<Ranked> = greedy.into_iter().map(|x| candidates[x]).collect();
        let value = |list: &[Ranked]| objective(list, weight, best_mass, &shares, &items);
        let original = &candidates[..n];
        prop_assert!(list == greedy || list == original);
        prop_assert!(value(&list) >= value(&greedy).max(value(original)) - 1e-9);
    }

    #[test]
    fn the_list_is_never_less_calibrated_than_the_most_probable_items(
        candidates in candidates(1..40),
        weight in prop_oneof![0.01..1.0, Just(1.0)],
        k in 1..12_usize,
        shares in shares(),
        items in item_shares(),
    ) {
        let calibration = calibration(weight);
        let interests = |x: u32| &items[x as usize][..];
        let list = calibration.rerank(&candidates, k, &shares, interests).unwrap().items;
        let original = &candidates[..k.min(candidates.len())];
        let after = calibration.divergence(&list, &shares, interests).unwrap();
        let before = calibration.divergence(original, &shares, interests).unwrap();
        prop_assert!((before - divergence(original, &shares, &items)).abs() < 1e-9);
        prop_assert!((0.0..=-SMOOTHING.ln() + 1e-9).contains(&after));
        prop_assert!(after <= before + 1e-9, "{after} > {before}");
    }

    #[test]
    fn weight_0_keeps_the_order(candidates in candidates(0..40), shares in shares(), items in item_shares()) {
        let list = calibration(0.0).rerank(&candidates, 40, &shares, |x| &items[x as usize]).unwrap();
        prop_assert_eq!(list.items, candidates);
    }

    #[test]
    fn it_keeps_its_bounds_against_every_list(
        candidates in candidates(3..9),
        weight in prop_oneof![0.05..1.0, Just(1.0)],
        n in 2..4_usize,
        shares in shares(),
        items in item_shares(),
    ) {
        let list = calibration(weight).rerank(&candidates, n, &shares, |x| &items[x as usize]).unwrap().items;
        let best_mass: f64 = candidates[..n].iter().map(|x| x.probability).sum();
        // The monotone form: the lists' lengths count.
        let value = |list: &[Ranked]| {
            objective(list, weight, best_mass, &shares, &items) + weight * (list.len() as f64).ln()
        };
        // What greedy takes first, even where the most probable items were kept instead.
        let alone = |x: &Ranked| value(&[*x]);
        let first = candidates.iter().copied().reduce(|a, b| if alone(&b) > alone(&a) { b } else { a }).unwrap();
        let of_first = alone(&first);
        let (mut with_first, mut of_all) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for set in subsets(candidates.len(), n).filter(|set| set.len() == n) {
            let set: Vec<Ranked> = set.into_iter().map(|x| candidates[x]).collect();
            of_all = of_all.max(value(&set));
            if set.contains(&first) {
                with_first = with_first.max(value(&set));
            }
        }
        let gained = value(&list) - of_first;
        prop_assert!(gained >= (1.0 - 1.0 / E) * (with_first - of_first) - 1e-9);
        let places = n as f64;
        let factor = 1.0 - (1.0 - 1.0 / places).powf(places - 1.0);
        prop_assert!(gained >= factor * (of_all - of_first) - 1e-9);
    }
}

/// Steck's own example: a user with 70 % romance and 30 % action whose most probable items are all
/// romance.
#[test]
fn the_minor_interest_gets_its_share() {
    let romance = [1.0, 0.0];
    let action = [0.0, 1.0];
    let candidates: Vec<Ranked> = (0..40)
        .map(|x| Ranked { item: item_at(x), probability: if x < 20 { 0.035 } else { 0.015 } })
        .collect();
    let is_romance: Vec<u32> = ids(&candidates[..20]);
    let interests = |item| if is_romance.contains(&item) { &romance[..] } else { &action[..] };
    let shares = [0.7, 0.3];
    let calibration = calibration(0.9);
    let list = calibration.rerank(&candidates, 10, &shares, interests).unwrap().items;
    assert_eq!(list.iter().filter(|x| is_romance.contains(&x.item)).count(), 7);
    assert!(calibration.divergence(&list, &shares, interests).unwrap() < 1e-12);
    let before = calibration.divergence(&candidates[..10], &shares, interests).unwrap();
    assert!(before > 0.8);
}

#[test]
fn greed_that_makes_things_worse_is_undone() {
    // The balanced item is the best first one, but leaves no balanced second one.
    let candidates =
        [(0, 0.5), (1, 0.3), (2, 0.2)].map(|(item, probability)| Ranked { item, probability });
    let items = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]];
    let interests = |item: u32| &items[item as usize][..];
    let rerank = |k| calibration(1.0).rerank(&candidates, k, &[0.5, 0.5], interests).unwrap();
    assert_eq!(ids(&rerank(1).items), [2]);
    assert_eq!(ids(&rerank(2).items), [0, 1]);
}
