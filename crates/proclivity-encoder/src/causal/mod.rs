//! A small causal language model, trained from scratch on texts that say what users did.

mod batch;
mod config;
mod corpus;
mod embed;
mod network;
mod score;
mod softmax;
mod store;
mod tokens;
mod train;
mod write;

pub use config::{CausalConfig, TrainConfig};
use network::{Network, host};
use tokens::TextTokenizer;
pub use train::{EpochReport, TrainProgress, TrainReport};
pub use write::Segment;

use crate::{ComputeDevice, EncoderError};

/// A causal transformer with its tokenizer.
#[derive(Debug, Clone)]
pub struct CausalModel {
    config: CausalConfig,
    tokenizer: TextTokenizer,
    network: Network,
    /// The share of each token in the training texts.
    unigram: Vec<f64>,
    /// The common component of embeddings, both halves.
    means: Vec<f32>,
    /// The token embeddings on the host, row by row.
    table: Vec<f32>,
    fingerprint: String,
}

impl CausalModel {
    /// Trains a model from scratch.
    ///
    /// A text is a document between a begin and an end token; where it is longer than the context
    /// it is cut into windows, which don't see each other. `progress` is told of every step and
    /// epoch. The same texts, settings and seed give the same model.
    ///
    /// # Errors
    /// When a setting is out of its range, when there is no training or no validation text, and
    /// when the loss is no finite number any more.
    pub fn train(
        texts: &[String],
        validation: &[String],
        config: &CausalConfig,
        training: &TrainConfig,
        device: &ComputeDevice,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, TrainReport), EncoderError> {
        train::train(texts, validation, config, training, device, progress)
    }

    /// A trained model, its embeddings centred on pieces of its texts.
    fn new(
        config: CausalConfig,
        tokenizer: TextTokenizer,
        network: Network,
        unigram: Vec<f64>,
        texts: &[String],
    ) -> Result<Self, EncoderError> {
        let means = vec![0.0; 2 * config.width];
        let mut model = Self::assemble(config, tokenizer, network, unigram, means)?;
        model.center_on(&embed::pieces(texts))?;
        Ok(model)
    }

    fn assemble(
        config: CausalConfig,
        tokenizer: TextTokenizer,
        network: Network,
        unigram: Vec<f64>,
        means: Vec<f32>,
    ) -> Result<Self, EncoderError> {
        let table = host(network.tokens.val());
        let fingerprint = String::new();
        let mut model = Self { config, tokenizer, network, unigram, means, table, fingerprint };
        model.fingerprint = model.compute_fingerprint()?;
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of a few steps on a few texts, to look into.
    pub(super) fn tiny() -> CausalModel {
        let texts: Vec<String> = (0..60)
            .map(|n| format!("Viewed \"35mm colour film\". Viewed \"film camera {}\". ", n % 7))
            .collect();
        let config = CausalConfig {
            vocab_size: 300,
            width: 16,
            heads: 2,
            feed_forward: 32,
            context: 64,
            ..CausalConfig::default()
        };
        let training = TrainConfig {
            epochs: 1,
            tokens_per_epoch: 2_000,
            validation_tokens: 500,
            tokens_per_batch: 512,
            ..TrainConfig::default()
        };
        let device = "flex".parse().unwrap();
        CausalModel::train(&texts, &texts[..10], &config, &training, &device, &mut |_| {})
            .unwrap()
            .0
    }
}
