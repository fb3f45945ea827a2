//! Search in a graph against the exact scan.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_rank::{ApproximateConfig, Filter, ItemMask, RankError, Scan, TieBreak};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 3_000;
const DIM: usize = 12;

fn uniform(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn ties() -> TieBreak {
    let ids: Vec<String> = (0..ITEMS).map(|item| format!("item-{item}")).collect();
    TieBreak::new(ids.iter().map(String::as_str), 7)
}

#[test]
fn most_of_the_exact_list_is_found_with_its_exact_scores() {
    let (vectors, bias, ties) = (uniform(ITEMS * DIM, 1), uniform(ITEMS, 2), ties());
    let queries = uniform(50 * DIM, 3);
    let scan = Scan::new(&vectors, DIM, &ties).unwrap().with_bias(&bias).unwrap();
    let config = ApproximateConfig { exact_up_to: 100, ..ApproximateConfig::default() };
    let graph = config.clone().build(&scan).unwrap();
    let recall = graph.recall(&queries, 10, Filter::default()).unwrap();
    assert!(recall > 0.95, "{recall}");

    // Whatever is found has the exact scan's score, so that a list that agrees agrees to the bit.
    let lists = graph.top_k(&queries, 10, Filter::default()).unwrap();
    let exact = scan.top_k(&queries, 10, Filter::default()).unwrap();
    let equal = lists.iter().zip(&exact).filter(|(list, exact)| list == exact).count();
    assert!(equal > 35, "{equal}");
    let again = config.build(&scan).unwrap();
    assert_eq!(again.top_k(&queries, 10, Filter::default()).unwrap(), lists);
}

#[test]
fn filters_hold_and_a_list_says_what_it_misses() {
    let (vectors, ties) = (uniform(ITEMS * DIM, 1), ties());
    let scan = Scan::new(&vectors, DIM, &ties).unwrap();
    let config = ApproximateConfig {
        exact_up_to: 100,
        search_candidates: 1,
        ..ApproximateConfig::default()
    };
    let graph = config.build(&scan).unwrap();
    let query = uniform(DIM, 4);
    let best = scan.top_k(&query, 1, Filter::default()).unwrap()[0].items[0].item;
    let few = ItemMask::from_fn(ITEMS, |item| item % 25 == best % 25);
    let seen = [best];
    let seen = [&seen[..]];
    let filter = Filter { mask: Some(&few), seen: Some(&seen) };
    let list = graph.top_k(&query, 50, filter).unwrap().remove(0);
    assert_eq!((list.requested, list.admissible), (50, ITEMS / 25 - 1));
    assert!(list.items.iter().all(|scored| few.contains(scored.item) && scored.item != best));
    assert_eq!(list.missing(), 50 - list.items.len());
    assert_eq!(list.is_short(), list.items.len() < 50);

    // Few enough are scanned.
    let few = ItemMask::from_fn(ITEMS, |item| item % 40 == 3);
    let filter = Filter { mask: Some(&few), seen: None };
    assert_eq!(graph.top_k(&query, 50, filter), scan.top_k(&query, 50, filter));
    assert_eq!(graph.recall(&query, 50, filter), Ok(1.0));
}

#[test]
fn hostile_input_is_refused_and_extreme_vectors_are_searched() {
    let ties = ties();
    let scan_of = |value: f32| vec![value; ITEMS];
    for value in [0.0, 1e-38, 1e18] {
        let vectors = scan_of(value);
        let scan = Scan::new(&vectors, 1, &ties).unwrap();
        let config = ApproximateConfig {
            exact_up_to: 0,
            build_candidates: 20,
            parallel: true,
            ..ApproximateConfig::default()
        };
        let graph = config.build(&scan).unwrap();
        assert_eq!(graph.recall(&[1e18, 0.0], 3, Filter::default()), Ok(1.0), "{value}");
        assert!(graph.top_k(&[f32::NAN], 3, Filter::default()).is_err());
    }
    let vectors = scan_of(1.0);
    let scan = Scan::new(&vectors, 1, &ties).unwrap();
    let default = ApproximateConfig::default;
    for (config, bad) in [
        (ApproximateConfig { neighbors: 256, build_candidates: 300, ..default() }, "neighbors"),
        (ApproximateConfig { neighbors: 1, ..default() }, "neighbors"),
        (ApproximateConfig { build_candidates: 15, ..default() }, "build_candidates"),
        (ApproximateConfig { search_candidates: 0, ..default() }, "search_candidates"),
    ] {
        let error = config.build(&scan).unwrap_err();
        assert!(matches!(error, RankError::OutOfRange { name, .. } if name == bad), "{error}");
    }
}
