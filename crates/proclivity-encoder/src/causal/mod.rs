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
use network::Network;
pub(crate) use network::host;
pub(crate) use softmax::{log_probs, loss_gradient};
use tokens::TextTokenizer;
pub use train::TrainReport;
pub use write::Segment;

use crate::training::TrainProgress;
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
    use burn::module::{Module, ModuleMapper, Param};
    use burn::optim::GradientsParams;
    use burn::prelude::*;

    use super::corpus::{Corpus, unigram};
    use super::train::gradients;
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

    /// Goes down the gradient by so much and adds up its squares.
    struct Descend {
        gradients: GradientsParams,
        by: f64,
        squares: f64,
    }

    impl ModuleMapper for Descend {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let gradient = self.gradients.remove::<D>(param.id).unwrap();
            self.squares += host(gradient.clone()).iter().map(|&g| f64::from(g * g)).sum::<f64>();
            param.map(|value| value - gradient.mul_scalar(self.by))
        }
    }

    #[test]
    fn a_step_down_the_gradient_lowers_the_loss_by_its_square() {
        let model = tiny();
        let texts =
            ["Viewed \"50mm lens\".", "浏览「彩色胶卷」。", "Viewed \"film\". Viewed \"lens\"."];
        let corpus = Corpus::new(&model.tokenizer.encode(&texts).unwrap(), model.config.context);
        let unigram = unigram(&corpus, model.tokenizer.vocab_size());
        let device: ComputeDevice = "flex".parse().unwrap();
        let network = Network::new(&model.config, &unigram, 7, device.burn());
        let loss =
            |network: &Network| gradients(network, &corpus, &corpus.windows(), 0.0, 0).unwrap();
        let before = loss(&network);
        let (sum_before, tokens) = (before.loss_sum, before.targets);
        let gradients = before.clip(&network, f64::INFINITY);
        let mut descend = Descend { gradients, by: 1e-3, squares: 0.0 };
        let after = loss(&network.map(&mut descend));
        let fall = (sum_before - after.loss_sum) / tokens as f64;
        let expected = descend.by * descend.squares;
        assert!((fall / expected - 1.0).abs() < 0.05, "{fall}, expected {expected}");
    }
}
