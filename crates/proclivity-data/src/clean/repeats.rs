//! Repeats of the same deed within a short time.

use std::collections::HashMap;

use proclivity_schema::{Action, Event};

use super::micros_between;

/// The history without events that do the same as one kept at most `seconds` before.
pub(super) fn near_duplicates(history: Vec<Event>, seconds: u32) -> Vec<Event> {
    let mut kept: Vec<Event> = Vec::with_capacity(history.len());
    for event in history {
        let repeats = kept
            .iter()
            .rev()
            // Times only fall towards the front.
            .take_while(|earlier| is_within(earlier, &event, seconds))
            .any(|earlier| earlier.action == event.action);
        if !repeats {
            kept.push(event);
        }
    }
    kept
}

/// The history without views of an item whose last kept view is at most `seconds` old.
pub(super) fn repeated_views(history: Vec<Event>, seconds: u32) -> Vec<Event> {
    let mut last = HashMap::new();
    let mut kept: Vec<Event> = Vec::with_capacity(history.len());
    for event in history {
        if let Action::View { item } = event.action {
            let repeats = last
                .get(&item)
                .and_then(|&place: &usize| kept.get(place))
                .is_some_and(|earlier| is_within(earlier, &event, seconds));
            if repeats {
                continue;
            }
            last.insert(item, kept.len());
        }
        kept.push(event);
    }
    kept
}

fn is_within(earlier: &Event, later: &Event, seconds: u32) -> bool {
    micros_between(earlier, later).is_some_and(|gap| gap <= i64::from(seconds) * 1_000_000)
}
