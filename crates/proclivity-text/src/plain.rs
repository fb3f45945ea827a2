//! The plain form: who did what to which ids, in one sentence that parses back.

use std::fmt::Write;

use proclivity_schema::{Action, Catalog, Event, EventKind, FollowTarget, ItemId, UserId};

use crate::Locale;
use crate::amount::{amount, exact_amount_into};
use crate::flatten::is_invisible;
use crate::locale::PlainWords;

/// An event as the plain form says it: its item by id, and no user, time or details.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainEvent {
    pub(crate) kind: EventKind,
    pub(crate) item: Option<ItemId>,
    pub(crate) target: Option<FollowTarget>,
    pub(crate) text: Option<Box<str>>,
    pub(crate) amount: Option<f64>,
}

impl PlainEvent {
    /// What the plain form keeps of an event.
    ///
    /// # Panics
    /// When the event is of another, larger catalog.
    pub fn new(event: &Event, catalog: &Catalog) -> Self {
        let action = &event.action;
        Self {
            kind: action.kind(),
            item: action.item().map(|item| catalog.item(item).id().clone()),
            target: match *action {
                Action::Follow { target, .. } => Some(target),
                _ => None,
            },
            text: action.text().map(Box::from),
            amount: amount(action),
        }
    }

    /// The kind.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The item, where the kind has one.
    pub fn item(&self) -> Option<&ItemId> {
        self.item.as_ref()
    }

    /// Whether a user, a group or a topic is followed, where one is.
    pub fn target(&self) -> Option<FollowTarget> {
        self.target
    }

    /// The query, the name of what is followed or the comment, where the kind has one.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The quantity, rating, watched fraction or position (from 0), where the kind has one.
    pub fn amount(&self) -> Option<f64> {
        self.amount
    }
}

/// One user's events as one sentence with ids: a clause for each run of events of the same kind,
/// in the order given, which in a history is the order of time.
///
/// [`parse_plain`](crate::parse_plain) reads it back whatever ids and texts hold: an id that is
/// not made of ASCII letters, digits, `-` and `_` is quoted, and inside of quotes `\` escapes.
///
/// # Panics
/// When an event is of another, larger catalog.
pub fn plain(user: &UserId, events: &[Event], catalog: &Catalog, locale: &Locale) -> String {
    let mut out = String::new();
    plain_into(&mut out, user, events, catalog, locale);
    out
}

/// Appends what [`plain`] gives.
///
/// # Panics
/// As [`plain`].
pub fn plain_into(
    out: &mut String,
    user: &UserId,
    events: &[Event],
    catalog: &Catalog,
    locale: &Locale,
) {
    let words = &locale.plain;
    out.push_str(&words.user.before);
    name_into(out, user.as_str(), words);
    out.push_str(&words.user.after);
    if events.is_empty() {
        out.push_str(&words.nothing);
    }
    let runs = events.chunk_by(|a, b| a.action.kind() == b.action.kind());
    for (position, run) in runs.enumerate() {
        if position > 0 {
            out.push_str(&words.semicolon);
        }
        run_into(out, run, catalog, words);
    }
    out.push_str(&words.stop);
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
        object_into(out, &event.action, catalog, words);
    }
    out.push_str(&clause.after);
}

fn object_into(out: &mut String, action: &Action, catalog: &Catalog, words: &PlainWords) {
    if let Some(item) = action.item() {
        out.push_str(&words.item.before);
        name_into(out, catalog.item(item).id().as_str(), words);
        out.push_str(&words.item.after);
    }
    match action {
        Action::Search { query } => quote_into(out, query, words.quotes),
        Action::Follow { target, name } => {
            let around = words.follows.get(*target);
            out.push_str(&around.before);
            quote_into(out, name, words.quotes);
            out.push_str(&around.after);
        }
        Action::Comment { text, .. } if !text.is_empty() => {
            out.push_str(&words.comment.before);
            quote_into(out, text, words.quotes);
            out.push_str(&words.comment.after);
        }
        _ => exact_amount_into(out, action, &words.amounts),
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
