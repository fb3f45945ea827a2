//! The sentence of recommendation: fixed words, and slots that a language model chooses for.

use std::collections::BTreeMap;

use proclivity_schema::{Catalog, Event, EventKind};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::Locale;
use crate::clause::object_into;
use crate::words::{Affix, Piece, pieces};

/// What is filled into a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// One of [`Locale::openings`].
    Opening,
    /// The item's [`title_text`](crate::title_text).
    Title,
    /// The item's [`category_text`](crate::category_text).
    Category,
    /// The [`because_text`] of an event that moved the recommendation.
    Because,
    /// One of [`Locale::closings`].
    Closing,
}

impl Slot {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "opening" => Some(Self::Opening),
            "title" => Some(Self::Title),
            "category" => Some(Self::Category),
            "because" => Some(Self::Because),
            "closing" => Some(Self::Closing),
            _ => None,
        }
    }
}

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Words that always stand there.
    Fixed(String),
    /// A place to fill.
    Slot(Slot),
}

/// A sentence of recommendation, piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceTemplate {
    /// The pieces, in order.
    pub segments: Vec<Segment>,
}

impl SentenceTemplate {
    /// The sentence, each slot filled with what the function gives for it.
    pub fn fill<'a>(&self, mut slot_text: impl FnMut(Slot) -> &'a str) -> String {
        let mut out = String::new();
        for segment in &self.segments {
            out.push_str(match segment {
                Segment::Fixed(words) => words,
                Segment::Slot(slot) => slot_text(*slot),
            });
        }
        out
    }
}

impl Locale {
    /// The template of a recommendation, without the parts that need an absent slot: an item may
    /// have no category, and a new user no event to name as the reason.
    pub fn sentence_template(&self, absent: &[Slot]) -> SentenceTemplate {
        let needs_absent = |part: &&Part| {
            part.0
                .iter()
                .any(|segment| matches!(segment, Segment::Slot(slot) if absent.contains(slot)))
        };
        let parts = self.sentence.parts.iter();
        SentenceTemplate {
            segments: parts
                .filter(|part| !needs_absent(part))
                .flat_map(|part| part.0.iter().cloned())
                .collect(),
        }
    }
}

/// An event as a reason, `浏览过「…」`; `None` for kinds that speak against their item or say
/// nothing about it.
///
/// # Panics
/// When the event is of another, larger catalog.
pub fn because_text(event: &Event, catalog: &Catalog, locale: &Locale) -> Option<String> {
    let affix = locale.sentence.because.get(&event.action.kind())?;
    let mut object = String::new();
    object_into(&mut object, &event.action, catalog, locale, false);
    let mut out = String::new();
    affix.wrap_into(&mut out, &object);
    Some(out)
}

/// The words of sentences.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentenceWords {
    parts: Vec<Part>,
    pub(crate) openings: Vec<String>,
    pub(crate) closings: Vec<String>,
    pub(crate) because: BTreeMap<EventKind, Affix>,
}

/// A part that stands or falls as one, written `words {slot} words`.
#[derive(Debug, Clone, PartialEq)]
struct Part(Vec<Segment>);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pieces = pieces(&text, Slot::from_name)
            .ok_or_else(|| D::Error::custom(format_args!("{text:?} has no slot after a `{{`")))?;
        let segment = |piece| match piece {
            Piece::Fixed(words) => Segment::Fixed(words),
            Piece::Slot(slot) => Segment::Slot(slot),
        };
        Ok(Self(pieces.into_iter().map(segment).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_slot_is_refused() {
        for part in ["{price}", "{title", "{}"] {
            let json = serde_json::to_string(part).expect("a string");
            assert!(serde_json::from_str::<Part>(&json).is_err(), "{part}");
        }
    }
}
