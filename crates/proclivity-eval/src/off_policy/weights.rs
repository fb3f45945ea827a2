//! Importance weights of the places of a ranking, and how much they can be trusted.

use serde::{Deserialize, Serialize};

use super::RankingLog;
use crate::EvalError;

/// What the reward of a place may depend on, besides the user: the weaker the assumption, the
/// larger the weights. For single items all are the same.
///
/// | assumption | the reward of place k depends on | weight of place k |
/// |---|---|---|
/// | `ItemPosition` | the item at k | π(aₖ at k) / π₀(aₖ at k), *marginal* |
/// | `Cascade` | the items at 1, …, k | Πⱼ₌₁..ₖ π(aⱼ\|a₁ … aⱼ₋₁) / π₀(aⱼ\|a₁ … aⱼ₋₁) |
/// | `List` | the whole list | the same product over all places |
///
/// # Source
/// `ItemPosition`: S. Li et al. *Offline evaluation of ranking policies with click models.* KDD
/// 2018; `Cascade`: J. McInerney et al. *Counterfactual evaluation of slate recommendations with
/// sequential reward interactions.* KDD 2020.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table documents each")]
pub enum Interaction {
    ItemPosition,
    Cascade,
    List,
}

/// The weights of one place over the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeightSummary {
    /// Mean weight before clipping. It is 1 on average: below by more than chance, the target
    /// policy shows what the logging policy never did, and no estimate knows what that earns.
    pub mean: f64,
    /// The largest weight before clipping.
    pub max: f64,
    /// (Σ w)² / Σ w² of the weights as they were used: as many rankings of the target policy would
    /// tell about as much; 0 where all weights are 0.
    pub effective_sample_size: f64,
    /// Mean of (w − clip)⁺, what clipping took away.
    pub clipped: f64,
}

/// Weights `[rankings, places]`.
pub(super) struct Weights {
    pub(super) values: Vec<f64>,
    pub(super) summaries: Vec<WeightSummary>,
}

impl Weights {
    pub(super) fn new(
        log: &RankingLog,
        interaction: Interaction,
        clip: f64,
    ) -> Result<Self, EvalError> {
        let places = log.places();
        let ratio = |item: &super::LoggedItem| item.target / item.propensity;
        let mut values: Vec<f64> = log.items().iter().map(ratio).collect();
        for ranking in values.chunks_exact_mut(places) {
            if interaction != Interaction::ItemPosition {
                (1..places).for_each(|place| ranking[place] *= ranking[place - 1]);
            }
            if interaction == Interaction::List {
                ranking.fill(ranking[places - 1]);
            }
        }
        // A product may overflow, and be NaN where it then meets a 0.
        if let Some(position) = values.iter().position(|weight| !weight.is_finite()) {
            let value = values[position];
            return Err(EvalError::NotFinite { what: "weight", position, value });
        }
        let rankings = log.rankings() as f64;
        let mut summaries = Vec::with_capacity(places);
        for place in 0..places {
            let (mut sum, mut max, mut clipped) = (0.0, 0.0_f64, 0.0);
            let (mut used, mut squares) = (0.0, 0.0);
            for weight in values.iter_mut().skip(place).step_by(places) {
                sum += *weight;
                max = max.max(*weight);
                clipped += (*weight - clip).max(0.0);
                *weight = weight.min(clip);
                used += *weight;
                squares += *weight * *weight;
            }
            summaries.push(WeightSummary {
                mean: sum / rankings,
                max,
                effective_sample_size: if used > 0.0 { used * used / squares } else { 0.0 },
                clipped: clipped / rankings,
            });
        }
        Ok(Self { values, summaries })
    }
}
