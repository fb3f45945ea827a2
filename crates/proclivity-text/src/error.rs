//! What the verbalizers and their parser refuse.

use proclivity_schema::{Language, SchemaError};

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
    /// A text that is not in the plain form.
    #[error("not in the plain form: expected {expected} at byte {byte}")]
    NotPlain {
        /// Where the text stops being the plain form, from 0.
        byte: usize,
        /// What would have to stand there.
        expected: &'static str,
    },
    /// A text in the plain form that names an id or a rating which the schema refuses.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}
