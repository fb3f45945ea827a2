//! The catalog scored by a language model under interests said in words.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Axis, s};
use proclivity_encoder::{LanguageModel, TextEncoder, score_cached};
use proclivity_posterior::HypothesisScores;
use serde::{Deserialize, Serialize};

use crate::ProclivityError;

/// The words in front of an item's text, for a language model to continue.
///
/// | parameter | default | purpose |
/// |---|---|---|
/// | `interest` | “Someone who loves {} chose this:” | under a hypothesis, which stands for `{}` |
/// | `nothing` | “Someone chose this:” | the null context |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct HypothesisPrompt {
    pub interest: String,
    pub nothing: String,
}

impl Default for HypothesisPrompt {
    fn default() -> Self {
        Self {
            interest: "Someone who loves {} chose this:".to_owned(),
            nothing: "Someone chose this:".to_owned(),
        }
    }
}

/// log p(text | interest) and log p(text | null context) of all items, kept on disk as
/// [`score_cached`] has it. Interests without a word in them are left out, and a text that several
/// items have is scored once.
///
/// `progress` is told how many of (interests + 1) · distinct texts scores there are.
///
/// # Errors
/// [`ProclivityError::Empty`] without interests, before anything is scored,
/// [`ProclivityError::Encoder`] for what scoring refuses, [`ProclivityError::Posterior`] for what
/// [`HypothesisScores::new`] does.
pub fn score_hypotheses(
    model: &(impl LanguageModel + TextEncoder),
    prompt: &HypothesisPrompt,
    interests: &[&str],
    texts: &[&str],
    cache: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<HypothesisScores, ProclivityError> {
    let words = interests.iter().map(|interest| interest.trim());
    let names: Vec<String> = words.filter(|words| !words.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err(ProclivityError::Empty { what: "interests" });
    }
    let mut prompts = vec![prompt.nothing.clone()];
    prompts.extend(names.iter().map(|words| prompt.interest.replace("{}", words)));
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let (mut distinct, mut place) = (Vec::new(), BTreeMap::new());
    let places = texts.iter().map(|&text| {
        *place.entry(text).or_insert_with(|| {
            distinct.push(format!(" {text}"));
            distinct.len() - 1
        })
    });
    let places: Vec<usize> = places.collect();
    let distinct: Vec<&str> = distinct.iter().map(String::as_str).collect();
    let scores = score_cached(model, &prompts, &distinct, cache, progress)?.mapv(f64::from);
    let scores = scores.select(Axis(1), &places);
    let (under, null) = (scores.slice(s![1.., ..]), scores.index_axis(Axis(0), 0));
    Ok(HypothesisScores::new(names, under.to_owned(), null.to_owned())?)
}
