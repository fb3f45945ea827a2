//! What a causal model looks like and how it is trained, with ranges that are checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::EncoderError;
use crate::training::{OptimizerConfig, Schedule, real, whole};

/// The shape of a causal model.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `vocab_size` | 2000 | tokens that byte-pair encoding may learn (it learns fewer from little text) | 259 to 65536 |
/// | `width` | 64 | length of the hidden states and token embeddings | 8 to 4096, a multiple of 2 · `heads` |
/// | `blocks` | 2 | transformer blocks | 1 to 64 |
/// | `heads` | 2 | attention heads of a block | 1 to 64 |
/// | `feed_forward` | 256 | width of the feed-forward layer | 8 to 16384 |
/// | `context` | 160 | tokens that the model sees at once | 8 to 4096 |
/// | `dropout` | 0 | share of each residual branch that training drops | 0 to 0.9 |
/// | `smoothing` | 0.001 | the `a` of smooth inverse frequency, a / (a + p(token)), in embeddings | over 0, to 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct CausalConfig {
    pub vocab_size: usize,
    pub width: usize,
    pub blocks: usize,
    pub heads: usize,
    pub feed_forward: usize,
    pub context: usize,
    pub dropout: f64,
    pub smoothing: f64,
}

impl Default for CausalConfig {
    fn default() -> Self {
        Self {
            vocab_size: 2000,
            width: 64,
            blocks: 2,
            heads: 2,
            feed_forward: 256,
            context: 160,
            dropout: 0.0,
            smoothing: 1e-3,
        }
    }
}

impl CausalConfig {
    pub(crate) fn validate(&self) -> Result<(), EncoderError> {
        // 256 bytes and three special tokens are always in the vocabulary.
        whole("vocab_size", self.vocab_size, 259, 65_536, "259 to 65536")?;
        whole("width", self.width, 8, 4096, "8 to 4096")?;
        whole("blocks", self.blocks, 1, 64, "1 to 64")?;
        whole("heads", self.heads, 1, 64, "1 to 64")?;
        whole("feed_forward", self.feed_forward, 8, 16_384, "8 to 16384")?;
        whole("context", self.context, 8, 4096, "8 to 4096")?;
        if !self.width.is_multiple_of(2 * self.heads) {
            return Err(EncoderError::InvalidConfig {
                field: "width",
                value: self.width as f64,
                expected: "a multiple of twice the heads",
            });
        }
        real("dropout", self.dropout, 0.0..=0.9, "0 to 0.9")?;
        real("smoothing", self.smoothing, f64::MIN_POSITIVE..=1.0, "over 0, to 1")
    }
}

/// How a causal model is trained.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `epochs` | 4 | passes at most | 1 to 10000 |
/// | `tokens_per_epoch` | 200000 | an epoch stops there and the next one goes on behind it | from 1 |
/// | `validation_tokens` | 20000 | validation reads the first documents up to here | from 1 |
/// | `tokens_per_batch` | 2560 | tokens of an optimiser step, rounded up to full windows | from 1 |
/// | `peak_learning_rate` | 0.01 | AdamW's rate after the warm-up; from there half a cosine falls to 2 % of it | over 0, to 1 |
/// | `warm_up` | 0.1 | share of all steps over which the rate rises | 0 to 1 |
/// | `weight_decay` | 0.01 | AdamW's decoupled decay | 0 to 1 |
/// | `gradient_norm` | 1 | the gradient of all weights together is clipped to this norm | over 0 |
/// | `patience` | 2 | stop after this many epochs without a better validation loss | from 1 |
/// | `seed` | 0 | of weights, order and dropout | any |
/// | `directory` | none | keeps `checkpoint.safetensors` and `log.csv`; training that was killed goes on from there | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct TrainConfig {
    pub epochs: usize,
    pub tokens_per_epoch: usize,
    pub validation_tokens: usize,
    pub tokens_per_batch: usize,
    pub peak_learning_rate: f64,
    pub warm_up: f64,
    pub weight_decay: f64,
    pub gradient_norm: f64,
    pub patience: usize,
    pub seed: u64,
    pub directory: Option<PathBuf>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 4,
            tokens_per_epoch: 200_000,
            validation_tokens: 20_000,
            tokens_per_batch: 2560,
            peak_learning_rate: 0.01,
            warm_up: 0.1,
            weight_decay: 0.01,
            gradient_norm: 1.0,
            patience: 2,
            seed: 0,
            directory: None,
        }
    }
}

impl TrainConfig {
    pub(crate) fn validate(&self) -> Result<(), EncoderError> {
        let any = usize::MAX;
        whole("epochs", self.epochs, 1, 10_000, "1 to 10000")?;
        whole("tokens_per_epoch", self.tokens_per_epoch, 1, any, "from 1")?;
        whole("validation_tokens", self.validation_tokens, 1, any, "from 1")?;
        whole("tokens_per_batch", self.tokens_per_batch, 1, any, "from 1")?;
        whole("patience", self.patience, 1, any, "from 1")?;
        let positive = f64::MIN_POSITIVE;
        real("peak_learning_rate", self.peak_learning_rate, positive..=1.0, "over 0, to 1")?;
        real("warm_up", self.warm_up, 0.0..=1.0, "0 to 1")?;
        real("weight_decay", self.weight_decay, 0.0..=1.0, "0 to 1")?;
        real("gradient_norm", self.gradient_norm, positive..=f64::MAX, "over 0")
    }

    /// The same for any training.
    pub(crate) fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig {
            learning_rate: self.peak_learning_rate,
            schedule: Schedule::Cosine,
            warm_up: self.warm_up,
            final_share: 0.02,
            weight_decay: self.weight_decay,
            beta_2: 0.99,
            gradient_norm: self.gradient_norm,
            patience: self.patience,
            seed: self.seed,
            ..OptimizerConfig::default()
        }
    }
}
