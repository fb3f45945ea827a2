//! The rich form: titles and no ids, a clause for each event; what a language model reads.

use proclivity_schema::{Action, Catalog, Event, EventKind, Item};
use serde::{Deserialize, Serialize};

use crate::Locale;
use crate::amount::amount_in_words_into;
use crate::flatten::is_blank;

/// What the rich form says.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `with_category` | `false` | say the leaf of an item's category after its title | |
/// | `max_events` | 50 | keep the newest events only | any; 0 says nothing |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RichOptions {
    /// Whether the leaf of an item's category follows its title.
    pub with_category: bool,
    /// How many events are said at most: the newest are kept.
    pub max_events: usize,
}

impl Default for RichOptions {
    fn default() -> Self {
        Self { with_category: false, max_events: 50 }
    }
}

/// A history in words: the clauses of its newest events, one after the other.
///
/// # Panics
/// When an event is of another, larger catalog.
pub fn history_text(
    events: &[Event],
    catalog: &Catalog,
    locale: &Locale,
    options: &RichOptions,
) -> String {
    let mut out = String::new();
    for event in &events[events.len().saturating_sub(options.max_events)..] {
        event_into(&mut out, event, catalog, locale, options);
    }
    out
}

/// One event in words, with its full stop and, in English, the space after it: a history's text
/// is exactly the concatenation of these.
///
/// # Panics
/// When the event is of another, larger catalog.
pub fn event_text(
    event: &Event,
    catalog: &Catalog,
    locale: &Locale,
    options: &RichOptions,
) -> String {
    let mut out = String::new();
    event_into(&mut out, event, catalog, locale, options);
    out
}

fn event_into(
    out: &mut String,
    event: &Event,
    catalog: &Catalog,
    locale: &Locale,
    options: &RichOptions,
) {
    let words = &locale.rich;
    let action = &event.action;
    let clause = words.clauses.get(action.kind());
    out.push_str(&clause.before);
    object_into(out, action, catalog, locale, options.with_category);
    match action {
        Action::Comment { text, .. } if !is_blank(text) => {
            out.push_str(&words.comment.before);
            words.query.wrap_into(out, text);
            out.push_str(&words.comment.after);
        }
        _ => amount_in_words_into(out, action, &words.amounts),
    }
    out.push_str(&clause.after);
}

/// The title or text that an action is about, within its delimiters.
pub(crate) fn object_into(
    out: &mut String,
    action: &Action,
    catalog: &Catalog,
    locale: &Locale,
    with_category: bool,
) {
    let words = &locale.rich;
    match action {
        Action::Search { query } => words.query.wrap_into(out, query),
        Action::Follow { target, name } => {
            let around = words.follows.get(*target);
            out.push_str(&around.before);
            words.query.wrap_into(out, name);
            out.push_str(&around.after);
        }
        _ => {}
    }
    let Some(item) = action.item() else { return };
    let item = catalog.item(item);
    words.title.wrap_into(out, &item.text(locale.language()).title);
    if let Some(leaf) = category_text(item, locale).filter(|_| with_category) {
        words.category.around.wrap_into(out, &leaf);
    }
}

/// An item's title as it stands between the quotes of the rich form and of sentences: on one line
/// and without those quotes.
pub fn title_text(item: &Item, locale: &Locale) -> String {
    let title = &item.text(locale.language()).title;
    locale.rich.title.inner(title)
}

/// The leaf of an item's category as it stands in the rich form and in sentences, where there is
/// one.
pub fn category_text(item: &Item, locale: &Locale) -> Option<String> {
    let leaf = item.text(locale.language()).leaf_category()?;
    let text = locale.rich.category.inner(leaf);
    (!text.is_empty()).then_some(text)
}

/// What stands around a title where it is viewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitleFrame {
    /// Up to the opening quote: `浏览「`.
    pub before: String,
    /// The closing quote: `」`. No title holds it, so that no title with it starts another.
    pub after: String,
}

/// The place in which a language model scores titles: after a history's text, `before`, then
/// [`title_text`], then `after`. The text of a view begins so with and without a category.
pub fn view_prefix(locale: &Locale) -> TitleFrame {
    let words = &locale.rich;
    let view = words.clauses.get(EventKind::View);
    TitleFrame {
        before: [view.before.as_str(), &words.title.around.before].concat(),
        after: words.title.around.after.clone(),
    }
}
