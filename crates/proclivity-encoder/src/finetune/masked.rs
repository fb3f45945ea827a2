//! Masked language modelling: hidden tokens are to be predicted from those on both sides.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Tensor;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::groups::by_length;
use super::operations::{cross_entropy, cross_entropy_sum, nothing, rows};
use super::{TunableEncoder, TuneReport, batches_of_tokens, hash_tokens, shards};
use crate::EncoderError;
use crate::bert::TrainableBert;
use crate::training::{
    BatchGradients, OptimizerConfig, Run, Schedule, Task, TrainProgress, Validation, fit,
    in_shards, real, whole,
};

/// How an encoder is trained on masked tokens.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `share` | 0.15 | share of tokens to predict: 80 % of them are masked, 10 % become others, 10 % stay | over 0, to 0.9 |
/// | `tokens_per_batch` | 4096 | tokens of a batch, at least one text | from 1 |
/// | `epochs` | 3 | passes at most | 1 to 10000 |
/// | `optimizer` | learning rate 5e-5, linear, warm-up 0.1 | | see [`OptimizerConfig`] |
///
/// # Source
/// Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers, section 3.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct MaskedConfig {
    pub share: f64,
    pub tokens_per_batch: usize,
    pub epochs: usize,
    pub optimizer: OptimizerConfig,
}

impl Default for MaskedConfig {
    fn default() -> Self {
        Self {
            share: 0.15,
            tokens_per_batch: 4096,
            epochs: 3,
            optimizer: OptimizerConfig {
                learning_rate: 5e-5,
                schedule: Schedule::Linear,
                warm_up: 0.1,
                ..OptimizerConfig::default()
            },
        }
    }
}

impl TunableEncoder {
    /// Trains on the masked tokens of texts, of an encoder
    /// [loaded with its head](Self::load_masked); a text longer than the encoder reads is truncated.
    ///
    /// The epoch with the lowest loss on the validation texts is kept, whose tokens are masked in the
    /// same way each time. With a `directory`, training goes on where it was killed, and `log.csv`
    /// tells of each epoch. The same texts, settings and seed give the same weights.
    ///
    /// # Errors
    /// A setting out of its range, no text with a token, an encoder without the head or a token that
    /// masks, a text that can't be tokenized, a loss that is not finite, and a directory that can't
    /// be written or holds another run.
    pub fn train_masked(
        self,
        texts: &[String],
        validation: &[String],
        config: &MaskedConfig,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, TuneReport), EncoderError> {
        real("share", config.share, f64::MIN_POSITIVE..=0.9, "over 0, to 0.9")?;
        whole("tokens_per_batch", config.tokens_per_batch, 1, usize::MAX, "from 1")?;
        whole("epochs", config.epochs, 1, 10_000, "1 to 10000")?;
        let (mask, special) = self.base.special_tokens();
        let mask = mask.filter(|_| self.checkpoint.network.has_head());
        let masking = Masking {
            mask: mask.ok_or(EncoderError::NoMaskedHead)?,
            special,
            vocab: self.checkpoint.network.vocab_size() as u32,
            share: config.share,
        };
        let tokens = |texts: &[String], role| {
            let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut ids = self.base.token_ids(&borrowed)?;
            ids.retain(|text| text.iter().any(|&id| masking.may_hide(id)));
            if ids.is_empty() { Err(EncoderError::EmptyCorpus { role }) } else { Ok(ids) }
        };
        let training = tokens(texts, "training")?;
        let validation = tokens(validation, "validation")?;
        let mut hash = self.checkpoint.hash();
        hash.update(format!("{config:?}").as_bytes());
        hash_tokens(&mut hash, &training);
        hash_tokens(&mut hash, &validation);
        let task = MaskedTask { texts: training, validation, masking, config };
        let fingerprint = hash.finalize().to_hex().to_string();
        let run = Run { optimizer: &config.optimizer, directory, fingerprint };
        let (network, epochs) = fit(self.checkpoint.network.clone(), &task, &run, progress)?;
        let mut tuned = self;
        tuned.checkpoint.network = network;
        Ok((tuned, TuneReport::new(epochs)))
    }
}

/// How tokens are hidden.
struct Masking {
    /// What stands for a hidden token.
    mask: u32,
    special: Vec<u32>,
    vocab: u32,
    share: f64,
}

/// A text with hidden tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Masked {
    /// As the network reads it.
    pub(super) ids: Vec<u32>,
    /// Where tokens are to be predicted, and which.
    pub(super) targets: Vec<(usize, u32)>,
}

impl Masking {
    fn may_hide(&self, id: u32) -> bool {
        !self.special.contains(&id)
    }

    fn apply(&self, text: &[u32], rng: &mut ChaCha8Rng) -> Masked {
        let (mut ids, mut targets) = (text.to_vec(), Vec::new());
        for (place, id) in ids.iter_mut().enumerate() {
            if !self.may_hide(*id) || rng.random::<f64>() >= self.share {
                continue;
            }
            targets.push((place, *id));
            match rng.random_range(0..10) {
                0..8 => *id = self.mask,
                8 => *id = rng.random_range(0..self.vocab),
                _ => {}
            }
        }
        Masked { ids, targets }
    }

    /// Texts with hidden tokens, those without any left out.
    fn all(&self, texts: &[&[u32]], seed: u64) -> Vec<Masked> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let masked = texts.iter().map(|text| self.apply(text, &mut rng));
        masked.filter(|text| !text.targets.is_empty()).collect()
    }
}

struct MaskedTask<'a> {
    texts: Vec<Vec<u32>>,
    validation: Vec<Vec<u32>>,
    masking: Masking,
    config: &'a MaskedConfig,
}

/// Texts of similar length, padded to the longest.
struct Hidden<'a> {
    ids: Vec<&'a [u32]>,
    /// Rows of the hidden states.
    places: Vec<usize>,
    targets: Vec<u32>,
}

impl<'a> Hidden<'a> {
    fn new(texts: &[&'a Masked]) -> Self {
        let ids: Vec<&[u32]> = texts.iter().map(|text| text.ids.as_slice()).collect();
        let longest = ids.iter().map(|text| text.len()).max().unwrap_or(0);
        let targets = || {
            texts.iter().enumerate().flat_map(move |(row, text)| {
                text.targets.iter().map(move |&(place, id)| (row * longest + place, id))
            })
        };
        let places = targets().map(|(place, _)| place).collect();
        Self { ids, places, targets: targets().map(|(_, id)| id).collect() }
    }

    /// What the softmax takes: hidden states, weights and bias.
    fn before_softmax(&self, network: &TrainableBert) -> (Tensor<2>, Tensor<2>, Option<Tensor<1>>) {
        let hidden = network.forward(&self.ids);
        let [texts, longest, width] = hidden.dims();
        let hidden = rows(hidden.reshape([texts * longest, width]), &self.places);
        match network.before_softmax(hidden.clone()) {
            Some((hidden, bias)) => (hidden, network.word_embeddings(), Some(bias)),
            None => (hidden, network.word_embeddings(), None),
        }
    }
}

/// A tensor with the gradients of the summed loss of texts, that loss and how many targets it has.
pub(super) fn masked_loss(
    network: &TrainableBert,
    texts: &[&Masked],
) -> (Option<Tensor<1>>, f64, usize) {
    let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
    let (mut tensor, mut loss, mut count) = (None, 0.0, 0);
    for group in by_length(&lengths) {
        let texts: Vec<&Masked> = group.iter().map(|&place| texts[place]).collect();
        let group = Hidden::new(&texts);
        let (hidden, table, bias) = group.before_softmax(network);
        let (linear, sum) = cross_entropy(hidden, table, bias, &group.targets);
        tensor = Some(match tensor {
            Some(tensor) => tensor + linear,
            None => linear,
        });
        loss += sum;
        count += group.targets.len();
    }
    (tensor, loss, count)
}

impl Task<TrainableBert> for MaskedTask<'_> {
    /// Places of texts.
    type Batch = Vec<usize>;

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.optimizer.seed);
        rng.set_stream(epoch as u64);
        let mut places: Vec<usize> = (0..self.texts.len()).collect();
        places.shuffle(&mut rng);
        batches_of_tokens(&places, |place| self.texts[place].len(), self.config.tokens_per_batch)
    }

    fn gradients(
        &self,
        model: &TrainableBert,
        batch: &Vec<usize>,
        seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let texts: Vec<&[u32]> = batch.iter().map(|&place| self.texts[place].as_slice()).collect();
        let masked = self.masking.all(&texts, seed);
        let masked: Vec<&Masked> = masked.iter().collect();
        let parts = shards(&masked, |text| text.ids.len());
        in_shards(model, parts, |network, _, texts: Vec<&Masked>| {
            let (tensor, loss, count) = masked_loss(network, &texts);
            let tensor = tensor.unwrap_or_else(|| nothing(&network.word_embeddings()));
            Ok((tensor, loss, count))
        })
    }

    fn validate(&self, model: &TrainableBert) -> Result<Validation, EncoderError> {
        let texts: Vec<&[u32]> = self.validation.iter().map(Vec::as_slice).collect();
        let masked = self.masking.all(&texts, u64::MAX);
        let lengths: Vec<usize> = masked.iter().map(|text| text.ids.len()).collect();
        let network = model.valid();
        let (mut sum, mut count) = (0.0, 0);
        for group in by_length(&lengths) {
            let texts: Vec<&Masked> = group.iter().map(|&place| &masked[place]).collect();
            let group = Hidden::new(&texts);
            let (hidden, table, bias) = group.before_softmax(&network);
            sum += cross_entropy_sum(hidden, table, bias, &group.targets);
            count += group.targets.len();
        }
        Ok(Validation::of_loss(sum / count.max(1) as f64))
    }
}
