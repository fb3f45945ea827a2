//! Repeats of the same deed within a short time.

use std::collections::HashMap;

use proclivity_schema::{Action, Event, ItemIndex, Timestamp};

/// The history without events that do the same as one kept at most `seconds` before.
pub(super) fn near_duplicates(history: Vec<Event>, seconds: u32) -> Vec<Event> {
    let mut last: HashMap<Action, Timestamp> = HashMap::new();
    let mut kept = Vec::with_capacity(history.len());
    for event in history {
        if let Some(time) = event.time {
            match last.get_mut(&event.action) {
                Some(earlier) if is_within(*earlier, time, seconds) => continue,
                Some(earlier) => *earlier = time,
                None => {
                    last.insert(event.action.clone(), time);
                }
            }
        }
        kept.push(event);
    }
    kept
}

/// The history without views of an item whose last kept view is at most `seconds` old.
pub(super) fn repeated_views(history: Vec<Event>, seconds: u32) -> Vec<Event> {
    let mut last: HashMap<ItemIndex, Timestamp> = HashMap::new();
    let mut kept = Vec::with_capacity(history.len());
    for event in history {
        if let (Action::View { item }, Some(time)) = (&event.action, event.time) {
            if last.get(item).is_some_and(|&earlier| is_within(earlier, time, seconds)) {
                continue;
            }
            last.insert(*item, time);
        }
        kept.push(event);
    }
    kept
}

fn is_within(earlier: Timestamp, later: Timestamp, seconds: u32) -> bool {
    later.as_micros() - earlier.as_micros() <= i64::from(seconds) * 1_000_000
}
