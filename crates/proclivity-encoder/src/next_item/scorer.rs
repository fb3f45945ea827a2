//! The scores of all items after histories, many users side by side.

use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::NextItemConfig;
use super::batch::Batch;
use super::head::Head;
use super::host::HostNetwork;
use super::network::Network;
use crate::vectorized::log_sum_exp;

/// A network that is only asked, on the host where its device is that.
pub(super) enum Scorer<'a> {
    Host(&'a NextItemConfig, &'a HostNetwork),
    Device(&'a NextItemConfig, &'a Network),
}

impl Scorer<'_> {
    /// Hands on log P(next item = i | history) of each history, from any thread and in any order.
    pub(super) fn for_each(&self, histories: &[&[u32]], tell: &(dyn Fn(usize, &[f32]) + Sync)) {
        let (Self::Host(config, _) | Self::Device(config, _)) = self;
        let recent: Vec<&[u32]> = histories
            .iter()
            .map(|history| &history[history.len().saturating_sub(config.length)..])
            .collect();
        let packs = packs(&recent);
        match self {
            Self::Host(..) => {
                packs.into_par_iter().for_each(|pack| self.pack(&recent, pack, tell));
            }
            Self::Device(..) => packs.into_iter().for_each(|pack| self.pack(&recent, pack, tell)),
        }
    }

    fn pack(&self, recent: &[&[u32]], pack: Range<usize>, tell: &(dyn Fn(usize, &[f32]) + Sync)) {
        // Nothing precedes the first item: where there is no history, the biases alone speak.
        let (full, empty): (Vec<usize>, Vec<usize>) =
            pack.partition(|&index| !recent[index].is_empty());
        let batch = Batch::of_histories(full.iter().map(|&index| recent[index]));
        let (mut logits, bias) = match self {
            Self::Host(config, network) => {
                let width = network.width;
                let hidden = network.forward(&batch, None).hidden;
                let last: Vec<f32> = batch
                    .last_places()
                    .flat_map(|place| &hidden[place * width..][..width])
                    .copied()
                    .collect();
                let NextItemConfig { interests, combine, .. } = **config;
                let head = Head { network, interests, combine };
                (head.logits(&last), network.bias.clone())
            }
            Self::Device(_, network) => {
                let values = |tensor: Tensor<2>| {
                    tensor.into_data().try_into_vec_as::<f32>().unwrap_or_default()
                };
                let bias = values(network.bias_row());
                if full.is_empty() {
                    (Vec::new(), bias)
                } else {
                    let places: Vec<i32> = batch.last_places().map(|place| place as i32).collect();
                    let hidden = network.forward(&batch, None);
                    let last = Network::indices(places, &hidden.device());
                    (values(network.logits(hidden.select(0, last))), bias)
                }
            }
        };
        let items = bias.len();
        for (&index, logits) in full.iter().zip(logits.chunks_exact_mut(items)) {
            tell(index, normalised(logits));
        }
        for index in empty {
            tell(index, normalised(&mut bias.clone()));
        }
    }
}

fn normalised(logits: &mut [f32]) -> &[f32] {
    let total = log_sum_exp(logits) as f32;
    logits.iter_mut().for_each(|logit| *logit -= total);
    logits
}

/// Consecutive histories with about as many items together as a core likes at once.
fn packs(histories: &[&[u32]]) -> Vec<Range<usize>> {
    const ITEMS: usize = 2048;
    const HISTORIES: usize = 64;
    let mut packs = Vec::new();
    let (mut start, mut items) = (0, 0);
    for (index, history) in histories.iter().enumerate() {
        if index > start && (items + history.len() > ITEMS || index - start == HISTORIES) {
            packs.push(start..index);
            (start, items) = (index, 0);
        }
        items += history.len();
    }
    packs.push(start..histories.len());
    packs
}
