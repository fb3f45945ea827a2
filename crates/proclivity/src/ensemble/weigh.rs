//! The weights of an ensemble: searched over each case's rivals, ranked among all items.

use std::mem::{replace, take};

use ndarray::Array2;
use proclivity_eval::Case;
use proclivity_posterior::{LogLinearPool, RankingCase};
use rayon::prelude::*;

use super::calibrate::BATCH;
use super::member::Member;
use crate::{Ensemble, EnsembleSearch, ProclivityError};

/// How far the NDCG@10 that a search counts may be above that of the ranking.
const AGREEMENT: f64 = 1e-4;

/// How often rivals are added at most in one search; the best of the pools is taken then.
const ROUNDS: usize = 8;

/// A pool and its NDCG@10 among all items.
pub(super) type Weighed = (LogLinearPool, f64);

impl EnsembleSearch {
    /// The ensemble under the weights of the highest NDCG@10 that a search finds, and that NDCG@10,
    /// ranked among all items.
    ///
    /// Searches begin at the ensemble's own weights and at those of [`LogLinearPool::fit`]. Members
    /// whose weight is 0 stay out. Cases whose target stands in the history say nothing here and are
    /// left out.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] without cases and for an item outside of the catalog.
    pub fn weigh<'a>(
        &self,
        ensemble: Ensemble<'a>,
        validation: &[Case<'_>],
    ) -> Result<(Ensemble<'a>, f64), ProclivityError> {
        let start = ensemble.pool.clone();
        let mut known = KnownPools::new(self, ensemble, validation)?;
        let (pool, ndcg) = known.weigh(&start)?;
        known.ensemble.members.iter_mut().for_each(Member::forget);
        Ok((known.ensemble.with_pool(pool)?, ndcg))
    }
}

/// The members of weight 0.
fn left_out(pool: &LogLinearPool) -> Vec<usize> {
    let members = pool.weights().iter().enumerate();
    members.filter(|&(_, &weight)| weight == 0.0).map(|(member, _)| member).collect()
}

/// The pool with a weight of 0 for these members.
fn without(pool: &LogLinearPool, left_out: &[usize]) -> Result<LogLinearPool, ProclivityError> {
    let mut weights = pool.weights().to_vec();
    left_out.iter().for_each(|&member| weights[member] = 0.0);
    Ok(LogLinearPool::new(weights)?)
}

/// The pools that searches have found, and cases that have the strongest rivals of each: the NDCG@10
/// of these pools is exact, of others a bound from above.
pub(super) struct KnownPools<'k, 'a> {
    choice: &'k EnsembleSearch,
    ensemble: Ensemble<'a>,
    validation: Vec<&'k Case<'k>>,
    pools: Vec<LogLinearPool>,
    cases: Vec<RankingCase>,
    /// Where each member alone ranks each case's item.
    ranks: Vec<Vec<usize>>,
}

/// What a member was replaced in: put back, nothing has to be ranked again.
pub(super) struct Before<'a> {
    member: Member<'a>,
    pools: Vec<LogLinearPool>,
    cases: Vec<RankingCase>,
    ranks: Vec<Vec<usize>>,
}

impl<'k, 'a> KnownPools<'k, 'a> {
    pub(super) fn new(
        choice: &'k EnsembleSearch,
        ensemble: Ensemble<'a>,
        validation: &'k [Case<'k>],
    ) -> Result<Self, ProclivityError> {
        let is_new = |case: &&Case<'_>| !case.history.contains(&case.target);
        let validation: Vec<&Case<'_>> = validation.iter().filter(is_new).collect();
        let kept = validation.iter().take(choice.kept_scores / ensemble.items.max(1));
        let kept: Vec<&[u32]> = kept.map(|case| case.history).collect();
        let mut ensemble = ensemble;
        let items = ensemble.items;
        ensemble.members.iter_mut().try_for_each(|member| member.keep(&kept, items))?;
        let (pools, cases, ranks) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = Self { choice, ensemble, validation, pools, cases, ranks };
        known.add([])?;
        Ok(known)
    }

    /// Ranks among all items, and makes what stands in front there rivals.
    fn add(
        &mut self,
        pools: impl IntoIterator<Item = LogLinearPool>,
    ) -> Result<(), ProclivityError> {
        self.pools.extend(pools);
        self.cases.clear();
        let (pools, top) = (&self.pools, self.choice.top.max(self.choice.weights.cutoff));
        self.cases = self.ensemble.each(&self.validation, |case, scores| {
            Ok(RankingCase::new(scores.view(), case.history, case.target, pools, top)?)
        })?;
        let members = 0..self.ensemble.members.len();
        let alone: Vec<Vec<f64>> = members.map(|member| self.alone(member)).collect();
        let ranks = |case: &RankingCase| alone.iter().map(|of| case.rank(of).first).collect();
        self.ranks = self.cases.par_iter().map(ranks).collect();
        Ok(())
    }

    /// The weights of a member alone.
    fn alone(&self, member: usize) -> Vec<f64> {
        let mut weights = vec![0.0; self.ensemble.members.len()];
        weights[member] = 1.0;
        weights
    }

    /// Puts another member into the place of one. Of the pools only one stays known.
    pub(super) fn replace(
        &mut self,
        at: usize,
        member: Member<'a>,
        pool: &LogLinearPool,
    ) -> Result<Before<'a>, ProclivityError> {
        let before = Before {
            member: replace(&mut self.ensemble.members[at], member),
            pools: take(&mut self.pools),
            cases: take(&mut self.cases),
            ranks: take(&mut self.ranks),
        };
        self.add([pool.clone()])?;
        Ok(before)
    }

    /// Undoes a replacement.
    pub(super) fn put_back(&mut self, at: usize, before: Before<'a>) {
        self.ensemble.members[at] = before.member;
        (self.pools, self.cases, self.ranks) = (before.pools, before.cases, before.ranks);
    }

    /// The cases under other scores of one member.
    fn with_member(
        &self,
        at: usize,
        member: &Member<'_>,
    ) -> Result<Vec<RankingCase>, ProclivityError> {
        let batches = self.validation.par_chunks(BATCH).zip(self.cases.par_chunks(BATCH));
        let batches = batches.map(|(validation, cases)| {
            let histories: Vec<&[u32]> = validation.iter().map(|case| case.history).collect();
            let mut scores = Array2::zeros((histories.len(), self.ensemble.items));
            member.scores(&histories, scores.view_mut())?;
            let scored = cases.iter().zip(scores.rows());
            let with_scores =
                scored.map(|(case, scores)| Ok(case.with_scores(at, &scores.to_vec())?));
            with_scores.collect::<Result<Vec<_>, ProclivityError>>()
        });
        Ok(batches.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The NDCG@10 that a search from a pool counts.
    pub(super) fn worth(&self, pool: &LogLinearPool) -> Result<f64, ProclivityError> {
        Ok(self.choice.weights.fit(pool, &self.cases)?.1)
    }

    /// The NDCG@10 that a search from a pool counts with another member in the place of one: of the
    /// weights that it finds a bound from above.
    pub(super) fn worth_with(
        &self,
        pool: &LogLinearPool,
        at: usize,
        member: &Member<'_>,
    ) -> Result<f64, ProclivityError> {
        Ok(self.choice.weights.fit(pool, &self.with_member(at, member)?)?.1)
    }

    /// Searches from a pool, and from likely pools of the members that have a weight in it.
    pub(super) fn weigh(&mut self, start: &LogLinearPool) -> Result<Weighed, ProclivityError> {
        let left_out = left_out(start);
        let mut starts = self.likely_pools(&left_out);
        starts.push(start.clone());
        self.add(starts.iter().cloned())?;
        let (highest, _) = self.highest(&starts, &left_out)?;
        self.search(highest)
    }

    /// The most likely pools without these members: over the cases whose item some member alone ranks
    /// in the list, near it, or anywhere. The likelihood of all cases is mostly of items that no
    /// weights bring into the list. As they are only starts, one that can't be fitted is none.
    fn likely_pools(&self, left_out: &[usize]) -> Vec<LogLinearPool> {
        let likely = |near: usize| {
            let is_near = |(_, ranks): &(&RankingCase, &Vec<usize>)| {
                let mut taking_part =
                    ranks.iter().enumerate().filter(|(m, _)| !left_out.contains(m));
                taking_part.any(|(_, &rank)| rank <= near)
            };
            let cases = self.cases.iter().zip(&self.ranks).filter(is_near);
            let cases: Vec<&RankingCase> = cases.map(|(case, _)| case).collect();
            LogLinearPool::fit(&cases, left_out).ok()
        };
        [self.choice.weights.cutoff, self.choice.top, usize::MAX]
            .into_iter()
            .filter_map(likely)
            .collect()
    }

    /// The highest that a search from any of these pools finds, by its own count; a known pool without
    /// these members where none is higher.
    fn highest(
        &self,
        starts: &[LogLinearPool],
        left_out: &[usize],
    ) -> Result<Weighed, ProclivityError> {
        let mut highest = self.best(left_out)?;
        for start in starts {
            let found = self.choice.weights.fit(start, &self.cases)?;
            if found.1 > highest.1 {
                highest = found;
            }
        }
        Ok(highest)
    }

    /// Searches from a pool, and again with the rivals of what was found, until the NDCG@10 that the
    /// search counts is that of the ranking: the best known pool of its members then.
    fn search(&mut self, start: LogLinearPool) -> Result<Weighed, ProclivityError> {
        let left_out = left_out(&start);
        let mut start = start;
        for _ in 0..ROUNDS {
            let (found, bound) = self.choice.weights.fit(&start, &self.cases)?;
            if !self.pools.contains(&found) {
                self.add([found.clone()])?;
            }
            if self.choice.weights.ndcg(&found, &self.cases)? >= bound - AGREEMENT {
                break;
            }
            (start, _) = self.best(&left_out)?;
        }
        self.best(&left_out)
    }

    /// The best known pool without these members; each other member alone is known.
    fn best(&self, left_out: &[usize]) -> Result<Weighed, ProclivityError> {
        let members = 0..self.ensemble.members.len();
        let mut known = self.pools.clone();
        for member in members.filter(|member| !left_out.contains(member)) {
            known.push(LogLinearPool::new(self.alone(member))?);
        }
        known.retain(|pool| left_out.iter().all(|&member| pool.weights()[member] == 0.0));
        let mut best: Option<Weighed> = None;
        for pool in known {
            let ndcg = self.choice.weights.ndcg(&pool, &self.cases)?;
            if best.as_ref().is_none_or(|&(_, most)| ndcg > most) {
                best = Some((pool, ndcg));
            }
        }
        best.ok_or(ProclivityError::Empty { what: "members with a weight" })
    }

    /// Leaves out members one by one, the others being weighed anew, as long as all of them together
    /// cost less than `worth`.
    pub(super) fn drop_members(&mut self, found: Weighed) -> Result<Weighed, ProclivityError> {
        let (mut pool, mut ndcg) = found;
        let mut least = ndcg - self.choice.worth;
        loop {
            let gone = left_out(&pool);
            let kept: Vec<usize> =
                (0..pool.weights().len()).filter(|member| !gone.contains(member)).collect();
            let mut fewer: Vec<Weighed> = Vec::new();
            for &member in kept.iter().filter(|_| kept.len() > 1) {
                let left_out = [&gone[..], &[member]].concat();
                let mut starts = self.likely_pools(&left_out);
                starts.push(without(&pool, &left_out)?);
                fewer.push(self.highest(&starts, &left_out)?);
            }
            fewer.sort_by(|a, b| b.1.total_cmp(&a.1));
            let mut found = None;
            for (start, _) in fewer.into_iter().take_while(|&(_, bound)| bound > least) {
                found = Some(self.search(start)?).filter(|&(_, ndcg)| ndcg > least);
                if found.is_some() {
                    break;
                }
            }
            let Some(found) = found else { break };
            (pool, ndcg) = found;
            least = least.max(ndcg - self.choice.worth);
        }
        Ok((pool, ndcg))
    }
}
