//! Splits of logs: nothing leaks, nothing is lost, and users stay where their id puts them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proclivity_data::{DataError, LogSplit};
use proclivity_schema::{Action, ItemIndex, Log, LogBuilder, Timestamp, UserId};
use proptest::prelude::*;

fn log(rows: &[(u64, i64)]) -> Log {
    let mut builder = LogBuilder::new();
    for (item, &(user, second)) in (0..).zip(rows) {
        let time = Timestamp::from_seconds(second).unwrap();
        let view = Action::View { item: ItemIndex(item) };
        builder.push(UserId::from(user), Some(time), view).unwrap();
    }
    builder.build()
}

fn items(log: &Log) -> BTreeSet<u32> {
    log.events().iter().filter_map(|event| event.action.item()).map(|item| item.0).collect()
}

/// The parts share nothing and have everything: each event has an item of its own.
fn is_partition(split: &LogSplit, log: &Log) -> bool {
    let parts = [items(&split.train), items(&split.validation), items(&split.test)];
    let all: BTreeSet<u32> = parts.iter().flatten().copied().collect();
    parts.iter().map(BTreeSet::len).sum::<usize>() == log.event_count() && all == items(log)
}

proptest! {
    #[test]
    fn nothing_leaks(
        rows in prop::collection::vec((0_u64..5, 0_i64..30), 1..60),
        validation in 0.0..0.5,
        test in 0.0..0.5,
        seed in any::<u64>(),
    ) {
        let log = log(&rows);
        let times = |log: &Log| -> Vec<Timestamp> {
            log.events().iter().filter_map(|event| event.time).collect()
        };
        let split = LogSplit::at_time_shares(&log, validation, test).unwrap();
        prop_assert!(is_partition(&split, &log));
        for (earlier, later) in [(&split.train, &split.validation), (&split.validation, &split.test), (&split.train, &split.test)] {
            if let (Some(last), Some(first)) = (times(earlier).into_iter().max(), times(later).into_iter().min()) {
                prop_assert!(last < first);
            }
        }

        let split = LogSplit::by_ratio(&log, validation, test).unwrap();
        prop_assert!(is_partition(&split, &log));
        for user in log.users() {
            let parts = [&split.train, &split.validation, &split.test].map(|part| part.history(user).to_vec());
            prop_assert_eq!(parts.concat(), log.history(user).to_vec());
        }

        let split = LogSplit::by_user(&log, validation, test, seed).unwrap();
        prop_assert!(is_partition(&split, &log));
        for user in log.users() {
            let parts = [&split.train, &split.validation, &split.test];
            prop_assert_eq!(parts.iter().filter(|part| !part.history(user).is_empty()).count(), 1);
        }
    }

    #[test]
    fn users_stay_where_their_id_puts_them(users in prop::collection::vec(0_u64..1000, 1..50), seed in any::<u64>()) {
        let rows: Vec<(u64, i64)> = users.iter().map(|&user| (user, 0)).collect();
        let alone = log(&rows[..1]);
        let mut reversed = rows.clone();
        reversed.reverse();
        let is_test = |log: &Log| {
            let split = LogSplit::by_user(log, 0.3, 0.3, seed).unwrap();
            !split.test.history(log.user(&users[0].to_string()).unwrap()).is_empty()
        };
        prop_assert_eq!(is_test(&alone), is_test(&log(&rows)));
        prop_assert_eq!(is_test(&alone), is_test(&log(&reversed)));
    }
}

#[test]
fn shares_are_met_on_many_users() {
    let rows: Vec<(u64, i64)> = (0..20_000).map(|user| (user, 0)).collect();
    let split = LogSplit::by_user(&log(&rows), 0.1, 0.2, 7).unwrap();
    // Four standard errors of a binomial share.
    let share = |part: &Log| part.event_count() as f64 / 20_000.0;
    assert!((share(&split.validation) - 0.1).abs() < 4.0 * (0.09_f64 / 20_000.0).sqrt());
    assert!((share(&split.test) - 0.2).abs() < 4.0 * (0.16_f64 / 20_000.0).sqrt());
}

#[test]
fn senseless_splits_are_typed_errors() {
    let timed = log(&[(1, 0), (1, 5)]);
    let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
    assert!(matches!(LogSplit::at_times(&timed, at(5), at(3)), Err(DataError::Parameter { .. })));
    for (validation, test) in [(-0.1, 0.1), (0.1, f64::NAN), (0.5, 0.5)] {
        let split = LogSplit::by_ratio(&timed, validation, test);
        assert!(matches!(split, Err(DataError::Parameter { .. })));
    }
    let mut builder = LogBuilder::new();
    builder.push(1.into(), None, Action::View { item: ItemIndex(0) }).unwrap();
    let untimed = LogSplit::at_time_shares(&builder.build(), 0.1, 0.1);
    assert!(matches!(untimed, Err(DataError::Untimed { events: 1 })));
}
