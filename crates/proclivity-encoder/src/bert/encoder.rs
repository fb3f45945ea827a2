//! From a checkpoint directory to embeddings of texts.

use std::path::Path;

use burn::tensor::Tensor;
use ndarray::Array2;
use rayon::prelude::*;
use tokenizers::{Tokenizer, TruncationParams};

use super::config::{BertConfig, Pooling, SentenceConfig};
use super::network::{Bert, Texts};
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
    /// → `[texts, embedding_dim]`
    fn pooled(&self, batch: &[Tokens]) -> Vec<f32> {
        let lengths: Vec<usize> = batch.iter().map(|text| text.ids.len()).collect();
        let tokens: Vec<u32> = batch.iter().flat_map(|text| &text.ids).copied().collect();
        let texts = Texts { lengths, on_host: self.device.is_on_host() };
        let hidden = self.network.forward(&tokens, &texts, self.device.burn());
        if texts.on_host {
            let hidden = hidden.into_data();
            return hidden
                .as_slice()
                .map(|hidden| self.pool(hidden, &texts.lengths))
                .unwrap_or_default();
        }
        let hidden = hidden.reshape([batch.len() as i32, -1, self.embedding_dim as i32]);
        let pooled: Tensor<2> = match self.pooling {
            Pooling::Cls => hidden.narrow(1, 0, 1).squeeze_dim(1),
            Pooling::Mean => hidden.mean_dim(1).squeeze_dim(1),
        };
        pooled.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
    }

    /// # Shapes
    /// hidden: `[tokens, embedding_dim]` → `[texts, embedding_dim]`
    fn pool(&self, hidden: &[f32], lengths: &[usize]) -> Vec<f32> {
        let dim = self.embedding_dim;
        let mut rest = hidden;
        let mut pooled = Vec::with_capacity(lengths.len() * dim);
        for &length in lengths {
            let (text, after) = rest.split_at(length * dim);
            rest = after;
            match self.pooling {
                Pooling::Cls => pooled.extend(&text[..dim]),
                Pooling::Mean => {
                    let mut mean = vec![0.0; dim];
                    for token in text.chunks_exact(dim) {
                        mean.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                    }
                    pooled.extend(mean.iter().map(|sum| sum / length as f32));
                }
            }
        }
        pooled
    }
}

/// A text's tokens, and where it stands among those given.
struct Tokens {
    index: usize,
    ids: Vec<u32>,
}

impl TextEncoder for BertEncoder {
    fn embedding_dim(&self) -> usize {
        self.embedding_dim
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// No text is padded: on the host, texts of different lengths lie one after the other; elsewhere
    /// only texts of the same length go together. So no text's embedding depends on another's length.
    fn embed(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Array2<f32>, EncoderError> {
        /// Texts tokenized at once, which bounds the memory of their tokens.
        const TEXTS: usize = 16_384;
        let mut embeddings = Array2::zeros((texts.len(), self.embedding_dim));
        let mut done = 0;
        for (first, part) in (0..).step_by(TEXTS).zip(texts.chunks(TEXTS)) {
            let mut batches = self.batches(first, part)?.into_iter();
            // As many batches at a time as there are threads, each on one.
            let threads = if self.device.is_on_host() { rayon::current_num_threads() } else { 1 };
            loop {
                let round: Vec<Vec<Tokens>> = batches.by_ref().take(4 * threads).collect();
                if round.is_empty() {
                    break;
                }
                let vectors: Vec<Vec<f32>> =
                    round.par_iter().map(|batch| self.pooled(batch)).collect();
                for (batch, pooled) in round.iter().zip(vectors) {
                    for (text, vector) in batch.iter().zip(pooled.chunks(self.embedding_dim)) {
                        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                        if !(norm > 0.0 && norm.is_finite()) {
                            return Err(EncoderError::NonFiniteEmbedding { index: text.index });
                        }
                        let unit = vector.iter().map(|x| x / norm);
                        embeddings
                            .row_mut(text.index)
                            .iter_mut()
                            .zip(unit)
                            .for_each(|(to, x)| *to = x);
                    }
                    done += batch.len();
                }
                progress(done);
            }
        }
        Ok(embeddings)
    }
}

impl BertEncoder {
    /// Texts as tokens, in batches that fill the matrix products, the longest texts first.
    fn batches(&self, first: usize, texts: &[&str]) -> Result<Vec<Vec<Tokens>>, EncoderError> {
        const TOKENS_PER_BATCH: usize = 512;
        let encodings = match self.tokenizer.encode_batch_fast(texts.to_vec(), true) {
            Ok(encodings) => encodings,
            Err(source) => return Err(first_failure(&self.tokenizer, texts, source)),
        };
        let mut tokens: Vec<Tokens> = encodings
            .into_iter()
            .enumerate()
            .map(|(at, encoding)| Tokens { index: first + at, ids: encoding.get_ids().to_vec() })
            .filter(|text| !text.ids.is_empty())
            .collect();
        tokens.sort_by_key(|text| std::cmp::Reverse(text.ids.len()));
        let same_length = !self.device.is_on_host();
        let mut batches: Vec<Vec<Tokens>> = Vec::new();
        let mut filled = 0;
        for text in tokens {
            let length = text.ids.len();
            let fits = batches.last().is_some_and(|batch| {
                filled + length <= TOKENS_PER_BATCH
                    && (!same_length || batch[0].ids.len() == length)
            });
            if !fits {
                batches.push(Vec::new());
                filled = 0;
            }
            filled += length;
            if let Some(batch) = batches.last_mut() {
                batch.push(text);
            }
        }
        Ok(batches)
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
