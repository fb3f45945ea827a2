//! The words of one language: a data file each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proclivity_schema::{EventKind, Language};
use serde::Deserialize;

use crate::TextError;
use crate::sentence::SentenceWords;
use crate::when::TimeWords;
use crate::words::{Affix, Enclosure, KindWords, TargetWords};

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
    pub(crate) prompt: PromptWords,
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
    /// [`TextError::NoLocale`] for a language other than Chinese and English, whose words
    /// [`Locale::from_json`] can bring.
    pub fn for_language(language: &Language) -> Result<&'static Self, TextError> {
        [Self::chinese(), Self::english()]
            .into_iter()
            .find(|locale| locale.language == *language)
            .ok_or_else(|| TextError::NoLocale { language: language.clone() })
    }

    /// The locale that a file of the form of `src/locales/en.json` holds.
    ///
    /// # Errors
    /// [`TextError::LocaleForm`] when it isn't of that form, and the other `Locale…` errors when
    /// words are missing, when the plain form wouldn't read back with them, or when foreign text
    /// could close its quotes.
    pub fn from_json(json: &str) -> Result<Self, TextError> {
        let locale: Self = serde_json::from_str(json).map_err(|error| TextError::LocaleForm {
            line: error.line(),
            column: error.column(),
            problem: error.to_string().into(),
        })?;
        locale.check()?;
        Ok(locale)
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
    Locale::from_json(json).expect("the embedded locales are valid")
}

/// The words of the plain form.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlainWords {
    pub(crate) user: Affix,
    pub(crate) item: Affix,
    /// Around a quoted name.
    pub(crate) follows: TargetWords,
    /// Around a quoted comment.
    pub(crate) comment: Affix,
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
    /// Queries, names and comments.
    pub(crate) query: Enclosure,
    pub(crate) category: Enclosure,
    /// Around a name in its delimiters.
    pub(crate) follows: TargetWords,
    /// Around a comment in its delimiters.
    pub(crate) comment: Affix,
    pub(crate) clauses: KindWords,
    pub(crate) amounts: BTreeMap<EventKind, Affix>,
    pub(crate) rating: RatingWords,
    /// How often a thing was done.
    pub(crate) repeats: Affix,
    /// The same where an amount, rating or comment stands before it.
    pub(crate) repeats_after_details: Affix,
    /// Between the objects of one clause, and before the last.
    pub(crate) list: [String; 2],
    /// The same where they are more than titles.
    pub(crate) details_list: [String; 2],
    pub(crate) heading: Affix,
    pub(crate) session: Affix,
    /// The heading of events that are of no session.
    pub(crate) no_session: String,
    /// The heading of events without a time.
    pub(crate) no_day: String,
    pub(crate) times: TimeWords,
}

/// How ratings are said in words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingWords {
    pub(crate) clause: Affix,
    /// Around the word, after the title.
    pub(crate) word: Affix,
    /// From the worst to the best.
    pub(crate) words: Vec<String>,
}

/// The words around data in a prompt.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptWords {
    /// Around the name of the tag: that what stands in it is data.
    pub(crate) note: Affix,
}
