//! Training a network to predict the next item: windows, their loss, and the ranking of held-out
//! items.

use std::cell::Cell;
use std::sync::Mutex;

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::batch::Batch;
use super::head::Head;
use super::negatives::Negatives;
use super::network::Network;
use super::scorer::Scorer;
use super::{NextItemConfig, NextItemTraining};
use crate::EncoderError;
use crate::training::{BatchGradients, Dropout, Task, Validation, in_shards};

/// Parts of a batch whose gradients are computed side by side: a fixed number, so that sums don't
/// depend on the number of cores.
const SHARDS: usize = 4;
/// HR and NDCG are those of the first so many.
const TOP: usize = 10;

pub(super) struct NextItemTask<'a> {
    pub(super) sequences: Vec<&'a [u32]>,
    pub(super) validation: &'a [(&'a [u32], u32)],
    pub(super) config: &'a NextItemConfig,
    pub(super) training: &'a NextItemTraining,
    pub(super) negatives: Negatives,
    pub(super) on_host: bool,
}

impl<'a> Task<Network> for NextItemTask<'a> {
    /// Windows.
    type Batch = Vec<&'a [u32]>;

    fn epochs(&self) -> usize {
        self.training.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<Self::Batch> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.training.optimizer.seed);
        rng.set_stream(1 + epoch as u64);
        let mut windows: Vec<&[u32]> = self
            .sequences
            .iter()
            .map(|sequence| {
                let longest = self.config.length + 1;
                let start = rng.random_range(0..=sequence.len().saturating_sub(longest));
                &sequence[start..sequence.len().min(start + longest)]
            })
            .collect();
        windows.shuffle(&mut rng);
        let items = Cell::new(0);
        let fits = |_: &&[u32], next: &&[u32]| {
            items.set(items.get() + next.len() - 1);
            let fits = items.get() <= self.training.items_per_batch;
            if !fits {
                items.set(next.len() - 1);
            }
            fits
        };
        items.set(windows.first().map_or(0, |window| window.len() - 1));
        windows.chunk_by(fits).map(<[_]>::to_vec).collect()
    }

    fn gradients(
        &self,
        network: &Network,
        windows: &Self::Batch,
        seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let shards = balanced(windows);
        let random = |shard: usize| {
            let seed = seed.wrapping_mul(SHARDS as u64).wrapping_add(shard as u64);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(1);
            (Dropout::new(self.config.dropout, seed), rng)
        };
        if self.on_host {
            return Ok(self.on_host(network, &shards, random));
        }
        in_shards(network, shards, |network, shard, batch| {
            let (dropout, mut rng) = random(shard);
            let hidden = network.forward(&batch, dropout);
            let loss = network.loss(hidden, &batch.targets, &self.negatives, &mut rng);
            let value = f64::from(loss.clone().inner().into_scalar::<f32>());
            Ok((loss, value, batch.targets.len()))
        })
    }

    fn validate(&self, network: &Network) -> Result<Validation, EncoderError> {
        if self.validation.is_empty() {
            return Ok(Validation::of_loss(0.0));
        }
        let host = self.on_host.then(|| network.to_host());
        let scorer = match &host {
            Some(host) => Scorer::Host(self.config, host),
            None => Scorer::Device(self.config, network),
        };
        let (loss, hit_rate, ndcg) = ranking(&scorer, self.validation);
        let metrics = [("hr@10".to_owned(), hit_rate), ("ndcg@10".to_owned(), ndcg)].into();
        Ok(Validation { loss, score: ndcg, metrics })
    }
}

impl NextItemTask<'_> {
    fn on_host(
        &self,
        network: &Network,
        shards: &[Batch],
        random: impl Fn(usize) -> (Option<Dropout>, ChaCha8Rng) + Sync,
    ) -> BatchGradients {
        let weights = network.to_host();
        let NextItemConfig { interests, combine, .. } = *self.config;
        let head = Head { network: &weights, interests, combine };
        let parts: Vec<_> = shards
            .par_iter()
            .enumerate()
            .map(|(shard, batch)| {
                let (dropout, mut rng) = random(shard);
                let mut gradients = weights.zeros();
                let passed = weights.forward(batch, dropout);
                let (hidden, targets) = (&passed.hidden, &batch.targets);
                let (hidden, loss) =
                    head.gradient(hidden, targets, &self.negatives, &mut rng, &mut gradients);
                weights.backward(batch, &passed, &hidden, &mut gradients);
                BatchGradients {
                    gradients: network.gradients(gradients),
                    loss_sum: loss,
                    targets: targets.len(),
                }
            })
            .collect();
        BatchGradients::sum(parts, network)
    }
}

/// The windows in shards of about as many items each.
fn balanced(windows: &[&[u32]]) -> Vec<Batch> {
    let mut by_length: Vec<&[u32]> = windows.to_vec();
    by_length.sort_by_key(|window| std::cmp::Reverse(window.len()));
    let mut shards: Vec<(usize, Vec<&[u32]>)> = vec![(0, Vec::new()); SHARDS.min(windows.len())];
    for window in by_length {
        if let Some((items, shard)) = shards.iter_mut().min_by_key(|(items, _)| *items) {
            *items += window.len();
            shard.push(window);
        }
    }
    shards.into_iter().map(|(_, windows)| Batch::of_windows(windows)).collect()
}

/// The mean of −log P(target), and HR and NDCG of the first ten: items of the history are left out,
/// and an item as likely as the target stands before it.
pub(super) fn ranking(scorer: &Scorer<'_>, cases: &[(&[u32], u32)]) -> (f64, f64, f64) {
    let histories: Vec<&[u32]> = cases.iter().map(|(history, _)| *history).collect();
    // By case, so that sums don't depend on which comes first.
    let results = Mutex::new(vec![(f64::NAN, usize::MAX); cases.len()]);
    scorer.for_each(&histories, &|index, log_probs| {
        let (history, target) = cases[index];
        let own = log_probs[target as usize];
        let before = |score: f32| score >= own || score.is_nan();
        let ahead = log_probs.iter().filter(|&&score| before(score)).count();
        let mut seen = history.to_vec();
        seen.sort_unstable();
        seen.dedup();
        let left_out =
            seen.iter().filter(|&&item| item != target && before(log_probs[item as usize]));
        // The target is among those ahead. In its own history it can't be recommended.
        let rank = match seen.binary_search(&target) {
            Ok(_) => usize::MAX,
            Err(_) => ahead - left_out.count(),
        };
        if let Ok(mut results) = results.lock() {
            results[index] = (-f64::from(own), rank);
        }
    });
    let results = results.into_inner().unwrap_or_default();
    let share = 1.0 / results.len().max(1) as f64;
    let loss = results.iter().map(|(loss, _)| loss).sum::<f64>() * share;
    let ranks = || results.iter().map(|&(_, rank)| rank).filter(|&rank| rank <= TOP);
    let gain: f64 = ranks().map(|rank| 1.0 / (rank as f64 + 1.0).log2()).sum();
    (loss, ranks().count() as f64 * share, gain * share)
}
