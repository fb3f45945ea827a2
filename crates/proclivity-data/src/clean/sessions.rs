//! Sessions told apart by pauses.

use std::collections::HashSet;

use proclivity_schema::Event;

use super::micros_between;

/// The history with a session number, from 1, for events that have no session but a time; and how
/// many those are.
pub(super) fn number(mut history: Vec<Event>, gap_seconds: u32) -> (Vec<Event>, usize) {
    let gap = i64::from(gap_seconds) * 1_000_000;
    // Numbers that the log itself has stay with the sessions that have them.
    let taken: HashSet<String> =
        history.iter().filter_map(Event::session).map(str::to_owned).collect();
    let mut free =
        (1_u64..).map(|number| number.to_string()).filter(|number| !taken.contains(number));
    let (mut session, mut numbered) = (free.next(), 0);
    for place in 0..history.len() {
        let paused = place > 0
            && micros_between(&history[place - 1], &history[place])
                .is_some_and(|pause| pause >= gap);
        if paused {
            session = free.next();
        }
        let event = &mut history[place];
        if event.session().is_none() && event.time.is_some() {
            event.details.get_or_insert_default().session = session.clone().map(Into::into);
            numbered += 1;
        }
    }
    (history, numbered)
}
