//! Identities, ranges and values worked by hand of the accuracy metrics.

use proclivity_eval::EvalError;
use proclivity_eval::metrics::{
    RelevantRanks, f1, hit_rate, ndcg, precision, recall, reciprocal_rank,
};
use proptest::prelude::*;

/// Distinct ranks, a few relevant items unranked.
fn ranks() -> impl Strategy<Value = RelevantRanks> {
    (prop::collection::btree_set(1..50_usize, 0..8), 0..3_usize)
        .prop_filter("at least one relevant item", |(ranked, missed)| ranked.len() + missed > 0)
        .prop_map(|(ranked, missed)| {
            let ranks = ranked.into_iter().map(Some).chain(vec![None; missed]);
            RelevantRanks::new(ranks).unwrap()
        })
}

proptest! {
    #[test]
    fn every_metric_is_in_range_and_grows_where_it_should(ranks in ranks(), k in 0..60_usize) {
        for metric in [hit_rate, precision, recall, f1, ndcg] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&metric(&ranks, k)));
            prop_assert_eq!(metric(&ranks, 0), 0.0);
            prop_assert_eq!(metric(&ranks, k) > 0.0, ranks.hits(k) > 0);
        }
        prop_assert!((0.0..=1.0).contains(&reciprocal_rank(&ranks)));
        for metric in [hit_rate, recall] {
            prop_assert!(metric(&ranks, k) <= metric(&ranks, k + 1));
        }
        // hits = k·P = relevant·R
        let hits = k as f64 * precision(&ranks, k);
        prop_assert!((hits - ranks.relevant() as f64 * recall(&ranks, k)).abs() < 1e-9);
        // F1 = 2·hits / (k + relevant)
        prop_assert!((f1(&ranks, k) - 2.0 * hits / (k + ranks.relevant()) as f64).abs() < 1e-12);
    }

    #[test]
    fn with_one_relevant_item_they_reduce_to_its_rank(rank in 1..50_usize, k in 1..50_usize) {
        let ranks = RelevantRanks::new([Some(rank)]).unwrap();
        let hit = f64::from(u8::from(rank <= k));
        prop_assert_eq!(hit_rate(&ranks, k), hit);
        prop_assert_eq!(recall(&ranks, k), hit);
        prop_assert_eq!(precision(&ranks, k), hit / k as f64);
        prop_assert!((ndcg(&ranks, k) - hit / (rank as f64 + 1.0).log2()).abs() < 1e-15);
        prop_assert_eq!(reciprocal_rank(&ranks), 1.0 / rank as f64);
    }

    #[test]
    fn the_best_ranking_is_perfect(relevant in 1..20_usize, k in 1..30_usize) {
        let ranks = RelevantRanks::new((1..=relevant).map(Some)).unwrap();
        prop_assert!((ndcg(&ranks, k) - 1.0).abs() < 1e-12);
        prop_assert_eq!(precision(&ranks, relevant), 1.0);
        prop_assert_eq!(recall(&ranks, relevant), 1.0);
        prop_assert_eq!(f1(&ranks, relevant), 1.0);
        prop_assert_eq!(reciprocal_rank(&ranks), 1.0);
    }
}

#[test]
fn values_worked_by_hand() {
    // Relevant: places 1 and 3, and one that was not ranked; k = 4.
    let ranks = RelevantRanks::new([Some(3), None, Some(1)]).unwrap();
    assert_eq!(ranks.ranks(), [1, 3]);
    assert_eq!(hit_rate(&ranks, 4), 1.0);
    assert_eq!(precision(&ranks, 4), 0.5);
    assert!((recall(&ranks, 4) - 2.0 / 3.0).abs() < 1e-15);
    assert!((f1(&ranks, 4) - 4.0 / 7.0).abs() < 1e-15);
    // (1 + 1/2) / (1 + 1/log₂3 + 1/2)
    assert!((ndcg(&ranks, 4) - 1.5 / (1.5 + 1.0 / 3.0_f64.log2())).abs() < 1e-15);
    assert_eq!(reciprocal_rank(&ranks), 1.0);
    assert_eq!(reciprocal_rank(&RelevantRanks::new([None]).unwrap()), 0.0);
}

#[test]
fn ranks_that_cannot_be_are_refused() {
    assert!(matches!(RelevantRanks::new([]), Err(EvalError::Empty { what: "relevant items" })));
    for ranks in [vec![Some(0)], vec![Some(1), Some(1)], vec![Some(2), Some(2), Some(2)]] {
        assert!(matches!(RelevantRanks::new(ranks), Err(EvalError::ImpossibleRank { .. })));
    }
    // Two tied items share the last of their places.
    assert!(RelevantRanks::new([Some(2), Some(2)]).is_ok());
}
