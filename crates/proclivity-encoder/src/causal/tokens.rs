//! The byte-level byte-pair tokenizer, trained on the texts that the model is trained on.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use crate::EncoderError;

/// Fills up a window behind its last document.
pub(crate) const PAD: u32 = 0;
/// Stands before a document.
pub(crate) const BEGIN: u32 = 1;
/// Stands behind a document.
pub(crate) const END: u32 = 2;
const SPECIAL: [&str; 3] = ["<|pad|>", "<|begin|>", "<|end|>"];

/// Where a token may begin and end: Han characters and punctuation marks stand alone, so that a
/// title is made of the same tokens wherever it stands and shares them with similar titles; other
/// words and numbers take the space before them along.
const PIECES: &str = r"\p{Han}| ?[\p{L}\p{M}&&\P{Han}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]|\s+";

/// A tokenizer with the three special tokens first. Special tokens written out in a text are
/// ordinary text.
#[derive(Debug, Clone)]
pub(crate) struct TextTokenizer {
    inner: Tokenizer,
}

impl TextTokenizer {
    pub(crate) fn train(texts: &[String], vocab_size: usize) -> Result<Self, EncoderError> {
        let build = || -> tokenizers::Result<Tokenizer> {
            let mut tokenizer = Tokenizer::new(BPE::default());
            let split = Split::new(
                SplitPattern::Regex(PIECES.to_owned()),
                SplitDelimiterBehavior::Isolated,
                false,
            )?;
            let bytes = ByteLevel::new(false, false, false);
            tokenizer
                .with_pre_tokenizer(Some(Sequence::new(vec![
                    PreTokenizerWrapper::Split(split),
                    PreTokenizerWrapper::ByteLevel(bytes),
                ])))
                .with_decoder(Some(bytes));
            let trainer = BpeTrainer::builder()
                .show_progress(false)
                .vocab_size(vocab_size)
                .min_frequency(2)
                .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
                .special_tokens(
                    SPECIAL.iter().map(|token| AddedToken::from(*token, true)).collect(),
                )
                .build();
            tokenizer
                .train(&mut TrainerWrapper::from(trainer), texts.iter().map(String::as_str))?;
            Ok(tokenizer)
        };
        let inner = build().map_err(|source| EncoderError::TrainTokenizer { source })?;
        Ok(Self::wrap(inner))
    }

    /// A tokenizer read from a file; `None` when its special tokens are not ours.
    pub(crate) fn checked(inner: Tokenizer) -> Option<Self> {
        let ours =
            SPECIAL.iter().zip(0_u32..).all(|(token, id)| inner.token_to_id(token) == Some(id));
        ours.then(|| Self::wrap(inner))
    }

    fn wrap(mut inner: Tokenizer) -> Self {
        inner.set_encode_special_tokens(true);
        Self { inner }
    }

    /// One more than the largest id. Ids leave no gaps in a tokenizer trained here; in a file that
    /// has some, the weights' shapes then don't fit.
    pub(crate) fn vocab_size(&self) -> usize {
        let largest = self.inner.get_vocab(true).into_values().max();
        largest.map_or(0, |largest| largest as usize + 1)
    }

    pub(crate) fn to_json(&self) -> Result<String, tokenizers::Error> {
        self.inner.to_string(false)
    }

    /// The tokens of each text, without special tokens.
    pub(crate) fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, EncoderError> {
        match self.inner.encode_batch_fast(texts.to_vec(), false) {
            Ok(encodings) => Ok(encodings.iter().map(|e| e.get_ids().to_vec()).collect()),
            Err(source) => {
                // Find out which text it was.
                let index = texts
                    .iter()
                    .position(|text| self.inner.encode_fast(*text, false).is_err())
                    .unwrap_or(0);
                Err(EncoderError::Tokenize { index, source })
            }
        }
    }

    /// The text of tokens; bytes that are no UTF-8 become replacement characters.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, EncoderError> {
        self.inner.decode(tokens, true).map_err(|source| EncoderError::TrainTokenizer { source })
    }
}
