//! What a generated text is held to.

use serde::{Deserialize, Serialize};

use super::Decoder;
use super::choices::{self, Choices};
use super::generate::Finish;
#[cfg(feature = "grammar")]
use super::grammar::{Grammar, Walk};
use crate::EncoderError;

/// What a text is held to: at each token, only those are possible that lead to a text it allows.
///
/// A text that ended with [`Finish::End`] or [`Finish::Only`] is one that it allows. One that has as
/// many tokens as were asked for, [`Finish::Length`], is only the beginning of one.
///
/// | constraint | a text is | needs |
/// |---|---|---|
/// | `Only` | exactly one of some strings | |
/// | `JsonSchema` | JSON that a schema allows, with a space behind commas and colons | feature `grammar` |
/// | `Regex` | a match of a regular expression, from beginning to end | feature `grammar` |
/// | `Lark` | a sentence of a grammar in Lark's notation | feature `grammar` |
///
/// The last three are [`llguidance`](https://docs.rs/llguidance)'s: what of JSON Schema it supports,
/// and its dialects of regular expressions and Lark, stands in its documentation. A schema's
/// `x-guidance` says how white space is written, instead of the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Constraint {
    /// Exactly one of these strings.
    Only(Vec<String>),
    /// JSON that a schema allows.
    JsonSchema(serde_json::Value),
    /// A match of a regular expression, from beginning to end.
    Regex(String),
    /// A sentence of a grammar in Lark's notation.
    Lark(String),
}

/// A constraint, made ready for a model.
pub(super) enum Rules {
    Free,
    /// Of each prompt.
    Only(Vec<Vec<(Vec<u32>, usize)>>),
    #[cfg(feature = "grammar")]
    Grammar(Box<Grammar>),
}

impl Rules {
    pub(super) fn new(
        model: &Decoder,
        prompts: &[&str],
        constraint: Option<&Constraint>,
    ) -> Result<Self, EncoderError> {
        match constraint {
            None => Ok(Self::Free),
            Some(Constraint::Only(only)) => {
                let only: Vec<&str> = only.iter().map(String::as_str).collect();
                if only.is_empty() {
                    return Err(EncoderError::InvalidConfig {
                        field: "constraint.only",
                        value: 0.0,
                        expected: "at least one string",
                    });
                }
                let trie = |prompt| Ok(choices::sorted(model.continuations(prompt, &only)?));
                Ok(Self::Only(
                    prompts.iter().copied().map(trie).collect::<Result<_, EncoderError>>()?,
                ))
            }
            #[cfg(feature = "grammar")]
            Some(constraint) => Ok(Self::Grammar(Box::new(Grammar::new(model, constraint)?))),
            #[cfg(not(feature = "grammar"))]
            Some(_) => Err(EncoderError::FeatureNotCompiled {
                what: "a constraint by schema, regular expression or grammar",
                feature: "grammar",
            }),
        }
    }

    /// For the text behind a prompt.
    pub(super) fn guide(&self, prompt: usize) -> Result<Option<Guide<'_>>, EncoderError> {
        match self {
            Self::Free => Ok(None),
            Self::Only(tries) => Ok(tries.get(prompt).map(|trie| Guide::Only(Choices::new(trie)))),
            #[cfg(feature = "grammar")]
            Self::Grammar(grammar) => Ok(Some(Guide::Grammar(Box::new(grammar.walk()?)))),
        }
    }
}

/// Where a text is in its constraint.
pub(super) enum Guide<'a> {
    Only(Choices<'a>),
    #[cfg(feature = "grammar")]
    Grammar(Box<Walk<'a>>),
}

impl Guide<'_> {
    /// The tokens that lead on.
    pub(super) fn next(&self) -> Vec<u32> {
        match self {
            Self::Only(choices) => choices.next(),
            #[cfg(feature = "grammar")]
            Self::Grammar(walk) => walk.next().to_vec(),
        }
    }

    /// What the text is where it may end here.
    pub(super) fn complete(&self) -> Option<Finish> {
        match self {
            Self::Only(choices) => choices.complete().map(Finish::Only),
            #[cfg(feature = "grammar")]
            Self::Grammar(walk) => walk.is_complete().then_some(Finish::End),
        }
    }

    /// Takes one of the tokens that lead on; returns the text that is whole by it, where it comes
    /// piece by piece.
    pub(super) fn advance(&mut self, token: u32) -> Result<String, EncoderError> {
        match self {
            Self::Only(choices) => {
                choices.advance(token);
                Ok(String::new())
            }
            #[cfg(feature = "grammar")]
            Self::Grammar(walk) => walk.advance(token),
        }
    }
}
