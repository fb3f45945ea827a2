//! Writing: free, or along fixed texts with choices among allowed strings between them.

use std::collections::BTreeMap;

use burn::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::CausalModel;
use super::batch::Batch;
use super::tokens::{BEGIN, END, PAD};
use crate::EncoderError;

/// A part of a text to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Stands as it is.
    Fixed(String),
    /// One of these, which the model chooses.
    Choice(Vec<String>),
}

impl CausalModel {
    /// Writes the segments one behind the other; the model chooses where there is a choice.
    ///
    /// It goes token by token through the allowed strings, with its probabilities renormalised
    /// over those tokens that lead on to one of them. Where one string is the beginning of
    /// another, "ends here" has the probability of what follows: the next fixed text's first
    /// token, or else the end of the document. At temperature 0 it takes the most probable token,
    /// and otherwise draws with probabilities to the power of 1 / temperature.
    ///
    /// The result is exactly fixed texts and allowed strings; the prompt isn't part of it.
    ///
    /// # Errors
    /// When a choice has no string or an empty one, a string is longer than the context, or the
    /// temperature isn't finite and at least 0.
    pub fn write(
        &self,
        prompt: &str,
        segments: &[Segment],
        temperature: f64,
        seed: u64,
    ) -> Result<String, EncoderError> {
        check_temperature(temperature)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut tokens = self.prompt_tokens(prompt)?;
        let mut written = String::new();
        for (place, segment) in segments.iter().enumerate() {
            let text = match segment {
                Segment::Fixed(text) => text,
                Segment::Choice(allowed) => {
                    if allowed.is_empty() || allowed.iter().any(String::is_empty) {
                        return Err(EncoderError::EmptyChoice { segment: place });
                    }
                    let following = match segments.get(place + 1) {
                        Some(Segment::Fixed(text)) => {
                            self.tokenizer.encode(&[text])?.concat().first().copied()
                        }
                        _ => None,
                    };
                    let end = following.unwrap_or(END);
                    &allowed[self.choose(&tokens, allowed, end, temperature, &mut rng)?]
                }
            };
            tokens.extend(self.tokenizer.encode(&[text])?.concat());
            written.push_str(text);
        }
        Ok(written)
    }

    /// Which of the allowed strings comes behind these tokens.
    fn choose(
        &self,
        tokens: &[u32],
        allowed: &[String],
        end: u32,
        temperature: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<usize, EncoderError> {
        let texts: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let mut paths = self.tokenizer.encode(&texts)?;
        paths.iter_mut().for_each(|path| path.push(end));
        let scores = self.token_log_probs(tokens, &paths)?;
        let mut alive: Vec<usize> = (0..paths.len()).collect();
        for depth in 0.. {
            // A string that ends here is apart from one whose next token is the same as `end`.
            let mut branches: BTreeMap<(bool, u32), Vec<usize>> = BTreeMap::new();
            for &path in &alive {
                let ends = depth + 1 == paths[path].len();
                branches.entry((ends, paths[path][depth])).or_default().push(path);
            }
            let branches: Vec<Vec<usize>> = branches.into_values().collect();
            let logits: Vec<f64> = branches.iter().map(|branch| scores[branch[0]][depth]).collect();
            alive.clone_from(&branches[draw(&logits, temperature, rng)]);
            if alive.len() == 1 || depth + 1 == paths[alive[0]].len() {
                break;
            }
        }
        Ok(alive[0])
    }

    /// Goes on with a text freely until the model ends it, at most so many tokens; the prompt
    /// isn't part of the result. The temperature is as in [`write`](Self::write).
    ///
    /// # Errors
    /// When the temperature isn't finite and at least 0, or the prompt can't be tokenized.
    pub fn generate(
        &self,
        prompt: &str,
        max_tokens: usize,
        temperature: f64,
        seed: u64,
    ) -> Result<String, EncoderError> {
        check_temperature(temperature)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut tokens = self.prompt_tokens(prompt)?;
        let begin = tokens.len();
        while tokens.len() - begin < max_tokens {
            let seen = &tokens[tokens.len().saturating_sub(self.config.context)..];
            let mut batch = Batch::new(seen.len());
            batch.start_row(seen);
            let last = self.network.forward(&batch, None).slice(s![-1.., ..]);
            let mut logits: Vec<f64> =
                self.network.logits(last).into_iter().map(f64::from).collect();
            for special in [PAD, BEGIN] {
                logits[special as usize] = f64::NEG_INFINITY;
            }
            let token = draw(&logits, temperature, &mut rng) as u32;
            if token == END {
                break;
            }
            tokens.push(token);
        }
        self.tokenizer.decode(&tokens[begin..])
    }
}

fn check_temperature(temperature: f64) -> Result<(), EncoderError> {
    if temperature.is_finite() && temperature >= 0.0 {
        return Ok(());
    }
    Err(EncoderError::InvalidConfig {
        field: "temperature",
        value: temperature,
        expected: "a finite number, at least 0",
    })
}

/// The place of the largest logit at temperature 0, the first of equals; else a draw.
fn draw(logits: &[f64], temperature: f64, rng: &mut ChaCha8Rng) -> usize {
    let largest = (0..logits.len())
        .fold(0, |best, place| if logits[place] > logits[best] { place } else { best });
    if temperature == 0.0 {
        return largest;
    }
    let weight = |logit: &f64| ((logit - logits[largest]) / temperature).exp();
    let total: f64 = logits.iter().map(weight).sum();
    let mut rest = rng.random::<f64>() * total;
    for (place, logit) in logits.iter().enumerate() {
        rest -= weight(logit);
        if rest < 0.0 {
            return place;
        }
    }
    largest
}
