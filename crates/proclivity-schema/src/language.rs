//! The language that a text is written in.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// An ISO 639 language tag, such as `zh` or `en`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Language(Cow<'static, str>);

impl Language {
    /// Chinese.
    pub const CHINESE: Self = Self(Cow::Borrowed("zh"));
    /// English.
    pub const ENGLISH: Self = Self(Cow::Borrowed("en"));
    /// Not known (ISO 639-2 `und`).
    pub const UNDETERMINED: Self = Self(Cow::Borrowed("und"));

    /// Checks and wraps a tag.
    ///
    /// # Errors
    /// [`SchemaError::InvalidLanguage`] unless it is two or three small ASCII letters.
    pub fn new(tag: &str) -> Result<Self, SchemaError> {
        let valid = (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_lowercase());
        if !valid {
            return Err(SchemaError::InvalidLanguage { tag: tag.to_owned() });
        }
        Ok(Self(Cow::Owned(tag.to_owned())))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Language {
    type Error = SchemaError;
    fn try_from(tag: String) -> Result<Self, SchemaError> {
        Self::new(&tag)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> String {
        language.0.into_owned()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
