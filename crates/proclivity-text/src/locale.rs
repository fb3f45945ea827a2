//! The words of one language: an embedded data file each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proclivity_schema::{EventKind, Language};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::TextError;
use crate::flatten::flatten_into;
use crate::sentence::SentenceWords;

static CHINESE: LazyLock<Locale> = LazyLock::new(|| embedded(include_str!("locales/zh.json")));
static ENGLISH: LazyLock<Locale> = LazyLock::new(|| embedded(include_str!("locales/en.json")));

/// The words that behaviour is said in, for one language.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locale {
    language: Language,
    pub(crate) plain: PlainWords,
    pub(crate) rich: RichWords,
    pub(crate) sentence: SentenceWords,
}

impl Locale {
    /// Chinese.
    pub fn chinese() -> &'static Self {
        &CHINESE
    }

    /// English.
    pub fn english() -> &'static Self {
        &ENGLISH
    }

    /// The locale of a language.
    ///
    /// # Errors
    /// [`TextError::NoLocale`] for a language other than Chinese and English.
    pub fn for_language(language: &Language) -> Result<&'static Self, TextError> {
        [Self::chinese(), Self::english()]
            .into_iter()
            .find(|locale| locale.language == *language)
            .ok_or_else(|| TextError::NoLocale { language: language.clone() })
    }

    /// The language of the words, in which titles are said too where an item has that language.
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// What a sentence of recommendation may open with.
    pub fn openings(&self) -> &[String] {
        &self.sentence.openings
    }

    /// What a sentence of recommendation may close with.
    pub fn closings(&self) -> &[String] {
        &self.sentence.closings
    }
}

#[expect(clippy::expect_used, reason = "embedded at build time, and tests read both files")]
fn embedded(json: &str) -> Locale {
    serde_json::from_str(json).expect("the embedded locales are valid")
}

/// The words of the plain form.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlainWords {
    pub(crate) user: Affix,
    pub(crate) item: Affix,
    /// Opening and closing quote.
    pub(crate) quotes: (char, char),
    /// Between objects.
    pub(crate) comma: String,
    /// Before the last object.
    pub(crate) and: String,
    /// Between clauses.
    pub(crate) semicolon: String,
    pub(crate) stop: String,
    /// Said of a user without events.
    pub(crate) nothing: String,
    pub(crate) clauses: KindWords,
    pub(crate) amounts: BTreeMap<EventKind, Affix>,
}

/// The words of the rich form.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RichWords {
    pub(crate) title: Enclosure,
    pub(crate) query: Enclosure,
    pub(crate) category: Enclosure,
    pub(crate) clauses: KindWords,
    pub(crate) amounts: BTreeMap<EventKind, Affix>,
}

/// Words before and after one thing, written `before{}after`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affix {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Affix {
    pub(crate) fn wrap(&self, inner: &str) -> String {
        [&self.before, inner, &self.after].concat()
    }
}

impl<'de> Deserialize<'de> for Affix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once("{}") {
            Some((before, after)) if !after.contains("{}") => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(D::Error::custom(format_args!("{text:?} needs `{{}}` exactly once"))),
        }
    }
}

/// Delimiters around foreign text, and what stands in for them inside of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enclosure {
    pub(crate) around: Affix,
    pub(crate) replace: Vec<(char, char)>,
}

impl Enclosure {
    /// The text as it may stand inside of the delimiters.
    pub(crate) fn inner(&self, text: &str) -> String {
        let mut inner = String::with_capacity(text.len());
        flatten_into(&mut inner, text, &self.replace);
        inner
    }

    /// Appends the text within its delimiters.
    pub(crate) fn wrap_into(&self, out: &mut String, text: &str) {
        out.push_str(&self.around.before);
        flatten_into(out, text, &self.replace);
        out.push_str(&self.around.after);
    }
}

/// Words for every kind, in the order of [`EventKind::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KindWords(Vec<Affix>);

impl KindWords {
    pub(crate) fn get(&self, kind: EventKind) -> &Affix {
        &self.0[kind as usize]
    }
}

impl<'de> Deserialize<'de> for KindWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut words = BTreeMap::<EventKind, Affix>::deserialize(deserializer)?;
        EventKind::ALL
            .into_iter()
            .map(|kind| {
                words
                    .remove(&kind)
                    .ok_or_else(|| D::Error::custom(format_args!("there are no words for {kind}")))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_belong_to_their_kind() {
        for (position, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position);
        }
    }

    /// What the parser of the plain form relies on.
    #[test]
    fn plain_words_are_unambiguous() {
        for Locale { plain, .. } in [Locale::chinese(), Locale::english()] {
            let starts: Vec<&str> = EventKind::ALL
                .iter()
                .map(|&kind| plain.clauses.get(kind).before.as_str())
                .chain([plain.nothing.as_str()])
                .collect();
            let joints = [&plain.comma, &plain.and, &plain.semicolon, &plain.stop];
            let cart = &plain.clauses.get(EventKind::AddToCart).after;
            let ends: Vec<&str> = joints.into_iter().chain([cart]).map(String::as_str).collect();
            for words in [starts, ends] {
                for (i, a) in words.iter().enumerate() {
                    assert!(!a.is_empty());
                    for (j, b) in words.iter().enumerate() {
                        assert!(i == j || !a.starts_with(b), "{a:?} starts with {b:?}");
                    }
                }
            }
            for kind in [EventKind::Purchase, EventKind::Rate, EventKind::Impression] {
                assert!(!plain.amounts[&kind].before.is_empty(), "{kind}");
            }
        }
    }

    #[test]
    fn enclosures_replace_their_delimiters() {
        for Locale { rich, .. } in [Locale::chinese(), Locale::english()] {
            for enclosure in [&rich.title, &rich.query, &rich.category] {
                let delimiters = enclosure.around.wrap("");
                for delimiter in delimiters.trim().chars() {
                    let inner = enclosure.inner(&delimiters);
                    assert!(!inner.contains(delimiter), "{delimiter} in {inner}");
                }
            }
        }
    }

    #[test]
    fn a_file_without_words_for_a_kind_is_refused() {
        let json = include_str!("locales/en.json").replace("\"dismiss\": \"Dismissed {}. \",", "");
        let error = serde_json::from_str::<Locale>(&json).expect_err("incomplete").to_string();
        assert!(error.contains("there are no words for dismiss"), "{error}");
        let json = include_str!("locales/en.json").replace("Dismissed {}. ", "Dismissed. ");
        assert!(serde_json::from_str::<Locale>(&json).is_err());
    }
}
