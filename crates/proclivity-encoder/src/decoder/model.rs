//! From a checkpoint directory to a decoder.

use std::path::Path;

use tokenizers::Tokenizer;

use super::files::Checkpoint;
use super::network::Network;
use crate::finetune::State;
use crate::{ComputeDevice, EncoderError};

/// A decoder of the Llama family (Llama, SmolLM2, TinyLlama), Qwen2 or Qwen3: it scores texts, writes
/// them and, where it was trained for it (Qwen3-Embedding), embeds them by their last token.
pub struct Decoder {
    pub(super) network: Network,
    pub(super) tokenizer: Tokenizer,
    /// Tokens that end a text.
    pub(super) ends: Vec<u32>,
    /// What stands before an empty prompt.
    pub(super) begin: Option<u32>,
    pub(super) context: usize,
    pub(super) fingerprint: String,
}

impl Decoder {
    /// Loads a directory as a model hub has it: `config.json`, `tokenizer.json`,
    /// `generation_config.json` (optional: the tokens that end a text), and `model.safetensors` or the
    /// files that `model.safetensors.index.json` names (f32, f16 or bf16, computed in f32).
    ///
    /// With the feature `gguf`, a path that ends in `.gguf` is a file of llama.cpp's, which holds all
    /// of these; its weights are dequantised to f32. Where its tokenizer is of a kind that isn't
    /// known, a `tokenizer.json` beside it is read.
    ///
    /// # Errors
    /// An [`EncoderError`] that names the file, and the field or tensor, which is missing, damaged,
    /// of another architecture, or doesn't fit the others.
    pub fn load(path: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        Self::load_with(path, &State::new(), device)
    }

    /// The same with other values of some tensors.
    pub(crate) fn load_with(
        path: &Path,
        replaced: &State,
        device: &ComputeDevice,
    ) -> Result<Self, EncoderError> {
        let checkpoint = Checkpoint::open(path)?;
        let tokenizer = checkpoint.tokenizer()?;
        let (ends, begin) = checkpoint.special_tokens();
        let Checkpoint { config, config_path, config_bytes, tokenizer_bytes, weights, .. } =
            checkpoint;
        let weights = weights.replace(replaced);
        let network = Network::load(&config_path, &config, &weights, device)?;

        let mut hash = blake3::Hasher::new_derive_key("proclivity Decoder 1");
        for bytes in [&config_bytes, &tokenizer_bytes] {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        weights.hash(&mut hash)?;
        weights.finish(|name| name.ends_with("rotary_emb.inv_freq") || name == "lm_head.weight")?;
        Ok(Self {
            network,
            tokenizer,
            ends,
            begin,
            context: config.max_position_embeddings,
            fingerprint: hash.finalize().to_hex().to_string(),
        })
    }

    /// The tokenizer of a checkpoint and the token that ends a text.
    pub(crate) fn tokenizer(path: &Path) -> Result<(Tokenizer, Option<u32>), EncoderError> {
        let checkpoint = Checkpoint::open(path)?;
        Ok((checkpoint.tokenizer()?, checkpoint.special_tokens().0.first().copied()))
    }

    /// Tokens that the model can look back on, those it writes included.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The tokens of a prompt, with those that the tokenizer puts around a text; of an empty one, the
    /// token that begins a text.
    pub(super) fn prompt_tokens(&self, prompt: &str) -> Result<Vec<u32>, EncoderError> {
        self.text_tokens(0, prompt)
    }

    pub(super) fn text_tokens(&self, index: usize, text: &str) -> Result<Vec<u32>, EncoderError> {
        let tokens = self.encode(index, text, true)?;
        match self.begin {
            _ if !tokens.is_empty() => Ok(tokens),
            Some(begin) => Ok(vec![begin]),
            None => Err(EncoderError::EmptyPrompt),
        }
    }

    /// The tokens of a continuation as the tokenizer cuts prompt and continuation in one piece, or
    /// where its cut isn't one of the prompt's alone, those of the continuation alone.
    pub(super) fn continuation_tokens(
        &self,
        prompt: &str,
        index: usize,
        continuation: &str,
    ) -> Result<Vec<u32>, EncoderError> {
        if !prompt.is_empty() {
            let before = self.encode(index, prompt, false)?;
            let whole = self.encode(index, &format!("{prompt}{continuation}"), false)?;
            if whole.starts_with(&before) {
                return Ok(whole[before.len()..].to_vec());
            }
        }
        self.encode(index, continuation, false)
    }

    fn encode(&self, index: usize, text: &str, special: bool) -> Result<Vec<u32>, EncoderError> {
        let encoding = self.tokenizer.encode_fast(text, special);
        let encoding = encoding.map_err(|source| EncoderError::Tokenize { index, source })?;
        Ok(encoding.get_ids().to_vec())
    }
}
