//! The cap within a list, against enumeration.

use std::collections::HashMap;

use proclivity_rank::{CategoryCap, CategoryCapConfig, Ranked};
use proptest::prelude::*;

use crate::{candidates, subsets};

fn cap(max_per_category: usize) -> CategoryCap {
    CategoryCapConfig { max_per_category }.build().unwrap()
}

fn most(list: &[Ranked], categories: impl Fn(u32) -> Vec<u32>) -> usize {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    list.iter().flat_map(|x| categories(x.item)).for_each(|x| *counts.entry(x).or_default() += 1);
    counts.into_values().max().unwrap_or(0)
}

/// None, one or two categories an item.
fn several(item: u32) -> Vec<u32> {
    match item % 3 {
        0 => vec![],
        1 => vec![item % 4],
        _ => vec![item % 4, 4 + item % 2],
    }
}

proptest! {
    #[test]
    fn the_cap_holds_and_nothing_passes_over(
        candidates in candidates(0..40),
        k in 0..50_usize,
        max in 1..4_usize,
    ) {
        let list = cap(max).rerank(&candidates, k, several).unwrap();
        prop_assert!(most(&list.items, several) <= max);
        // What isn't listed, though its turn came, had no room when it came.
        let full = list.items.len() == k;
        let mut before = Vec::new();
        for x in &candidates {
            if list.items.contains(x) {
                before.push(*x);
            } else if before.len() < k || !full {
                let tried: Vec<Ranked> = before.iter().chain([x]).copied().collect();
                prop_assert!(most(&tried, several) > max);
            }
        }
        prop_assert_eq!(before, list.items);
    }

    #[test]
    fn no_list_under_the_cap_is_more_probable(candidates in candidates(1..10), k in 1..6_usize, max in 1..3_usize) {
        let category = |item: u32| vec![item % 3];
        let list = cap(max).rerank(&candidates, k, category).unwrap().items;
        let mass = |list: &[Ranked]| list.iter().map(|x| x.probability).sum::<f64>();
        for set in subsets(candidates.len(), k) {
            let set: Vec<Ranked> = set.into_iter().map(|x| candidates[x]).collect();
            if most(&set, category) <= max {
                prop_assert!(mass(&set) <= mass(&list) + 1e-12 && set.len() <= list.len());
            }
        }
    }

    #[test]
    fn a_cap_of_the_whole_list_keeps_the_order(candidates in candidates(0..40), k in 1..50_usize) {
        let list = cap(k).rerank(&candidates, k, several).unwrap().items;
        prop_assert_eq!(&list[..], &candidates[..k.min(candidates.len())]);
    }
}

#[test]
fn a_category_named_twice_counts_once() {
    let candidates = [0, 1].map(|item| Ranked { item, probability: 0.5 });
    let list = cap(2).rerank(&candidates, 2, |_| [7, 7]).unwrap();
    assert!(!list.is_short());
    assert!(cap(1).rerank(&candidates, 2, |_| [7, 7]).unwrap().is_short());
}
