//! Writing texts, several at a time, token by token.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Decoder;
use super::cache::Cache;
use super::constraint::{Constraint, Guide, Rules};
use super::network::Part;
use super::sample::pick;
use super::stream::Stream;
use crate::EncoderError;

/// Keys and values of the texts that are written at a time have at most so many bytes.
const CACHE_BYTES: usize = 2 << 30;
/// A shorter beginning of all prompts isn't worth a pass of its own.
const SHARED_FROM: usize = 8;

/// How texts are written.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `max_tokens` | 256 | tokens written at most; texts of `Constraint::Only` have as many as they need | from 1 |
/// | `temperature` | 0 | divides the logits; at 0 the likeliest token is taken | from 0 |
/// | `top_k` | none | only so many of the likeliest tokens are drawn from | from 1 |
/// | `top_p` | 1 | only the likeliest tokens that together have this probability | above 0, to 1 |
/// | `repetition_penalty` | 1 | makes tokens of the prompt and the text less likely | above 0 |
/// | `stop` | none | strings before which a text ends, without a constraint | |
/// | `constraint` | none | what the text is held to | |
/// | `seed` | 0 | of the random draws of each text | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// Tokens written at most; texts of [`Constraint::Only`] have as many as they need.
    pub max_tokens: usize,
    /// Divides the logits; at 0 the likeliest token is taken.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability are drawn from.
    pub top_p: f64,
    /// Divides the positive logits of tokens that came before, and multiplies negative ones.
    pub repetition_penalty: f64,
    /// Strings before which a text ends, without a constraint.
    pub stop: Vec<String>,
    /// What the text is held to.
    pub constraint: Option<Constraint>,
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
            constraint: None,
            seed: 0,
        }
    }
}

impl GenerateConfig {
    /// Holds the text to exactly one of some strings.
    #[must_use]
    pub fn only(mut self, texts: &[&str]) -> Self {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        self.constraint = Some(Constraint::Only(texts));
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
    /// The model ended it, or nothing can follow in the grammar that it is held to.
    End,
    /// A stop string came.
    Stop,
    /// As many tokens as were asked for, or as the context holds.
    Length,
    /// It is the string at this position of [`Constraint::Only`].
    Only(usize),
}

impl Decoder {
    /// Writes a text behind a prompt and hands it on piece by piece.
    ///
    /// A prompt that leaves no room for `max_tokens` in the context loses its beginning.
    ///
    /// # Errors
    /// When a text can't be tokenized, a setting is out of its range, the constraint isn't sound or can't
    /// be met by the model's tokens, one of its strings is longer than the context, the prompt is empty
    /// and the model has no token that begins a text, or its logits aren't finite.
    pub fn generate(
        &self,
        prompt: &str,
        config: &GenerateConfig,
        hand_on: &mut dyn FnMut(&str),
    ) -> Result<Generated, EncoderError> {
        let mut texts = self.generate_batch(&[prompt], config, &mut |_, text| hand_on(text))?;
        texts.pop().ok_or(EncoderError::EmptyPrompt)
    }

    /// Writes a text behind each prompt, as many at a time as fit into 2 GiB of keys and values; each as
    /// if it were written alone.
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
        let rules = Rules::new(self, prompts, config.constraint.as_ref())?;
        let mut waiting = VecDeque::new();
        for (index, prompt) in prompts.iter().enumerate() {
            waiting.push_back(Writer::new(self, index, prompt, config, &rules)?);
        }
        let mut written = Vec::new();
        while !waiting.is_empty() {
            let mut bytes = 0;
            let fitting = waiting.iter().take_while(|writer| {
                bytes += self.network.cache_bytes(writer.unread.len() + writer.room);
                bytes <= CACHE_BYTES
            });
            let fitting = fitting.count().max(1);
            let mut writers: Vec<_> = waiting.drain(..fitting).collect();
            self.write(&mut writers, config, hand_on)?;
            written.extend(writers.into_iter().map(|writer| writer.done(config, hand_on)));
        }
        Ok(written)
    }

    /// Writes some texts to their ends, a token of each at a time.
    fn write(
        &self,
        writers: &mut [Writer<'_>],
        config: &GenerateConfig,
        hand_on: &mut dyn FnMut(usize, &str),
    ) -> Result<(), EncoderError> {
        self.share_prefix(writers);
        for writer in &mut *writers {
            let unread = std::mem::take(&mut writer.unread);
            let mut logits = self.network.logits(self.network.read(&unread, &mut writer.cache));
            writer.step(self, &mut logits, config, hand_on)?;
        }
        let vocab = self.network.vocab_size();
        loop {
            let mut active: Vec<_> =
                writers.iter_mut().filter(|writer| writer.finish.is_none()).collect();
            if active.is_empty() {
                return Ok(());
            }
            let mut parts: Vec<Part<'_>> = active
                .iter_mut()
                .map(|writer| Part { tokens: &writer.unread, cache: &mut writer.cache })
                .collect();
            let mut logits = self.network.logits(self.network.forward(&mut parts));
            for (writer, logits) in active.into_iter().zip(logits.chunks_exact_mut(vocab)) {
                writer.unread.clear();
                writer.step(self, logits, config, hand_on)?;
            }
        }
    }

    /// Reads what all prompts begin with once.
    fn share_prefix(&self, writers: &mut [Writer<'_>]) {
        let [first, others @ ..] = &*writers else { return };
        if others.is_empty() {
            return;
        }
        let common = others.iter().fold(first.unread.len(), |common, other| {
            let pairs = first.unread.iter().zip(&other.unread);
            common.min(pairs.take_while(|(a, b)| a == b).count())
        });
        // A token of each is left to be read, for what follows it.
        let shortest = writers.iter().map(|writer| writer.unread.len()).min().unwrap_or(0);
        let shared = common.min(shortest.saturating_sub(1));
        if shared < SHARED_FROM {
            return;
        }
        let mut prefix = self.network.cache(shared);
        self.network.read(&writers[0].unread[..shared], &mut prefix);
        let prefix = Arc::new(prefix);
        for writer in writers {
            writer.unread.drain(..shared);
            writer.cache = Cache::behind(&prefix);
        }
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
    guide: Option<Guide<'a>>,
    decoder: DecodeStream<'a>,
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
        model: &'a Decoder,
        index: usize,
        prompt: &str,
        config: &'a GenerateConfig,
        rules: &'a Rules,
    ) -> Result<Self, EncoderError> {
        let context = model.context;
        let guide = rules.guide(index)?;
        let room = match &guide {
            Some(Guide::Only(choices)) => {
                let (tokens, index) = choices.longest();
                if tokens > context {
                    return Err(EncoderError::ContinuationTooLong { index, tokens, context });
                }
                tokens.max(1)
            }
            _ => config.max_tokens.min(context),
        };
        let mut unread = model.text_tokens(index, prompt)?;
        // The last token that is written is not read.
        let kept = unread.len().min(context + 1 - room);
        unread.drain(..unread.len() - kept);
        Ok(Self {
            index,
            cache: model.network.cache(0),
            all: unread.clone(),
            unread,
            prompt: kept,
            room,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            decoder: model.tokenizer.decode_stream(true),
            stream: Stream::new(if guide.is_none() { &config.stop } else { &[] }),
            guide,
            finish: None,
        })
    }

    fn step(
        &mut self,
        model: &Decoder,
        logits: &mut [f32],
        config: &GenerateConfig,
        hand_on: &mut dyn FnMut(usize, &str),
    ) -> Result<(), EncoderError> {
        // Where an empty text is all that is allowed.
        if self.is_at_its_end() {
            return Ok(());
        }
        let next = self.guide.as_ref().map(Guide::next);
        let complete = self.guide.as_ref().and_then(Guide::complete);
        let allowed = next.clone().map(|mut allowed| {
            if complete.is_some() {
                allowed.extend(&model.ends);
            }
            allowed
        });
        let token = pick(logits, &self.all, allowed.as_deref(), config, &mut self.rng)?;
        // Under a constraint, a token that leads on is never taken for an end.
        self.finish = match &next {
            Some(next) if next.contains(&token) => None,
            Some(_) => complete,
            None => model.ends.contains(&token).then_some(Finish::End),
        };
        if self.finish.is_some() {
            return Ok(());
        }
        self.all.push(token);
        self.unread.push(token);
        let piece = match &mut self.guide {
            Some(guide) => guide.advance(token)?,
            None => self
                .decoder
                .step(token)
                .map_err(|source| EncoderError::Detokenize { token, source })?
                .unwrap_or_default(),
        };
        let index = self.index;
        self.stream.push(&piece, |text| hand_on(index, text));
        if self.stream.is_stopped() {
            self.finish = Some(Finish::Stop);
        } else if !self.is_at_its_end() && self.all.len() - self.prompt == self.room {
            let complete = self.guide.as_ref().and_then(Guide::complete);
            self.finish = complete.or(Some(Finish::Length));
        }
        Ok(())
    }

    /// Ends the text where it is complete and nothing leads on.
    fn is_at_its_end(&mut self) -> bool {
        let guide = self.guide.as_ref();
        let end = guide.filter(|guide| guide.next().is_empty()).and_then(Guide::complete);
        self.finish = self.finish.or(end);
        end.is_some()
    }

    fn done(self, config: &GenerateConfig, hand_on: &mut dyn FnMut(usize, &str)) -> Generated {
        let finish = self.finish.unwrap_or(Finish::Length);
        let index = self.index;
        let mut text = self.stream.finish(|text| hand_on(index, text));
        if let Finish::Only(choice) = finish
            && let Some(Constraint::Only(only)) = &config.constraint
            && let Some(only) = only.get(choice)
        {
            text.clone_from(only);
            hand_on(index, only);
        }
        Generated { text, tokens: self.all[self.prompt..].to_vec(), finish }
    }
}
