//! The forms that words take in a locale's file: around one thing, for every kind, in a list.

use std::collections::BTreeMap;

use proclivity_schema::{EventKind, FollowTarget};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::flatten::flatten_into;

/// Words before and after one thing, written `before{}after`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affix {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Affix {
    pub(crate) fn wrap_into(&self, out: &mut String, inner: &str) {
        out.push_str(&self.before);
        out.push_str(inner);
        out.push_str(&self.after);
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

/// A piece of words with slots.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece<S> {
    Fixed(String),
    Slot(S),
}

/// The pieces of `words {slot} words`; `None` when a `{` is not closed or names no slot.
pub(crate) fn pieces<S>(text: &str, slot: impl Fn(&str) -> Option<S>) -> Option<Vec<Piece<S>>> {
    let mut pieces = Vec::new();
    let fixed = |pieces: &mut Vec<Piece<S>>, words: &str| {
        if !words.is_empty() {
            pieces.push(Piece::Fixed(words.to_owned()));
        }
    };
    let mut rest = text;
    while let Some((words, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        fixed(&mut pieces, words);
        pieces.push(Piece::Slot(slot(name)?));
        rest = after;
    }
    fixed(&mut pieces, rest);
    Some(pieces)
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

/// Words for whom or what a user follows, around the name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetWords {
    topic: Affix,
    user: Affix,
    group: Affix,
}

impl TargetWords {
    pub(crate) fn get(&self, target: FollowTarget) -> &Affix {
        match target {
            FollowTarget::Topic => &self.topic,
            FollowTarget::User => &self.user,
            FollowTarget::Group => &self.group,
        }
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
}
