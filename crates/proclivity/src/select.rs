//! Choosing next-step's hyper-parameters on validation data.

use proclivity_eval::metrics::{RelevantRanks, ndcg};
use proclivity_eval::{Axis, Case, FullRankingConfig, Search, coordinate_search};
use proclivity_posterior::{Kernel, NextStep, NextStepConfig};
use proclivity_rank::TieBreak;

use crate::ProclivityError;

/// Chooses a [`NextStepConfig`] by the NDCG@10 of a full ranking of held-out items.
///
/// One value of one parameter is changed at a time, from `start`, and kept where it helps; `sweeps`
/// passes over all parameters at most. The same data give the same choice, whatever the number of
/// threads. `progress` is told how many of the planned configurations are tried, and the best NDCG.
///
/// # Errors
/// [`ProclivityError::Eval`] without cases or for an item outside of the catalog, and what
/// [`NextStep::fit`] refuses.
pub fn select_next_step(
    start: NextStepConfig,
    train: &[&[u32]],
    cases: &[Case<'_>],
    kernel: Option<&Kernel>,
    ties: &TieBreak,
    sweeps: usize,
    progress: impl FnMut(usize, usize, f64),
) -> Result<Search<NextStepConfig>, ProclivityError> {
    let ranking = FullRankingConfig::default().build(&item_counts(train, ties.len()), ties)?;
    let objective = |config: &NextStepConfig| -> Result<f64, ProclivityError> {
        let model = NextStep::fit(config.clone(), train, ties.len(), kernel.cloned())?;
        Ok(mean_ndcg(&ranking.ranks(&model.tabulated(), cases)?))
    };
    coordinate_search(start, &next_step_axes(kernel.is_some()), sweeps, objective, progress)
}

/// The mean NDCG@10.
pub(crate) fn mean_ndcg(ranks: &[RelevantRanks]) -> f64 {
    ranks.iter().map(|ranks| ndcg(ranks, 10)).sum::<f64>() / ranks.len() as f64
}

/// How many training events each item has.
pub fn item_counts(sequences: &[&[u32]], items: usize) -> Vec<u64> {
    let mut counts = vec![0; items];
    for &item in sequences.iter().copied().flatten() {
        if let Some(count) = counts.get_mut(item as usize) {
            *count += 1;
        }
    }
    counts
}

pub(crate) fn next_step_axes(with_kernel: bool) -> Vec<Axis<NextStepConfig>> {
    let mut axes = vec![
        Axis {
            name: "history_decay",
            values: vec![0.15, 0.3, 0.5, 0.7, 0.85],
            set: |config: &mut NextStepConfig, value| config.history_decay = value,
        },
        Axis {
            name: "step_decay",
            values: vec![0.2, 0.4, 0.6, 0.8, 0.9],
            set: |config, value| config.step_decay = value,
        },
        Axis {
            name: "symmetric_share",
            values: vec![0.0, 0.25, 0.5, 1.0],
            set: |config, value| config.symmetric_share = value,
        },
        Axis {
            name: "prior_strength",
            values: vec![0.5, 2.0, 5.0, 20.0, 50.0],
            set: |config, value| config.prior_strength = value,
        },
        Axis {
            name: "slow_share",
            values: vec![0.0, 0.15, 0.3, 0.5],
            set: |config, value| config.slow_share = value,
        },
    ];
    if with_kernel {
        axes.extend([
            Axis {
                name: "kernel_smoothing",
                values: vec![0.0, 0.25, 0.5, 1.0],
                set: |config: &mut NextStepConfig, value| config.kernel_smoothing = value,
            },
            Axis {
                name: "popularity_share",
                values: vec![0.02, 0.1, 0.3],
                set: |config, value| config.popularity_share = value,
            },
        ]);
    }
    axes
}
