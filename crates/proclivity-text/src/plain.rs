//! The plain form: who did what to which ids, in one sentence that parses back.

use std::fmt::Write;

use proclivity_schema::{Action, Catalog, Event, EventKind, ItemId, UserId};

use crate::Locale;
use crate::amount::{amount, amount_text};
use crate::flatten::is_invisible;
use crate::locale::PlainWords;

/// An event as the plain form says it: its item by id, and no user or time.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainEvent {
    pub(crate) kind: EventKind,
    pub(crate) object: PlainObject,
    pub(crate) amount: Option<f64>,
}

/// What a deed was done to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PlainObject {
    Item(ItemId),
    Text(Box<str>),
}

impl PlainEvent {
    /// What the plain form keeps of an event.
    ///
    /// # Panics
    /// When the event is of another, larger catalog.
    pub fn new(event: &Event, catalog: &Catalog) -> Self {
        let object = match &event.action {
            Action::Search { query: text } | Action::Follow { topic: text } => {
                PlainObject::Text(text.clone())
            }
            Action::View { item }
            | Action::Click { item }
            | Action::AddToCart { item }
            | Action::Purchase { item, .. }
            | Action::Rate { item, .. }
            | Action::Like { item }
            | Action::Share { item }
            | Action::Skip { item }
            | Action::Dismiss { item }
            | Action::Impression { item, .. } => {
                PlainObject::Item(catalog.item(*item).id().clone())
            }
        };
        Self { kind: event.action.kind(), object, amount: amount(&event.action) }
    }

    /// The kind.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The item, where the kind has one.
    pub fn item(&self) -> Option<&ItemId> {
        match &self.object {
            PlainObject::Item(item) => Some(item),
            PlainObject::Text(_) => None,
        }
    }

    /// The query or topic, where the kind has one.
    pub fn text(&self) -> Option<&str> {
        match &self.object {
            PlainObject::Item(_) => None,
            PlainObject::Text(text) => Some(text),
        }
    }

    /// The quantity, rating or position (from 0), where the kind has one.
    pub fn amount(&self) -> Option<f64> {
        self.amount
    }
}

/// One user's events as one sentence with ids: a clause for each run of events of the same kind,
/// in the order given, which in a history is the order of time.
///
/// [`parse_plain`](crate::parse_plain) reads it back whatever ids and queries hold: an id that is
/// not made of ASCII letters, digits, `-` and `_` is quoted, and inside of quotes `\` escapes.
///
/// # Panics
/// When an event is of another, larger catalog.
pub fn plain(user: &UserId, events: &[Event], catalog: &Catalog, locale: &Locale) -> String {
    let words = &locale.plain;
    let mut out = words.user.before.clone();
    name_into(&mut out, user.as_str(), words);
    out.push_str(&words.user.after);
    if events.is_empty() {
        out.push_str(&words.nothing);
    }
    let runs = events.chunk_by(|a, b| a.action.kind() == b.action.kind());
    for (position, run) in runs.enumerate() {
        if position > 0 {
            out.push_str(&words.semicolon);
        }
        run_into(&mut out, run, catalog, words);
    }
    out.push_str(&words.stop);
    out
}

fn run_into(out: &mut String, run: &[Event], catalog: &Catalog, words: &PlainWords) {
    let Some(first) = run.first() else { return };
    let clause = words.clauses.get(first.action.kind());
    out.push_str(&clause.before);
    for (position, event) in run.iter().enumerate() {
        if position > 0 {
            let last = position + 1 == run.len();
            out.push_str(if last { &words.and } else { &words.comma });
        }
        object_into(out, &PlainEvent::new(event, catalog), words);
    }
    out.push_str(&clause.after);
}

fn object_into(out: &mut String, event: &PlainEvent, words: &PlainWords) {
    match &event.object {
        PlainObject::Item(item) => {
            out.push_str(&words.item.before);
            name_into(out, item.as_str(), words);
            out.push_str(&words.item.after);
        }
        PlainObject::Text(text) => quote_into(out, text, words.quotes),
    }
    let amount = event.amount.and_then(|amount| amount_text(event.kind, amount));
    if let (Some(amount), Some(affix)) = (amount, words.amounts.get(&event.kind)) {
        out.push_str(&affix.wrap(&amount));
    }
}

/// Whether a character can stand in an id without quotes around it.
pub(crate) fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

fn name_into(out: &mut String, id: &str, words: &PlainWords) {
    if id.chars().all(is_bare) {
        out.push_str(id);
    } else {
        quote_into(out, id, words.quotes);
    }
}

fn quote_into(out: &mut String, text: &str, (open, close): (char, char)) {
    out.push(open);
    for character in text.chars() {
        if is_invisible(character) {
            // Writing to a `String` can't fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            if character == '\\' || character == open || character == close {
                out.push('\\');
            }
            out.push(character);
        }
    }
    out.push(close);
}
