//! Splits: what is held out is never trained on, and names don't matter.
#![expect(clippy::unwrap_used, reason = "the fixtures are valid")]

use std::collections::BTreeSet;

use proclivity_data::{DataError, ItemSequences, LeaveOneOut, split_users};
use proclivity_schema::{Action, EventKind, ItemIndex, Log, LogBuilder, Timestamp, UserId};
use proptest::prelude::*;

/// Users `u0`, `u1`, … with these items, a second apart.
fn log(histories: &[Vec<u32>]) -> Log {
    let mut builder = LogBuilder::new();
    for (user, items) in histories.iter().enumerate() {
        for (second, &item) in items.iter().enumerate() {
            let user = UserId::new(&format!("u{user}")).unwrap();
            let time = Timestamp::from_seconds(second as i64).unwrap();
            let item = ItemIndex(item);
            builder.push(user, Some(time), Action::View { item }).unwrap();
        }
    }
    builder.build()
}

#[test]
fn sequences_are_in_order_of_time_and_of_the_kinds_asked_for() {
    let mut builder = LogBuilder::new();
    let mut push = |user: &str, second, action| {
        let time = Some(Timestamp::from_seconds(second).unwrap());
        builder.push(UserId::new(user).unwrap(), time, action).unwrap();
    };
    let item = ItemIndex;
    push("b", 9, Action::View { item: item(3) });
    push("b", 1, Action::Click { item: item(2) });
    push("b", 5, Action::Dismiss { item: item(1) });
    push("b", 6, Action::Search { query: "tea".into() });
    push("a", 1, Action::Skip { item: item(4) });
    let log = builder.build();

    let positive = ItemSequences::positive(&log);
    assert_eq!((positive.user_count(), positive.event_count()), (2, 2));
    assert_eq!(positive.sequence(log.user("b").unwrap()), [2, 3]);
    assert!(positive.sequence(log.user("a").unwrap()).is_empty());

    let against = ItemSequences::of_kinds(&log, |kind| !kind.is_positive());
    assert_eq!(against.sequence(log.user("b").unwrap()), [1]);
    assert_eq!(against.sequence(log.user("a").unwrap()), [4]);
    assert_eq!(ItemSequences::of_kinds(&log, |kind| kind == EventKind::Share).event_count(), 0);
}

#[test]
fn users_of_fewer_than_three_events_are_training_only() {
    let log = log(&[vec![7, 8, 9], vec![7, 8], vec![7], vec![1, 2, 3, 4]]);
    let sequences = ItemSequences::positive(&log);
    let split = sequences.leave_one_out();
    assert_eq!(split.train_only_count(), 2);
    let held_out: Vec<u32> = split.held_out_users().map(|user| user.0).collect();
    assert_eq!(held_out, [0, 3]);
    let parts: Vec<_> = sequences
        .users()
        .map(|user| (split.train(user), split.validation(user), split.test(user)))
        .collect();
    assert_eq!(parts[0], (&[7][..], Some((&[7][..], 8)), Some((&[7, 8][..], 9))));
    assert_eq!(parts[1], (&[7, 8][..], None, None));
    assert_eq!(parts[2], (&[7][..], None, None));
    assert_eq!(parts[3], (&[1, 2][..], Some((&[1, 2][..], 3)), Some((&[1, 2, 3][..], 4))));
}

#[test]
fn shares_that_are_none_are_errors() {
    for shares in
        [&[][..], &[0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY], &[f64::MAX, f64::MAX]]
    {
        assert!(matches!(split_users(10, shares, 1), Err(DataError::Parameter { .. })));
    }
    assert!(split_users(usize::MAX, &[1.0], 1).is_err());
    assert_eq!(split_users(0, &[1.0, 1.0], 1).unwrap(), [[], []]);
}

#[test]
fn seeds_decide_and_shares_are_relative() {
    let split = split_users(1_000, &[0.8, 0.1, 0.1], 1).unwrap();
    assert_eq!(split.iter().map(Vec::len).collect::<Vec<_>>(), [800, 100, 100]);
    assert_eq!(split, split_users(1_000, &[8.0, 1.0, 1.0], 1).unwrap());
    assert_ne!(split, split_users(1_000, &[0.8, 0.1, 0.1], 2).unwrap());
    // Shuffled, not cut: the last group doesn't hold the last users.
    assert!(split[2][0].0 < 900);
}

proptest! {
    #[test]
    fn nothing_held_out_leaks(lengths in prop::collection::vec(1_usize..8, 1..20)) {
        // Every event gets an item of its own, so that a leak shows.
        let mut next = 0..;
        let histories: Vec<Vec<u32>> =
            lengths.iter().map(|&length| next.by_ref().take(length).collect()).collect();
        let sequences = ItemSequences::positive(&log(&histories));
        let split = sequences.leave_one_out();
        let trained: BTreeSet<u32> =
            sequences.users().flat_map(|user| split.train(user).to_vec()).collect();
        let mut held_out = 0;
        for user in sequences.users() {
            let whole = &histories[user.get()];
            match (split.validation(user), split.test(user)) {
                (Some((history, validation)), Some((longer, test))) => {
                    prop_assert_eq!(history, split.train(user));
                    prop_assert!(!trained.contains(&validation) && !trained.contains(&test));
                    prop_assert!(!longer.contains(&test));
                    prop_assert_eq!([history, &[validation]].concat(), longer);
                    prop_assert_eq!(&[longer, &[test]].concat(), whole);
                    held_out += 2;
                }
                (None, None) => {
                    prop_assert!(whole.len() < LeaveOneOut::MIN_EVENTS);
                    prop_assert_eq!(split.train(user), whole);
                }
                _ => prop_assert!(false, "one part without the other"),
            }
        }
        prop_assert_eq!(trained.len() + held_out, sequences.event_count());
    }

    #[test]
    fn every_user_is_in_exactly_one_group(
        count in 0_usize..200,
        shares in prop::collection::vec(0.01_f64..5.0, 1..6),
        seed in any::<u64>(),
    ) {
        let groups = split_users(count, &shares, seed).unwrap();
        prop_assert_eq!(groups.len(), shares.len());
        let total: f64 = shares.iter().sum();
        for (group, share) in groups.iter().zip(&shares) {
            prop_assert!(group.is_sorted());
            prop_assert!((group.len() as f64 - share / total * count as f64).abs() <= 1.0 + 1e-9);
        }
        let mut all: Vec<usize> = groups.concat().iter().map(|user| user.get()).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
    }
}
