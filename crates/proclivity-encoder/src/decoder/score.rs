//! Probabilities of continuations: the prompt they share is read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Decoder;
use super::cache::Cache;
use super::network::Part;
use crate::vectorized::log_sum_exp;
use crate::{EncoderError, LanguageModel};

/// Tokens of the continuations that are read at once.
const TOKENS_PER_BATCH: usize = 512;
/// Logits that are held at once, a row's at least.
const LOGITS: usize = 1 << 24;

/// A token of a continuation and its log-probability in nats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenScore {
    /// The token as text; a part of a character shows as U+FFFD.
    pub text: String,
    /// The token's number.
    pub id: u32,
    /// log P(token | prompt and the tokens before it), in nats.
    pub log_prob: f64,
}

impl Decoder {
    /// log P of every token of each continuation, given the prompt and the tokens before it.
    ///
    /// The result for a continuation doesn't depend on the others. A prompt longer than the context
    /// loses its beginning; an empty one is the token that begins a text.
    ///
    /// # Errors
    /// When a text can't be tokenized, a continuation alone is longer than the context, the prompt is
    /// empty and the model has no token that begins a text, or its logits aren't finite.
    pub fn score(
        &self,
        prompt: &str,
        continuations: &[&str],
    ) -> Result<Vec<Vec<TokenScore>>, EncoderError> {
        let tokens = self.continuations(prompt, continuations)?;
        let log_probs = self.token_log_probs(&self.prompt_tokens(prompt)?, &tokens)?;
        let score = |(&id, log_prob)| {
            let text = self.tokenizer.decode(&[id], false).unwrap_or_default();
            TokenScore { text, id, log_prob }
        };
        let pairs = tokens.iter().zip(log_probs);
        Ok(pairs.map(|(ids, log_probs)| ids.iter().zip(log_probs).map(score).collect()).collect())
    }

    pub(super) fn continuations(
        &self,
        prompt: &str,
        continuations: &[&str],
    ) -> Result<Vec<Vec<u32>>, EncoderError> {
        let texts = continuations.iter().enumerate();
        texts.map(|(index, text)| self.continuation_tokens(prompt, index, text)).collect()
    }

    fn token_log_probs(
        &self,
        prompt: &[u32],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<Vec<f64>>, EncoderError> {
        let context = self.context;
        let mut by_prompt: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, tokens) in continuations.iter().map(Vec::len).enumerate() {
            if tokens > context {
                return Err(EncoderError::ContinuationTooLong { index, tokens, context });
            }
            if tokens > 0 {
                // The last token of a continuation is predicted and never read.
                let kept = prompt.len().min(context + 1 - tokens);
                by_prompt.entry(kept).or_default().push(index);
            }
        }
        let mut scores = vec![Vec::new(); continuations.len()];
        for (kept, group) in by_prompt {
            let mut cache = self.network.cache(kept);
            let last = self.network.read(&prompt[prompt.len() - kept..], &mut cache);
            let firsts: Vec<u32> = group.iter().map(|&index| continuations[index][0]).collect();
            let logits = self.network.logits(last);
            let first = Log::of(&logits)?;
            for (&index, token) in group.iter().zip(firsts) {
                scores[index].push(first.prob(token));
            }
            self.score_behind(&Arc::new(cache), &group, continuations, &mut scores)?;
        }
        Ok(scores)
    }

    /// Scores what follows the first tokens.
    fn score_behind(
        &self,
        prefix: &Arc<Cache>,
        group: &[usize],
        continuations: &[Vec<u32>],
        scores: &mut [Vec<f64>],
    ) -> Result<(), EncoderError> {
        let longer: Vec<usize> =
            group.iter().copied().filter(|&index| continuations[index].len() > 1).collect();
        let mut rest = longer.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let fitting = rest.iter().take_while(|&&index| {
                tokens += continuations[index].len() - 1;
                tokens <= TOKENS_PER_BATCH
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            rest = after;
            let mut caches: Vec<Cache> = batch.iter().map(|_| Cache::behind(prefix)).collect();
            let mut parts: Vec<Part<'_>> = batch
                .iter()
                .zip(&mut caches)
                .map(|(&index, cache)| {
                    let tokens = &continuations[index];
                    Part { tokens: &tokens[..tokens.len() - 1], cache }
                })
                .collect();
            let hidden = self.network.forward(&mut parts);
            let targets = batch
                .iter()
                .flat_map(|&index| continuations[index][1..].iter().map(move |&t| (index, t)));
            let targets: Vec<(usize, u32)> = targets.collect();
            let vocab = self.network.vocab_size();
            let rows = (LOGITS / vocab).max(1);
            for (first, targets) in (0..).step_by(rows).zip(targets.chunks(rows)) {
                let logits = self.network.logits(hidden.clone().narrow(0, first, targets.len()));
                for (&(index, token), logits) in targets.iter().zip(logits.chunks_exact(vocab)) {
                    scores[index].push(Log::of(logits)?.prob(token));
                }
            }
        }
        Ok(())
    }
}

/// A softmax's logarithm.
struct Log<'a> {
    logits: &'a [f32],
    total: f64,
}

impl<'a> Log<'a> {
    fn of(logits: &'a [f32]) -> Result<Self, EncoderError> {
        let total = log_sum_exp(logits);
        if total.is_finite() {
            Ok(Self { logits, total })
        } else {
            Err(EncoderError::NonFiniteLogits)
        }
    }

    fn prob(&self, token: u32) -> f64 {
        self.logits.get(token as usize).map_or(f64::NEG_INFINITY, |&x| f64::from(x) - self.total)
    }
}

impl LanguageModel for Decoder {
    /// Prompt and continuation are tokenized in one piece; where the tokenizer would merge across
    /// their border, one by one.
    fn log_probs(&self, prompt: &str, continuations: &[&str]) -> Result<Vec<f64>, EncoderError> {
        let tokens = self.continuations(prompt, continuations)?;
        let scores = self.token_log_probs(&self.prompt_tokens(prompt)?, &tokens)?;
        Ok(scores.iter().map(|tokens| tokens.iter().sum()).collect())
    }
}
