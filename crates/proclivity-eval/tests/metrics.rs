//! Identities, ranges and values worked by hand of the accuracy metrics.

use proclivity_eval::EvalError;
use proclivity_eval::metrics::{
    Gain, GradedRanks, Persistence, RelevantRanks, auc, average_precision, f1, graded_ndcg,
    hit_rate, ndcg, precision, rank_biased_precision, recall, reciprocal_rank,
};
use proptest::prelude::*;

/// Distinct ranks, a few relevant items unranked.
fn ranks() -> impl Strategy<Value = RelevantRanks> {
    (prop::collection::btree_set(1..50_usize, 0..8), 0..3_usize).prop_filter_map(
        "at least one relevant item",
        |(ranked, missed)| {
            let ranks = ranked.into_iter().map(Some).chain(vec![None; missed]);
            RelevantRanks::new(ranks).ok()
        },
    )
}

proptest! {
    #[test]
    fn every_metric_is_in_range_and_grows_where_it_should(ranks in ranks(), k in 0..60_usize) {
        for metric in [hit_rate, precision, recall, f1, ndcg, average_precision] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&metric(&ranks, k)));
            prop_assert_eq!(metric(&ranks, 0), 0.0);
            prop_assert_eq!(metric(&ranks, k) > 0.0, ranks.hits(k) > 0);
        }
        prop_assert!((0.0..=1.0).contains(&reciprocal_rank(&ranks)));
        for metric in [hit_rate, recall, average_precision] {
            prop_assert!(metric(&ranks, k) <= metric(&ranks, k + 1));
        }
        // hits = k·P = relevant·R
        let hits = k as f64 * precision(&ranks, k);
        prop_assert!((hits - ranks.relevant() as f64 * recall(&ranks, k)).abs() < 1e-9);
        // Each hit's precision is 1 at most, and 1/k at least.
        let found = average_precision(&ranks, k);
        prop_assert!(found <= recall(&ranks, k) + 1e-12);
        prop_assert!(found * k as f64 + 1e-12 >= recall(&ranks, k));
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
        prop_assert_eq!(average_precision(&ranks, k), hit / rank as f64);
        // Of candidates whose scores fall with their rank.
        let others = (1..=60).filter(|&other| other != rank).map(|other| -f64::from(other as u8));
        let area = auc(&[-(rank as f64)], others).unwrap().unwrap();
        prop_assert!((area - (60.0 - rank as f64) / 59.0).abs() < 1e-12);
    }

    #[test]
    fn rank_biased_precision_is_its_readers_rate(ranks in ranks(), persistence in 0.0..0.99_f64) {
        let rbp = |p| rank_biased_precision(&ranks, Persistence::new(p).unwrap());
        let got = rbp(persistence);
        let best = 1.0 - persistence.powi(ranks.relevant() as i32);
        prop_assert!((0.0..=best + 1e-12).contains(&got));
        prop_assert_eq!(rbp(0.0), precision(&ranks, 1));
        // A reader who stops after n items with probability (1 − p) pⁿ⁻¹ finds n · P@n of them, and
        // looks at 1 / (1 − p) on average.
        let stops = |n: usize| (1.0 - persistence) * persistence.powi(n as i32 - 1);
        let found: f64 = (1..5000).map(|n| stops(n) * n as f64 * precision(&ranks, n)).sum();
        prop_assert!((got - (1.0 - persistence) * found).abs() < 1e-9);
    }

    #[test]
    fn promoting_a_relevant_item_helps(
        ranks in prop::collection::btree_set(1..30_usize, 1..8),
        grades in prop::collection::vec(0.1..4.0_f64, 8),
        which in 0..8_usize,
        k in 1..40_usize,
    ) {
        let before: Vec<usize> = ranks.iter().copied().collect();
        let which = which % before.len();
        prop_assume!(before[which] > 1 && !ranks.contains(&(before[which] - 1)));
        let mut after = before.clone();
        after[which] -= 1;
        let relevant = |ranks: &[usize]| {
            RelevantRanks::new(ranks.iter().map(|&rank| Some(rank))).unwrap()
        };
        let graded = |ranks: &[usize]| {
            let ranks = ranks.iter().map(|&rank| Some(rank));
            GradedRanks::new(ranks.zip(grades.iter().copied())).unwrap()
        };
        for metric in [ndcg, average_precision] {
            prop_assert!(metric(&relevant(&after), k) >= metric(&relevant(&before), k) - 1e-12);
        }
        let patient = Persistence::new(0.9).unwrap();
        let rbp = |ranks: &[usize]| rank_biased_precision(&relevant(ranks), patient);
        prop_assert!(rbp(&after) > rbp(&before));
        for gain in [Gain::Linear, Gain::Exponential] {
            let (after, before) = (graded(&after), graded(&before));
            prop_assert!(graded_ndcg(&after, k, gain) >= graded_ndcg(&before, k, gain));
            prop_assert!(graded_ndcg(&after, 40, gain) > graded_ndcg(&before, 40, gain));
        }
    }

    #[test]
    fn graded_ndcg_is_in_range_and_best_by_grade(
        items in prop::collection::vec((any::<bool>(), 0..6_u8), 1..20),
        k in 0..25_usize,
        scale in 0.1..10.0_f64,
    ) {
        prop_assume!(items.iter().any(|&(_, grade)| grade > 0));
        let of = |scale: f64| {
            let ranked = (1..).zip(&items).map(|(rank, &(listed, grade))| {
                (listed.then_some(rank), scale * f64::from(grade))
            });
            GradedRanks::new(ranked).unwrap()
        };
        let ranks = of(1.0);
        for gain in [Gain::Linear, Gain::Exponential] {
            let got = graded_ndcg(&ranks, k, gain);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&got));
            prop_assert_eq!(graded_ndcg(&ranks, 0, gain), 0.0);
            let best = (1..).map(Some).zip(ranks.grades().iter().copied());
            let best = graded_ndcg(&GradedRanks::new(best).unwrap(), k.max(1), gain);
            prop_assert!((best - 1.0).abs() < 1e-12);
        }
        // The unit of linear gains doesn't matter.
        let scaled = graded_ndcg(&of(scale), k, Gain::Linear);
        prop_assert!((scaled - graded_ndcg(&ranks, k, Gain::Linear)).abs() < 1e-12);
    }

    #[test]
    fn with_two_grades_graded_ndcg_is_ndcg(ranks in ranks(), irrelevant in 50..60_usize, k in 0..60_usize) {
        let missed = ranks.relevant() - ranks.ranks().len();
        let ranked = ranks.ranks().iter().map(|&rank| Some(rank)).chain(vec![None; missed]);
        let graded = ranked.map(|rank| (rank, 1.0)).chain([(Some(irrelevant), 0.0), (None, 0.0)]);
        let graded = GradedRanks::new(graded).unwrap();
        for gain in [Gain::Linear, Gain::Exponential] {
            prop_assert!((graded_ndcg(&graded, k, gain) - ndcg(&ranks, k)).abs() < 1e-12);
        }
        prop_assert_eq!(graded.at_least(1.0), Some(ranks.clone()));
        prop_assert_eq!(graded.at_least(0.0), Some(ranks));
        prop_assert_eq!(graded.at_least(1.5), None);
    }

    #[test]
    fn the_best_ranking_is_perfect(relevant in 1..20_usize, k in 1..30_usize) {
        let ranks = RelevantRanks::new((1..=relevant).map(Some)).unwrap();
        prop_assert!((ndcg(&ranks, k) - 1.0).abs() < 1e-12);
        prop_assert_eq!(precision(&ranks, relevant), 1.0);
        prop_assert_eq!(recall(&ranks, relevant), 1.0);
        prop_assert_eq!(f1(&ranks, relevant), 1.0);
        prop_assert_eq!(average_precision(&ranks, usize::MAX), 1.0);
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
    // (1/1 + 2/3) / 3
    assert!((average_precision(&ranks, 4) - 5.0 / 9.0).abs() < 1e-15);
    assert!((average_precision(&ranks, 2) - 1.0 / 3.0).abs() < 1e-15);
    // (1 − .5) · (1 + .25)
    assert_eq!(rank_biased_precision(&ranks, Persistence::new(0.5).unwrap()), 0.625);
    assert_eq!(reciprocal_rank(&ranks), 1.0);
    assert_eq!(reciprocal_rank(&RelevantRanks::new([None]).unwrap()), 0.0);
}

#[test]
fn graded_values_worked_by_hand() {
    // Grade 1 first, grade 3 third, grade 2 not ranked.
    let ranks = GradedRanks::new([(Some(3), 3.0), (None, 2.0), (Some(1), 1.0)]).unwrap();
    assert_eq!((ranks.grades(), ranks.ranked()), (&[3.0, 2.0, 1.0][..], &[(1, 1.0), (3, 3.0)][..]));
    let log = 1.0 / 3.0_f64.log2();
    let linear = (1.0 + 3.0 / 2.0) / (3.0 + 2.0 * log + 1.0 / 2.0);
    assert!((graded_ndcg(&ranks, 5, Gain::Linear) - linear).abs() < 1e-15);
    let exponential = (1.0 + 7.0 / 2.0) / (7.0 + 3.0 * log + 1.0 / 2.0);
    assert!((graded_ndcg(&ranks, 5, Gain::Exponential) - exponential).abs() < 1e-15);
    assert!((graded_ndcg(&ranks, 1, Gain::Exponential) - 1.0 / 7.0).abs() < 1e-15);
}

#[test]
fn ranks_that_cannot_be_are_refused() {
    assert!(matches!(RelevantRanks::new([]), Err(EvalError::Empty { what: "relevant items" })));
    for ranks in [vec![Some(0)], vec![Some(1), Some(1)], vec![Some(2), Some(2), Some(2)]] {
        assert!(matches!(RelevantRanks::new(ranks), Err(EvalError::ImpossibleRank { .. })));
    }
    let graded = [(Some(2), 1.0), (Some(1), 3.0), (Some(1), 1.0)];
    assert!(matches!(GradedRanks::new(graded), Err(EvalError::ImpossibleRank { rank: 1, .. })));
    let zeros = [(Some(1), 0.0), (Some(1), 0.0)];
    assert!(matches!(GradedRanks::new(zeros), Err(EvalError::Empty { .. })));
    for grade in [-1.0, 101.0, f64::NAN] {
        let result = GradedRanks::new([(Some(1), grade)]);
        assert!(matches!(result, Err(EvalError::OutOfRange { name: "grade", .. })));
    }
    for persistence in [-0.1, 1.0, f64::NAN] {
        let result = Persistence::new(persistence);
        assert!(matches!(result, Err(EvalError::OutOfRange { name: "persistence", .. })));
    }
    // Two tied items share the last of their places.
    assert!(RelevantRanks::new([Some(2), Some(2)]).is_ok());
}
