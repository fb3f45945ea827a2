//! Histories said in groups: by kind, day or session, and repeats with their number.

use std::collections::HashMap;
use std::hash::Hash;

use proclivity_schema::{Action, Event};

use crate::clause::{Said, Speaker};
use crate::when::Day;
use crate::{Grouping, Order};

impl Speaker<'_> {
    /// Whether a history's text is more than its events' clauses, one after the other.
    pub(crate) fn merges(&self) -> bool {
        self.options.grouping != Grouping::None || self.options.with_counts
    }

    /// Appends these events, which are in the order of time, as the options say.
    pub(crate) fn say_into(&self, out: &mut String, events: &[&Event]) {
        let mut ordered = events.to_vec();
        if self.options.order == Order::NewestFirst {
            ordered.reverse();
        }
        match self.options.grouping {
            Grouping::None => self.clauses_into(out, &ordered, true),
            Grouping::Kind => {
                for (kind, events) in grouped(ordered, |event| event.action.kind()) {
                    self.merged_into(out, kind, &self.said(&events));
                }
            }
            Grouping::Day => self.days_into(out, ordered),
            Grouping::Session => self.sessions_into(out, ordered, events),
        }
    }

    fn days_into(&self, out: &mut String, ordered: Vec<&Event>) {
        let newest = self.options.now.or(ordered.iter().filter_map(|event| event.time).max());
        let known_year = newest.and_then(|time| Day::of(time).year()).unwrap_or_default();
        let words = &self.locale.rich;
        for (day, events) in grouped(ordered, |event| event.time.map(Day::of)) {
            out.push_str(&words.heading.before);
            match day {
                Some(day) => words.times.date_into(out, day, known_year),
                None => out.push_str(&words.no_day),
            }
            self.under_heading_into(out, &events);
        }
    }

    fn sessions_into(&self, out: &mut String, ordered: Vec<&Event>, oldest_first: &[&Event]) {
        let mut numbers = HashMap::new();
        for session in oldest_first.iter().filter_map(|event| event.session()) {
            let next = numbers.len() + 1;
            numbers.entry(session).or_insert(next);
        }
        if numbers.is_empty() {
            return self.clauses_into(out, &ordered, true);
        }
        let words = &self.locale.rich;
        for (session, events) in grouped(ordered, |event| event.session()) {
            out.push_str(&words.heading.before);
            match session.and_then(|session| numbers.get(session)) {
                Some(number) => words.session.wrap_into(out, &number.to_string()),
                None => out.push_str(&words.no_session),
            }
            self.under_heading_into(out, &events);
        }
    }

    /// Appends the end of a heading, with how long ago the newest of its events was, and the
    /// events.
    fn under_heading_into(&self, out: &mut String, events: &[&Event]) {
        let words = &self.locale.rich;
        let newest = events.iter().filter_map(|event| event.time).max();
        self.ago_into(out, newest, &words.times.object);
        out.push_str(&words.heading.after);
        self.clauses_into(out, events, false);
    }

    fn clauses_into(&self, out: &mut String, events: &[&Event], with_times: bool) {
        for said in self.said(events) {
            let time = said.time.filter(|_| with_times);
            self.clause_into(out, &Said { time, ..said });
        }
    }

    /// Each event, or each once with its number where repeats are counted.
    fn said<'e>(&self, events: &[&'e Event]) -> Vec<Said<'e>> {
        let once = events.iter().map(|event| Said::once(event));
        if !self.options.with_counts {
            return once.collect();
        }
        let what = |said: &Said<'e>| {
            let action = said.action;
            let target = match *action {
                Action::Follow { target, .. } => Some(target),
                _ => None,
            };
            let amount = self.said_amount(action).map(f64::to_bits);
            (action.kind(), action.item(), target, action.text(), amount)
        };
        grouped(once, what)
            .into_iter()
            .filter_map(|(_, repeats)| {
                let first = *repeats.first()?;
                let time = repeats.iter().filter_map(|said| said.time).max();
                Some(Said { time, count: repeats.len(), ..first })
            })
            .collect()
    }
}

/// Groups by key, in the order in which keys come first.
fn grouped<T, K: Hash + Eq + Clone>(
    things: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> Vec<(K, Vec<T>)> {
    let mut positions: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for thing in things {
        let key = key(&thing);
        let next = groups.len();
        let position = *positions.entry(key.clone()).or_insert(next);
        if position == next {
            groups.push((key, vec![thing]));
        } else {
            groups[position].1.push(thing);
        }
    }
    groups
}
