//! The cap across users: that it holds, its bound by enumeration, and that no order matters.

use std::collections::BTreeMap;

use proclivity_rank::{CappedLists, ExposureCapConfig, Ranked, TieBreak};
use proptest::prelude::*;

use crate::{ids, subsets};

/// Users who share a catalog of twelve items; few distinct probabilities, so that ties are common.
fn batch(users: usize, items: usize) -> impl Strategy<Value = Vec<Vec<Ranked>>> {
    let probability = prop_oneof![(0..4_i32).prop_map(|x| f64::from(x) / 40.0), 0.0..0.1];
    let user = prop::collection::btree_map(0..12_u32, probability, 0..=items);
    prop::collection::vec(user, 1..=users).prop_map(|users| {
        let list = |user: BTreeMap<u32, f64>| {
            let ranked = |(item, probability)| Ranked { item, probability };
            let mut list: Vec<Ranked> = user.into_iter().map(ranked).collect();
            list.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            list
        };
        users.into_iter().map(list).collect()
    })
}

fn group(item: u32) -> u32 {
    item / 3
}

fn capped(batch: &[Vec<Ranked>], max_share: f64, k: usize) -> Option<CappedLists> {
    let names: Vec<String> = (0..batch.len()).map(|user| format!("user-{user}")).collect();
    let users = TieBreak::new(names.iter().map(String::as_str), 7);
    ExposureCapConfig { max_share }.build().unwrap().rerank(batch, k, group, &users).ok()
}

fn mass<'a>(lists: impl IntoIterator<Item = &'a Ranked>) -> f64 {
    lists.into_iter().map(|x| x.probability).sum()
}

proptest! {
    #[test]
    fn the_cap_holds_and_lists_are_as_long_as_it_lets_them(
        batch in batch(8, 12),
        max_share in 0.05..1.0,
        k in 1..8_usize,
    ) {
        let places: usize = batch.iter().map(|list| list.len().min(k)).sum();
        let Some(result) = capped(&batch, max_share, k) else {
            prop_assert!(places as f64 * max_share < 1.0);
            return Ok(());
        };
        prop_assert!(result.capacity as f64 / places.max(1) as f64 <= max_share);
        prop_assert!(places == 0 || (result.capacity + 1) as f64 / places as f64 > max_share);
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for x in result.lists.iter().flat_map(|list| &list.items) {
            *counts.entry(group(x.item)).or_default() += 1;
        }
        prop_assert!(counts.values().all(|&count| count <= result.capacity));
        let shown: usize = counts.values().sum();
        let largest = counts.values().max().map_or(0.0, |&x| x as f64 / shown as f64);
        prop_assert_eq!(result.largest_share(), largest);
        prop_assert_eq!(&counts, &result.exposures);

        for (list, candidates) in result.lists.iter().zip(&batch) {
            let listed = ids(&list.items);
            // A part of the candidates, in their order.
            let kept: Vec<Ranked> = candidates.iter().filter(|x| listed.contains(&x.item)).copied().collect();
            prop_assert_eq!(&kept, &list.items);
            prop_assert!(listed.len() <= k);
            if list.is_short() {
                let mut others = candidates.iter().filter(|x| !listed.contains(&x.item));
                prop_assert!(others.all(|x| counts[&group(x.item)] == result.capacity));
            }
        }
    }

    #[test]
    fn neither_the_order_of_users_nor_the_names_of_items_matter(
        batch in batch(8, 12),
        max_share in 0.1..1.0,
        rotation in 0..8_usize,
    ) {
        let n = batch.len();
        let names: Vec<String> = (0..n).map(|user| format!("user-{user}")).collect();
        let cap = ExposureCapConfig { max_share }.build().unwrap();
        let users = TieBreak::new(names.iter().map(String::as_str), 7);
        let Ok(there) = cap.rerank(&batch, 4, group, &users) else { return Ok(()) };

        let moved = |at: usize| (at * 11 + rotation) % n;
        // Another order of the users (11 has no divisor in common with n), and other indices of the items.
        let names: Vec<&str> = (0..n).map(|at| names[moved(at)].as_str()).collect();
        let renamed: Vec<Vec<Ranked>> = (0..n)
            .map(|at| batch[moved(at)].iter().map(|x| Ranked { item: 11 - x.item, ..*x }).collect())
            .collect();
        let users = TieBreak::new(names.into_iter(), 7);
        let back = cap.rerank(&renamed, 4, |item| 100 - group(11 - item), &users).unwrap();
        for at in 0..n {
            let expected: Vec<u32> = ids(&there.lists[moved(at)].items);
            let got: Vec<u32> = back.lists[at].items.iter().map(|x| 11 - x.item).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn at_least_half_of_the_best_is_reached(batch in batch(3, 4), max_share in 0.2..1.0) {
        let Some(result) = capped(&batch, max_share, 2) else { return Ok(()) };
        let mut best = 0.0_f64;
        let mut partial: Vec<Vec<Ranked>> = vec![Vec::new()];
        for list in &batch {
            let choices: Vec<Vec<usize>> = subsets(list.len(), 2).collect();
            partial = partial.iter().flat_map(|before| {
                choices.iter().map(|set| before.iter().copied().chain(set.iter().map(|&x| list[x])).collect())
            }).collect();
        }
        for lists in &partial {
            let count = |of: u32| lists.iter().filter(|x| group(x.item) == of).count();
            if (0..4).all(|of| count(of) <= result.capacity) {
                best = best.max(mass(lists));
            }
        }
        let reached = mass(result.lists.iter().flat_map(|list| &list.items));
        prop_assert!(reached <= best + 1e-12 && 2.0 * reached >= best - 1e-12);
    }

    #[test]
    fn a_share_of_everything_keeps_the_lists(batch in batch(8, 12), k in 1..14_usize) {
        let result = capped(&batch, 1.0, k).unwrap();
        for (list, candidates) in result.lists.iter().zip(&batch) {
            prop_assert_eq!(&list.items[..], &candidates[..k.min(candidates.len())]);
        }
    }
}

#[test]
fn the_share_of_decimal_fractions_is_exact() {
    let batch: Vec<Vec<Ranked>> =
        (0..100).map(|_| vec![Ranked { item: 0, probability: 0.5 }]).collect();
    assert_eq!(capped(&batch, 0.29, 1).unwrap().capacity, 29);
    assert_eq!(capped(&batch, 0.57, 1).unwrap().capacity, 57);
}
