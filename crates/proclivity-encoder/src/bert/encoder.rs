//! From a checkpoint directory to embeddings of texts.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Int, Tensor, TensorData};
use ndarray::Array2;
use tokenizers::{Tokenizer, TruncationParams};

use super::config::{BertConfig, Pooling, SentenceConfig};
use super::network::Bert;
use crate::checkpoint::{Weights, parse_json, parse_tokenizer, read, read_optional};
use crate::{ComputeDevice, EncoderError, TextEncoder};

/// A sentence encoder of the BERT family, such as all-MiniLM-L6-v2.
pub struct BertEncoder {
    network: Bert,
    tokenizer: Tokenizer,
    pooling: Pooling,
    embedding_dim: usize,
    max_tokens: usize,
    device: ComputeDevice,
    fingerprint: String,
}

impl BertEncoder {
    /// Loads a directory as a model hub has it: `config.json`, `tokenizer.json` and
    /// `model.safetensors` (f32, f16 or bf16).
    ///
    /// `1_Pooling/config.json` says how tokens are pooled (the mean where it is absent) and
    /// `sentence_bert_config.json` after how many tokens texts are truncated (the positions there
    /// are, where it is absent). Embeddings always have unit length.
    ///
    /// # Errors
    /// An [`EncoderError`] that names the file, and the field or tensor, which is missing, damaged,
    /// of another architecture, or doesn't fit the others.
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        let mut hash = blake3::Hasher::new_derive_key("proclivity BertEncoder 1");
        let config_path = directory.join("config.json");
        let config_bytes = read(&config_path)?;
        let config: BertConfig = parse_json(&config_path, &config_bytes)?;
        config.validate(&config_path)?;

        let tokenizer_path = directory.join("tokenizer.json");
        let tokenizer_bytes = read(&tokenizer_path)?;
        let mut tokenizer = parse_tokenizer(&tokenizer_path, &tokenizer_bytes, config.vocab_size)?;

        let sentence_path = directory.join("sentence_bert_config.json");
        let limit = match read_optional(&sentence_path)? {
            Some(bytes) => parse_json::<SentenceConfig>(&sentence_path, &bytes)?.max_seq_length,
            None => None,
        };
        let max_tokens = limit.unwrap_or(usize::MAX).clamp(3, config.max_position_embeddings);
        let truncation = TruncationParams { max_length: max_tokens, ..Default::default() };
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|source| EncoderError::Tokenizer { path: tokenizer_path, source })?;

        let pooling_path = directory.join("1_Pooling").join("config.json");
        let pooling = match read_optional(&pooling_path)? {
            Some(bytes) => Pooling::parse(&pooling_path, &bytes)?,
            None => Pooling::Mean,
        };

        let weights_path = directory.join("model.safetensors");
        let weights_bytes = read(&weights_path)?;
        let weights = Weights::new(&weights_path, &weights_bytes)?;
        let network = Bert::load(&config, &weights, device.burn())?;
        weights.finish(|name| {
            name.ends_with("position_ids") || name.contains("pooler.") || name.starts_with("cls.")
        })?;

        for bytes in [&config_bytes, &tokenizer_bytes, &weights_bytes] {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hash.update(format!("{pooling:?} {max_tokens}").as_bytes());
        Ok(Self {
            network,
            tokenizer,
            pooling,
            embedding_dim: config.hidden_size,
            max_tokens,
            device: device.clone(),
            fingerprint: hash.finalize().to_hex().to_string(),
        })
    }

    /// Tokens of a text that are read, the rest being truncated.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// # Shapes
    /// tokens: `rows` texts of the same length → `[rows, embedding_dim]`
    fn pooled(&self, tokens: Vec<u32>, rows: usize) -> Vec<f32> {
        let length = tokens.len() / rows;
        let tokens: Vec<i64> = tokens.into_iter().map(i64::from).collect();
        let tokens: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(tokens, [rows, length]), self.device.burn());
        let hidden = self.network.forward(tokens);
        let pooled: Tensor<2> = match self.pooling {
            Pooling::Cls => hidden.slice([0..rows, 0..1]).squeeze_dim(1),
            Pooling::Mean => hidden.mean_dim(1).squeeze_dim(1),
        };
        pooled.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
    }
}

impl TextEncoder for BertEncoder {
    fn embedding_dim(&self) -> usize {
        self.embedding_dim
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Texts with the same number of tokens go through the network together, so that nothing is
    /// padded and no text's embedding depends on another's length.
    fn embed(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Array2<f32>, EncoderError> {
        /// Tokens that go through the network at once: enough to fill the matrix products.
        const TOKENS_PER_BATCH: usize = 1_024;
        let mut embeddings = Array2::zeros((texts.len(), self.embedding_dim));
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        let encodings = match self.tokenizer.encode_batch_fast(texts.to_vec(), true) {
            Ok(encodings) => encodings,
            Err(source) => return Err(first_failure(&self.tokenizer, texts, source)),
        };
        for (index, encoding) in encodings.into_iter().enumerate() {
            let tokens = encoding.get_ids().to_vec();
            by_length.entry(tokens.len()).or_default().push((index, tokens));
        }
        let mut done = 0;
        for (length, group) in by_length.into_iter().filter(|&(length, _)| length > 0) {
            for batch in group.chunks((TOKENS_PER_BATCH / length).max(1)) {
                let tokens = batch.iter().flat_map(|(_, tokens)| tokens).copied().collect();
                let pooled = self.pooled(tokens, batch.len());
                for ((index, _), vector) in batch.iter().zip(pooled.chunks(self.embedding_dim)) {
                    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                    if !(norm > 0.0 && norm.is_finite()) {
                        return Err(EncoderError::NonFiniteEmbedding { index: *index });
                    }
                    let unit = vector.iter().map(|x| x / norm);
                    embeddings.row_mut(*index).iter_mut().zip(unit).for_each(|(to, x)| *to = x);
                }
                done += batch.len();
                progress(done);
            }
        }
        Ok(embeddings)
    }
}

/// The error of a batch, with the text it comes from.
fn first_failure(tokenizer: &Tokenizer, texts: &[&str], batch: tokenizers::Error) -> EncoderError {
    let failure = texts.iter().enumerate().find_map(|(index, text)| {
        tokenizer.encode_fast(*text, true).err().map(|source| (index, source))
    });
    let (index, source) = failure.unwrap_or((0, batch));
    EncoderError::Tokenize { index, source }
}
