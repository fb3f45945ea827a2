//! Histories within a budget of tokens: whole events, the most worth saying first.

use std::borrow::Cow;
use std::collections::HashMap;

use proclivity_schema::{Action, Catalog, Event};
use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::clause::{Said, Speaker};
use crate::worth::{BudgetConfig, Popularity, informativeness};
use crate::{Grouping, Locale, RichOptions, SpecialTokens, TextError};

/// How many histories are tokenized together.
const BATCH: usize = 512;
/// How many clauses are remembered with their number of tokens; some 100 bytes each.
const REMEMBERED: usize = 1 << 19;
/// After so many clauses in a row that don't fit, no others are tried.
const MISSES: usize = 3;

/// A history that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetedText {
    /// The text, in the rich form.
    pub text: String,
    /// Its number of tokens, which is at most the budget.
    pub tokens: usize,
    /// The positions of the events that it says, ascending.
    pub kept: Vec<usize>,
}

/// Fits histories into a budget of tokens, and remembers how many tokens clauses have.
#[derive(Debug, Clone)]
pub struct TokenBudget {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    config: BudgetConfig,
    popularity: Option<Popularity>,
    /// How many tokens every text has.
    overhead: usize,
    remembered: HashMap<Box<str>, usize>,
}

impl SpecialTokens {
    /// The special tokens of a tokenizer.
    pub fn of_tokenizer(tokenizer: &Tokenizer) -> Self {
        let added = tokenizer.get_added_tokens_decoder();
        Self::new(added.into_values().filter(|token| token.special).map(|token| token.content))
    }
}

impl TokenBudget {
    /// A budget in the tokens of this tokenizer, whose truncation and padding are left aside.
    ///
    /// # Errors
    /// [`TextError::BudgetRange`] for a setting out of its range, [`TextError::BudgetTooSmall`]
    /// when not even the empty text fits, [`TextError::Tokenizer`] when the tokenizer fails.
    pub fn new(mut tokenizer: Tokenizer, config: BudgetConfig) -> Result<Self, TextError> {
        config.check()?;
        tokenizer.with_truncation(None).map_err(failed)?;
        tokenizer.with_padding(None);
        let mut budget = Self {
            special: SpecialTokens::of_tokenizer(&tokenizer),
            tokenizer,
            config,
            popularity: None,
            overhead: 0,
            remembered: HashMap::new(),
        };
        budget.overhead = budget.count("")?;
        let (needed, max_tokens) = (budget.overhead, budget.config.max_tokens);
        if needed > max_tokens {
            return Err(TextError::BudgetTooSmall { needed, max_tokens });
        }
        Ok(budget)
    }

    /// The same budget, in which events about rare items are worth more.
    pub fn with_popularity(mut self, popularity: Popularity) -> Self {
        self.popularity = Some(popularity);
        self
    }

    /// How many tokens a text has.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the tokenizer fails.
    pub fn count(&self, text: &str) -> Result<usize, TextError> {
        let encoding = self.tokenizer.encode_fast(text, self.config.with_special_tokens);
        Ok(encoding.map_err(failed)?.len())
    }

    /// A history's text within the budget: the events that are worth most, in the order and manner
    /// of the options, each of them whole. Spellings of the tokenizer's special tokens are broken.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the tokenizer fails.
    ///
    /// # Panics
    /// When an event is of another, larger catalog.
    pub fn fit(
        &mut self,
        events: &[Event],
        catalog: &Catalog,
        locale: &Locale,
        options: &RichOptions,
    ) -> Result<BudgetedText, TextError> {
        let mut fitted = self.fit_all(&[events], catalog, locale, options)?;
        Ok(fitted.swap_remove(0))
    }

    /// What [`TokenBudget::fit`] gives for each history, tokenized together and so faster.
    ///
    /// # Errors
    /// As for [`TokenBudget::fit`].
    ///
    /// # Panics
    /// As for [`TokenBudget::fit`].
    pub fn fit_all(
        &mut self,
        histories: &[&[Event]],
        catalog: &Catalog,
        locale: &Locale,
        options: &RichOptions,
    ) -> Result<Vec<BudgetedText>, TextError> {
        let speaker = Speaker { catalog, locale, options };
        let mut fitted = Vec::with_capacity(histories.len());
        for batch in histories.chunks(BATCH) {
            if self.remembered.len() > REMEMBERED {
                self.remembered.clear();
            }
            let mut drafts: Vec<Draft<'_>> =
                batch.par_iter().map(|events| self.draft(events, options.max_events)).collect();
            while drafts.iter().any(Draft::is_open) {
                drafts.par_iter_mut().for_each(|draft| self.propose(draft, speaker));
                self.count_new(&drafts)?;
                drafts.par_iter_mut().for_each(|draft| self.pick(draft));
            }
            fitted.extend(self.verified(&mut drafts, speaker)?);
        }
        Ok(fitted)
    }

    /// No events yet, and the order in which to try them.
    fn draft<'e>(&self, events: &'e [Event], max_events: usize) -> Draft<'e> {
        let oldest = events.len().saturating_sub(max_events);
        let mut worth: Vec<(usize, f64)> = (oldest..events.len())
            .map(|position| {
                let younger = events.len() - 1 - position;
                (position, self.worth(&events[position].action, younger))
            })
            .collect();
        worth.sort_by(|(i, a), (j, b)| b.total_cmp(a).then(j.cmp(i)));
        Draft {
            events,
            untried: worth.into_iter().map(|(position, _)| position).rev().collect(),
            proposed: Vec::new(),
            picked: Vec::new(),
            left: self.config.max_tokens - self.overhead,
            misses: 0,
        }
    }

    fn worth(&self, action: &Action, younger: usize) -> f64 {
        let kind = action.kind();
        let weight = self.config.weights.get(&kind).copied();
        let surprise = match (&self.popularity, action.item()) {
            (Some(popularity), Some(item)) => popularity.surprise(item),
            _ => 1.0,
        };
        let age = (-(younger as f64) / self.config.half_life).exp2();
        weight.unwrap_or_else(|| informativeness(kind)) * age * surprise
    }

    /// Says the next clauses, about as many as are left room for: how many changes nothing but
    /// the speed.
    fn propose(&self, draft: &mut Draft<'_>, speaker: Speaker<'_>) {
        draft.proposed.clear();
        let under_headings = matches!(speaker.options.grouping, Grouping::Day | Grouping::Session);
        let mut room = draft.left;
        let mut clause = String::new();
        while draft.is_open() && (room > 0 || draft.proposed.len() < MISSES) {
            let Some(position) = draft.untried.pop() else { break };
            clause.clear();
            let said = Said::once(&draft.events[position]);
            // Headings say the times of their events.
            let time = said.time.filter(|_| !under_headings);
            speaker.clause_into(&mut clause, &Said { time, ..said });
            let text: Box<str> = self.special.neutralize(&clause).into();
            let tokens = self.remembered.get(&text).copied();
            // Four bytes a token, which is usual for English.
            room = room.saturating_sub(tokens.unwrap_or(text.len() / 4));
            draft.proposed.push(Proposal { position, text, tokens });
        }
    }

    /// Counts the tokens of every clause that isn't remembered, each once.
    fn count_new(&mut self, drafts: &[Draft<'_>]) -> Result<(), TextError> {
        let mut new: Vec<&str> = drafts
            .iter()
            .flat_map(|draft| &draft.proposed)
            .filter(|proposal| proposal.tokens.is_none())
            .map(|proposal| &*proposal.text)
            .collect();
        new.sort_unstable();
        new.dedup();
        let encodings = self.tokenizer.encode_batch_fast(new.clone(), false).map_err(failed)?;
        let counts = encodings.iter().map(|encoding| encoding.len());
        self.remembered.extend(new.into_iter().map(Box::from).zip(counts));
        Ok(())
    }

    /// Takes the proposed clauses that fit by their own numbers of tokens.
    fn pick(&self, draft: &mut Draft<'_>) {
        for Proposal { position, text, tokens } in std::mem::take(&mut draft.proposed) {
            let tokens = tokens.or_else(|| self.remembered.get(&text).copied());
            let tokens = tokens.unwrap_or(usize::MAX);
            if !draft.is_fitting() {
                break;
            }
            match draft.left.checked_sub(tokens) {
                Some(left) => {
                    draft.picked.push((position, tokens));
                    (draft.left, draft.misses) = (left, 0);
                }
                None => draft.misses += 1,
            }
        }
    }

    /// Says what was picked and counts the whole; where that is more than its parts, drops the
    /// least worth.
    fn verified(
        &self,
        drafts: &mut [Draft<'_>],
        speaker: Speaker<'_>,
    ) -> Result<Vec<BudgetedText>, TextError> {
        let mut fitted: Vec<Option<BudgetedText>> = vec![None; drafts.len()];
        let mut open: Vec<usize> = (0..drafts.len()).collect();
        while !open.is_empty() {
            let texts: Vec<String> =
                open.par_iter().map(|&draft| self.say(&drafts[draft], speaker)).collect();
            let inputs: Vec<&str> = texts.iter().map(String::as_str).collect();
            let encodings = self
                .tokenizer
                .encode_batch_fast(inputs, self.config.with_special_tokens)
                .map_err(failed)?;
            let mut still_open = Vec::new();
            for ((position, text), encoding) in open.into_iter().zip(texts).zip(encodings) {
                let tokens = encoding.len();
                let draft = &mut drafts[position];
                match tokens.checked_sub(self.config.max_tokens) {
                    None | Some(0) => {
                        let kept = draft.positions();
                        fitted[position] = Some(BudgetedText { text, tokens, kept });
                    }
                    Some(over) => {
                        draft.drop_least(over);
                        still_open.push(position);
                    }
                }
            }
            open = still_open;
        }
        Ok(fitted.into_iter().flatten().collect())
    }

    fn say(&self, draft: &Draft<'_>, speaker: Speaker<'_>) -> String {
        let positions = draft.positions().into_iter();
        let events: Vec<&Event> = positions.map(|position| &draft.events[position]).collect();
        let mut text = String::new();
        speaker.say_into(&mut text, &events);
        match self.special.neutralize(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(safe) => safe,
        }
    }
}

fn failed(error: tokenizers::Error) -> TextError {
    TextError::Tokenizer { problem: error.to_string().into() }
}

/// A history on its way into the budget.
struct Draft<'e> {
    events: &'e [Event],
    /// Positions of events, the most worth last.
    untried: Vec<usize>,
    /// The clauses that are tried next.
    proposed: Vec<Proposal>,
    /// The positions of picked events and the tokens of their clauses, the most worth first.
    picked: Vec<(usize, usize)>,
    /// Tokens that are left.
    left: usize,
    /// How many clauses in a row didn't fit.
    misses: usize,
}

struct Proposal {
    position: usize,
    text: Box<str>,
    /// If remembered.
    tokens: Option<usize>,
}

impl Draft<'_> {
    fn is_fitting(&self) -> bool {
        self.left > 0 && self.misses < MISSES
    }

    fn is_open(&self) -> bool {
        self.is_fitting() && !self.untried.is_empty()
    }

    fn positions(&self) -> Vec<usize> {
        let mut positions: Vec<usize> = self.picked.iter().map(|&(position, _)| position).collect();
        positions.sort_unstable();
        positions
    }

    /// Drops the least worth events: enough for `over` tokens by their own numbers, and at least
    /// an eighth of them, so that few rounds are needed where these don't add up.
    fn drop_least(&mut self, over: usize) {
        let least = self.picked.len().div_ceil(8);
        let mut dropped = (0, 0);
        while dropped.0 < least || dropped.1 < over {
            let Some((_, tokens)) = self.picked.pop() else { break };
            dropped = (dropped.0 + 1, dropped.1 + tokens);
        }
    }
}
