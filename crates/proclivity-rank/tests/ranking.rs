//! Partial selection against a full sort, and the laws of a ranking.

use proclivity_rank::{RankError, TieBreak, rank_of, top_k};
use proptest::prelude::*;

fn ties(items: usize) -> TieBreak {
    let ids: Vec<String> = (0..items).map(|item| format!("item-{item}")).collect();
    TieBreak::new(ids.iter().map(String::as_str), 7)
}

/// Few distinct values, so that ties are common; among them −∞ and both zeros.
fn log_probs() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        (0..4_i32).prop_map(|value| -f64::from(value)),
        Just(-0.0),
        Just(f64::NEG_INFINITY),
        -700.0..0.0,
    ];
    prop::collection::vec(value, 0..60)
}

proptest! {
    #[test]
    fn selection_is_the_head_of_a_full_sort(
        log_probs in log_probs(),
        k in 0..70_usize,
        modulus in 1..5_u32,
    ) {
        let ties = ties(log_probs.len());
        let admissible = |item: u32| item % modulus == 0;
        let ranking = top_k(&log_probs, k, admissible, &ties).unwrap();
        // All admissible items, sorted: a list of everything is a full sort by the definition,
        // checked below; each shorter list has to be its head.
        let all = top_k(&log_probs, usize::MAX, admissible, &ties).unwrap();
        let mut expected: Vec<u32> = (0..log_probs.len() as u32).filter(|&x| admissible(x)).collect();
        expected.sort_by(|&a, &b| log_probs[b as usize].partial_cmp(&log_probs[a as usize]).unwrap());
        prop_assert_eq!(all.items.len(), expected.len());
        for (ranked, &item) in all.items.iter().zip(&expected) {
            prop_assert_eq!(log_probs[ranked.item as usize], log_probs[item as usize]);
        }
        let mut listed: Vec<u32> = all.items.iter().map(|ranked| ranked.item).collect();
        listed.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(&listed, &expected);

        prop_assert_eq!(ranking.admissible, expected.len());
        prop_assert_eq!(&ranking.items[..], &all.items[..k.min(expected.len())]);
        prop_assert_eq!(ranking.is_short(), k > expected.len());

        let mass: f64 = all.items.iter().map(|ranked| ranked.probability).sum();
        let possible = expected.iter().any(|&x| log_probs[x as usize] > f64::NEG_INFINITY);
        prop_assert!((mass - f64::from(u8::from(possible))).abs() < 1e-12);
    }

    #[test]
    fn the_rank_is_the_last_place_among_ties(log_probs in log_probs(), modulus in 1..5_u32) {
        let admissible = |item: u32| item % modulus == 0;
        let all = top_k(&log_probs, usize::MAX, admissible, &ties(log_probs.len())).unwrap();
        for (position, ranked) in all.items.iter().enumerate() {
            let score = log_probs[ranked.item as usize];
            let tied = all.items[position + 1..].iter().take_while(|x| log_probs[x.item as usize] == score);
            prop_assert_eq!(rank_of(&log_probs, ranked.item, admissible), position + 1 + tied.count());
        }
    }

    #[test]
    fn renaming_positions_changes_nothing(log_probs in log_probs(), k in 0..20_usize) {
        let n = log_probs.len();
        let ids: Vec<String> = (0..n).map(|item| format!("item-{item}")).collect();
        let backwards = TieBreak::new(ids.iter().rev().map(String::as_str), 7);
        let reversed: Vec<f64> = log_probs.iter().rev().copied().collect();
        let there = top_k(&log_probs, k, |_| true, &ties(n)).unwrap();
        let back = top_k(&reversed, k, |_| true, &backwards).unwrap();
        for (a, b) in there.items.iter().zip(&back.items) {
            prop_assert_eq!(a.item as usize, n - 1 - b.item as usize);
            prop_assert!((a.probability - b.probability).abs() < 1e-12);
        }
    }
}

#[test]
fn probabilities_are_renormalised_over_what_is_admissible() {
    let log_probs = [0.5, 0.25, 0.15, 0.1].map(f64::ln);
    let ranking = top_k(&log_probs, 2, |item| item != 0, &ties(4)).unwrap();
    assert_eq!(ranking.items[0].item, 1);
    assert!((ranking.items[0].probability - 0.5).abs() < 1e-12);
    assert!((ranking.items[1].probability - 0.3).abs() < 1e-12);
    assert!((ranking.log_mass.exp() - 0.5).abs() < 1e-12);
}

#[test]
fn hostile_input_is_refused_or_documented() {
    for value in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            top_k(&[-1.0, value], 1, |item| item == 0, &ties(2)),
            Err(RankError::InvalidLogProb { item: 1, .. })
        ));
    }
    assert!(matches!(
        top_k(&[-1.0], 1, |_| true, &ties(2)),
        Err(RankError::Length { expected: 1, got: 2, .. })
    ));
    let nothing = top_k(&[-1.0, -2.0], 3, |_| false, &ties(2)).unwrap();
    assert!(nothing.items.is_empty() && nothing.is_short());
    assert_eq!(nothing.log_mass, f64::NEG_INFINITY);
    assert_eq!(rank_of(&[f64::NAN, -1.0, -2.0], 0, |_| true), 3);
    assert_eq!(rank_of(&[f64::NAN, -1.0, -2.0], 1, |_| true), 2);
}
