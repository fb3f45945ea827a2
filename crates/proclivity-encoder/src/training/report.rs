//! What training tells while it runs and afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Training goes on behind this step, which a checkpoint holds.
    Resumed {
        /// Which, from 1.
        step: usize,
        /// Of how many at most.
        steps: usize,
    },
    /// An optimiser step is done.
    Step {
        /// Which, from 1.
        step: usize,
        /// Of how many at most.
        steps: usize,
        /// Training loss of its batch, in nats per target.
        loss: f64,
        /// What the rest takes at the mean pace since the start, validation included.
        seconds_left: f64,
    },
    /// An epoch is done.
    Epoch(&'a EpochReport),
}

/// What one epoch did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Which, from 1.
    pub epoch: usize,
    /// Mean loss of its batches, each before its own step, in nats per target.
    pub train_loss: f64,
    /// Loss on the validation targets after it, in nats per target; 0 where there are none.
    pub validation_loss: f64,
    /// What the best epoch has most of; without a metric of its own, minus the validation loss.
    pub score: f64,
    /// Further validation metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// What it predicted: tokens, items, pairs.
    pub targets: usize,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Wall time, with validation.
    pub seconds: f64,
}

/// The epochs as a CSV file.
pub(super) fn csv(epochs: &[EpochReport]) -> String {
    let mut lines = String::from("epoch,train_loss,validation_loss");
    for name in epochs.first().map(|epoch| &epoch.metrics).into_iter().flat_map(BTreeMap::keys) {
        lines.push(',');
        lines.push_str(name);
    }
    lines.push_str(",targets,learning_rate,seconds\n");
    for epoch in epochs {
        lines.push_str(&format!("{},{},{}", epoch.epoch, epoch.train_loss, epoch.validation_loss));
        for value in epoch.metrics.values() {
            lines.push_str(&format!(",{value}"));
        }
        let (targets, rate, seconds) = (epoch.targets, epoch.learning_rate, epoch.seconds);
        lines.push_str(&format!(",{targets},{rate},{seconds:.3}\n"));
    }
    lines
}
