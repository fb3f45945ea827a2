//! Decoders whose weights can be trained.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Tensor;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use super::checkpoint::Checkpoint;
use super::groups::by_length;
use super::operations::{cross_entropy, cross_entropy_sum, nothing, rows};
use super::{LoraConfig, TuneReport, batches_of_tokens, hash_tokens, shards};
use crate::decoder::TrainableDecoder;
use crate::training::{
    BatchGradients, OptimizerConfig, Run, Schedule, Task, TrainProgress, Validation, fit,
    in_shards, whole,
};
use crate::{ComputeDevice, Decoder, EncoderError};

/// A decoder with its weights, or adapters beside them, to be trained on more texts.
///
/// ```no_run
/// use proclivity_encoder::{ContinuedConfig, LoraConfig, TunableDecoder};
///
/// let texts = ["Viewed a film camera. Bought colour film.".to_owned()];
/// let decoder = TunableDecoder::load("models/SmolLM2-135M-Instruct".as_ref(), &"flex".parse()?)?
///     .with_lora(&LoraConfig::default())?;
/// let config = ContinuedConfig::default();
/// let (tuned, report) = decoder.train(&texts, &texts, &config, None, &mut |_| {})?;
/// tuned.save_lora("models/smollm2-mine-lora".as_ref())?;
/// tuned.save("models/smollm2-mine".as_ref())?;
/// # Ok::<(), proclivity_encoder::EncoderError>(())
/// ```
pub struct TunableDecoder {
    pub(super) checkpoint: Checkpoint<TrainableDecoder>,
    tokenizer: Tokenizer,
    /// The token that ends a text.
    end: Option<u32>,
    device: ComputeDevice,
}

/// How a decoder is trained on.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `context` | 256 | tokens of a window: longer texts are cut into several | 2 to the decoder's own |
/// | `tokens_per_batch` | 2048 | tokens of a batch, at least one window | from 1 |
/// | `epochs` | 3 | passes at most | 1 to 10000 |
/// | `optimizer` | learning rate 1e-4, cosine, warm-up 0.05 | | see [`OptimizerConfig`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct ContinuedConfig {
    pub context: usize,
    pub tokens_per_batch: usize,
    pub epochs: usize,
    pub optimizer: OptimizerConfig,
}

impl Default for ContinuedConfig {
    fn default() -> Self {
        Self {
            context: 256,
            tokens_per_batch: 2048,
            epochs: 3,
            optimizer: OptimizerConfig {
                learning_rate: 1e-4,
                schedule: Schedule::Cosine,
                warm_up: 0.05,
                ..OptimizerConfig::default()
            },
        }
    }
}

impl TunableDecoder {
    /// Loads a directory as [`Decoder::load`] does.
    ///
    /// # Errors
    /// As for [`Decoder::load`].
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        let (network, names) = TrainableDecoder::open(directory, device)?;
        let (tokenizer, end) = Decoder::tokenizer(directory)?;
        let (directory, transformer) = (directory.to_owned(), directory.to_owned());
        let checkpoint = Checkpoint { directory, transformer, network, names, lora: None };
        Ok(Self { checkpoint, tokenizer, end, device: device.clone() })
    }

    /// Trains adapters instead of the weights.
    ///
    /// # Errors
    /// [`EncoderError::UnknownLayer`] where no layer has a target's name, and
    /// [`EncoderError::SecondAdapter`] where there are adapters already.
    pub fn with_lora(mut self, config: &LoraConfig) -> Result<Self, EncoderError> {
        self.checkpoint = self.checkpoint.attach(config)?;
        Ok(self)
    }

    /// Reads adapters that [`save_lora`](Self::save_lora) or PEFT wrote for this checkpoint.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another checkpoint, or there are adapters already.
    pub fn with_lora_from(mut self, directory: &Path) -> Result<Self, EncoderError> {
        self.checkpoint = self.checkpoint.load_adapters(directory)?;
        Ok(self)
    }

    /// A decoder with the weights as they are now, adapters merged into them.
    ///
    /// # Errors
    /// As for [`Decoder::load`]: the other files are read again.
    pub fn decoder(&self) -> Result<Decoder, EncoderError> {
        Decoder::load_with(&self.checkpoint.directory, &self.checkpoint.state(), &self.device)
    }

    /// Writes a directory like the one that was loaded, with the weights as they are now, adapters
    /// merged: [`Decoder::load`] and transformers load it.
    ///
    /// # Errors
    /// [`EncoderError::Io`] when a file can't be read or written.
    pub fn save(&self, directory: &Path) -> Result<(), EncoderError> {
        self.checkpoint.save(directory)
    }

    /// Writes the adapters alone, in PEFT's files.
    ///
    /// # Errors
    /// [`EncoderError::NoAdapter`] where there are none, and [`EncoderError::Io`].
    pub fn save_lora(&self, directory: &Path) -> Result<(), EncoderError> {
        self.checkpoint.save_adapters(directory)
    }

    /// −log P of each text's tokens behind its first one, and of the token that ends it, in nats per
    /// token, as training counts it.
    ///
    /// # Errors
    /// When a text can't be tokenized, or none has two tokens.
    pub fn loss(&self, texts: &[String], context: usize) -> Result<f64, EncoderError> {
        let windows = self.windows(texts, context, "validation")?;
        Ok(validation_loss(&self.checkpoint.network, &windows))
    }

    /// Trains on more texts, each ended by the token that ends texts.
    ///
    /// The epoch with the lowest loss on the validation texts is kept. With a `directory`, training
    /// goes on where it was killed, and `log.csv` tells of each epoch. The same texts, settings and
    /// seed give the same weights.
    ///
    /// # Errors
    /// A setting out of its range, no text with two tokens, a text that can't be tokenized, a loss
    /// that is not finite, and a directory that can't be written or holds another run.
    pub fn train(
        mut self,
        texts: &[String],
        validation: &[String],
        config: &ContinuedConfig,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, TuneReport), EncoderError> {
        let most = self.checkpoint.network.context();
        whole("context", config.context, 2, most, "2 to what the decoder looks back on")?;
        whole("tokens_per_batch", config.tokens_per_batch, 1, usize::MAX, "from 1")?;
        whole("epochs", config.epochs, 1, 10_000, "1 to 10000")?;
        let training = self.windows(texts, config.context, "training")?;
        let validation = self.windows(validation, config.context, "validation")?;
        let mut hash = self.checkpoint.hash();
        hash.update(format!("{config:?}").as_bytes());
        hash_tokens(&mut hash, &training);
        hash_tokens(&mut hash, &validation);
        let task = Continued { windows: training, validation, config };
        let fingerprint = hash.finalize().to_hex().to_string();
        let run = Run { optimizer: &config.optimizer, directory, fingerprint };
        let (network, epochs) = fit(self.checkpoint.network.clone(), &task, &run, progress)?;
        self.checkpoint.network = network;
        Ok((self, TuneReport::new(epochs)))
    }

    /// Texts as windows; each begins with the token that the window before it ends with.
    fn windows(
        &self,
        texts: &[String],
        context: usize,
        role: &'static str,
    ) -> Result<Vec<Vec<u32>>, EncoderError> {
        let mut windows = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let encoding = self.tokenizer.encode_fast(text.as_str(), true);
            let encoding = encoding.map_err(|source| EncoderError::Tokenize { index, source })?;
            let mut ids = encoding.get_ids().to_vec();
            if ids.last() != self.end.as_ref() {
                ids.extend(self.end);
            }
            let starts = (0..ids.len().saturating_sub(1)).step_by((context - 1).max(1));
            windows.extend(starts.map(|at| ids[at..ids.len().min(at + context)].to_vec()));
        }
        if windows.is_empty() { Err(EncoderError::EmptyCorpus { role }) } else { Ok(windows) }
    }
}

struct Continued<'a> {
    windows: Vec<Vec<u32>>,
    validation: Vec<Vec<u32>>,
    config: &'a ContinuedConfig,
}

/// Windows of similar length, padded to the longest.
struct Predicted<'a> {
    read: Vec<&'a [u32]>,
    /// Rows of the hidden states.
    places: Vec<usize>,
    targets: Vec<u32>,
}

impl<'a> Predicted<'a> {
    fn groups(windows: &[&'a [u32]]) -> Vec<Self> {
        let lengths: Vec<usize> = windows.iter().map(|window| window.len() - 1).collect();
        let groups = by_length(&lengths).into_iter();
        groups.map(|group| Self::new(group.into_iter().map(|place| windows[place]))).collect()
    }

    fn new(windows: impl Iterator<Item = &'a [u32]>) -> Self {
        let windows: Vec<&[u32]> = windows.collect();
        let longest = windows.iter().map(|window| window.len() - 1).max().unwrap_or(0);
        let rows = windows.iter().enumerate();
        let places =
            rows.flat_map(|(row, window)| (0..window.len() - 1).map(move |at| row * longest + at));
        Self {
            places: places.collect(),
            targets: windows.iter().flat_map(|window| &window[1..]).copied().collect(),
            // The last token is predicted and never read.
            read: windows.iter().map(|window| &window[..window.len() - 1]).collect(),
        }
    }

    fn hidden(&self, network: &TrainableDecoder) -> Tensor<2> {
        let hidden = network.forward(&self.read);
        if self.places.len() == hidden.dims()[0] { hidden } else { rows(hidden, &self.places) }
    }
}

fn validation_loss(network: &TrainableDecoder, windows: &[Vec<u32>]) -> f64 {
    let windows: Vec<&[u32]> = windows.iter().map(Vec::as_slice).collect();
    let network = network.valid();
    let (mut sum, mut count) = (0.0, 0);
    for group in Predicted::groups(&windows) {
        sum += cross_entropy_sum(group.hidden(&network), network.table(), None, &group.targets);
        count += group.targets.len();
    }
    sum / count.max(1) as f64
}

impl Task<TrainableDecoder> for Continued<'_> {
    /// Places of windows.
    type Batch = Vec<usize>;

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.optimizer.seed);
        rng.set_stream(epoch as u64);
        let mut places: Vec<usize> = (0..self.windows.len()).collect();
        places.shuffle(&mut rng);
        batches_of_tokens(&places, |place| self.windows[place].len(), self.config.tokens_per_batch)
    }

    fn gradients(
        &self,
        model: &TrainableDecoder,
        batch: &Vec<usize>,
        _seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let windows: Vec<&[u32]> =
            batch.iter().map(|&place| self.windows[place].as_slice()).collect();
        gradients(model, &windows)
    }

    fn validate(&self, model: &TrainableDecoder) -> Result<Validation, EncoderError> {
        Ok(Validation::of_loss(validation_loss(model, &self.validation)))
    }
}

/// Of the summed loss of windows.
pub(super) fn gradients<W: AsRef<[u32]> + Sync>(
    model: &TrainableDecoder,
    windows: &[W],
) -> Result<BatchGradients, EncoderError> {
    let windows: Vec<&[u32]> = windows.iter().map(AsRef::as_ref).collect();
    let parts = shards(&windows, |window| window.len());
    in_shards(model, parts, |network, _, windows: Vec<&[u32]>| {
        let (mut tensor, mut loss, mut count): (Option<Tensor<1>>, _, _) = (None, 0.0, 0);
        for group in Predicted::groups(&windows) {
            let hidden = group.hidden(network);
            let (linear, sum) = cross_entropy(hidden, network.table(), None, &group.targets);
            tensor = Some(match tensor {
                Some(tensor) => tensor + linear,
                None => linear,
            });
            loss += sum;
            count += group.targets.len();
        }
        let tensor = tensor.unwrap_or_else(|| nothing(&network.table()));
        Ok((tensor, loss, count))
    })
}
