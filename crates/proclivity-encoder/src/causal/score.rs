//! Probabilities of continuations: those of one prompt share its computation.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::CausalModel;
use super::batch::Batch;
use super::corpus::Targets;
use super::tokens::BEGIN;
use crate::{EncoderError, LanguageModel};

/// Tokens of the rows that are computed at once.
const TOKENS_PER_BATCH: usize = 4096;

impl CausalModel {
    /// The begin token and those of a prompt.
    pub(super) fn prompt_tokens(&self, prompt: &str) -> Result<Vec<u32>, EncoderError> {
        let mut tokens = vec![BEGIN];
        for mut encoded in self.tokenizer.encode(&[prompt])? {
            tokens.append(&mut encoded);
        }
        Ok(tokens)
    }

    /// log P of every token of each continuation, given the prompt and those before it.
    ///
    /// The prompt isn't empty: it begins with the begin token. So much of its beginning is left
    /// out that a continuation fits behind it, for each continuation on its own.
    pub(super) fn token_log_probs(
        &self,
        prompt: &[u32],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<Vec<f64>>, EncoderError> {
        let context = self.config.context;
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
            let prefix = &prompt[prompt.len() - kept..];
            let rows = rows_of(&group, continuations, kept + context);
            let rows: Vec<_> = rows.iter().map(|row| (prefix, row.as_slice())).collect();
            let per_batch = (TOKENS_PER_BATCH / (kept + context)).max(1);
            // A network isn't shared between threads, but its clones share their weights.
            let batches: Vec<_> =
                rows.chunks(per_batch).map(|rows| (self.network.clone(), rows)).collect();
            let parts: Vec<Vec<f64>> = batches
                .into_par_iter()
                .map(|(network, rows)| {
                    let (batch, targets) = batch_of(rows, continuations);
                    network.log_probs(network.forward(&batch, None), &targets)
                })
                .collect();
            let mut values = parts.into_iter().flatten();
            for &index in rows.iter().flat_map(|(_, row)| *row) {
                scores[index].extend(values.by_ref().take(continuations[index].len()));
            }
        }
        Ok(scores)
    }
}

/// Fills rows with what the model reads of each continuation, in order.
fn rows_of(group: &[usize], continuations: &[Vec<u32>], width: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for &index in group {
        let read = continuations[index].len() - 1;
        if rows.is_empty() || read > room {
            rows.push(Vec::new());
            room = width;
        }
        room -= read;
        if let Some(row) = rows.last_mut() {
            row.push(index);
        }
    }
    rows
}

fn batch_of(rows: &[(&[u32], &[usize])], continuations: &[Vec<u32>]) -> (Batch, Targets) {
    let read = |row: &[usize]| row.iter().map(|&i| continuations[i].len() - 1).sum::<usize>();
    let length = rows.iter().map(|(prefix, row)| prefix.len() + read(row)).max();
    let mut batch = Batch::new(length.unwrap_or(0));
    let mut targets = Targets::default();
    for (prefix, row) in rows {
        let before = batch.start_row(prefix) + prefix.len() - 1;
        for &index in *row {
            let tokens = &continuations[index];
            let first = batch.push_segment(&tokens[..tokens.len() - 1]);
            targets.push(before, tokens[0]);
            for (place, &token) in (first..).zip(&tokens[1..]) {
                targets.push(place, token);
            }
        }
    }
    batch.finish();
    (batch, targets)
}

impl LanguageModel for CausalModel {
    /// Prompt and continuation are tokenized one by one: let a continuation begin where a token
    /// does, at a punctuation mark, a Chinese character, or a space before a word.
    fn log_probs(&self, prompt: &str, continuations: &[&str]) -> Result<Vec<f64>, EncoderError> {
        let prompt = self.prompt_tokens(prompt)?;
        let continuations = self.tokenizer.encode(continuations)?;
        let scores = self.token_log_probs(&prompt, &continuations)?;
        Ok(scores.iter().map(|tokens| tokens.iter().sum()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::tests::tiny;
    use crate::causal::tokens::{END, PAD};

    #[test]
    fn next_token_probabilities_sum_to_one() {
        let model = tiny();
        let prompt = model.prompt_tokens("Viewed").unwrap();
        let all: Vec<Vec<u32>> =
            (0..model.tokenizer.vocab_size() as u32).map(|t| vec![t]).collect();
        let scores = model.token_log_probs(&prompt, &all).unwrap();
        let total: f64 = scores.iter().map(|score| score[0].exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
    }

    #[test]
    fn a_later_token_does_not_change_an_earlier_one() {
        let model = tiny();
        let prompt = model.prompt_tokens("Viewed").unwrap();
        let tokens = |last| vec![10, 20, 30, last];
        let scores =
            model.token_log_probs(&prompt, &[tokens(PAD), tokens(END), tokens(200)]).unwrap();
        let places = scores[0].iter().zip(&scores[1]).zip(&scores[2]).take(3);
        for ((pad, end), other) in places {
            assert!((pad - end).abs() < 1e-5 && (pad - other).abs() < 1e-5);
        }
    }

    #[test]
    fn a_shared_prompt_is_as_good_as_one_of_its_own() {
        let model = tiny();
        let prompt: Vec<u32> = std::iter::once(BEGIN).chain(50..60).collect();
        let continuations: Vec<Vec<u32>> = (0..40).map(|i| (i..i + 1 + i % 13).collect()).collect();
        let together = model.token_log_probs(&prompt, &continuations).unwrap();
        for (continuation, together) in continuations.iter().zip(&together) {
            let alone = model.token_log_probs(&prompt, std::slice::from_ref(continuation)).unwrap();
            for (alone, together) in alone[0].iter().zip(together) {
                assert!((alone - together).abs() < 1e-5);
            }
            // The same tokens as a continuation of nothing but the begin token.
            let whole = [&prompt[1..], continuation].concat();
            let whole = &model.token_log_probs(&[BEGIN], &[whole]).unwrap()[0][10..];
            assert_eq!(whole.len(), together.len());
            for (whole, together) in whole.iter().zip(together) {
                assert!((whole - together).abs() < 1e-5);
            }
        }
    }
}
