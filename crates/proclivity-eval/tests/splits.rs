//! The splits: nothing leaks, everything is accounted for, and users' order is no matter.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proclivity_eval::{Case, EvalError, FullRankingConfig, Popularity, Split, Targets};
use proclivity_rank::TieBreak;
use proptest::prelude::*;

/// Each event has an item of its own, so that an item says which event it was.
#[derive(Debug, Clone)]
struct Events {
    items: Vec<Vec<u32>>,
    times: Vec<Vec<i64>>,
}

impl Events {
    fn new(times: Vec<Vec<i64>>) -> Self {
        let mut next = 0..;
        let items = times.iter().map(|times| next.by_ref().take(times.len()).collect()).collect();
        Self { items, times }
    }

    fn sequences(&self) -> Vec<&[u32]> {
        self.items.iter().map(Vec::as_slice).collect()
    }

    fn times(&self) -> Vec<&[i64]> {
        self.times.iter().map(Vec::as_slice).collect()
    }

    /// Every user's times, sorted.
    fn any() -> impl Strategy<Value = Self> {
        let user = prop::collection::vec(-20..20_i64, 0..8).prop_map(|mut times| {
            times.sort_unstable();
            times
        });
        prop::collection::vec(user, 0..10).prop_map(Self::new)
    }

    /// When an event was.
    fn time(&self, item: u32) -> i64 {
        let items = self.items.iter().flatten();
        let mut at = items.zip(self.times.iter().flatten());
        *at.find(|&(&of_event, _)| of_event == item).unwrap().1
    }
}

fn items(sequences: &[&[u32]]) -> BTreeSet<u32> {
    sequences.iter().copied().flatten().copied().collect()
}

fn targets(cases: &[Case<'_>]) -> BTreeSet<u32> {
    cases.iter().map(|case| case.target).collect()
}

/// What holds of every protocol.
fn nothing_leaks(events: &Events, split: &Split<'_>) {
    for (sequences, held_out) in [
        (&split.train, [&split.validation, &split.test].as_slice()),
        (&split.refit, &[&split.test]),
    ] {
        assert_eq!(sequences.len(), events.items.len());
        for (prefix, whole) in sequences.iter().zip(&events.items) {
            assert!(whole.starts_with(prefix));
        }
        for cases in held_out {
            assert!(items(sequences).is_disjoint(&targets(cases)));
        }
    }
    assert!(items(&split.train).is_subset(&items(&split.refit)));
    assert!(targets(&split.validation).is_disjoint(&targets(&split.test)));
    for cases in [&split.validation, &split.test] {
        assert_eq!(targets(cases).len(), cases.len());
        assert!(cases.is_sorted_by_key(|case| case.user));
        for case in cases {
            let whole = &events.items[case.user as usize];
            let place = whole.iter().position(|&item| item == case.target).unwrap();
            assert!(!case.history.is_empty());
            assert_eq!(case.history, &whole[..place]);
        }
    }
}

/// A split with users under other numbers: user `u` of the result is `order[u]` of the argument.
fn renumbered<'a>(split: &Split<'a>, order: &[usize]) -> Split<'a> {
    let sequences = |of: &[&'a [u32]]| order.iter().map(|&user| of[user]).collect();
    let cases = |of: &[Case<'a>]| {
        let of_user = |(to, &from): (u32, &usize)| {
            let same = of.iter().filter(move |case| case.user as usize == from);
            same.map(move |case| Case { user: to, ..*case }).collect::<Vec<_>>()
        };
        (0..).zip(order).flat_map(of_user).collect()
    };
    Split {
        train: sequences(&split.train),
        validation: cases(&split.validation),
        refit: sequences(&split.refit),
        test: cases(&split.test),
    }
}

fn shuffled<T: Clone>(list: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&at| list[at].clone()).collect()
}

fn any_order(events: Events) -> impl Strategy<Value = (Events, Vec<usize>)> {
    let order: Vec<usize> = (0..events.items.len()).collect();
    (Just(events), Just(order).prop_shuffle())
}

proptest! {
    #[test]
    fn leave_one_out_uses_every_event_once((events, order) in Events::any().prop_flat_map(any_order)) {
        let sequences = events.sequences();
        let split = Split::leave_one_out(&sequences);
        nothing_leaks(&events, &split);
        let mut union = items(&split.train);
        union.extend(targets(&split.validation));
        prop_assert_eq!(&union, &items(&split.refit));
        union.extend(targets(&split.test));
        prop_assert_eq!(union, items(&sequences));
        let long = events.items.iter().filter(|items| items.len() >= 3).count();
        prop_assert_eq!((split.validation.len(), split.test.len()), (long, long));
        let other = Split::leave_one_out(&shuffled(&sequences, &order));
        prop_assert_eq!(other, renumbered(&split, &order));
    }

    #[test]
    fn nothing_fitted_on_is_from_a_cut_on(
        (events, order) in Events::any().prop_flat_map(any_order),
        cuts in [-22..22_i64, -22..22_i64],
        every in any::<bool>(),
    ) {
        let (first, second) = (cuts[0].min(cuts[1]), cuts[0].max(cuts[1]));
        let (sequences, times) = (events.sequences(), events.times());
        let kind = if every { Targets::Every } else { Targets::First };
        let split = Split::at_times(&sequences, &times, first, second, kind).unwrap();
        nothing_leaks(&events, &split);
        for &item in &items(&sequences) {
            let time = events.time(item);
            prop_assert_eq!(items(&split.train).contains(&item), time < first);
            prop_assert_eq!(items(&split.refit).contains(&item), time < second);
        }
        let parts = [(&split.validation, first..second), (&split.test, second..i64::MAX)];
        for (cases, span) in parts {
            // By definition, event by event.
            let mut expected = BTreeSet::new();
            for (items, times) in events.items.iter().zip(&events.times) {
                let mut of_part = (0..items.len()).filter(|&place| span.contains(&times[place]));
                let of_part: Vec<usize> =
                    if every { of_part.collect() } else { of_part.next().into_iter().collect() };
                expected.extend(of_part.iter().filter(|&&place| place > 0).map(|&place| items[place]));
            }
            prop_assert_eq!(targets(cases), expected);
        }
        let (sequences, times) = (shuffled(&sequences, &order), shuffled(&times, &order));
        let other = Split::at_times(&sequences, &times, first, second, kind).unwrap();
        prop_assert_eq!(other, renumbered(&split, &order));
    }

    #[test]
    fn a_user_is_in_one_part(
        (events, order) in Events::any().prop_flat_map(any_order),
        parts in prop::collection::vec(0..3_u8, 10),
    ) {
        let sequences = events.sequences();
        let count = sequences.len();
        let group = |parts: &[u8], part: u8| {
            (0..count as u32).filter(|&user| parts[user as usize] == part).collect::<Vec<_>>()
        };
        let split = Split::by_user(&sequences, &group(&parts, 1), &group(&parts, 2)).unwrap();
        nothing_leaks(&events, &split);
        for user in 0..count {
            let whole = sequences[user];
            let has_case = |cases: &[Case<'_>]| cases.iter().any(|case| {
                case.user as usize == user && whole.last() == Some(&case.target)
            });
            let (known, part) = (whole.len() > 1, parts[user]);
            prop_assert_eq!(split.train[user], if part == 0 { whole } else { &[] });
            prop_assert_eq!(split.refit[user], if part < 2 { whole } else { &[] });
            prop_assert_eq!(has_case(&split.validation), part == 1 && known);
            prop_assert_eq!(has_case(&split.test), part == 2 && known);
        }
        let (sequences, parts) = (shuffled(&sequences, &order), shuffled(&parts[..count], &order));
        let other = Split::by_user(&sequences, &group(&parts, 1), &group(&parts, 2)).unwrap();
        prop_assert_eq!(other, renumbered(&split, &order));
    }

    #[test]
    fn folds_are_disjoint_cover_all_and_have_one_size(
        count in 3..40_usize, folds in 3..8_usize, seed: u64,
    ) {
        prop_assume!(folds <= count);
        let events = Events::new((0..count).map(|user| vec![0; 2 + user % 3]).collect());
        let sequences = events.sequences();
        let splits = Split::k_fold(&sequences, folds, seed).unwrap();
        prop_assert_eq!(splits.len(), folds);
        let users = |cases: &[Case<'_>]| cases.iter().map(|case| case.user).collect::<Vec<_>>();
        let mut tested = Vec::new();
        for (fold, split) in splits.iter().enumerate() {
            nothing_leaks(&events, split);
            prop_assert!((count / folds..=count.div_ceil(folds)).contains(&split.test.len()));
            prop_assert_eq!(users(&split.validation), users(&splits[(fold + 1) % folds].test));
            let held_out = Split::by_user(&sequences, &users(&split.validation), &users(&split.test));
            prop_assert_eq!(split, &held_out.unwrap());
            tested.extend(users(&split.test));
        }
        tested.sort_unstable();
        prop_assert_eq!(tested, (0..count as u32).collect::<Vec<_>>());
        // What users did has no part in where they go.
        let others = Events::new(vec![vec![0; 2]; count]);
        let same = Split::k_fold(&others.sequences(), folds, seed).unwrap();
        prop_assert!(same.iter().zip(&splits).all(|(a, b)| users(&a.test) == users(&b.test)));
    }
}

#[test]
fn the_seed_deals_the_folds() {
    let events = Events::new(vec![vec![0; 2]; 50]);
    let sequences = events.sequences();
    let deal = |seed| Split::k_fold(&sequences, 5, seed).unwrap();
    assert_eq!(deal(1), deal(1));
    assert_ne!(deal(1), deal(2));
}

#[test]
fn an_item_unseen_in_training_is_a_candidate() {
    let (sequences, times): ([&[u32]; 2], [&[i64]; 2]) = ([&[0, 2], &[1, 0]], [&[1, 9], &[1, 2]]);
    let split = Split::at_times(&sequences, &times, 5, 5, Targets::First).unwrap();
    assert_eq!((split.train, split.validation), (split.refit, vec![]));
    let ties = TieBreak::new(["a", "b", "c"].into_iter(), 1);
    let ranking = FullRankingConfig::default().build(&[2, 1, 0], &ties).unwrap();
    let popularity = Popularity::new(&[2, 1, 0], 1.0).unwrap();
    let evaluation = ranking.evaluate(&popularity, &split.test, &|_| ()).unwrap();
    let [case] = evaluation.per_user() else { panic!("one case, of the user with a later event") };
    assert_eq!((case.target, case.ranks.ranks()), (2, &[2][..]));
}

#[test]
fn hostile_input_is_refused() {
    let sequences: [&[u32]; 2] = [&[0, 1], &[2]];
    let at = |times: &[&[i64]], cuts: [i64; 2]| {
        Split::at_times(&sequences, times, cuts[0], cuts[1], Targets::First).unwrap_err()
    };
    assert!(matches!(at(&[&[1, 2]], [1, 2]), EvalError::Length { expected: 2, got: 1, .. }));
    assert!(matches!(at(&[&[1], &[1]], [1, 2]), EvalError::Length { expected: 2, got: 1, .. }));
    let reversed = at(&[&[2, 1], &[1]], [1, 2]);
    assert!(matches!(reversed, EvalError::TimeReversed { user: 0, position: 1 }));
    let late = at(&[&[1, 1], &[1]], [3, 2]);
    assert!(matches!(late, EvalError::OutOfRange { name: "validation", value: 3.0, .. }));

    let by_user = |validation: &[u32], test: &[u32]| {
        Split::by_user(&sequences, validation, test).unwrap_err()
    };
    assert!(matches!(by_user(&[0], &[2]), EvalError::UnknownUser { user: 2, users: 2 }));
    assert!(matches!(by_user(&[1], &[1]), EvalError::DuplicateUser { user: 1 }));
    assert!(matches!(by_user(&[], &[0, 0]), EvalError::DuplicateUser { user: 0 }));
    for folds in [0, 2, 3] {
        let result = Split::k_fold(&sequences, folds, 1);
        assert!(matches!(result, Err(EvalError::OutOfRange { name: "folds", .. })));
    }
}
