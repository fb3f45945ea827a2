//! Lists that explore against hypotheses and enumeration; propensities against both.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::array;
use proclivity_posterior::{Belief, Dirichlet, Finite, PosteriorError};
use proclivity_rank::{
    PlackettLuce, PropensityConfig, RankError, TieBreak, rank_by_scores, thompson_list,
    upper_confidence_list,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn ties(items: usize) -> TieBreak {
    let ids: Vec<String> = (0..items).map(|item| format!("item-{item}")).collect();
    TieBreak::new(ids.iter().map(String::as_str), 7)
}

/// Every list of k distinct items out of n.
fn lists(n: u32, k: usize) -> Vec<Vec<u32>> {
    if k == 0 {
        return vec![vec![]];
    }
    let longer = |list: Vec<u32>| {
        let left = (0..n).filter(|item| !list.contains(item)).collect::<Vec<u32>>();
        left.into_iter().map(move |item| [&list[..], &[item]].concat())
    };
    lists(n, k - 1).into_iter().flat_map(longer).collect()
}

/// Who likes 0 and 1, or who likes 2 and 3: no list is half of each.
#[test]
fn one_draw_orders_the_whole_list() {
    let family = Finite::new(&[0.3, 0.7]).unwrap();
    let posterior = Belief::new(&family).posterior(&family).unwrap();
    let scores = array![[2.0, 1.0, -1.0, -2.0], [-2.0, -1.0, 1.0, 2.0]];
    let config = PropensityConfig { draws: 4_000, seed: 5 };
    let list = |admissible: fn(u32) -> bool| {
        config.estimate(|rng| {
            let list = thompson_list(&posterior, &scores.view(), 2, admissible, &ties(4), rng)?;
            let indices = list.indices();
            assert_eq!(list.items[0].score, if indices[0] == 1 { 1.0 } else { 2.0 });
            Ok(indices)
        })
    };
    let propensities = list(|_| true).unwrap();
    for (item, position, expected) in [(0, 0, 0.3), (1, 1, 0.3), (3, 0, 0.7), (2, 1, 0.7)] {
        let got = propensities.at(position, item);
        assert!((got.probability - expected).abs() < 4.0 * got.standard_error, "{got:?}");
        assert_eq!(propensities.shown(item), got);
        assert_eq!(propensities.at(1 - position, item).probability, 0.0);
    }
    // What is never drawn is not known to be impossible.
    assert!(propensities.at(0, 9).standard_error > 0.0);
    assert_eq!(list(|_| true).unwrap(), propensities);

    let filtered = list(|item| item != 0).unwrap();
    assert_eq!(filtered.shown(0).probability, 0.0);
    assert!(filtered.at(0, 1).probability > 0.2);
}

#[test]
fn bounds_prefer_what_is_uncertain() {
    // Shares .5, .3 and .2; the second item weighs two shares against each other.
    let posterior = Dirichlet::new(vec![5.0, 3.0, 2.0]).unwrap();
    let items = array![[1.0, 0.0, 0.0], [1.0, -0.2, 0.2], [0.45, 0.45, 0.45]];
    let list = |width, admissible: fn(u32) -> bool, k| {
        upper_confidence_list(&posterior, items.view(), width, k, admissible, &ties(3)).unwrap()
    };
    let greedy = list(0.0, |_| true, 3);
    assert_eq!(greedy.indices(), [0, 1, 2]);
    assert!((greedy.items[0].score - 0.5).abs() < 1e-12);
    assert!((greedy.items[2].score - 0.45).abs() < 1e-12);
    assert_eq!(list(2.0, |_| true, 3).indices(), [1, 0, 2]);
    let short = list(2.0, |item| item != 1, 3);
    assert_eq!((short.indices(), short.admissible, short.is_short()), (vec![0, 2], 2, true));
    assert!(matches!(
        upper_confidence_list(&posterior, items.view(), -1.0, 1, |_| true, &ties(3)),
        Err(RankError::Posterior(PosteriorError::OutOfRange { name: "width", .. }))
    ));
}

proptest! {
    #[test]
    fn probabilities_of_all_lists_sum_to_one(
        scores in prop::collection::vec(
            prop_oneof![4 => -3.0..3.0_f64, 1 => Just(f64::NEG_INFINITY), 1 => -900.0..900.0_f64], 5),
        temperature in 0.1..10.0_f64,
        excluded in 0..5_u32,
    ) {
        let admissible = |item: u32| item != excluded;
        let Ok(policy) = PlackettLuce::new(&scores, temperature, admissible) else {
            prop_assert!((0..5).all(|item| item == excluded as usize || scores[item].is_infinite()));
            return Ok(());
        };
        for k in 0..=policy.possible() {
            let mut total = 0.0;
            for list in lists(5, k) {
                let propensities = policy.propensities(&list).unwrap();
                total += propensities.iter().product::<f64>();
                if let (Some(first), Some(&item)) = (propensities.first(), list.first()) {
                    prop_assert!((first - policy.log_probs()[item as usize].exp()).abs() < 1e-12);
                }
            }
            prop_assert!((total - 1.0).abs() < 1e-12, "{k}: {total}");
        }
        let list = policy.sample(9, &mut ChaCha8Rng::seed_from_u64(1));
        prop_assert_eq!(list.len(), policy.possible());
        prop_assert!(!list.contains(&excluded));
    }

    #[test]
    fn scores_count_up_to_a_constant_and_in_units_of_the_temperature(
        scores in prop::collection::vec(-3.0..3.0_f64, 4), shift in -9.0..9.0_f64,
    ) {
        let policy = PlackettLuce::new(&scores, 0.5, |_| true).unwrap();
        let moved: Vec<f64> = scores.iter().map(|score| 2.0 * score + shift).collect();
        let moved = PlackettLuce::new(&moved, 1.0, |_| true).unwrap();
        for (a, b) in policy.log_probs().iter().zip(moved.log_probs()) {
            prop_assert!((a - b).abs() < 1e-12);
        }
    }
}

#[test]
fn draws_have_the_probabilities_of_the_formula() {
    let policy = PlackettLuce::new(&[1.0, 0.5, 0.0, -1.0, 2.0], 1.5, |item| item != 4).unwrap();
    let config = PropensityConfig { draws: 40_000, seed: 2 };
    let propensities = config.estimate(|rng| Ok(policy.sample(2, rng))).unwrap();
    let mut expected = [[0.0; 5]; 2];
    for list in lists(5, 2) {
        let probability: f64 = policy.propensities(&list).unwrap().iter().product();
        list.iter().zip(&mut expected).for_each(|(&item, sum)| sum[item as usize] += probability);
    }
    for item in 0..5 {
        let mut shown = 0.0;
        for (position, expected) in expected.iter().enumerate() {
            let got = propensities.at(position, item);
            let error = 4.0 * got.standard_error;
            assert!((got.probability - expected[item as usize]).abs() < error, "{item} {got:?}");
            shown += expected[item as usize];
        }
        let got = propensities.shown(item);
        assert!((got.probability - shown).abs() < 4.0 * got.standard_error, "{item} {got:?}");
    }
}

#[test]
fn hostile_input_is_refused() {
    let policy = |scores: &[f64], temperature| PlackettLuce::new(scores, temperature, |_| true);
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let result = policy(&[1.0], temperature);
        assert!(matches!(result, Err(RankError::OutOfRange { name: "temperature", .. })));
    }
    for value in [f64::NAN, f64::INFINITY] {
        let result = policy(&[1.0, value], 1.0);
        assert!(matches!(result, Err(RankError::InvalidScore { item: 1, .. })));
        let result = rank_by_scores(&[1.0, value], 1, |_| true, &ties(2));
        assert!(matches!(result, Err(RankError::InvalidScore { item: 1, .. })));
    }
    assert!(matches!(policy(&[], 1.0), Err(RankError::Empty { .. })));
    assert!(matches!(policy(&[f64::NEG_INFINITY], 1.0), Err(RankError::Empty { .. })));
    let two = policy(&[1.0, 2.0], 1.0).unwrap();
    assert_eq!(two.propensities(&[0, 0]), Err(RankError::DuplicateItem { item: 0 }));
    assert_eq!(two.propensities(&[2]), Err(RankError::UnknownItem { item: 2, items: 2 }));

    let config = PropensityConfig { draws: 0, ..Default::default() };
    assert!(matches!(config.estimate(|_| Ok(vec![])), Err(RankError::OutOfRange { .. })));
    let config = PropensityConfig { draws: 1, seed: 0 };
    let twice = config.estimate(|_| Ok(vec![3, 3]));
    assert_eq!(twice, Err(RankError::DuplicateItem { item: 3 }));
}
