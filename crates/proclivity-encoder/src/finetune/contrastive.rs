//! Contrastive training: what follows a history is to lie nearer to it than the batch's other texts.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::groups::by_length;
use super::info_nce::{InfoNce, Pair};
use super::{TunableEncoder, TuneReport, hash_tokens};
use crate::bert::TrainableBert;
use crate::training::{
    BatchGradients, OptimizerConfig, Run, Schedule, Task, TrainProgress, Validation, fit, real,
    whole,
};
use crate::{BertEncoder, EncoderError};

/// Parts of a batch that are computed side by side: a fixed number, so that sums don't depend on
/// the number of cores.
const SHARDS: usize = 4;

/// How an encoder is trained contrastively.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `window` | 4 | texts of a sequence that a batch takes: each but the first is to follow those before it | 2 to 64 |
/// | `batch` | 32 | windows of a batch | 2 to 65536 |
/// | `batches_per_epoch` | 200 | an epoch stops there, and the next one goes on behind it | from 1 |
/// | `epochs` | 5 | validations, and what the schedule counts on | 1 to 10000 |
/// | `temperature` | 0.05 | what cosines are divided by | over 0, to 10 |
/// | `decay` | 0.5 | weight of a text in a history to that of the next one | over 0, to 1 |
/// | `symmetric` | true | also histories against what follows | |
/// | `optimizer` | learning rate 5e-5, linear, warm-up 0.1 | | see [`OptimizerConfig`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct ContrastiveConfig {
    pub window: usize,
    pub batch: usize,
    pub batches_per_epoch: usize,
    pub epochs: usize,
    pub temperature: f64,
    pub decay: f64,
    pub symmetric: bool,
    pub optimizer: OptimizerConfig,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        Self {
            window: 4,
            batch: 32,
            batches_per_epoch: 200,
            epochs: 5,
            temperature: 0.05,
            decay: 0.5,
            symmetric: true,
            optimizer: OptimizerConfig {
                learning_rate: 5e-5,
                schedule: Schedule::Linear,
                warm_up: 0.1,
                checkpoint_steps: 50,
                ..OptimizerConfig::default()
            },
        }
    }
}

impl ContrastiveConfig {
    fn validate(&self) -> Result<(), EncoderError> {
        whole("window", self.window, 2, 64, "2 to 64")?;
        whole("batch", self.batch, 2, 65_536, "2 to 65536")?;
        whole("batches_per_epoch", self.batches_per_epoch, 1, usize::MAX, "from 1")?;
        whole("epochs", self.epochs, 1, 10_000, "1 to 10000")?;
        real("temperature", self.temperature, f64::MIN_POSITIVE..=10.0, "over 0, to 10")?;
        real("decay", self.decay, f64::MIN_POSITIVE..=1.0, "over 0, to 1")
    }
}

/// What an encoder is trained on contrastively.
#[derive(Debug, Clone, Copy)]
pub struct ContrastiveData<'a> {
    /// All texts.
    pub texts: &'a [String],
    /// What came one after the other, as places in `texts`: the items of a user, say, or two texts
    /// that belong together.
    pub sequences: &'a [Vec<usize>],
    /// The same to validate on.
    pub validation: &'a [Vec<usize>],
}

/// What judges an encoder after each epoch: the one with the highest number is kept.
pub type Judge<'a> = &'a (dyn Fn(&BertEncoder) -> Result<f64, EncoderError> + 'a);

impl TunableEncoder {
    /// Trains on what follows what in sequences of texts.
    ///
    /// A history is the mean of its texts' embeddings, decayed towards the past. The batch's other
    /// texts are negatives, except those of the same sequence and the same text again. Every text of
    /// a batch is computed once. The epoch whose encoder `judge` gives the highest number is kept;
    /// without it, the one with the lowest loss on the validation sequences. With a `directory`,
    /// training goes on where it was killed, and `log.csv` tells of each epoch. The same data,
    /// settings and seed give the same weights.
    ///
    /// # Errors
    /// A setting or a place in the sequences out of its range, no sequence of two texts, a text that
    /// can't be tokenized, a loss that is not finite, a directory that can't be written or holds
    /// another run, and what `judge` returns.
    pub fn train_contrastive(
        mut self,
        data: ContrastiveData<'_>,
        config: &ContrastiveConfig,
        judge: Option<Judge<'_>>,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, TuneReport), EncoderError> {
        config.validate()?;
        let ContrastiveData { texts, sequences, validation } = data;
        let places = sequences.iter().chain(validation).flatten();
        if let Some(&place) = places.max().filter(|place| **place >= texts.len()) {
            return Err(EncoderError::InvalidConfig {
                field: "sequences",
                value: place as f64,
                expected: "places of texts",
            });
        }
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let ids = self.base.token_ids(&borrowed)?;
        let task = Contrastive::new(&self, ids, sequences, validation, config, judge)?;
        let run = Run { optimizer: &config.optimizer, directory, fingerprint: task.fingerprint() };
        let (network, epochs) = fit(self.checkpoint.network.clone(), &task, &run, progress)?;
        self.checkpoint.network = network;
        Ok((self, TuneReport::new(epochs)))
    }
}

/// The sequences that have anything to predict.
fn with_pairs<'a>(
    sequences: &'a [Vec<usize>],
    role: &'static str,
) -> Result<Vec<&'a [usize]>, EncoderError> {
    let kept: Vec<&[usize]> =
        sequences.iter().map(Vec::as_slice).filter(|sequence| sequence.len() > 1).collect();
    if kept.is_empty() { Err(EncoderError::EmptyCorpus { role }) } else { Ok(kept) }
}

pub(super) struct Contrastive<'a> {
    encoder: &'a TunableEncoder,
    /// The tokens of each text.
    ids: Vec<Vec<u32>>,
    sequences: Vec<&'a [usize]>,
    validation: Vec<&'a [usize]>,
    config: &'a ContrastiveConfig,
    judge: Option<Judge<'a>>,
}

/// Windows of sequences.
type Windows<'a> = Vec<&'a [usize]>;

impl<'a> Contrastive<'a> {
    pub(super) fn new(
        encoder: &'a TunableEncoder,
        ids: Vec<Vec<u32>>,
        sequences: &'a [Vec<usize>],
        validation: &'a [Vec<usize>],
        config: &'a ContrastiveConfig,
        judge: Option<Judge<'a>>,
    ) -> Result<Self, EncoderError> {
        Ok(Self {
            encoder,
            ids,
            sequences: with_pairs(sequences, "training")?,
            validation: with_pairs(validation, "validation")?,
            config,
            judge,
        })
    }

    fn fingerprint(&self) -> String {
        let mut hash = self.encoder.checkpoint.hash();
        hash.update(format!("{:?}", self.config).as_bytes());
        for sequence in self.sequences.iter().chain(&self.validation) {
            hash.update(&(sequence.len() as u64).to_le_bytes());
            for &place in *sequence {
                hash.update(&(place as u64).to_le_bytes());
            }
        }
        hash_tokens(&mut hash, &self.ids);
        hash.finalize().to_hex().to_string()
    }

    /// A window of each sequence, in an order of the pass.
    fn windows(&self, sequences: &[&'a [usize]], pass: u64) -> Windows<'a> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.optimizer.seed);
        rng.set_stream(pass);
        let mut windows: Windows<'a> = sequences
            .iter()
            .map(|sequence| {
                let length = self.config.window.min(sequence.len());
                let first = rng.random_range(0..=sequence.len() - length);
                &sequence[first..first + length]
            })
            .collect();
        windows.shuffle(&mut rng);
        windows
    }

    /// The pairs of some windows and the texts they are of.
    fn pairs(&self, windows: &[&[usize]]) -> (Vec<usize>, Vec<Pair>) {
        let mut texts = Vec::new();
        let mut known: HashMap<&[u32], usize> = HashMap::new();
        let mut pairs = Vec::new();
        for window in windows {
            // The same words are the same text, whatever item they are of.
            let places: Vec<usize> = window
                .iter()
                .map(|&text| {
                    *known.entry(&self.ids[text]).or_insert_with(|| {
                        texts.push(text);
                        texts.len() - 1
                    })
                })
                .collect();
            for (at, &target) in places.iter().enumerate().skip(1) {
                if places[..at].contains(&target) {
                    continue;
                }
                let weight = |place: usize| self.config.decay.powi((at - 1 - place) as i32) as f32;
                let history = (0..at).map(|place| (places[place], weight(place))).collect();
                let related = places.iter().copied().filter(|&place| place != target).collect();
                pairs.push(Pair { history, target, related });
            }
        }
        (texts, pairs)
    }

    fn loss(&self) -> InfoNce {
        InfoNce { temperature: self.config.temperature, symmetric: self.config.symmetric }
    }

    /// The embeddings of some texts by a network for each shard, and which texts a tensor is of.
    fn embed(&self, networks: &[TrainableBert], texts: &[usize]) -> Vec<Vec<Embedded>> {
        let ids: Vec<&[u32]> = texts.iter().map(|&text| self.ids[text].as_slice()).collect();
        let lengths: Vec<usize> = ids.iter().map(|text| text.len()).collect();
        let groups = by_length(&lengths);
        let shards = networks.len();
        networks
            .par_iter()
            .enumerate()
            .map(|(shard, network)| {
                let groups = groups.iter().skip(shard).step_by(shards);
                let embed = |places: &Vec<usize>| {
                    let texts: Vec<&[u32]> = places.iter().map(|&place| ids[place]).collect();
                    let vectors = self.encoder.base.embed_with(network, &texts);
                    Embedded { places: places.clone(), vectors }
                };
                groups.map(embed).collect()
            })
            .collect()
    }
}

/// The embeddings of some of a batch's texts.
struct Embedded {
    places: Vec<usize>,
    vectors: Tensor<2>,
}

impl Embedded {
    fn width(&self) -> usize {
        self.vectors.dims()[1]
    }
}

/// All embeddings of a batch, row by row.
fn gather(shards: &[Vec<Embedded>], texts: usize) -> (Vec<f32>, usize) {
    let width = shards.iter().flatten().next().map_or(0, Embedded::width);
    let mut rows = vec![0.0; texts * width];
    for Embedded { places, vectors } in shards.iter().flatten() {
        let values = vectors.clone().inner().into_data();
        let values = values.try_into_vec_as::<f32>().unwrap_or_default();
        for (&place, row) in places.iter().zip(values.chunks_exact(width)) {
            rows[place * width..][..width].copy_from_slice(row);
        }
    }
    (rows, width)
}

impl<'a> Task<TrainableBert> for Contrastive<'a> {
    type Batch = Windows<'a>;

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<Windows<'a>> {
        let ContrastiveConfig { batch, batches_per_epoch, .. } = *self.config;
        // A smaller batch has fewer negatives; what is left over comes in another pass.
        let per_pass = (self.sequences.len() / batch).max(1);
        let (first, mut batches) = (epoch * batches_per_epoch, Vec::new());
        let mut pass = usize::MAX;
        let mut windows = Windows::new();
        for number in first..first + batches_per_epoch {
            if number / per_pass != pass {
                pass = number / per_pass;
                windows = self.windows(&self.sequences, pass as u64);
            }
            let of_batch = windows.chunks(batch).nth(number % per_pass);
            batches.push(of_batch.map(<[_]>::to_vec).unwrap_or_default());
        }
        batches
    }

    fn gradients(
        &self,
        model: &TrainableBert,
        batch: &Windows<'a>,
        _seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let (texts, pairs) = self.pairs(batch);
        // Parameter nodes of their own, so that graphs don't share a lock.
        let networks: Vec<TrainableBert> = (0..SHARDS).map(|_| model.clone().train()).collect();
        let shards = self.embed(&networks, &texts);
        let (embeddings, width) = gather(&shards, texts.len());
        let device = self.encoder.device.burn().clone().inner();
        let (loss_sum, gradient) = self.loss().loss_gradient(&embeddings, width, &pairs, &device);
        let parts: Vec<GradientsParams> = shards
            .into_par_iter()
            .zip(&networks)
            .filter_map(|(shard, network)| {
                // The linear function with these gradients.
                let linear = shard.into_iter().map(|Embedded { places, vectors }| {
                    let rows = places.iter().flat_map(|place| &gradient[place * width..][..width]);
                    let rows = TensorData::new(rows.copied().collect::<Vec<_>>(), vectors.dims());
                    (vectors * Tensor::from_data(rows, &device)).sum()
                });
                let linear = linear.reduce(|sum, part| sum + part)?;
                Some(GradientsParams::from_grads(linear.backward(), network))
            })
            .collect();
        let mut parts = parts.into_iter();
        let first = BatchGradients {
            gradients: parts.next().unwrap_or_default(),
            loss_sum,
            targets: pairs.len(),
        };
        let rest = parts.map(|gradients| BatchGradients { gradients, loss_sum: 0.0, targets: 0 });
        Ok(BatchGradients::sum(std::iter::once(first).chain(rest).collect(), model))
    }

    fn validate(&self, model: &TrainableBert) -> Result<Validation, EncoderError> {
        /// Batches at most.
        const BATCHES: usize = 20;
        let networks: Vec<TrainableBert> = (0..SHARDS).map(|_| model.valid()).collect();
        let device = self.encoder.device.burn().clone().inner();
        let windows = self.windows(&self.validation, u64::MAX);
        let (mut sum, mut count) = (0.0, 0);
        for batch in windows.chunks(self.config.batch).take(BATCHES) {
            let (texts, pairs) = self.pairs(batch);
            let shards = self.embed(&networks, &texts);
            let (embeddings, width) = gather(&shards, texts.len());
            sum += self.loss().loss_gradient(&embeddings, width, &pairs, &device).0;
            count += pairs.len();
        }
        let loss = sum / count.max(1) as f64;
        let Some(judge) = self.judge else { return Ok(Validation::of_loss(loss)) };
        let mut tuned = self.encoder.clone();
        tuned.checkpoint.network = model.clone();
        let score = judge(&tuned.encoder()?)?;
        Ok(Validation { loss, score, metrics: [("score".to_owned(), score)].into() })
    }
}
