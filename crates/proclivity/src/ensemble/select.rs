//! Choosing an ensemble's members, their hyper-parameters and weights on validation data.

use proclivity_eval::{Case, FullRankingConfig};
use proclivity_posterior::{LogLinearPool, WeightSearch};
use proclivity_rank::TieBreak;
use serde::{Deserialize, Serialize};

use super::candidates::Candidates;
use super::member::Member;
use super::weigh::{KnownPools, Weighed};
use crate::select::mean_ndcg;
use crate::{
    Ensemble, EnsembleConfig, EnsembleData, MemberConfig, ProclivityError, WeightedMember,
    item_counts,
};

/// How an ensemble is chosen: each member's hyper-parameters by the NDCG@10 that it has alone, then
/// weights by that of the pool, then each member's hyper-parameters anew by what the pool is worth
/// with it, once and again, then members that bring nothing are left out.
///
/// Weights are searched over each validation case's strongest rivals. The pool that is found is then
/// ranked among all items, what stands in front there joins the rivals, and the search goes on until
/// its own count and the ranking agree. Popularity stays with a weight of 0 where it brings nothing:
/// what is rare is known to nobody else when probabilities are calibrated.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `cubic_items` | 20,000 | largest catalog for members whose cost is cubic in the items | any |
/// | `two_timescale_items` | 5,000 | largest catalog for EASE and for linear members of two timescales | any |
/// | `sweeps` | 1 | passes over the parameters of next-step and of the linear model, alone and in the pool | any |
/// | `passes` | 2 | passes over all members in the pool; one that changes nothing is the last | any |
/// | `top` | 50 | rivals by each member and pool that a validation case keeps | from the cutoff |
/// | `worth` | 0.0002 | NDCG@10 on validation that the members left out may cost together | any |
/// | `kept_scores` | 500 million | scores by sequence encoders that are kept while choosing, 4 bytes each, instead of computed again | any |
/// | `weights` | [`WeightSearch`] | the search of weights | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct EnsembleSearch {
    pub cubic_items: usize,
    pub two_timescale_items: usize,
    pub sweeps: usize,
    pub passes: usize,
    pub top: usize,
    pub worth: f64,
    pub kept_scores: usize,
    pub weights: WeightSearch,
}

impl Default for EnsembleSearch {
    fn default() -> Self {
        Self {
            cubic_items: 20_000,
            two_timescale_items: 5_000,
            sweeps: 1,
            passes: 2,
            top: 50,
            worth: 2e-4,
            kept_scores: 500_000_000,
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
    /// The NDCG@10 that a search of weights counts with each candidate in its member's place, on
    /// validation; of the weights that it finds a bound from above.
    pub tried_in_pool: Vec<Trial>,
}

/// A candidate for a member.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The candidate.
    pub member: MemberConfig,
    /// An NDCG@10 on validation.
    pub ndcg: f64,
}

impl EnsembleSearch {
    /// Chooses on `validation`, whose cases the members, fitted to `train`, haven't seen. Cases whose
    /// target stands in the history say nothing here and are left out.
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
        let is_new = |case: &&Case<'_>| !case.history.contains(&case.target);
        let validation: Vec<Case<'_>> = validation.iter().filter(is_new).copied().collect();
        let validation = &validation[..];
        let candidates = Candidates::of(self, data);
        let one_pass = candidates.iter().map(Candidates::count).sum::<usize>();
        let steps = ((1 + self.passes) * one_pass + 2) as f64;
        let mut behind = 0;
        let mut step = |what: &str| {
            progress(what, (f64::from(behind) / steps).min(1.0));
            behind += 1;
        };
        let (mut chosen, tried) =
            self.best_alone(&candidates, data, train, validation, ties, &mut step)?;
        // The strongest first: the search of weights keeps its weight.
        chosen.sort_by(|a, b| b.ndcg.total_cmp(&a.ndcg));
        let pool = LogLinearPool::new(vec![1.0; chosen.len()])?;
        let mut configs = Vec::new();
        let mut ensemble = Ensemble { members: Vec::new(), pool, items: data.items };
        for alone in chosen {
            configs.push((alone.config, alone.candidates));
            ensemble.members.push(alone.member);
        }
        step("weights");
        let start = ensemble.pool.clone();
        let mut known = KnownPools::new(self, ensemble, validation)?;
        let mut found = known.weigh(&start)?;
        let mut tried_in_pool = Vec::new();
        for _ in 0..self.passes {
            let before = found.clone();
            let tried =
                self.choose_in_pool(&mut known, &mut found, &mut configs, data, train, &mut step)?;
            tried_in_pool.extend(tried);
            if found == before {
                break;
            }
        }
        step("leaving out members");
        let (pool, ndcg) = known.drop_members(found)?;
        progress("leaving out members", 1.0);
        let weighted = configs.into_iter().zip(pool.weights());
        let weighted = weighted.map(|((member, _), &weight)| WeightedMember { member, weight });
        let mut config = EnsembleConfig { members: weighted.collect() };
        // Popularity says what is rare, whatever its weight: probabilities need it.
        let is_popularity = |of: &MemberConfig| matches!(of, MemberConfig::Popularity { .. });
        config.members.retain(|of| of.weight != 0.0 || is_popularity(&of.member));
        Ok(EnsembleSelection { config, ndcg, tried, tried_in_pool })
    }

    /// The best candidate for each member, alone.
    fn best_alone<'c, 'a>(
        &self,
        candidates: &'c [Candidates],
        data: &EnsembleData<'a>,
        train: &[&[u32]],
        validation: &[Case<'_>],
        ties: &TieBreak,
        step: &mut impl FnMut(&str),
    ) -> Result<(Vec<Alone<'c, 'a>>, Vec<Trial>), ProclivityError> {
        let counts = item_counts(train, data.items);
        let ranking = FullRankingConfig::default().build(&counts, ties)?;
        let (mut chosen, mut tried) = (Vec::new(), Vec::new());
        for candidates in candidates {
            let mut best: Option<Alone<'c, 'a>> = None;
            candidates.best(None, self.sweeps, |config| {
                step(config.name());
                let mut alone = EnsembleConfig::single(config.clone()).fit(train, data)?;
                let ndcg = mean_ndcg(&ranking.ranks(&alone, validation)?);
                tried.push(Trial { member: config.clone(), ndcg });
                if best.as_ref().is_none_or(|best| ndcg > best.ndcg) {
                    let member = alone.members.remove(0);
                    best = Some(Alone { config: config.clone(), candidates, member, ndcg });
                }
                Ok::<_, ProclivityError>(ndcg)
            })?;
            chosen.extend(best);
        }
        Ok((chosen, tried))
    }

    /// Chooses each member's candidate anew, by what the pool is worth with it. One that isn't worth
    /// more when all items are ranked stays out, as does a member of weight 0.
    fn choose_in_pool<'a>(
        &self,
        known: &mut KnownPools<'_, 'a>,
        found: &mut Weighed,
        configs: &mut [(MemberConfig, &Candidates)],
        data: &EnsembleData<'a>,
        train: &[&[u32]],
        step: &mut impl FnMut(&str),
    ) -> Result<Vec<Trial>, ProclivityError> {
        let mut tried = Vec::new();
        for (at, (config, candidates)) in configs.iter_mut().enumerate() {
            if candidates.count() == 1 || found.0.weights()[at] == 0.0 {
                continue;
            }
            let mut best: Option<(MemberConfig, Member<'a>, f64)> = None;
            let incumbent = known.worth(&found.0)?;
            candidates.best(Some(config), self.sweeps, |candidate| {
                step(&format!("{} in the pool", candidate.name()));
                if candidate == &*config {
                    return Ok::<_, ProclivityError>(incumbent);
                }
                let member = Member::fit(candidate, train, data)?;
                let ndcg = known.worth_with(&found.0, at, &member)?;
                tried.push(Trial { member: candidate.clone(), ndcg });
                if ndcg > best.as_ref().map_or(incumbent, |best| best.2) {
                    best = Some((candidate.clone(), member, ndcg));
                }
                Ok(ndcg)
            })?;
            let Some((best, member, _)) = best else { continue };
            let before = known.replace(at, member, &found.0)?;
            let anew = known.weigh(&found.0)?;
            if anew.1 > found.1 {
                (*found, *config) = (anew, best);
            } else {
                known.put_back(at, before);
            }
        }
        Ok(tried)
    }
}

/// A fitted candidate, and what it is worth alone.
struct Alone<'c, 'a> {
    config: MemberConfig,
    candidates: &'c Candidates,
    member: Member<'a>,
    ndcg: f64,
}
