//! Logs: exact duplicates go, all else stays.
#![expect(clippy::unwrap_used, reason = "the fixtures are valid")]

use proclivity_schema::{Action, FollowTarget, ItemIndex, LogBuilder, Rating, Timestamp, UserId};
use proptest::prelude::*;

fn action(code: u8) -> Action {
    let item = ItemIndex(u32::from(code / 8));
    match code % 8 {
        0 => Action::View { item },
        1 => Action::Click { item },
        2 => Action::Purchase { item, quantity: 1 },
        3 => Action::Purchase { item, quantity: 2 },
        4 => Action::Rate { item, rating: Rating::new(0.0).unwrap() },
        5 => Action::Rate { item, rating: Rating::new(-0.0).unwrap() },
        6 => Action::Search { query: "tea".into() },
        _ => Action::Follow { target: FollowTarget::Topic, name: "tea".into() },
    }
}

proptest! {
    #[test]
    fn duplicates_go_as_in_a_naive_loop(
        rows in prop::collection::vec((0_u64..3, prop::option::of(0_i64..3), 0_u8..16), 0..80),
    ) {
        let row_count = rows.len();
        let (mut all, mut distinct) = (LogBuilder::new(), LogBuilder::new());
        let mut kept = Vec::new();
        for (user, second, code) in rows {
            let time = second.map(|second| Timestamp::from_seconds(second).unwrap());
            all.push(UserId::from(user), time, action(code)).unwrap();
            let row = (user, time, action(code));
            if !kept.contains(&row) {
                distinct.push(UserId::from(user), time, action(code)).unwrap();
                kept.push(row);
            }
        }
        let before = row_count;
        let removed = all.remove_duplicates();
        prop_assert_eq!(before - removed, kept.len());
        prop_assert_eq!(all.build(), distinct.build());
    }
}
