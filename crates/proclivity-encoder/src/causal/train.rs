//! Training: tokenizer, then packed windows of tokens, with the best epoch's weights kept.

use std::time::Instant;

use burn::module::Module;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::corpus::{Corpus, Window, unigram};
use super::network::Network;
use super::tokens::TextTokenizer;
use super::{CausalConfig, CausalModel, TrainConfig};
use crate::training::{
    self, BatchGradients, Dropout, EpochReport, Run, Task, TrainProgress, Validation,
};
use crate::{ComputeDevice, EncoderError};

/// What training did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Every epoch that ran.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Its validation loss.
    pub validation_loss: f64,
    /// Loss of equal probabilities, ln(vocabulary), in nats per token.
    pub uniform_loss: f64,
    /// Loss of the training texts' smoothed token frequencies on the same validation tokens.
    pub unigram_loss: f64,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Weights of the model.
    pub parameters: usize,
    /// Tokens of all training texts that are predicted once an epoch were it not for its cap.
    pub train_tokens: usize,
    /// Validation tokens.
    pub validation_tokens: usize,
    /// Wall time until the first step: tokenizer and tokenization.
    pub tokenize_seconds: f64,
    /// Wall time of everything.
    pub seconds: f64,
}

/// Halves of a batch whose gradients are computed side by side: a fixed number, so that the sum
/// doesn't depend on the number of cores.
const SHARDS: usize = 2;

pub(super) fn train(
    texts: &[String],
    validation: &[String],
    config: &CausalConfig,
    training: &TrainConfig,
    device: &ComputeDevice,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<(CausalModel, TrainReport), EncoderError> {
    config.validate()?;
    training.validate()?;
    let begun = Instant::now();
    let tokenizer = TextTokenizer::train(texts, config.vocab_size)?;
    let documents = |texts: &[String], most: usize| -> Result<Corpus, EncoderError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut documents = tokenizer.encode(&texts)?;
        let mut tokens = 0;
        documents.retain(|document| {
            let fits = tokens < most;
            tokens += document.len();
            fits
        });
        Ok(Corpus::new(&documents, config.context))
    };
    let corpus = documents(texts, usize::MAX)?;
    let held_out = documents(validation, training.validation_tokens)?;
    for (corpus, role) in [(&corpus, "training"), (&held_out, "validation")] {
        if corpus.is_empty() {
            return Err(EncoderError::EmptyCorpus { role });
        }
    }
    let vocab_size = tokenizer.vocab_size();
    let unigram = unigram(&corpus, vocab_size);
    let burn = device.burn().clone().inner();
    let network = Network::new(config, &unigram, training.seed, &burn);
    let mut report = TrainReport {
        epochs: Vec::new(),
        best_epoch: 0,
        validation_loss: f64::INFINITY,
        uniform_loss: (vocab_size as f64).ln(),
        unigram_loss: mean(held_out.targets().map(|token| -unigram[token as usize].ln())),
        vocab_size,
        parameters: network.num_params(),
        train_tokens: corpus.targets().count(),
        validation_tokens: held_out.targets().count(),
        tokenize_seconds: begun.elapsed().as_secs_f64(),
        seconds: 0.0,
    };
    let fingerprint = match training.directory {
        None => String::new(),
        Some(_) => fingerprint([texts, validation], config, training)?,
    };
    let (corpora, settings) = ((&corpus, &held_out), (config, training));
    let network = fit(network, corpora, settings, fingerprint, &mut report, progress)?;
    let model = CausalModel::new(config.clone(), tokenizer, network, unigram, texts)?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok((model, report))
}

fn fit(
    network: Network,
    (corpus, held_out): (&Corpus, &Corpus),
    (config, training): (&CausalConfig, &TrainConfig),
    fingerprint: String,
    report: &mut TrainReport,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<Network, EncoderError> {
    let mut order = ChaCha8Rng::seed_from_u64(training.seed);
    order.set_stream(1);
    let rows = training.tokens_per_batch.div_ceil(config.context).max(1);
    let task = CausalTask {
        corpus,
        epochs: corpus.epochs(training.epochs, training.tokens_per_epoch, &mut order),
        held_out,
        validation_windows: held_out.windows(),
        rows,
        dropout: config.dropout,
    };
    progress(TrainProgress::Tokenized {
        vocab_size: report.vocab_size,
        tokens: report.train_tokens,
        steps: task.epochs.iter().map(|windows| windows.len().div_ceil(rows)).sum(),
    });
    let optimizer = training.optimizer();
    let run = Run { optimizer: &optimizer, directory: training.directory.as_deref(), fingerprint };
    let (best, epochs) = training::fit(network, &task, &run, progress)?;
    if let Some(best) = training::best_epoch(&epochs) {
        report.best_epoch = best.epoch;
        report.validation_loss = best.validation_loss;
    }
    report.epochs = epochs;
    Ok(best)
}

/// A hash of all that training depends on.
fn fingerprint(
    texts: [&[String]; 2],
    config: &CausalConfig,
    training: &TrainConfig,
) -> Result<String, EncoderError> {
    let training = TrainConfig { directory: None, ..training.clone() };
    let json = serde_json::to_vec(&(config, training))
        .map_err(|source| EncoderError::Json { path: "training settings".into(), source })?;
    let mut hash = blake3::Hasher::new_derive_key("proclivity causal training 1");
    hash.update(&(json.len() as u64).to_le_bytes()).update(&json);
    for texts in texts {
        hash.update(&(texts.len() as u64).to_le_bytes());
        for text in texts {
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    Ok(hash.finalize().to_hex().to_string())
}

/// To predict the next token of every token.
struct CausalTask<'a> {
    corpus: &'a Corpus,
    epochs: Vec<Vec<Window>>,
    held_out: &'a Corpus,
    validation_windows: Vec<Window>,
    /// Windows of a batch.
    rows: usize,
    dropout: f64,
}

impl Task<Network> for CausalTask<'_> {
    type Batch = Vec<Window>;

    fn epochs(&self) -> usize {
        self.epochs.len()
    }

    fn batches(&self, epoch: usize) -> Vec<Vec<Window>> {
        self.epochs[epoch].chunks(self.rows).map(<[Window]>::to_vec).collect()
    }

    fn gradients(
        &self,
        network: &Network,
        windows: &Vec<Window>,
        seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        gradients(network, self.corpus, windows, self.dropout, seed)
    }

    fn validate(&self, network: &Network) -> Result<Validation, EncoderError> {
        let networks = self.validation_windows.chunks(self.rows);
        let networks: Vec<_> = networks.map(|windows| (network.clone(), windows)).collect();
        let parts: Vec<Vec<f64>> = networks
            .into_par_iter()
            .map(|(network, windows)| {
                let (batch, targets) = self.held_out.batch(windows);
                network.log_probs(network.forward(&batch, None), &targets)
            })
            .collect();
        Ok(Validation::of_loss(-mean(parts.into_iter().flatten())))
    }
}

pub(super) fn gradients(
    network: &Network,
    corpus: &Corpus,
    windows: &[Window],
    dropout: f64,
    seed: u64,
) -> Result<BatchGradients, EncoderError> {
    let shards = windows.chunks(windows.len().div_ceil(SHARDS)).collect();
    training::in_shards(network, shards, |network, shard, windows: &[Window]| {
        let (batch, targets) = corpus.batch(windows);
        let seed = seed.wrapping_mul(SHARDS as u64).wrapping_add(shard as u64);
        let hidden = network.forward(&batch, Dropout::new(dropout, seed));
        let (linear, loss) = network.loss(hidden, &targets);
        Ok((linear, loss, targets.len()))
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}
