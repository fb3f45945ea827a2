//! From a checkpoint directory to embeddings of texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Tensor;
use ndarray::{Array2, ArrayView2, s};
use tokenizers::{Tokenizer, TruncationParams};

use super::config::BertConfig;
use super::network::{Bert, Texts};
use super::pooling::Pooling;
use super::sentence::{Layer, Modules, Prompts, SentenceConfig, unit};
use super::trainable::TrainableBert;
use crate::checkpoint::{parse_tokenizer, read};
use crate::finetune::State;
use crate::product::keep_freed_memory;
use crate::weights::WeightFiles;
use crate::{ComputeDevice, EncoderError, TextEncoder};

/// A sentence encoder of the BERT family, such as all-MiniLM-L6-v2.
///
/// A clone shares the weights, so that one may embed queries and another passages:
///
/// ```no_run
/// use proclivity_encoder::BertEncoder;
///
/// let passages = BertEncoder::load("models/e5".as_ref(), &"flex".parse()?)?;
/// let queries = passages.clone().with_prompt("query")?;
/// # Ok::<(), proclivity_encoder::EncoderError>(())
/// ```
#[derive(Clone)]
pub struct BertEncoder {
    network: Bert,
    tokenizer: Arc<Tokenizer>,
    lower_case: bool,
    pooling: Pooling,
    layers: Vec<Layer>,
    width: usize,
    full_dim: usize,
    embedding_dim: usize,
    max_tokens: usize,
    batch_size: usize,
    prompts: BTreeMap<String, String>,
    prompts_path: PathBuf,
    prefix: String,
    /// Tokens of the prefix that pooling leaves out.
    skip: usize,
    device: ComputeDevice,
    /// Texts of different lengths go together.
    packed: bool,
    /// Of what was loaded.
    checkpoint: String,
    /// With what was set since.
    fingerprint: String,
}

impl BertEncoder {
    /// Loads a directory as a model hub has it: `config.json` (BERT, RoBERTa, XLM-RoBERTa or MPNet),
    /// `tokenizer.json` and `model.safetensors` (f32, f16 or bf16), or the files that
    /// `model.safetensors.index.json` names.
    ///
    /// sentence-transformers' files are honoured where they are:
    ///
    /// | file | what it says | without it |
    /// |---|---|---|
    /// | `modules.json` | what a text goes through: Transformer, Pooling, then any of Dense and Normalize | Transformer and Pooling |
    /// | the pooling's `config.json` | first token, maximum, mean, sum over √length, mean weighted by position, last token, or several side by side | `1_Pooling/config.json`, else the mean |
    /// | `sentence_bert_config.json` | where texts are truncated, whether they become lower case | `tokenizer_config.json`'s `model_max_length`, else the positions there are |
    /// | `config_sentence_transformers.json` | prompts, and the one that precedes texts unless another is chosen | none |
    ///
    /// Embeddings have unit length even where no Normalize is among the modules.
    ///
    /// # Errors
    /// An [`EncoderError`] that names the file, and the field or tensor, which is missing, damaged,
    /// of another architecture, or doesn't fit the others.
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        Self::load_with(directory, &State::new(), device)
    }

    /// The same with other values of some tensors.
    pub(crate) fn load_with(
        directory: &Path,
        replaced: &State,
        device: &ComputeDevice,
    ) -> Result<Self, EncoderError> {
        let mut hash = blake3::Hasher::new_derive_key("proclivity BertEncoder 2");
        let modules = Modules::read(directory)?;
        let transformer = modules.transformer();
        let config_path = transformer.join("config.json");
        let config_bytes = read(&config_path)?;
        let config = BertConfig::parse(&config_path, &config_bytes)?;
        let architecture = config.architecture(&config_path)?;

        let tokenizer_path = transformer.join("tokenizer.json");
        let tokenizer_bytes = read(&tokenizer_path)?;
        let mut tokenizer = parse_tokenizer(&tokenizer_path, &tokenizer_bytes, config.vocab_size)?;
        for bytes in [&config_bytes, &tokenizer_bytes] {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let sentence = SentenceConfig::read(&transformer)?;
        let room = architecture.positions.room(&config);
        let max_tokens = sentence.max_seq_length.unwrap_or(usize::MAX).clamp(3, room);
        let truncation = TruncationParams { max_length: max_tokens, ..Default::default() };
        // `tokenizers` subtracts these from the limit without looking.
        let around = tokenizer.encode_fast("", true).map_or(0, |encoding| encoding.get_ids().len());
        if around >= max_tokens {
            return Err(EncoderError::Unsupported {
                path: tokenizer_path,
                field: "post_processor",
                value: format!("{around} tokens around each text"),
                expected: "fewer than the model has positions for",
            });
        }
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|source| EncoderError::Tokenizer { path: tokenizer_path, source })?;

        let width = config.hidden_size;
        let pooling = modules.pooling(width)?;
        let (layers, full_dim) = modules.layers(pooling.dim(width), &mut hash)?;
        let weights = WeightFiles::open(&transformer)?.replace(replaced);
        weights.hash(&mut hash)?;
        let mut network = Bert::load(&config, &architecture, &weights, device.burn())?;
        weights.finish(|name| {
            name.ends_with("position_ids")
                || name.contains("pooler.")
                || ["cls.", "lm_head."].iter().any(|head| name.starts_with(head))
        })?;
        if device.is_on_host() {
            network = network.for_few_tokens();
            keep_freed_memory();
        }
        let lower_case = sentence.do_lower_case;
        hash.update(format!("{pooling:?} {max_tokens} {lower_case}").as_bytes());
        let checkpoint = hash.finalize().to_hex().to_string();
        let (prompts_path, Prompts { prompts, default_prompt_name }) = Prompts::read(directory)?;
        let encoder = Self {
            network,
            tokenizer: Arc::new(tokenizer),
            lower_case,
            pooling,
            layers,
            width,
            full_dim,
            embedding_dim: full_dim,
            max_tokens,
            batch_size: usize::MAX,
            prompts,
            prompts_path,
            prefix: String::new(),
            skip: 0,
            device: device.clone(),
            packed: device.is_on_host(),
            fingerprint: checkpoint.clone(),
            checkpoint,
        };
        match default_prompt_name {
            Some(name) => encoder.with_prompt(&name),
            None => Ok(encoder),
        }
    }

    /// The checkpoint's prompts by name.
    pub fn prompts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prompts.iter().map(|(name, prompt)| (name.as_str(), prompt.as_str()))
    }

    /// Puts one of the checkpoint's [prompts](Self::prompts) before each text, such as `query`.
    ///
    /// # Errors
    /// [`EncoderError::UnknownPrompt`] when the checkpoint has none of this name.
    pub fn with_prompt(self, name: &str) -> Result<Self, EncoderError> {
        match self.prompts.get(name).cloned() {
            Some(prompt) => self.with_prefix(&prompt),
            None => Err(EncoderError::UnknownPrompt {
                path: self.prompts_path,
                name: name.to_owned(),
                known: self.prompts.into_keys().collect(),
            }),
        }
    }

    /// Puts words of your own before each text, for checkpoints that want some (`query: ` of E5) and
    /// don't say so in their files; instead of any prompt.
    ///
    /// # Errors
    /// When the prefix can't be tokenized.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, EncoderError> {
        prefix.clone_into(&mut self.prefix);
        self.skip = 0;
        if !self.pooling.include_prompt && !prefix.is_empty() {
            let prepared = self.prepare("");
            let encoding = self
                .tokenizer
                .encode_fast(prepared.as_ref(), true)
                .map_err(|source| EncoderError::Tokenize { index: 0, source })?;
            // A token that ends texts doesn't belong to the prefix.
            let ends = encoding.get_special_tokens_mask().last() == Some(&1);
            self.skip = encoding.len() - usize::from(ends);
        }
        Ok(self.refreshed())
    }

    /// Keeps the first numbers of each embedding, scaled to unit length again: for checkpoints
    /// trained so that these say the most (Matryoshka representations).
    ///
    /// # Errors
    /// [`EncoderError::InvalidConfig`] for 0 and for more than the checkpoint gives.
    pub fn with_embedding_dim(mut self, embedding_dim: usize) -> Result<Self, EncoderError> {
        if !(1..=self.full_dim).contains(&embedding_dim) {
            return Err(EncoderError::InvalidConfig {
                field: "embedding_dim",
                value: embedding_dim as f64,
                expected: "a number from 1 to the length of the checkpoint's embeddings",
            });
        }
        self.embedding_dim = embedding_dim;
        Ok(self.refreshed())
    }

    /// Computes at most so many texts at once, which changes no result; without it, as many as fill
    /// the matrix products.
    pub fn with_batch_size(mut self, texts: usize) -> Self {
        self.batch_size = texts.max(1);
        self
    }

    fn refreshed(mut self) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("proclivity BertEncoder settings 1");
        for text in [&self.checkpoint, &self.prefix] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(&(self.embedding_dim as u64).to_le_bytes());
        self.fingerprint = hash.finalize().to_hex().to_string();
        self
    }

    /// Tokens of a text that are read, the rest being truncated.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// How many tokens are read of all texts, those of prompts and those that begin and end a text
    /// included.
    ///
    /// # Errors
    /// When a text can't be tokenized.
    pub fn count_tokens(&self, texts: &[&str]) -> Result<usize, EncoderError> {
        Ok(self.tokens(0, texts)?.iter().map(|text| text.ids.len()).sum())
    }

    /// What is tokenized for a text. Only the tokenizers that don't mind white space may be given it
    /// at the ends.
    fn prepare<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // What Python's `strip` takes off.
        let white = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
        if self.prefix.is_empty() && !self.lower_case {
            return Cow::Borrowed(text.trim_matches(white));
        }
        let whole = format!("{}{text}", self.prefix);
        let whole = whole.trim_matches(white);
        Cow::Owned(if self.lower_case { whole.to_lowercase() } else { whole.to_owned() })
    }

    /// # Shapes
    /// → `[texts, full_dim]`
    fn pooled(&self, batch: &[Tokens]) -> Array2<f32> {
        let lengths: Vec<usize> = batch.iter().map(|text| text.ids.len()).collect();
        let tokens: Vec<u32> = batch.iter().flat_map(|text| &text.ids).copied().collect();
        let texts = Texts { lengths, on_host: self.packed };
        let hidden = self.network.forward(&tokens, &texts, self.device.burn());
        let pooled = if self.packed {
            let hidden = hidden.into_data();
            hidden.as_slice().map(|hidden| self.pool(hidden, &texts.lengths)).unwrap_or_default()
        } else {
            // All texts have the same length here.
            let length = texts.lengths.first().copied().unwrap_or(1);
            let hidden = hidden.reshape([batch.len(), length, self.width]);
            let pooled = self.pooling.forward(&hidden, self.skip.min(length - 1));
            pooled.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
        };
        let shape = (batch.len(), self.pooling.dim(self.width));
        let pooled = ArrayView2::from_shape(shape, &pooled);
        let pooled = pooled.map(|pooled| pooled.to_owned()).unwrap_or_default();
        self.layers.iter().fold(pooled, |vectors, layer| layer.forward(&vectors.view()))
    }

    /// # Shapes
    /// hidden: `[tokens, width]` → `[texts, modes · width]`
    fn pool(&self, hidden: &[f32], lengths: &[usize]) -> Vec<f32> {
        let mut rest = hidden;
        let mut pooled = Vec::with_capacity(lengths.len() * self.pooling.dim(self.width));
        for &length in lengths {
            let (text, after) = rest.split_at(length * self.width);
            rest = after;
            self.pooling.pool(text, self.width, self.skip.min(length - 1), &mut pooled);
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
            let threads = self.device.parallelism();
            loop {
                let round: Vec<Vec<Tokens>> = batches.by_ref().take(4 * threads).collect();
                if round.is_empty() {
                    break;
                }
                let vectors = self.device.map(&round, |batch| self.pooled(batch));
                for (batch, pooled) in round.iter().zip(vectors) {
                    for (text, vector) in batch.iter().zip(pooled.rows()) {
                        let vector = vector.slice(s![..self.embedding_dim]);
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

/// For training.
impl BertEncoder {
    /// The tokens of each text, at least one.
    pub(crate) fn token_ids(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, EncoderError> {
        let mut ids = vec![Vec::new(); texts.len()];
        for text in self.tokens(0, texts)? {
            ids[text.index] = text.ids;
        }
        // Where there is no token there is no embedding.
        match ids.iter().position(Vec::is_empty) {
            Some(index) => Err(EncoderError::NonFiniteEmbedding { index }),
            None => Ok(ids),
        }
    }

    /// The embeddings of tokenized texts by a network with gradients, of unit length.
    ///
    /// # Shapes
    /// → `[texts, embedding_dim]`
    pub(crate) fn embed_with(&self, network: &TrainableBert, texts: &[&[u32]]) -> Tensor<2> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let hidden = network.forward(texts);
        let pooled = self.pooling.forward_padded(&hidden, &lengths, self.skip);
        let vectors =
            self.layers.iter().fold(pooled, |vectors, layer| layer.forward_tensor(vectors));
        unit(vectors.narrow(1, 0, self.embedding_dim))
    }

    /// The token that stands for hidden ones, and those that are never hidden.
    pub(crate) fn special_tokens(&self) -> (Option<u32>, Vec<u32>) {
        let mask = ["[MASK]", "<mask>"];
        let mask = mask.iter().find_map(|token| self.tokenizer.token_to_id(token));
        let added = self.tokenizer.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id);
        (mask, special.collect())
    }
}

impl BertEncoder {
    /// Texts as tokens, in batches that fill the matrix products, the longest texts first.
    fn batches(&self, first: usize, texts: &[&str]) -> Result<Vec<Vec<Tokens>>, EncoderError> {
        const TOKENS_PER_BATCH: usize = 512;
        let mut tokens = self.tokens(first, texts)?;
        tokens.sort_by_key(|text| std::cmp::Reverse(text.ids.len()));
        let mut batches: Vec<Vec<Tokens>> = Vec::new();
        let mut filled = 0;
        for text in tokens {
            let length = text.ids.len();
            let fits = batches.last().is_some_and(|batch| {
                filled + length <= TOKENS_PER_BATCH
                    && batch.len() < self.batch_size
                    && (self.packed || batch[0].ids.len() == length)
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

    /// The tokens of all texts that have any, in the texts' order.
    fn tokens(&self, first: usize, texts: &[&str]) -> Result<Vec<Tokens>, EncoderError> {
        let prepared: Vec<Cow<'_, str>> = texts.iter().map(|text| self.prepare(text)).collect();
        let encodings = match self.tokenizer.encode_batch_fast(prepared.clone(), true) {
            Ok(encodings) => encodings,
            Err(source) => return Err(first_failure(&self.tokenizer, first, &prepared, source)),
        };
        let tokens = encodings
            .into_iter()
            .zip(first..)
            .map(|(encoding, index)| Tokens { index, ids: encoding.get_ids().to_vec() });
        Ok(tokens.filter(|text| !text.ids.is_empty()).collect())
    }
}

/// The error of a batch, with the text it comes from.
fn first_failure(
    tokenizer: &Tokenizer,
    first: usize,
    texts: &[Cow<'_, str>],
    batch: tokenizers::Error,
) -> EncoderError {
    let failure = texts.iter().zip(first..).find_map(|(text, index)| {
        tokenizer.encode_fast(text.as_ref(), true).err().map(|source| (index, source))
    });
    let (index, source) = failure.unwrap_or((first, batch));
    EncoderError::Tokenize { index, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_other_devices_compute_is_what_the_host_does() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders");
        let texts = ["a film", "", "film camera roll", "a film camera", "the colour film, 35mm"];
        let long = "a white roll ".repeat(60);
        let texts = [&texts[..], &[long.as_str(), "zzz"]].concat();
        let all = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens"];
        for variant in ["bert", "roberta", "xlm-roberta", "mpnet"] {
            let mut encoder =
                BertEncoder::load(&fixtures.join(variant), &"flex".parse().unwrap()).unwrap();
            if encoder.layers.iter().all(|layer| matches!(layer, Layer::Normalize)) {
                let modes = all.iter().chain(&["weightedmean_tokens", "lasttoken"]);
                let modes: Vec<String> =
                    modes.map(|mode| format!("\"pooling_mode_{mode}\": true")).collect();
                let config = format!("{{{}, \"include_prompt\": false}}", modes.join(","));
                encoder.pooling =
                    Pooling::parse(Path::new("config.json"), config.as_bytes(), 32).unwrap();
                encoder.full_dim = encoder.pooling.dim(32);
                encoder.embedding_dim = encoder.full_dim;
                encoder = encoder.with_prefix("a film").unwrap();
                assert!(encoder.skip > 1);
            }
            let packed = encoder.embed(&texts, &mut |_| {}).unwrap();
            encoder.packed = false;
            let apart = encoder.embed(&texts, &mut |_| {}).unwrap();
            let differences = (&packed - &apart).mapv(f32::abs);
            assert!(differences.iter().all(|&d| d < 1e-5), "{variant}: {differences}");
        }
    }
}
