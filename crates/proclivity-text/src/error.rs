//! What the verbalizers, their parser and their locales refuse.

use proclivity_schema::{EventKind, Language, SchemaError};

/// An error of this crate, with the place or value that caused it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A language that no locale is built in for.
    #[error("there is no locale for {language}: expected zh or en")]
    NoLocale {
        /// The language asked for.
        language: Language,
    },
    /// A locale that is not the JSON that it should be: a field or a kind is missing, unknown or
    /// of another form.
    #[error("the locale is wrong at line {line}, column {column}: {problem}")]
    LocaleForm {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the JSON reader found.
        problem: Box<str>,
    },
    /// A field of a locale that holds no words where some are needed.
    #[error("the locale's {field} needs words")]
    LocaleEmpty {
        /// The field, with its path.
        field: &'static str,
    },
    /// A locale without words for a kind of event that needs them.
    #[error("the locale's {field} needs words for {kind}")]
    LocaleKind {
        /// The field, with its path.
        field: &'static str,
        /// The kind.
        kind: EventKind,
    },
    /// Words of the plain form that can't be told apart, so that it wouldn't read back.
    #[error("the locale's plain words {first:?} begin with {second:?}, which means something else")]
    LocaleAmbiguous {
        /// The longer words, or the same.
        first: Box<str>,
        /// What they begin with.
        second: Box<str>,
    },
    /// Delimiters that foreign text could close, since nothing stands in for them inside of it.
    #[error("the locale's {field} leaves {delimiter:?} to the text between its delimiters")]
    LocaleOpen {
        /// The field, with its path.
        field: &'static str,
        /// The delimiter.
        delimiter: char,
    },
    /// A scale on which no rating has a place.
    #[error(
        "a rating scale goes from a finite number up to a larger one, not from {worst} to {best}"
    )]
    RatingScale {
        /// Where it starts.
        worst: f32,
        /// Where it ends.
        best: f32,
    },
    /// A template that isn't one, or that asked for what isn't there.
    #[error("the template is wrong{}: {problem}", at_line(*line))]
    Template {
        /// The line of the template, from 1, where there is one.
        line: Option<usize>,
        /// What the template engine found.
        problem: Box<str>,
    },
    /// A setting of a token budget that is out of its range.
    #[error("the budget's {field} can't be {value}")]
    BudgetRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A token budget that what the tokenizer adds to every text exceeds.
    #[error("the budget is {max_tokens} tokens, but the empty text has {needed}")]
    BudgetTooSmall {
        /// How many tokens the empty text has.
        needed: usize,
        /// The budget.
        max_tokens: usize,
    },
    /// A tokenizer that failed.
    #[error("the tokenizer failed: {problem}")]
    Tokenizer {
        /// What `tokenizers` found.
        problem: Box<str>,
    },
    /// A text that is not in the plain form.
    #[error("not in the plain form: expected {expected} at byte {byte}")]
    NotPlain {
        /// Where the text stops being the plain form, from 0.
        byte: usize,
        /// What would have to stand there.
        expected: &'static str,
    },
    /// A text in the plain form that names an id, rating or fraction which the schema refuses.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(" at line {line}")).unwrap_or_default()
}
