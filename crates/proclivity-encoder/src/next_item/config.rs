//! What a next-item model looks like and how it is trained, with ranges that are checked.

use serde::{Deserialize, Serialize};

use crate::EncoderError;
use crate::training::{OptimizerConfig, Schedule, real, whole};

/// The shape of a next-item model.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `width` | 128 | length of item vectors and hidden states | 8 to 4096, a multiple of `heads` |
/// | `blocks` | 2 | transformer blocks | 1 to 64 |
/// | `heads` | 2 | attention heads of a block | 1 to 64 |
/// | `feed_forward` | 256 | width of the feed-forward layer | 8 to 16384 |
/// | `length` | 200 | the newest items of a history that the model sees | 1 to 4096 |
/// | `dropout` | 0.2 | share of the input and of each residual branch that training drops | 0 to 0.9 |
/// | `interests` | 1 | output vectors of a position; with several, an item is scored by all | 1 to 16 |
/// | `combine` | max | how the scores of several interests become one | max, log_sum_exp |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct NextItemConfig {
    pub width: usize,
    pub blocks: usize,
    pub heads: usize,
    pub feed_forward: usize,
    pub length: usize,
    pub dropout: f64,
    pub interests: usize,
    pub combine: Combine,
}

/// How the scores that several interests give an item become one.
///
/// # Source
/// Cen et al. 2020, Controllable Multi-Interest Framework for Recommendation (the largest); Yang et
/// al. 2018, Breaking the Softmax Bottleneck (a mixture, here of unnormalised softmaxes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Combine {
    /// The largest.
    Max,
    /// The logarithm of the sum of exponentials.
    LogSumExp,
}

/// The loss of one position: its target against other items.
///
/// With fewer negatives than items, those are drawn uniformly with replacement or by popularity,
/// anew for every few positions, which share them. A negative that is the position's target doesn't
/// count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum NextItemLoss {
    /// −log of the softmax over all items.
    Softmax,
    /// −log of a softmax over the target and some negatives, whose scores s become
    /// s − ln(their expected number in the sample), so that the sum over them estimates that over
    /// all other items; with as many negatives as items it is the softmax.
    ///
    /// # Source
    /// Bengio and Senécal 2008, Adaptive Importance Sampling to Accelerate Training of a Neural
    /// Probabilistic Language Model; Khrylchenko et al. 2025, Correcting the LogQ Correction: the
    /// target's own score stays as it is.
    SampledSoftmax {
        /// Negatives of a position.
        negatives: usize,
        /// Items are drawn in proportion to (events + 1) to this power; 0: uniformly.
        popularity: f64,
    },
    /// −β ln σ(target) − Σ ln(1 − σ(negative)), β = r (t (1 − 1/r) + 1/r), r the share of items that
    /// are drawn.
    ///
    /// # Source
    /// Petrov and Macdonald 2023, gSASRec: Reducing Overconfidence in Sequential Recommendation
    /// Trained with Negative Sampling.
    Gbce {
        /// Negatives of a position, drawn uniformly.
        negatives: usize,
        /// t: 0 is binary cross-entropy, 1 leads to calibrated scores.
        calibration: f64,
    },
}

/// How a next-item model is trained.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `epochs` | 20 | passes over all users at most | 1 to 10000 |
/// | `items_per_batch` | 4096 | items of an optimiser step at most, beyond the first user | from 1 |
/// | `loss` | softmax | what is minimised | |
/// | `optimizer` | AdamW, 0.002, 5 % warm-up, then a cosine, patience 10 | how | [`OptimizerConfig`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct NextItemTraining {
    pub epochs: usize,
    pub items_per_batch: usize,
    pub loss: NextItemLoss,
    pub optimizer: OptimizerConfig,
}

impl Default for NextItemConfig {
    fn default() -> Self {
        Self {
            width: 128,
            blocks: 2,
            heads: 2,
            feed_forward: 256,
            length: 200,
            dropout: 0.2,
            interests: 1,
            combine: Combine::Max,
        }
    }
}

impl Default for NextItemTraining {
    fn default() -> Self {
        Self {
            epochs: 20,
            items_per_batch: 4096,
            loss: NextItemLoss::Softmax,
            optimizer: OptimizerConfig {
                learning_rate: 2e-3,
                schedule: Schedule::Cosine,
                warm_up: 0.05,
                patience: 10,
                ..OptimizerConfig::default()
            },
        }
    }
}

impl NextItemConfig {
    pub(super) fn validate(&self) -> Result<(), EncoderError> {
        whole("width", self.width, 8, 4096, "8 to 4096")?;
        whole("blocks", self.blocks, 1, 64, "1 to 64")?;
        whole("heads", self.heads, 1, 64, "1 to 64")?;
        whole("feed_forward", self.feed_forward, 8, 16_384, "8 to 16384")?;
        whole("length", self.length, 1, 4096, "1 to 4096")?;
        real("dropout", self.dropout, 0.0..=0.9, "0 to 0.9")?;
        whole("interests", self.interests, 1, 16, "1 to 16")?;
        if !self.width.is_multiple_of(self.heads) {
            let (field, expected) = ("width", "a multiple of the heads");
            return Err(EncoderError::InvalidConfig { field, value: self.width as f64, expected });
        }
        Ok(())
    }
}

impl NextItemTraining {
    pub(super) fn validate(&self) -> Result<(), EncoderError> {
        whole("epochs", self.epochs, 1, 10_000, "1 to 10000")?;
        whole("items_per_batch", self.items_per_batch, 1, usize::MAX, "from 1")?;
        match self.loss {
            NextItemLoss::Softmax => {}
            NextItemLoss::SampledSoftmax { negatives, popularity } => {
                whole("negatives", negatives, 1, usize::MAX, "from 1")?;
                real("popularity", popularity, 0.0..=1.0, "0 to 1")?;
            }
            NextItemLoss::Gbce { negatives, calibration } => {
                whole("negatives", negatives, 1, usize::MAX, "from 1")?;
                real("calibration", calibration, 0.0..=1.0, "0 to 1")?;
            }
        }
        self.optimizer.validate()
    }
}
