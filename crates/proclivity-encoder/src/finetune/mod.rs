//! Fine-tuning of loaded checkpoints: all weights, or low-rank adapters beside them.

mod checkpoint;
mod contrastive;
mod decoder;
mod encoder;
mod groups;
mod info_nce;
mod lora;
mod masked;
mod operations;
mod parameters;
mod save;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use contrastive::{ContrastiveConfig, ContrastiveData, Judge};
pub use decoder::{ContinuedConfig, TunableDecoder};
pub use encoder::TunableEncoder;
pub use lora::LoraConfig;
pub use masked::MaskedConfig;
pub(crate) use operations::{activate, attention};
pub(crate) use parameters::{Names, ParameterLoader, State};

use serde::{Deserialize, Serialize};

use crate::training::EpochReport;

/// What fine-tuning did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TuneReport {
    /// Every epoch that ran.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
}

impl TuneReport {
    fn new(epochs: Vec<EpochReport>) -> Self {
        let best =
            epochs.iter().reduce(|best, epoch| if epoch.score > best.score { epoch } else { best });
        Self { best_epoch: best.map_or(0, |best| best.epoch), epochs }
    }
}

/// Texts in batches that have at least one text and otherwise at most so many tokens.
fn batches_of_tokens(
    places: &[usize],
    length: impl Fn(usize) -> usize,
    tokens: usize,
) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut filled = 0;
    for &place in places {
        let length = length(place);
        if batches.is_empty() || filled + length > tokens {
            batches.push(Vec::new());
            filled = 0;
        }
        filled += length;
        if let Some(batch) = batches.last_mut() {
            batch.push(place);
        }
    }
    batches
}

fn hash_tokens(hash: &mut blake3::Hasher, texts: &[Vec<u32>]) {
    for text in texts {
        hash.update(&(text.len() as u64).to_le_bytes());
        for id in text {
            hash.update(&id.to_le_bytes());
        }
    }
}

/// Texts in parts of about as many tokens each, to be computed side by side; how many there are
/// depends on the texts alone, since sums depend on it.
fn shards<T: Copy>(texts: &[T], length: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    const SHARDS: usize = 4;
    let mut sorted: Vec<T> = texts.to_vec();
    sorted.sort_by_key(|text| std::cmp::Reverse(length(text)));
    let total: usize = sorted.iter().map(&length).sum();
    let mut shards = vec![Vec::new(); SHARDS];
    let mut before = 0;
    // Neighbours are of similar length.
    for text in sorted {
        shards[(before * SHARDS / total.max(1)).min(SHARDS - 1)].push(text);
        before += length(&text);
    }
    shards.retain(|shard: &Vec<T>| !shard.is_empty());
    shards
}
