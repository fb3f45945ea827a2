//! Next-item models: a causal transformer over item vectors that begin as text embeddings.

mod attention;
mod batch;
mod config;
mod head;
mod host;
mod negatives;
mod network;
mod principal;
mod product;
mod scorer;
mod store;
mod task;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use config::{Combine, NextItemConfig, NextItemLoss, NextItemTraining};
use host::HostNetwork;
use ndarray::ArrayView2;
use negatives::Negatives;
use network::Network;
use scorer::Scorer;
use serde::Serialize;
use task::NextItemTask;

use crate::training::{self, EpochReport, Run, TrainProgress};
use crate::{ComputeDevice, EncoderError};

/// A causal transformer over items: from a history to the probability of each item to be next.
///
/// Items are numbers from 0. The item vectors, which are the softmax's weights too, begin as the
/// principal components of given embeddings, for example of the items' texts, and are trained on.
/// Blocks have layer normalisation in front, positions are learned and count from the oldest item
/// that is seen.
///
/// # Source
/// Kang and McAuley 2018, Self-Attentive Sequential Recommendation; Klenitskiy and Vasilev 2023,
/// Turning Dross Into Gold Loss (the full softmax).
#[derive(Debug, Clone)]
pub struct NextItemModel {
    config: NextItemConfig,
    network: Network,
    /// The same weights, where the device is the host.
    host: Option<HostNetwork>,
    items: usize,
}

/// What training a next-item model did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextItemReport {
    /// Every epoch that ran; `score` is the validation's NDCG@10.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Weights of the model.
    pub parameters: usize,
}

/// HR@10 and NDCG@10 over all items but those of the history; ties count against the target, and a
/// target that is in its history is a miss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NextItemRanking {
    /// Mean of −log P(target), over all items.
    pub log_loss: f64,
    /// Share of targets among the first ten.
    pub hit_rate: f64,
    /// Mean of 1 / log₂(rank + 1), 0 behind the tenth.
    pub ndcg: f64,
}

/// What a next-item model learns from.
#[derive(Debug, Clone, Copy)]
pub struct NextItemData<'a> {
    /// What users did, oldest first; those with one item teach nothing but its frequency.
    pub sequences: &'a [&'a [u32]],
    /// Histories and what came next; the best epoch is chosen on them. Without any, the last epoch
    /// is kept.
    pub validation: &'a [(&'a [u32], u32)],
    /// A vector of each item, of any length: `[items, dimensions]`.
    pub item_vectors: ArrayView2<'a, f32>,
}

impl NextItemModel {
    /// Trains a model from scratch, or goes on where training in `directory` was killed: with a
    /// directory, `checkpoint.safetensors` and `log.csv` are kept there.
    ///
    /// # Errors
    /// When a setting is out of its range, an item is unknown or a vector isn't finite, when there
    /// is nothing to train on, when the directory can't be written or holds
    /// another run, and when the loss is no finite number any more.
    pub fn train(
        data: &NextItemData<'_>,
        config: &NextItemConfig,
        training: &NextItemTraining,
        device: &ComputeDevice,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, NextItemReport), EncoderError> {
        config.validate()?;
        training.validate()?;
        let items = data.item_vectors.nrows();
        let mut counts = vec![0; items];
        check(data.sequences.iter().copied(), items)?;
        check(data.validation.iter().map(|(history, _)| *history), items)?;
        check(data.validation.iter().map(|(_, target)| std::slice::from_ref(target)), items)?;
        let rows = data.item_vectors.rows().into_iter();
        if let Some(index) = rows
            .enumerate()
            .find_map(|(index, row)| row.iter().any(|x| !x.is_finite()).then_some(index))
        {
            return Err(EncoderError::NonFiniteEmbedding { index });
        }
        for &item in data.sequences.iter().copied().flatten() {
            counts[item as usize] += 1;
        }
        let sequences: Vec<&[u32]> =
            data.sequences.iter().copied().filter(|sequence| sequence.len() > 1).collect();
        if sequences.is_empty() {
            return Err(EncoderError::EmptyCorpus { role: "training" });
        }

        let seed = training.optimizer.seed;
        let vectors = principal::principal_components(data.item_vectors, config.width, seed)?;
        let total = counts.iter().sum::<usize>() as f64 + items as f64;
        let bias: Vec<f32> =
            counts.iter().map(|&count| ((count as f64 + 1.0) / total).ln() as f32).collect();
        let plain = device.burn().clone().inner();
        let network = Network::new(config, vectors.view(), &bias, seed, &plain);
        let task = NextItemTask {
            sequences,
            validation: data.validation,
            config,
            training,
            negatives: Negatives::new(training.loss, &counts),
            on_host: device.is_on_host(),
        };
        let run = Run {
            optimizer: &training.optimizer,
            directory,
            fingerprint: fingerprint(data, config, training)?,
        };
        let parameters = burn::module::Module::num_params(&network);
        let (network, epochs) = training::fit(network, &task, &run, progress)?;
        let best_epoch = training::best_epoch(&epochs).map_or(0, |best| best.epoch);
        let model = Self::assemble(config.clone(), network, items, device);
        Ok((model, NextItemReport { epochs, best_epoch, parameters }))
    }

    fn assemble(
        config: NextItemConfig,
        network: Network,
        items: usize,
        device: &ComputeDevice,
    ) -> Self {
        let host = device.is_on_host().then(|| network.to_host());
        Self { config, network, host, items }
    }

    /// How many items the model knows.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The shape that the model was trained with.
    pub fn config(&self) -> &NextItemConfig {
        &self.config
    }

    /// log P(next item = i | history) for every item i; after an empty history, by frequency.
    ///
    /// # Errors
    /// When an item of the history is unknown.
    pub fn log_probs(&self, history: &[u32]) -> Result<Vec<f32>, EncoderError> {
        let result = std::sync::Mutex::new(Vec::new());
        self.for_each_log_probs(&[history], &|_, log_probs| {
            if let Ok(mut result) = result.lock() {
                *result = log_probs.to_vec();
            }
        })?;
        Ok(result.into_inner().unwrap_or_default())
    }

    /// [`log_probs`](Self::log_probs) of many histories, each handed on with its position, from
    /// any thread and in any order, so that memory doesn't grow with their number.
    ///
    /// # Errors
    /// When an item of a history is unknown.
    pub fn for_each_log_probs(
        &self,
        histories: &[&[u32]],
        tell: &(dyn Fn(usize, &[f32]) + Sync),
    ) -> Result<(), EncoderError> {
        check(histories.iter().copied(), self.items)?;
        self.scorer().for_each(histories, tell);
        Ok(())
    }

    /// How histories and what came next are ranked.
    ///
    /// # Errors
    /// When an item is unknown.
    pub fn rank(&self, cases: &[(&[u32], u32)]) -> Result<NextItemRanking, EncoderError> {
        check(cases.iter().map(|(history, _)| *history), self.items)?;
        check(cases.iter().map(|(_, target)| std::slice::from_ref(target)), self.items)?;
        let (log_loss, hit_rate, ndcg) = task::ranking(&self.scorer(), cases);
        Ok(NextItemRanking { log_loss, hit_rate, ndcg })
    }

    fn scorer(&self) -> Scorer<'_> {
        match &self.host {
            Some(host) => Scorer::Host(&self.config, host),
            None => Scorer::Device(&self.config, &self.network),
        }
    }
}

fn check<'a>(histories: impl Iterator<Item = &'a [u32]>, items: usize) -> Result<(), EncoderError> {
    for (index, history) in histories.enumerate() {
        if let Some(&item) = history.iter().find(|&&item| item as usize >= items) {
            return Err(EncoderError::UnknownItem { index, item, items });
        }
    }
    Ok(())
}

/// A hash of all that training depends on.
fn fingerprint(
    data: &NextItemData<'_>,
    config: &NextItemConfig,
    training: &NextItemTraining,
) -> Result<String, EncoderError> {
    let json = serde_json::to_vec(&(config, training))
        .map_err(|source| EncoderError::Json { path: "training settings".into(), source })?;
    let mut hash = blake3::Hasher::new_derive_key("proclivity next-item training 1");
    hash.update(&(json.len() as u64).to_le_bytes()).update(&json);
    let histories = data.validation.iter().map(|(history, _)| *history);
    for sequence in data.sequences.iter().copied().chain(histories) {
        hash.update(&(sequence.len() as u64).to_le_bytes());
        sequence.iter().for_each(|item| {
            hash.update(&item.to_le_bytes());
        });
    }
    for (_, target) in data.validation {
        hash.update(&target.to_le_bytes());
    }
    for value in data.item_vectors {
        hash.update(&value.to_le_bytes());
    }
    Ok(hash.finalize().to_hex().to_string())
}
