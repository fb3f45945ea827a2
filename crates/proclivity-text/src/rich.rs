//! The rich form: titles and no ids, a clause for each event; what a language model reads.

use proclivity_schema::{Catalog, Event, EventKind, Item};

use crate::clause::{Said, Speaker};
use crate::{Locale, Order, RichOptions};

/// A history in words: what the options say of its newest events.
///
/// Without groups and counts it is the clauses of [`event_text`], one after the other.
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
    history_text_into(&mut out, events, catalog, locale, options);
    out
}

/// Appends what [`history_text`] gives.
///
/// # Panics
/// As [`history_text`].
pub fn history_text_into(
    out: &mut String,
    events: &[Event],
    catalog: &Catalog,
    locale: &Locale,
    options: &RichOptions,
) {
    let events = &events[events.len().saturating_sub(options.max_events)..];
    let speaker = Speaker { catalog, locale, options };
    if speaker.merges() {
        speaker.say_into(out, &events.iter().collect::<Vec<_>>());
    } else if options.order == Order::NewestFirst {
        events.iter().rev().for_each(|event| speaker.clause_into(out, &Said::once(event)));
    } else {
        events.iter().for_each(|event| speaker.clause_into(out, &Said::once(event)));
    }
}

/// One event in words, with its full stop and, in English, the space after it: an ungrouped
/// history's text is exactly the concatenation of these.
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
    Speaker { catalog, locale, options }.clause_into(&mut out, &Said::once(event));
    out
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
