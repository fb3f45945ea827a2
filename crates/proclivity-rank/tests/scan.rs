//! The exact scan against the plain loop in f64, and what its result may not depend on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_rank::{Filter, ItemMask, RankError, Scan, ScoredList, TieBreak, top_k};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn ties(items: usize) -> TieBreak {
    let ids: Vec<String> = (0..items).map(|item| format!("item-{item}")).collect();
    TieBreak::new(ids.iter().map(String::as_str), 7)
}

fn uniform(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Scores in f64, `[queries, items]`.
fn plain(vectors: &[f32], bias: &[f32], queries: &[f32], dim: usize) -> Vec<Vec<f64>> {
    let score = |query: &[f32], vector: &[f32], bias: f32| {
        let pairs = query.iter().zip(vector);
        pairs.map(|(&q, &x)| f64::from(q) * f64::from(x)).sum::<f64>() + f64::from(bias)
    };
    let of_query =
        |query| vectors.chunks(dim).zip(bias).map(|(x, &b)| score(query, x, b)).collect();
    queries.chunks(dim).map(of_query).collect()
}

fn items(list: &ScoredList) -> Vec<u32> {
    list.items.iter().map(|scored| scored.item).collect()
}

fn bits(lists: &[ScoredList]) -> Vec<Vec<(u32, u32)>> {
    let of_list = |list: &ScoredList| {
        list.items.iter().map(|scored| (scored.item, (scored.score as f32).to_bits())).collect()
    };
    lists.iter().map(of_list).collect()
}

proptest! {
    /// Small whole numbers, whose sums are exact in f32, and so full of ties.
    #[test]
    fn lists_and_ties_are_those_of_the_plain_loop(
        (dim, count, queries) in (1..40_usize, 0..80_usize, 0..10_usize),
        k in 0..90_usize,
        modulus in 1..5_u32,
        seen_modulus in 2..6_u32,
        seed in any::<u64>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut whole = |n: usize| -> Vec<f32> {
            (0..n).map(|_| rng.random_range(-1_i8..=1).into()).collect()
        };
        let (vectors, bias, asked) = (whole(count * dim), whole(count), whole(queries * dim));
        let ties = ties(count);
        let mask = ItemMask::from_fn(count, |item| item.is_multiple_of(modulus));
        let seen: Vec<Vec<u32>> = (0..queries as u32)
            .map(|q| (0..count as u32).filter(|x| (x + q).is_multiple_of(seen_modulus)).collect())
            .collect();
        let slices: Vec<&[u32]> = seen.iter().map(Vec::as_slice).collect();
        let scan = Scan::new(&vectors, dim, &ties).unwrap().with_bias(&bias).unwrap();
        let filter = Filter { mask: Some(&mask), seen: Some(&slices) };
        let lists = scan.top_k(&asked, k, filter).unwrap();
        prop_assert_eq!(lists.len(), queries);
        let scores = plain(&vectors, &bias, &asked, dim);
        for ((list, scores), seen) in lists.iter().zip(&scores).zip(&seen) {
            let admissible = |item| mask.contains(item) && !seen.contains(&item);
            let expected = top_k(scores, k, admissible, &ties).unwrap();
            prop_assert_eq!(items(list), expected.items.iter().map(|x| x.item).collect::<Vec<_>>());
            prop_assert!(list.items.iter().all(|x| x.score == scores[x.item as usize]));
            prop_assert_eq!((list.requested, list.admissible), (k, expected.admissible));
            prop_assert_eq!((list.is_short(), list.missing()), (expected.is_short(), 0));
        }
    }

    #[test]
    fn scores_are_those_of_the_plain_loop_up_to_rounding(
        (dim, count, queries) in (1..300_usize, 1..60_usize, 1..40_usize),
        k in 1..20_usize,
        seed in any::<u64>(),
    ) {
        let (vectors, bias) = (uniform(count * dim, seed), uniform(count, !seed));
        let (asked, ties) = (uniform(queries * dim, seed ^ 1), ties(count));
        let scan = Scan::new(&vectors, dim, &ties).unwrap().with_bias(&bias).unwrap();
        let lists = scan.top_k(&asked, k, Filter::default()).unwrap();
        // dim/8 additions in a lane, three of lanes, one of the bias, none of a sum above dim + 1.
        let bound = (dim as f64 / 8.0 + 5.0) * (dim as f64 + 1.0) * f64::from(f32::EPSILON);
        for (list, scores) in lists.iter().zip(plain(&vectors, &bias, &asked, dim)) {
            let mut expected = scores.clone();
            expected.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(list.items.len(), k.min(count));
            for (scored, best) in list.items.iter().zip(expected) {
                prop_assert!((scored.score - scores[scored.item as usize]).abs() < bound);
                prop_assert!((scored.score - best).abs() < bound);
            }
        }
    }

    #[test]
    fn masks_are_sets(len in 0..200_usize, a in 1..7_u32, b in 1..7_u32) {
        let of = |n: u32| ItemMask::from_fn(len, move |item| item.is_multiple_of(n));
        let (left, right) = (of(a), of(b));
        let both = left.and(&right).unwrap();
        for item in 0..len as u32 + 100 {
            let exists = (item as usize) < len;
            let (in_left, in_right) = (item.is_multiple_of(a), item.is_multiple_of(b));
            prop_assert_eq!(both.contains(item), exists && in_left && in_right);
            prop_assert_eq!(left.not().contains(item), exists && !in_left);
        }
        prop_assert_eq!(&left.or(&right).unwrap(), &left.not().and(&right.not()).unwrap().not());
        prop_assert_eq!(left.count() + left.not().count(), len);
        prop_assert_eq!(left.iter().count(), left.count());
    }
}

#[test]
fn neither_threads_nor_other_queries_change_a_bit() {
    let (count, dim, queries) = (3_000, 77, 70);
    let (vectors, asked, ties) = (uniform(count * dim, 1), uniform(queries * dim, 2), ties(count));
    let scan = Scan::new(&vectors, dim, &ties).unwrap();
    let together = bits(&scan.top_k(&asked, 25, Filter::default()).unwrap());
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let lists = pool.install(|| scan.top_k(&asked, 25, Filter::default())).unwrap();
        assert_eq!(bits(&lists), together, "{threads} threads");
    }
    for several in [1, 2, 3, 7, 33] {
        let parts = asked.chunks(several * dim);
        let apart: Vec<_> = parts
            .flat_map(|part| bits(&scan.top_k(part, 25, Filter::default()).unwrap()))
            .collect();
        assert_eq!(apart, together, "{several} queries at a time");
    }
    // Nor does what a mask leaves out.
    let mask = ItemMask::from_fn(count, |item| item % 7 == 3);
    let filter = Filter { mask: Some(&mask), ..Filter::default() };
    let all = scan.top_k(&asked, count, Filter::default()).unwrap();
    for (masked, all) in scan.top_k(&asked, count, filter).unwrap().iter().zip(all) {
        let expected: Vec<_> = all.items.into_iter().filter(|x| x.item % 7 == 3).collect();
        assert_eq!(masked.items, expected);
    }
}

#[test]
fn the_catalog_may_stand_in_any_order() {
    let (count, dim) = (500, 3);
    // Whole numbers, so that there are ties to break.
    let vectors: Vec<f32> = uniform(count * dim, 3).iter().map(|x| (2.0 * x).round()).collect();
    let backwards: Vec<f32> = vectors.chunks(dim).rev().flatten().copied().collect();
    let ids: Vec<String> = (0..count).map(|item| format!("item-{item}")).collect();
    let forth = ties(count);
    let back = TieBreak::new(ids.iter().rev().map(String::as_str), 7);
    let query = [1.0, 0.0, -1.0];
    let list = |vectors: &[f32], ties: &TieBreak| {
        Scan::new(vectors, dim, ties)
            .unwrap()
            .top_k(&query, 40, Filter::default())
            .unwrap()
            .remove(0)
    };
    let reversed: Vec<u32> =
        items(&list(&backwards, &back)).iter().map(|item| count as u32 - 1 - item).collect();
    assert_eq!(items(&list(&vectors, &forth)), reversed);
}

#[test]
fn short_lists_say_so() {
    let (one, three) = (ties(1), ties(3));
    let scan = Scan::new(&[2.0], 1, &one).unwrap();
    let list = &scan.top_k(&[3.0], 5, Filter::default()).unwrap()[0];
    assert_eq!((list.items[0].score, list.items.len(), list.is_short()), (6.0, 1, true));
    let nothing = ItemMask::from_fn(3, |_| false);
    let scan = Scan::new(&[1.0, 2.0, 3.0], 1, &three).unwrap();
    for filter in [
        Filter { mask: Some(&nothing), seen: None },
        Filter { mask: None, seen: Some(&[&[0, 1, 2]]) },
        Filter { mask: Some(&nothing), seen: Some(&[&[0, 1, 2]]) },
    ] {
        let list = &scan.top_k(&[1.0], 2, filter).unwrap()[0];
        assert_eq!((list.items.len(), list.admissible, list.requested), (0, 0, 2));
        assert!(list.is_short());
    }
    assert!(!scan.top_k(&[1.0], 0, Filter::default()).unwrap()[0].is_short());
    assert!(scan.top_k(&[], 2, Filter::default()).unwrap().is_empty());
    let none = ties(0);
    let list =
        &Scan::new(&[], 4, &none).unwrap().top_k(&[0.0; 4], 2, Filter::default()).unwrap()[0];
    assert_eq!((list.admissible, list.is_short()), (0, true));
}

#[test]
fn hostile_input_is_refused() {
    let (two, one) = (ties(2), ties(1));
    let length = |error| matches!(error, RankError::Length { .. });
    assert!(length(Scan::new(&[1.0, 2.0], 0, &two).unwrap_err()));
    assert!(length(Scan::new(&[1.0, 2.0, 3.0], 1, &two).unwrap_err()));
    assert!(length(Scan::new(&[1.0], usize::MAX, &two).unwrap_err()));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let at = |error| matches!(error, RankError::NotFinite { position: 1, .. });
        assert!(at(Scan::new(&[1.0, value], 1, &two).unwrap_err()));
        let scan = Scan::new(&[1.0, 2.0], 1, &two).unwrap();
        assert!(at(scan.clone().with_bias(&[0.0, value]).unwrap_err()));
        assert!(at(scan.top_k(&[0.0, value], 1, Filter::default()).unwrap_err()));
    }
    let scan = Scan::new(&[1.0, 2.0], 2, &one).unwrap();
    assert!(length(scan.top_k(&[1.0; 3], 1, Filter::default()).unwrap_err()));
    assert!(length(scan.clone().with_bias(&[]).unwrap_err()));
    let mask = ItemMask::from_fn(2, |_| true);
    let filter = Filter { mask: Some(&mask), seen: None };
    assert!(length(scan.top_k(&[1.0; 2], 1, filter).unwrap_err()));
    assert!(length(mask.or(&ItemMask::from_fn(3, |_| true)).unwrap_err()));
    assert!(length(scan.top_k(&[1.0; 2], 1, Filter { mask: None, seen: Some(&[]) }).unwrap_err()));
    let scan = Scan::new(&[1.0, 2.0], 1, &two).unwrap();
    for (seen, position) in [(&[1, 0][..], 1), (&[0, 0], 1), (&[2], 0)] {
        let error = scan.top_k(&[1.0], 1, Filter { mask: None, seen: Some(&[seen]) }).unwrap_err();
        assert_eq!(error, RankError::SeenItem { query: 0, position, item: seen[position] });
    }
}

#[test]
fn a_score_beyond_f32_is_an_error_unless_its_item_is_filtered_out() {
    let ties = ties(40);
    let mut vectors = [1.0; 40];
    for (value, query) in [(f32::MAX, 2.0), (f32::MAX, -2.0)] {
        (vectors[7], vectors[30]) = (value, value);
        let scan = Scan::new(&vectors, 1, &ties).unwrap();
        let top = |seen: &[u32]| {
            scan.top_k(&[1.0, query], 3, Filter { mask: None, seen: Some(&[&[], seen]) })
        };
        assert_eq!(top(&[]).unwrap_err(), RankError::ScoreOverflow { query: 1, item: 7 });
        assert_eq!(top(&[7]).unwrap_err(), RankError::ScoreOverflow { query: 1, item: 30 });
        assert_eq!(top(&[7, 30]).unwrap()[1].admissible, 38);
    }
}
