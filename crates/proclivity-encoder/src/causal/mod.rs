//! A small causal language model, trained from scratch on texts that say what users did.

mod batch;
mod config;
mod corpus;
mod network;
mod softmax;
mod tokens;
mod train;

pub use config::{CausalConfig, TrainConfig};
use network::Network;
use tokens::TextTokenizer;
pub use train::{EpochReport, TrainProgress, TrainReport};

use crate::{ComputeDevice, EncoderError};

/// A causal transformer with its tokenizer.
#[derive(Debug, Clone)]
pub struct CausalModel {
    config: CausalConfig,
    tokenizer: TextTokenizer,
    network: Network,
    unigram: Vec<f64>,
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

    fn new(
        config: CausalConfig,
        tokenizer: TextTokenizer,
        network: Network,
        unigram: Vec<f64>,
        _texts: &[String],
    ) -> Result<Self, EncoderError> {
        Ok(Self {
            config,
            tokenizer,
            network,
            unigram,
        })
    }
}
