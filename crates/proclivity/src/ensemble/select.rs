//! Choosing an ensemble's members, their hyper-parameters and weights on validation data.

use proclivity_eval::{Case, FullRankingConfig};
use proclivity_posterior::{
    HypothesisConfig, LinearConfig, LogLinearPool, NextStepConfig, Precision, Timescale,
    WeightSearch,
};
use proclivity_rank::TieBreak;
use serde::{Deserialize, Serialize};

use super::member::Member;
use crate::select::mean_ndcg;
use crate::{
    Ensemble, EnsembleConfig, EnsembleData, MemberConfig, ProclivityError, WeightedMember,
    item_counts, select_next_step,
};

/// How an ensemble is chosen: each member's hyper-parameters by the NDCG@10 that it has alone, then
/// the weights by the NDCG@10 of the pool, then members that bring nothing are left out.
///
/// Weights are searched over each validation case's strongest rivals. The pool that is found is then
/// ranked among all items, what stands in front there joins the rivals, and the search goes on until
/// its own count and the ranking agree.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `cubic_items` | 20,000 | largest catalog for members whose cost is cubic in the items | any |
/// | `two_timescale_items` | 5,000 | largest catalog for EASE and for linear members of two timescales | any |
/// | `sweeps` | 1 | passes over next-step's parameters | any |
/// | `top` | 50 | rivals by each member and pool that a validation case keeps | from the cutoff |
/// | `worth` | 0.0002 | NDCG@10 that a member has to bring on validation to be kept | any |
/// | `weights` | [`WeightSearch`] | the search of weights | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct EnsembleSearch {
    pub cubic_items: usize,
    pub two_timescale_items: usize,
    pub sweeps: usize,
    pub top: usize,
    pub worth: f64,
    pub weights: WeightSearch,
}

impl Default for EnsembleSearch {
    fn default() -> Self {
        Self {
            cubic_items: 20_000,
            two_timescale_items: 5_000,
            sweeps: 1,
            top: 50,
            worth: 2e-4,
            weights: WeightSearch::default(),
        }
    }
}

/// What was chosen on validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnsembleSelection {
    /// The members and their weights.
    pub config: EnsembleConfig,
    /// NDCG@10 on validation.
    pub ndcg: f64,
    /// The NDCG@10 of each candidate alone, on validation.
    pub tried: Vec<Trial>,
}

/// A candidate for a member, alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The candidate.
    pub member: MemberConfig,
    /// Its NDCG@10 on validation.
    pub ndcg: f64,
}

impl EnsembleSearch {
    /// Chooses on `validation`, whose cases the members, fitted to `train`, haven't seen.
    ///
    /// The same data give the same choice, whatever the number of threads. `progress` is told what
    /// is being done, and which share of the steps is behind.
    ///
    /// # Errors
    /// [`ProclivityError::Eval`] without cases or for an item outside of the catalog, and what
    /// fitting refuses.
    pub fn run(
        &self,
        data: &EnsembleData<'_>,
        train: &[&[u32]],
        validation: &[Case<'_>],
        ties: &TieBreak,
        progress: &mut dyn FnMut(&str, f64),
    ) -> Result<EnsembleSelection, ProclivityError> {
        data.check()?;
        let counts = item_counts(train, data.items);
        let ranking = FullRankingConfig::default().build(&counts, ties)?;
        let mut tried: Vec<Trial> = Vec::new();

        let kernel = data.texts.map(|texts| texts.kernel());
        let next_step = select_next_step(
            NextStepConfig::default(),
            train,
            validation,
            kernel,
            ties,
            self.sweeps,
            |done, planned, _| progress("next-step", 0.5 * done as f64 / planned as f64),
        )?;
        tried.push(Trial {
            member: MemberConfig::NextStep(next_step.best.clone()),
            ndcg: next_step.value,
        });
        let others = self.candidates(data);
        let count = others.iter().map(Vec::len).sum::<usize>() as f64;
        let mut chosen = vec![(tried[0].clone(), Member::fit(&tried[0].member, train, data)?)];
        for candidates in others {
            let mut best: Option<(Trial, Member<'_>)> = None;
            for member in candidates {
                progress(member.name(), 0.5 + 0.3 * (tried.len() - 1) as f64 / count);
                let alone = EnsembleConfig::single(member.clone()).fit(train, data)?;
                let trial = Trial { member, ndcg: mean_ndcg(&ranking.ranks(&alone, validation)?) };
                if best.as_ref().is_none_or(|(best, _)| trial.ndcg > best.ndcg) {
                    best = alone.members.into_iter().map(|member| (trial.clone(), member)).next();
                }
                tried.push(trial);
            }
            chosen.extend(best);
        }
        // The strongest first: the search keeps its weight at one.
        chosen.sort_by(|(a, _), (b, _)| b.ndcg.total_cmp(&a.ndcg));
        let (chosen, members): (Vec<Trial>, Vec<Member<'_>>) = chosen.into_iter().unzip();
        let weighted = chosen.into_iter().map(|trial| {
            let weight = starting_weight(&trial.member);
            WeightedMember { member: trial.member, weight }
        });
        let start = EnsembleConfig { members: weighted.collect() };
        let pool = LogLinearPool::new(start.weights())?;
        let ensemble = Ensemble { members, pool, items: data.items };
        progress("weights", 0.8);
        let (pool, ndcg) = self.weigh_and_drop(&ensemble, validation)?;
        progress("weights", 1.0);
        let mut config = start.with_weights(pool.weights());
        config.members.retain(|member| member.weight != 0.0);
        Ok(EnsembleSelection { config, ndcg, tried })
    }

    /// The candidates for each member but next-step.
    fn candidates(&self, data: &EnsembleData<'_>) -> Vec<Vec<MemberConfig>> {
        let mut candidates = vec![vec![MemberConfig::Popularity { strength: data.items as f64 }]];
        let decays = [0.5, 0.65, 0.8, 0.9];
        if data.texts.is_some_and(|texts| texts.embeddings().is_some()) {
            candidates.push(decays.map(|decay| MemberConfig::Text { decay }).to_vec());
        }
        if data.texts.is_some_and(|texts| texts.tf_idf().is_some()) {
            candidates.push(decays.map(|decay| MemberConfig::TfIdf { decay }).to_vec());
        }
        let semantic_weight = if data.texts.is_some() { 0.1 } else { 0.0 };
        let linear = |timescales: Vec<Timescale>| {
            let precision = Precision::Single;
            MemberConfig::Linear(LinearConfig { timescales, precision, ..LinearConfig::default() })
        };
        let fast = |ridge| Timescale { ridge, semantic_weight, ..Timescale::default() };
        let slow = |ridge| Timescale { decay: 0.97, window: 50, ridge, semantic_weight: 0.0 };
        if data.items <= self.two_timescale_items {
            let ridges = [(50.0, 1000.0), (200.0, 4000.0), (800.0, 16_000.0)];
            candidates.push(ridges.map(|(f, s)| linear(vec![fast(f), slow(s)])).to_vec());
            let ease = [100.0, 300.0, 1000.0].map(|ridge| MemberConfig::Ease { ridge });
            candidates.push(ease.to_vec());
        } else if data.items <= self.cubic_items {
            let of = |decay| [50.0, 125.0, 300.0].map(|ridge| Timescale { decay, ..fast(ridge) });
            let alone = [0.6, 0.8].into_iter().flat_map(of);
            candidates.push(alone.map(|scale| linear(vec![scale])).collect());
        }
        if !data.sequence.is_empty() {
            candidates.push(vec![MemberConfig::Sequence]);
        }
        if data.hypotheses.is_some() {
            let powers = [0.1, 0.3, 1.0];
            let of =
                |decay| powers.map(|power| HypothesisConfig { power, decay, ..Default::default() });
            let tempered = [0.8, 0.95, 1.0].into_iter().flat_map(of);
            candidates.push(tempered.map(MemberConfig::Hypotheses).collect());
        }
        candidates
    }
}

/// Where the search of a weight begins: what is best for one data set is seldom far off for another.
fn starting_weight(member: &MemberConfig) -> f64 {
    match member {
        MemberConfig::NextStep(_) | MemberConfig::Sequence => 1.0,
        MemberConfig::Linear(_) | MemberConfig::Text { .. } | MemberConfig::TfIdf { .. } => 0.5,
        MemberConfig::Ease { .. } | MemberConfig::Hypotheses(_) => 0.3,
        MemberConfig::Popularity { .. } => -0.1,
    }
}
