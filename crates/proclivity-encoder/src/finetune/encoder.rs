//! Sentence encoders whose weights can be trained.

use std::path::Path;

use super::LoraConfig;
use super::checkpoint::Checkpoint;
use crate::bert::TrainableBert;
use crate::{BertEncoder, ComputeDevice, EncoderError};

/// A sentence encoder of the BERT family with its weights to be trained:
/// [contrastively](Self::train_contrastive), or on its [masked tokens](Self::train_masked).
///
/// ```no_run
/// use proclivity_encoder::{ContrastiveConfig, ContrastiveData, TunableEncoder};
///
/// let texts = ["film camera", "35mm colour film", "camera strap"].map(str::to_owned);
/// let sequences = [vec![0, 1], vec![0, 2]];
/// let encoder = TunableEncoder::load("models/all-MiniLM-L6-v2".as_ref(), &"flex".parse()?)?;
/// let data = ContrastiveData { texts: &texts, sequences: &sequences, validation: &sequences };
/// let config = ContrastiveConfig::default();
/// let (tuned, report) = encoder.train_contrastive(data, &config, None, None, &mut |_| {})?;
/// tuned.save("models/minilm-mine".as_ref())?;
/// let encoder = tuned.encoder()?;
/// # Ok::<(), proclivity_encoder::EncoderError>(())
/// ```
#[derive(Clone)]
pub struct TunableEncoder {
    pub(super) checkpoint: Checkpoint<TrainableBert>,
    /// As it was loaded: tokenizer, pooling and what follows it.
    pub(super) base: BertEncoder,
    pub(super) device: ComputeDevice,
}

impl TunableEncoder {
    /// Loads a directory as [`BertEncoder::load`] does.
    ///
    /// The layers behind pooling (Dense) stay as they are. There is no dropout.
    ///
    /// # Errors
    /// As for [`BertEncoder::load`].
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        Self::open(directory, device, None)
    }

    /// The same with the head that predicts masked tokens, which begins from a seed where the
    /// checkpoint has none.
    ///
    /// # Errors
    /// As for [`BertEncoder::load`].
    pub fn load_masked(
        directory: &Path,
        device: &ComputeDevice,
        seed: u64,
    ) -> Result<Self, EncoderError> {
        Self::open(directory, device, Some(seed))
    }

    fn open(
        directory: &Path,
        device: &ComputeDevice,
        head: Option<u64>,
    ) -> Result<Self, EncoderError> {
        let base = BertEncoder::load(directory, device)?;
        let (network, names, transformer) = TrainableBert::open(directory, device, head)?;
        let directory = directory.to_owned();
        let checkpoint = Checkpoint { directory, transformer, network, names, lora: None };
        Ok(Self { checkpoint, base, device: device.clone() })
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

    /// Leaves the embeddings of words, positions and token types as they are, and the first blocks:
    /// a step takes less time, and less is forgotten.
    pub fn with_frozen(mut self, blocks: usize) -> Self {
        self.checkpoint.network = self.checkpoint.network.freeze_below(blocks);
        self
    }

    /// An encoder with the weights as they are now, adapters merged into them.
    ///
    /// # Errors
    /// As for [`BertEncoder::load`]: the other files are read again.
    pub fn encoder(&self) -> Result<BertEncoder, EncoderError> {
        BertEncoder::load_with(&self.checkpoint.directory, &self.checkpoint.state(), &self.device)
    }

    /// Writes a directory like the one that was loaded, with the weights as they are now, adapters
    /// merged: [`BertEncoder::load`], sentence-transformers and transformers load it.
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
}
