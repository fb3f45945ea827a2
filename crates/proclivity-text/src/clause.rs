//! The clauses of the rich form, made of one object or of several.

use std::fmt::Write;

use proclivity_schema::{Action, Catalog, Event, EventKind, Timestamp};

use crate::amount::{amount, amount_in_words_into, is_implied};
use crate::flatten::is_blank;
use crate::locale::RichWords;
use crate::when::Place;
use crate::words::Affix;
use crate::{Locale, RichOptions, category_text};

/// What is said of one event, and of those that repeat it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) action: &'a Action,
    /// The time to say, if any.
    pub(crate) time: Option<Timestamp>,
    /// How often it was done.
    pub(crate) count: usize,
}

impl<'a> Said<'a> {
    pub(crate) fn once(event: &'a Event) -> Self {
        Self { action: &event.action, time: event.time, count: 1 }
    }
}

/// Says clauses in one language and manner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speaker<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) locale: &'a Locale,
    pub(crate) options: &'a RichOptions,
}

impl Speaker<'_> {
    fn words(&self) -> &RichWords {
        &self.locale.rich
    }

    /// Appends a clause of one object, with its full stop.
    pub(crate) fn clause_into(&self, out: &mut String, said: &Said<'_>) {
        let place = &self.words().times.clause;
        let clause = self.frame(said.action.kind());
        if let Place::Start(affix) = place {
            self.ago_into(out, said.time, affix);
        }
        out.push_str(&clause.before);
        self.object_into(out, said);
        if let Place::End(affix) = place {
            self.ago_into(out, said.time, affix);
        }
        out.push_str(&clause.after);
    }

    /// Appends a clause of several objects of one kind.
    pub(crate) fn merged_into(&self, out: &mut String, kind: EventKind, objects: &[Said<'_>]) {
        let words = self.words();
        let clause = self.frame(kind);
        let more_than_titles = self.options.with_category
            || kind == EventKind::Comment
            || words.amounts.contains_key(&kind)
            || objects.iter().any(|said| said.count > 1)
            || self.options.now.is_some();
        let [comma, and] = if more_than_titles { &words.details_list } else { &words.list };
        out.push_str(&clause.before);
        for (position, said) in objects.iter().enumerate() {
            if position > 0 {
                out.push_str(if position + 1 == objects.len() { and } else { comma });
            }
            self.object_into(out, said);
            self.ago_into(out, said.time, &words.times.object);
        }
        out.push_str(&clause.after);
    }

    /// Appends how long ago a time was, within its words, where it is to be said.
    pub(crate) fn ago_into(&self, out: &mut String, time: Option<Timestamp>, around: &Affix) {
        let (Some(time), Some(now)) = (time, self.options.now) else { return };
        let start = out.len();
        out.push_str(&around.before);
        if self.words().times.ago_into(out, time, now) {
            out.push_str(&around.after);
        } else {
            out.truncate(start);
        }
    }

    fn frame(&self, kind: EventKind) -> &Affix {
        match self.options.rating_scale {
            Some(_) if kind == EventKind::Rate => &self.words().rating.clause,
            _ => self.words().clauses.get(kind),
        }
    }

    fn object_into(&self, out: &mut String, said: &Said<'_>) {
        let words = self.words();
        object_into(out, said.action, self.catalog, self.locale, self.options.with_category);
        let before_details = out.len();
        match (said.action, self.options.rating_scale) {
            (Action::Comment { text, .. }, _) if !is_blank(text) => {
                out.push_str(&words.comment.before);
                words.query.wrap_into(out, text);
                out.push_str(&words.comment.after);
            }
            (Action::Rate { rating, .. }, Some(scale)) => {
                let word = scale.nearest(*rating, words.rating.words.len());
                words.rating.word.wrap_into(out, &words.rating.words[word]);
            }
            _ => amount_in_words_into(out, said.action, &words.amounts),
        }
        if said.count > 1 {
            let bare = out.len() == before_details;
            let times = if bare { &words.repeats } else { &words.repeats_after_details };
            // Writing to a `String` can't fail.
            let _ = write!(out, "{}{}{}", times.before, said.count, times.after);
        }
    }

    /// The amount of an action, where it is said.
    pub(crate) fn said_amount(&self, action: &Action) -> Option<f64> {
        let kind = action.kind();
        amount(action)
            .filter(|&amount| self.words().amounts.contains_key(&kind) && !is_implied(kind, amount))
    }
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
    if with_category && let Some(leaf) = category_text(item, locale) {
        words.category.around.wrap_into(out, &leaf);
    }
}
