//! A model as a directory: settings, tokenizer and weights.

use std::fs;
use std::path::Path;

use burn::module::Param;
use burn::prelude::*;

use super::network::{Block, Network, host};
use super::tokens::TextTokenizer;
use super::{CausalConfig, CausalModel};
use crate::checkpoint::{parse_json, parse_tokenizer, read};
use crate::weights::{WeightFiles, safetensors};
use crate::{ComputeDevice, EncoderError};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

impl CausalModel {
    /// Writes `config.json`, `tokenizer.json` and `model.safetensors` into a directory, which is
    /// created where it isn't there.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, directory: &Path) -> Result<(), EncoderError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| EncoderError::Io { path, source }
        };
        fs::create_dir_all(directory).map_err(io(directory))?;
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            fs::write(&path, bytes).map_err(io(&path))
        };
        let config = serde_json::to_vec_pretty(&self.config)
            .map_err(|source| EncoderError::Json { path: directory.join(CONFIG), source })?;
        let tokenizer = self.tokenizer.to_json().map_err(|source| EncoderError::Tokenizer {
            path: directory.join(TOKENIZER),
            source,
        })?;
        write(CONFIG, &config)?;
        write(TOKENIZER, tokenizer.as_bytes())?;
        write(WEIGHTS, &self.weights(&directory.join(WEIGHTS))?)
    }

    /// Reads a directory that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When a file is missing, damaged or doesn't fit the others.
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        let path = directory.join(CONFIG);
        let config: CausalConfig = parse_json(&path, &read(&path)?)?;
        config.validate()?;
        let weights_path = directory.join(WEIGHTS);
        let path = directory.join(TOKENIZER);
        // Vocabularies are small: as many rows as there are tokens, checked by the shapes below.
        let tokenizer = parse_tokenizer(&path, &read(&path)?, config.vocab_size)?;
        let tokenizer = TextTokenizer::checked(tokenizer)
            .ok_or_else(|| EncoderError::SpecialTokens { path: path.clone() })?;
        let vocab = tokenizer.vocab_size();
        let (width, feed_forward) = (config.width, config.feed_forward);

        let device = device.burn().clone().inner();
        let weights = WeightFiles::open(directory)?;
        let matrix = |name: &str, shape: [usize; 2]| {
            weights.take(name, shape, &device).map(Param::from_tensor)
        };
        let mut blocks = Vec::with_capacity(config.blocks);
        for block in 0..config.blocks {
            let matrix = |name: &str, shape| matrix(&format!("blocks.{block}.{name}"), shape);
            blocks.push(Block {
                query_key_value: matrix("query_key_value", [width, 3 * width])?,
                output: matrix("output", [width, width])?,
                up: matrix("up", [width, feed_forward])?,
                down: matrix("down", [feed_forward, width])?,
            });
        }
        let network = Network {
            tokens: matrix("tokens", [vocab, width])?,
            bias: Param::from_tensor(weights.take("bias", [vocab], &device)?),
            blocks,
            heads: config.heads,
        };
        let unigram: Vec<f32> = host(weights.take::<1>("unigram", [vocab], &device)?);
        if let Some((position, &value)) =
            unigram.iter().enumerate().find(|(_, value)| **value < 0.0)
        {
            return Err(EncoderError::NonFiniteWeight {
                path: weights_path,
                tensor: "unigram".to_owned(),
                position,
                value,
            });
        }
        let unigram = unigram.into_iter().map(f64::from).collect();
        let means = host(weights.take::<1>("means", [2 * width], &device)?);
        weights.finish(|_| false)?;
        Self::assemble(config, tokenizer, network, unigram, means)
    }

    /// The weights, token frequencies and means as a safetensors file.
    fn weights(&self, path: &Path) -> Result<Vec<u8>, EncoderError> {
        let mut tensors: Vec<(String, TensorData)> = Vec::new();
        let mut matrix = |name: String, param: &Param<Tensor<2>>| {
            tensors.push((name, param.val().into_data()));
        };
        matrix("tokens".to_owned(), &self.network.tokens);
        for (place, block) in self.network.blocks.iter().enumerate() {
            let name = |part| format!("blocks.{place}.{part}");
            matrix(name("query_key_value"), &block.query_key_value);
            matrix(name("output"), &block.output);
            matrix(name("up"), &block.up);
            matrix(name("down"), &block.down);
        }
        for (name, values) in [
            ("bias", host(self.network.bias.val())),
            ("unigram", self.unigram.iter().map(|&share| share as f32).collect()),
            ("means", self.means.clone()),
        ] {
            let shape = [values.len()];
            tensors.push((name.to_owned(), TensorData::new(values, shape)));
        }
        safetensors(tensors, None, path)
    }

    /// A hash of settings, tokenizer, weights and means.
    pub(super) fn compute_fingerprint(&self) -> Result<String, EncoderError> {
        let path = Path::new(WEIGHTS);
        let mut hasher = blake3::Hasher::new();
        let config = serde_json::to_vec(&self.config)
            .map_err(|source| EncoderError::Json { path: CONFIG.into(), source })?;
        let tokenizer =
            self.tokenizer.to_json().map_err(|source| EncoderError::TrainTokenizer { source })?;
        for part in [config, tokenizer.into_bytes(), self.weights(path)?] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(&part);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}
