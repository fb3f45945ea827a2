//! Writing texts, several at a time, token by token.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Decoder;
use super::cache::Cache;
use super::choices::{self, Choices};
use super::network::Part;
use super::sample::pick;
use super::stream::Stream;
use crate::EncoderError;

/// How texts are written.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `max_tokens` | 256 | tokens written at most, where `only` is empty | from 1 |
/// | `temperature` | 0 | divides the logits; at 0 the likeliest token is taken | from 0 |
/// | `top_k` | none | only so many of the likeliest tokens are drawn from | from 1 |
/// | `top_p` | 1 | only the likeliest tokens that together have this probability | above 0, to 1 |
/// | `repetition_penalty` | 1 | makes tokens of the prompt and the text less likely | above 0 |
/// | `stop` | none | strings before which a text ends | |
/// | `only` | none | the text is exactly one of these | |
/// | `seed` | 0 | of the random draws of each text | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// Tokens written at most, where `only` is empty.
    pub max_tokens: usize,
    /// Divides the logits; at 0 the likeliest token is taken.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability are drawn from.
    pub top_p: f64,
    /// Divides the positive logits of tokens that came before, and multiplies negative ones.
    pub repetition_penalty: f64,
    /// Strings before which a text ends.
    pub stop: Vec<String>,
    /// Where not empty, the text is exactly one of these: at each token, only those that lead to one
    /// of them are possible.
    pub only: Vec<String>,
    /// Of the random draws; each text has its own, as if it were written alone.
    pub seed: u64,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            temperature: 0.0,
            top_k: None,
            top_p: 1.0,
            repetition_penalty: 1.0,
            stop: Vec::new(),
            only: Vec::new(),
            seed: 0,
        }
    }
}

impl GenerateConfig {
    /// Holds the text to exactly one of some strings.
    #[must_use]
    pub fn only(mut self, texts: &[&str]) -> Self {
        self.only = texts.iter().map(|&text| text.to_owned()).collect();
        self
    }

    fn validate(&self) -> Result<(), EncoderError> {
        let check = |field, value: f64, sound: bool, expected| match sound {
            true => Ok(()),
            false => Err(EncoderError::InvalidConfig { field, value, expected }),
        };
        let (temperature, penalty) = (self.temperature, self.repetition_penalty);
        check("max_tokens", self.max_tokens as f64, self.max_tokens > 0, "a number from 1")?;
        let sound = temperature >= 0.0 && temperature.is_finite();
        check("temperature", temperature, sound, "a number from 0")?;
        check("top_k", 0.0, self.top_k != Some(0), "a number from 1")?;
        let sound = self.top_p > 0.0 && self.top_p <= 1.0;
        check("top_p", self.top_p, sound, "a number above 0, up to 1")?;
        let sound = penalty > 0.0 && penalty.is_finite();
        check("repetition_penalty", penalty, sound, "a number above 0")
    }
}

/// A text that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The text, up to a stop string; without bytes at its end that make no whole character.
    pub text: String,
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it.
    End,
    /// A stop string came.
    Stop,
    /// As many tokens as were asked for, or as the context holds.
    Length,
    /// It is the string at this position of [`only`](GenerateConfig::only).
    Only(usize),
}

impl Decoder {
    /// Writes a text behind a prompt and hands it on piece by piece.
    ///
    /// A prompt that leaves no room for `max_tokens` in the context loses its beginning.
    ///
    /// # Errors
    /// When a text can't be tokenized, a setting is out of its range, a string of `only` is longer than
    /// the context, the prompt is empty and the model has no token that begins a text, or its logits
    /// aren't finite.
    pub fn generate(
        &self,
        prompt: &str,
        config: &GenerateConfig,
        hand_on: &mut dyn FnMut(&str),
    ) -> Result<Generated, EncoderError> {
        let mut texts = self.generate_batch(&[prompt], config, &mut |_, text| hand_on(text))?;
        texts.pop().ok_or(EncoderError::EmptyPrompt)
    }

    /// Writes a text behind each prompt, all at a time; each as if it were written alone.
    ///
    /// Pieces are handed on with the position of their prompt.
    ///
    /// # Errors
    /// As for [`generate`](Self::generate).
    pub fn generate_batch(
        &self,
        prompts: &[&str],
        config: &GenerateConfig,
        hand_on: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<Generated>, EncoderError> {
        config.validate()?;
        let only: Vec<&str> = config.only.iter().map(String::as_str).collect();
        let tries = prompts
            .iter()
            .map(|prompt| Ok(choices::sorted(self.continuations(prompt, &only)?)))
            .collect::<Result<Vec<_>, EncoderError>>()?;
        let mut writers = Vec::new();
        for (index, (prompt, trie)) in prompts.iter().zip(&tries).enumerate() {
            writers.push(Writer::new(self, index, prompt, config, trie)?);
        }
        let mut decoders: Vec<_> =
            prompts.iter().map(|_| self.tokenizer.decode_stream(true)).collect();
        let vocab = self.network.vocab_size();
        for (writer, decoder) in writers.iter_mut().zip(&mut decoders) {
            let unread = std::mem::take(&mut writer.unread);
            let mut logits = self.network.logits(self.network.read(&unread, &mut writer.cache));
            writer.step(self, &mut logits, config, decoder, hand_on)?;
        }
        loop {
            let mut active: Vec<_> = writers
                .iter_mut()
                .zip(&mut decoders)
                .filter(|(writer, _)| writer.finish.is_none())
                .collect();
            if active.is_empty() {
                break;
            }
            let mut parts: Vec<Part<'_>> = active
                .iter_mut()
                .map(|(writer, _)| Part { tokens: &writer.unread, cache: &mut writer.cache })
                .collect();
            let mut logits = self.network.logits(self.network.forward(&mut parts));
            for ((writer, decoder), logits) in
                active.into_iter().zip(logits.chunks_exact_mut(vocab))
            {
                writer.unread.clear();
                writer.step(self, logits, config, decoder, hand_on)?;
            }
        }
        Ok(writers.into_iter().map(|writer| writer.done(config, hand_on)).collect())
    }
}

/// A text being written.
struct Writer<'a> {
    index: usize,
    cache: Cache,
    /// What the model hasn't read yet.
    unread: Vec<u32>,
    /// Prompt and text.
    all: Vec<u32>,
    prompt: usize,
    room: usize,
    rng: ChaCha8Rng,
    choices: Option<Choices<'a>>,
    stream: Stream<'a>,
    finish: Option<Finish>,
}

type DecodeStream<'a> = tokenizers::DecodeStream<
    'a,
    tokenizers::ModelWrapper,
    tokenizers::NormalizerWrapper,
    tokenizers::PreTokenizerWrapper,
    tokenizers::PostProcessorWrapper,
    tokenizers::DecoderWrapper,
>;

impl<'a> Writer<'a> {
    fn new(
        model: &Decoder,
        index: usize,
        prompt: &str,
        config: &'a GenerateConfig,
        trie: &'a [(Vec<u32>, usize)],
    ) -> Result<Self, EncoderError> {
        let context = model.context;
        let room = match trie.iter().max_by_key(|(tokens, _)| tokens.len()) {
            Some((tokens, index)) if tokens.len() > context => {
                let (index, tokens) = (*index, tokens.len());
                return Err(EncoderError::ContinuationTooLong { index, tokens, context });
            }
            Some((tokens, _)) => tokens.len().max(1),
            None => config.max_tokens.min(context),
        };
        let mut unread = model.text_tokens(index, prompt)?;
        // The last token that is written is not read.
        let kept = unread.len().min(context + 1 - room);
        unread.drain(..unread.len() - kept);
        Ok(Self {
            index,
            cache: model.network.cache(kept + room),
            all: unread.clone(),
            unread,
            prompt: kept,
            room,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            choices: (!trie.is_empty()).then(|| Choices::new(trie)),
            stream: Stream::new(if trie.is_empty() { &config.stop } else { &[] }),
            finish: None,
        })
    }

    fn step(
        &mut self,
        model: &Decoder,
        logits: &mut [f32],
        config: &GenerateConfig,
        decoder: &mut DecodeStream<'_>,
        hand_on: &mut dyn FnMut(usize, &str),
    ) -> Result<(), EncoderError> {
        // Only an empty string is complete, with nothing that leads on, before any token.
        if self.take_last_choice() {
            return Ok(());
        }
        let allowed = self.choices.as_ref().map(|choices| {
            let mut allowed = choices.next();
            if choices.complete().is_some() {
                allowed.extend(&model.ends);
            }
            allowed
        });
        let token = pick(logits, &self.all, allowed.as_deref(), config, &mut self.rng)?;
        if let Some(choices) = &mut self.choices {
            // A token that leads on is never taken for an end.
            if let Some(index) = choices.complete()
                && !choices.next().contains(&token)
            {
                self.finish = Some(Finish::Only(index));
                return Ok(());
            }
            choices.advance(token);
        } else if model.ends.contains(&token) {
            self.finish = Some(Finish::End);
            return Ok(());
        }
        self.all.push(token);
        self.unread.push(token);
        let index = self.index;
        let piece =
            decoder.step(token).map_err(|source| EncoderError::Detokenize { token, source })?;
        if self.choices.is_none()
            && let Some(piece) = piece
        {
            self.stream.push(&piece, |text| hand_on(index, text));
        }
        if self.stream.is_stopped() {
            self.finish = Some(Finish::Stop);
        } else if self.all.len() - self.prompt == self.room {
            self.finish = Some(Finish::Length);
        }
        self.take_last_choice();
        Ok(())
    }

    /// Ends the text where it is complete and nothing leads on.
    fn take_last_choice(&mut self) -> bool {
        let choices = self.choices.as_ref();
        let last = choices.filter(|choices| choices.next().is_empty()).and_then(Choices::complete);
        if let Some(index) = last {
            self.finish = Some(Finish::Only(index));
        }
        last.is_some()
    }

    fn done(self, config: &GenerateConfig, hand_on: &mut dyn FnMut(usize, &str)) -> Generated {
        let finish = self.finish.unwrap_or(Finish::Length);
        let index = self.index;
        let mut text = self.stream.finish(|text| hand_on(index, text));
        if let Finish::Only(choice) = finish
            && let Some(only) = config.only.get(choice)
        {
            text.clone_from(only);
            hand_on(index, only);
        }
        Generated { text, tokens: self.all[self.prompt..].to_vec(), finish }
    }
}
