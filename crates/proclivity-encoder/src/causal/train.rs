//! Training: tokenizer, then AdamW on packed windows, with the best epoch's weights kept.

use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::corpus::{Corpus, Window, unigram};
use super::network::{Dropout, Network, host};
use super::tokens::TextTokenizer;
use super::{CausalConfig, CausalModel, TrainConfig};
use crate::{ComputeDevice, EncoderError};

/// What training tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TrainProgress<'a> {
    /// The tokenizer is trained and the texts are tokenized; so many steps follow at most.
    Tokenized {
        /// Tokens in its vocabulary.
        vocab_size: usize,
        /// Tokens of all training texts.
        tokens: usize,
        /// Optimiser steps of all epochs.
        steps: usize,
    },
    /// An optimiser step is done.
    Step {
        /// Which, from 1.
        step: usize,
        /// Of how many at most.
        steps: usize,
        /// Training loss of its batch, in nats per token.
        loss: f64,
    },
    /// An epoch is done.
    Epoch(&'a EpochReport),
}

/// What one epoch did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Which, from 1.
    pub epoch: usize,
    /// Mean loss of its batches, each before its own step, in nats per token.
    pub train_loss: f64,
    /// Loss on the validation texts after it, in nats per token.
    pub validation_loss: f64,
    /// Tokens that it predicted.
    pub tokens: usize,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Wall time, with validation.
    pub seconds: f64,
}

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
    let network = fit(network, &corpus, &held_out, config, training, &mut report, progress)?;
    let model = CausalModel::new(config.clone(), tokenizer, network, unigram, texts)?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok((model, report))
}

fn fit(
    mut network: Network,
    corpus: &Corpus,
    held_out: &Corpus,
    config: &CausalConfig,
    training: &TrainConfig,
    report: &mut TrainReport,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<Network, EncoderError> {
    let mut order = ChaCha8Rng::seed_from_u64(training.seed);
    order.set_stream(1);
    let epochs = corpus.epochs(training.epochs, training.tokens_per_epoch, &mut order);
    let rows = training.tokens_per_batch.div_ceil(config.context).max(1);
    let steps = epochs.iter().map(|windows| windows.len().div_ceil(rows)).sum();
    progress(TrainProgress::Tokenized {
        vocab_size: report.vocab_size,
        tokens: report.train_tokens,
        steps,
    });
    let mut optimizer = AdamWConfig::new()
        .with_beta_2(0.99)
        .with_epsilon(1e-8)
        .with_weight_decay(training.weight_decay as f32)
        .init();
    let validation_windows = held_out.windows();
    let mut best = network.clone();
    let mut step = 0;
    for (epoch, windows) in (1..).zip(&epochs) {
        let begun = Instant::now();
        let (mut loss_sum, mut tokens, mut learning_rate) = (0.0, 0, 0.0);
        for windows in windows.chunks(rows) {
            learning_rate = training.learning_rate(step, steps);
            let seed = training.seed.wrapping_add(step as u64);
            let gradients = gradients(&network, corpus, windows, config.dropout, seed);
            if !gradients.loss_sum.is_finite() {
                return Err(EncoderError::Diverged { step: step + 1 });
            }
            let clipped = gradients.clip(&network, training.gradient_norm);
            network = optimizer.step(learning_rate, network.train(), clipped).valid();
            step += 1;
            loss_sum += gradients.loss_sum;
            tokens += gradients.tokens;
            progress(TrainProgress::Step {
                step,
                steps,
                loss: gradients.loss_sum / gradients.tokens as f64,
            });
        }
        let validation_loss = validation_loss(&network, held_out, &validation_windows, rows);
        let done = EpochReport {
            epoch,
            train_loss: loss_sum / tokens as f64,
            validation_loss,
            tokens,
            learning_rate,
            seconds: begun.elapsed().as_secs_f64(),
        };
        progress(TrainProgress::Epoch(&done));
        report.epochs.push(done);
        if validation_loss < report.validation_loss {
            report.validation_loss = validation_loss;
            report.best_epoch = epoch;
            best = network.clone();
        } else if epoch - report.best_epoch >= training.patience {
            break;
        }
    }
    if report.best_epoch == 0 {
        return Err(EncoderError::Diverged { step });
    }
    Ok(best)
}

/// The gradients of one batch's mean loss.
pub(super) struct BatchGradients {
    shards: Vec<GradientsParams>,
    pub(super) loss_sum: f64,
    pub(super) tokens: usize,
}

pub(super) fn gradients(
    network: &Network,
    corpus: &Corpus,
    windows: &[Window],
    dropout: f64,
    seed: u64,
) -> BatchGradients {
    let batches: Vec<_> = windows
        .chunks(windows.len().div_ceil(SHARDS))
        .map(|windows| corpus.batch(windows))
        .collect();
    let tokens = batches.iter().map(|(_, targets)| targets.len()).sum();
    // Each shard has parameter nodes of its own, so that their graphs don't share a lock.
    let networks: Vec<Network> = batches.iter().map(|_| network.clone().train()).collect();
    let (shards, losses): (Vec<_>, Vec<f64>) = batches
        .into_par_iter()
        .zip(networks)
        .enumerate()
        .map(|(shard, ((batch, targets), network))| {
            let seed = seed.wrapping_mul(SHARDS as u64).wrapping_add(shard as u64);
            let hidden = network.forward(&batch, Dropout::new(dropout, seed));
            let (linear, loss) = network.loss(hidden, &targets, 1.0 / tokens as f64);
            (GradientsParams::from_grads(linear.backward(), &network), loss)
        })
        .unzip();
    BatchGradients { shards, loss_sum: losses.iter().sum(), tokens }
}

impl BatchGradients {
    /// The sum over shards, with the norm of all of it at most `norm`.
    pub(super) fn clip(&self, network: &Network, norm: f64) -> GradientsParams {
        struct Add<'a> {
            shards: &'a [GradientsParams],
            sum: GradientsParams,
            squares: f64,
        }
        impl ModuleVisitor for Add<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let parts = self.shards.iter().filter_map(|shard| shard.get::<D>(param.id));
                if let Some(sum) = parts.reduce(|sum, part| sum + part) {
                    let square = host((sum.clone() * sum.clone()).sum());
                    self.squares += square.iter().map(|&value| f64::from(value)).sum::<f64>();
                    self.sum.register(param.id, sum);
                }
            }
        }
        struct Scale {
            gradients: GradientsParams,
            factor: f64,
        }
        impl ModuleVisitor for Scale {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.gradients.remove::<D>(param.id) {
                    self.gradients.register(param.id, gradient.mul_scalar(self.factor));
                }
            }
        }
        let mut add = Add { shards: &self.shards, sum: GradientsParams::new(), squares: 0.0 };
        network.visit(&mut add);
        let total = add.squares.sqrt();
        if total <= norm {
            return add.sum;
        }
        let mut scale = Scale { gradients: add.sum, factor: norm / total };
        network.visit(&mut scale);
        scale.gradients
    }
}

fn validation_loss(network: &Network, corpus: &Corpus, windows: &[Window], rows: usize) -> f64 {
    let networks = windows.chunks(rows).map(|windows| (network.clone(), windows));
    let parts: Vec<Vec<f64>> = networks
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|(network, windows)| {
            let (batch, targets) = corpus.batch(windows);
            network.log_probs(network.forward(&batch, None), &targets)
        })
        .collect();
    -mean(parts.into_iter().flatten())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}
