//! Texts that a generation holds to a JSON schema, a regular expression or a grammar, by llguidance.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::json;
use tokenizers::{DecoderWrapper, Tokenizer};

use super::{Constraint, Decoder};
use crate::EncoderError;

/// Longer tokens are never written: a trie goes as deep as its longest.
const TOKEN_BYTES: usize = 1024;

/// A grammar over a model's tokens.
pub(super) struct Grammar {
    start: Matcher,
    tokens: TokEnv,
}

/// Where a text is in a grammar.
pub(super) struct Walk<'a> {
    grammar: &'a Grammar,
    matcher: Matcher,
    next: Vec<u32>,
    complete: bool,
    /// Bytes of a character that isn't whole yet.
    pending: Vec<u8>,
    taken: usize,
}

impl Grammar {
    pub(super) fn new(model: &Decoder, constraint: &Constraint) -> Result<Self, EncoderError> {
        let grammar = match constraint {
            Constraint::JsonSchema(schema) => TopLevelGrammar::from_json_schema(compact(schema)),
            Constraint::Regex(expression) => TopLevelGrammar::from_regex(expression),
            Constraint::Lark(grammar) => TopLevelGrammar::from_lark(grammar.clone()),
            Constraint::Only(texts) => TopLevelGrammar::from_json_schema(json!({ "enum": texts })),
        };
        let mut words = words(&model.tokenizer, model.network.vocab_size())?;
        // What ends a text is no token of the model, which may have none that does or several.
        let end = words.len() as u32;
        words.push(marked("end of text"));
        let trie = TokTrie::from(&TokRxInfo::new(end + 1, end), &words);
        let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| EncoderError::Constraint {
            source: error,
        };
        let slices = SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&tokens, InferenceCapabilities::default(), &slices)
            .map_err(|error| failed(error.into()))?;
        factory.quiet();
        let start = Matcher::new(factory.create_parser(grammar));
        match start.get_error() {
            Some(error) => Err(failed(error.into())),
            None => Ok(Self { start, tokens }),
        }
    }

    /// At the beginning of a text.
    pub(super) fn walk(&self) -> Result<Walk<'_>, EncoderError> {
        let mut walk = Walk {
            grammar: self,
            matcher: self.start.deep_clone(),
            next: Vec::new(),
            complete: false,
            pending: Vec::new(),
            taken: 0,
        };
        walk.look_ahead()?;
        Ok(walk)
    }
}

impl Walk<'_> {
    pub(super) fn next(&self) -> &[u32] {
        &self.next
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn advance(&mut self, token: u32) -> Result<String, EncoderError> {
        self.matcher
            .consume_token(token)
            .map_err(|error| EncoderError::Constraint { source: error.into() })?;
        self.taken += 1;
        self.look_ahead()?;
        let bytes = self.grammar.tokens.tok_trie().token(token);
        if bytes.first() != Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
            self.pending.extend_from_slice(bytes);
        }
        let whole = match std::str::from_utf8(&self.pending) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.pending.len(),
        };
        let whole: Vec<u8> = self.pending.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    fn look_ahead(&mut self) -> Result<(), EncoderError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| EncoderError::Constraint {
            source: error,
        };
        self.next.clear();
        if self.matcher.is_stopped() {
            self.complete = self.matcher.is_accepting().map_err(|error| failed(error.into()))?;
        } else {
            let mask = self.matcher.compute_mask().map_err(|error| failed(error.into()))?;
            let end = self.grammar.tokens.tok_trie().eos_token();
            self.complete = mask.is_allowed(end);
            self.next.extend(mask.iter().filter(|&token| token != end));
        }
        if self.next.is_empty() && !self.complete {
            return Err(EncoderError::ConstraintDeadEnd { tokens: self.taken });
        }
        Ok(())
    }
}

/// With white space as most JSON has it on one line, where the schema doesn't say otherwise: with any
/// white space allowed, a model may write nothing else.
fn compact(schema: &serde_json::Value) -> serde_json::Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        fields.entry("x-guidance").or_insert_with(
            || json!({ "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " }),
        );
    }
    schema
}

/// The bytes that each token writes; none for numbers that are no token.
fn words(tokenizer: &Tokenizer, vocab: usize) -> Result<Vec<Vec<u8>>, EncoderError> {
    let decoder = tokenizer.get_decoder();
    let byte_level = decoder.is_some_and(|decoder| {
        has_step(decoder, &|step| matches!(step, DecoderWrapper::ByteLevel(_)))
    });
    let byte_fallback = decoder.is_some_and(|decoder| {
        has_step(decoder, &|step| matches!(step, DecoderWrapper::ByteFallback(_)))
    });
    if !byte_level && !byte_fallback {
        let source = "the tokenizer's decoder is neither ByteLevel nor ByteFallback".into();
        return Err(EncoderError::Constraint { source });
    }
    let of_characters = byte_level_characters();
    let added = tokenizer.get_added_tokens_decoder();
    let word = |id: u32| {
        let Some(token) = tokenizer.id_to_token(id) else { return Vec::new() };
        match added.get(&id) {
            Some(token) if token.special => marked(&token.content),
            Some(token) => token.content.clone().into_bytes(),
            None if byte_level => {
                let byte =
                    |c: char| of_characters.iter().position(|&it| it == c).map(|at| at as u8);
                token.chars().map(byte).collect::<Option<_>>().unwrap_or_default()
            }
            None => match token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')) {
                Some(byte) => {
                    u8::from_str_radix(byte, 16).map(|byte| vec![byte]).unwrap_or_default()
                }
                None => token.replace('▁', " ").into_bytes(),
            },
        }
    };
    let words = (0..vocab as u32).map(word);
    let short = |word: Vec<u8>| if word.len() > TOKEN_BYTES { Vec::new() } else { word };
    Ok(words.map(short).collect())
}

fn has_step(decoder: &DecoderWrapper, is: &dyn Fn(&DecoderWrapper) -> bool) -> bool {
    match decoder {
        DecoderWrapper::Sequence(steps) => {
            steps.get_decoders().iter().any(|step| has_step(step, is))
        }
        step => is(step),
    }
}

/// A token that is no text.
fn marked(content: &str) -> Vec<u8> {
    [&[TokTrie::SPECIAL_TOKEN_MARKER], content.as_bytes()].concat()
}

/// The characters that stand for bytes in a byte-level vocabulary, by byte.
///
/// # Source
/// `bytes_to_unicode` of GPT-2's `encoder.py`: printable bytes stand for themselves, the others are
/// counted from U+0100.
fn byte_level_characters() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| {
        let itself = byte as u8 as char;
        match itself {
            '!'..='~' | '¡'..='¬' | '®'..='ÿ' => itself,
            _ => others.next().unwrap_or(itself),
        }
    })
}
