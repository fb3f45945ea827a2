//! Histories within a budget of tokens: whole events, the most worth saying first.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use proclivity_schema::{Action, Catalog, Event, EventKind, ItemIndex, Log};
use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use crate::clause::{Said, Speaker};
use crate::{Locale, RichOptions, SpecialTokens, TextError};

/// How many histories are tokenized together.
const BATCH: usize = 512;
/// How many clauses are remembered with their number of tokens; some 100 bytes each.
const REMEMBERED: usize = 1 << 19;

/// What fits, and what is worth its tokens.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `max_tokens` | 256 | the budget of one history | as many as the tokenizer adds to every text, or more |
/// | `with_special_tokens` | `true` | count what the tokenizer adds to every text, such as `[CLS]` | |
/// | `half_life` | 20 | after so many younger events an event is worth half | more than 0; infinite for no ageing |
/// | `weights` | empty | in place of [`informativeness`] | finite, from 0 |
///
/// # Formula
/// An event with `a` younger ones is worth `weight(kind) · 2^(−a / half_life) · surprise(item)`,
/// where `surprise` is [`Popularity::surprise`] if a popularity is given, and 1 if not or if there
/// is no item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// The budget of one history.
    pub max_tokens: usize,
    /// Whether what the tokenizer adds to every text is counted.
    pub with_special_tokens: bool,
    /// After so many younger events an event is worth half.
    pub half_life: f64,
    /// What events of a kind are worth, where it isn't their [`informativeness`].
    pub weights: BTreeMap<EventKind, f64>,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            with_special_tokens: true,
            half_life: 20.0,
            weights: BTreeMap::new(),
        }
    }
}

/// How much a kind tells about its user's interests, from 0 to 1. A choice, not a measurement:
///
/// | weight | kinds |
/// |---|---|
/// | 1 | purchase, return, rate, comment |
/// | 0.8 | search, add to cart, like, dislike, follow, share |
/// | 0.5 | remove from cart, watch, dismiss |
/// | 0.3 | view, click |
/// | 0.1 | skip |
/// | 0.03 | impression |
pub fn informativeness(kind: EventKind) -> f64 {
    match kind {
        EventKind::Purchase | EventKind::Return | EventKind::Rate | EventKind::Comment => 1.0,
        EventKind::Search
        | EventKind::AddToCart
        | EventKind::Like
        | EventKind::Dislike
        | EventKind::Follow
        | EventKind::Share => 0.8,
        EventKind::RemoveFromCart | EventKind::Watch | EventKind::Dismiss => 0.5,
        EventKind::View | EventKind::Click => 0.3,
        EventKind::Skip => 0.1,
        EventKind::Impression => 0.03,
    }
}

/// How often items occur in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popularity {
    counts: Vec<u64>,
    total: u64,
}

impl Popularity {
    /// How often each of the `item_count` items of a catalog occurs in a log.
    pub fn of(log: &Log, item_count: usize) -> Self {
        let mut counts = vec![0u64; item_count];
        for item in log.events().iter().filter_map(|event| event.action.item()) {
            if let Some(count) = counts.get_mut(item.get()) {
                *count += 1;
            }
        }
        let total = counts.iter().sum();
        Self { counts, total }
    }

    /// How much an item tells since it is rare: 1 for an item that never occurred, near 0 for one
    /// that is all that does.
    ///
    /// # Formula
    /// `−ln p / ln(N + n)` with `p = (count + 1) / (N + n)`, `N` events and `n` items.
    pub fn surprise(&self, item: ItemIndex) -> f64 {
        let all = (self.total as f64 + self.counts.len() as f64).max(2.0);
        let count = self.counts.get(item.get()).copied().unwrap_or_default();
        (1.0 - (count as f64 + 1.0).ln() / all.ln()).clamp(0.0, 1.0)
    }
}

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
        if config.half_life.is_nan() || config.half_life <= 0.0 {
            return Err(TextError::BudgetRange { field: "half_life", value: config.half_life });
        }
        let wrong = |weight: &f64| !weight.is_finite() || *weight < 0.0;
        if let Some(&value) = config.weights.values().find(|weight| wrong(weight)) {
            return Err(TextError::BudgetRange { field: "weights", value });
        }
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
            let mut clauses = Vec::with_capacity(batch.len());
            for events in batch {
                clauses.push(self.clauses(events, speaker));
            }
            self.count_new(&clauses)?;
            let picked = clauses.iter().map(|clauses| self.pick(clauses)).collect();
            fitted.extend(self.verified(batch, picked, speaker)?);
        }
        Ok(fitted)
    }

    /// The clauses that might be said, the most worth first.
    fn clauses(&self, events: &[Event], speaker: Speaker<'_>) -> Clauses {
        let oldest = events.len().saturating_sub(speaker.options.max_events);
        let mut worth: Vec<(usize, f64)> = (oldest..events.len())
            .map(|position| {
                let younger = events.len() - 1 - position;
                (position, self.worth(&events[position].action, younger))
            })
            .collect();
        worth.sort_by(|(i, a), (j, b)| b.total_cmp(a).then(j.cmp(i)));
        // Every clause has a token.
        worth.truncate(self.config.max_tokens);
        let (mut texts, mut clause) = (String::new(), String::new());
        let clauses = worth
            .into_iter()
            .map(|(position, _)| {
                clause.clear();
                speaker.clause_into(&mut clause, &Said::once(&events[position]));
                let start = texts.len();
                texts.push_str(&self.special.neutralize(&clause));
                Clause { position, text: start..texts.len() }
            })
            .collect();
        Clauses { texts, clauses }
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

    /// Counts the tokens of every clause that isn't remembered, each once.
    fn count_new(&mut self, histories: &[Clauses]) -> Result<(), TextError> {
        let mut new: Vec<&str> = Vec::new();
        for text in histories.iter().flat_map(Clauses::iter).map(|(_, text)| text) {
            if !self.remembered.contains_key(text) {
                self.remembered.insert(text.into(), 0);
                new.push(text);
            }
        }
        let encodings = self.tokenizer.encode_batch_fast(new.clone(), false).map_err(|error| {
            self.remembered.clear();
            failed(error)
        })?;
        for (text, encoding) in new.into_iter().zip(encodings) {
            self.remembered.insert(text.into(), encoding.len());
        }
        Ok(())
    }

    /// Takes clauses as long as they fit by their own numbers of tokens.
    fn pick(&self, clauses: &Clauses) -> Picked {
        let mut left = self.config.max_tokens - self.overhead;
        let mut picked = Vec::new();
        for (position, text) in clauses.iter() {
            let tokens = self.remembered.get(text).copied().unwrap_or(usize::MAX);
            if tokens <= left {
                left -= tokens;
                picked.push((position, tokens));
            }
        }
        Picked(picked)
    }

    /// Says what was picked and counts the whole; where that is more than its parts, drops the
    /// least worth.
    fn verified(
        &self,
        histories: &[&[Event]],
        mut picked: Vec<Picked>,
        speaker: Speaker<'_>,
    ) -> Result<Vec<BudgetedText>, TextError> {
        let mut fitted: Vec<Option<BudgetedText>> = vec![None; picked.len()];
        let mut open: Vec<usize> = (0..picked.len()).collect();
        while !open.is_empty() {
            let texts: Vec<String> = open
                .iter()
                .map(|&history| self.say(histories[history], &picked[history], speaker))
                .collect();
            let inputs: Vec<&str> = texts.iter().map(String::as_str).collect();
            let encodings = self
                .tokenizer
                .encode_batch_fast(inputs, self.config.with_special_tokens)
                .map_err(failed)?;
            let mut still_open = Vec::new();
            for ((history, text), encoding) in open.into_iter().zip(texts).zip(encodings) {
                let tokens = encoding.len();
                let picked = &mut picked[history];
                match tokens.checked_sub(self.config.max_tokens) {
                    None | Some(0) => {
                        let kept = picked.positions();
                        fitted[history] = Some(BudgetedText { text, tokens, kept });
                    }
                    Some(over) => {
                        picked.drop_least(over);
                        still_open.push(history);
                    }
                }
            }
            open = still_open;
        }
        Ok(fitted.into_iter().flatten().collect())
    }

    fn say(&self, events: &[Event], picked: &Picked, speaker: Speaker<'_>) -> String {
        let events: Vec<&Event> =
            picked.positions().into_iter().map(|position| &events[position]).collect();
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

/// The clauses of one history, the most worth first.
struct Clauses {
    texts: String,
    clauses: Vec<Clause>,
}

struct Clause {
    /// Of its event in the history.
    position: usize,
    text: Range<usize>,
}

impl Clauses {
    fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.clauses.iter().map(|clause| (clause.position, &self.texts[clause.text.clone()]))
    }
}

/// The positions of picked events and the tokens of their clauses, the most worth first.
struct Picked(Vec<(usize, usize)>);

impl Picked {
    fn positions(&self) -> Vec<usize> {
        let mut positions: Vec<usize> = self.0.iter().map(|&(position, _)| position).collect();
        positions.sort_unstable();
        positions
    }

    /// Drops the least worth events: enough for `over` tokens by their own numbers, and at least
    /// an eighth of them, so that few rounds are needed where these don't add up.
    fn drop_least(&mut self, over: usize) {
        let least = self.0.len().div_ceil(8);
        let mut dropped = (0, 0);
        while dropped.0 < least || dropped.1 < over {
            let Some((_, tokens)) = self.0.pop() else { break };
            dropped = (dropped.0 + 1, dropped.1 + tokens);
        }
    }
}
