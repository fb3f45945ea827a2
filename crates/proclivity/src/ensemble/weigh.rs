//! The weights of an ensemble: searched over each case's rivals, ranked among all items.

use std::mem::replace;

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
}

impl<'k, 'a> KnownPools<'k, 'a> {
    pub(super) fn new(
        choice: &'k EnsembleSearch,
        ensemble: Ensemble<'a>,
        validation: &'k [Case<'k>],
    ) -> Result<Self, ProclivityError> {
        let is_new = |case: &&Case<'_>| !case.history.contains(&case.target);
        let validation = validation.iter().filter(is_new).collect();
        let mut known = Self { choice, ensemble, validation, pools: vec![], cases: vec![] };
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
        Ok(())
    }

    /// Puts another member into the place of one, which it returns. Of the pools only one stays known.
    pub(super) fn replace(
        &mut self,
        at: usize,
        member: Member<'a>,
        pool: &LogLinearPool,
    ) -> Result<Member<'a>, ProclivityError> {
        let before = replace(&mut self.ensemble.members[at], member);
        self.pools.clear();
        self.add([pool.clone()])?;
        Ok(before)
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

    /// What a pool can be worth with another member in the place of one: a bound from above.
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
        let mut starts = self.likely_pools(&left_out(start))?;
        starts.push(start.clone());
        self.add(starts.iter().cloned())?;
        match self.highest(&starts)? {
            Some((found, _)) => self.search(found),
            None => self.best(&left_out(start)),
        }
    }

    /// The most likely pools without these members: over the cases whose item some member alone ranks
    /// in the list, near it, or anywhere. The likelihood of all cases is mostly of items that no
    /// weights bring into the list.
    fn likely_pools(&self, left_out: &[usize]) -> Result<Vec<LogLinearPool>, ProclivityError> {
        let members = self.ensemble.members.len();
        let alone = |member: usize| {
            let mut weights = vec![0.0; members];
            weights[member] = 1.0;
            weights
        };
        let taking_part = (0..members).filter(|member| !left_out.contains(member));
        let alone: Vec<Vec<f64>> = taking_part.map(alone).collect();
        let mut pools = Vec::new();
        for near in [self.choice.weights.cutoff, self.choice.top, usize::MAX] {
            let is_near =
                |case: &&RankingCase| alone.iter().any(|weights| case.rank(weights).first <= near);
            let cases: Vec<&RankingCase> = self.cases.iter().filter(is_near).collect();
            if !cases.is_empty() {
                pools.push(LogLinearPool::fit(&cases, left_out)?);
            }
        }
        Ok(pools)
    }

    /// The highest that a search from any of these pools finds, by its own count.
    fn highest(&self, starts: &[LogLinearPool]) -> Result<Option<Weighed>, ProclivityError> {
        let mut highest: Option<Weighed> = None;
        for start in starts {
            let found = self.choice.weights.fit(start, &self.cases)?;
            if highest.as_ref().is_none_or(|highest| found.1 > highest.1) {
                highest = Some(found);
            }
        }
        Ok(highest)
    }

    /// Searches from a pool, and again with the rivals of what was found, until the NDCG@10 that the
    /// search counts is that of the ranking.
    fn search(&mut self, start: LogLinearPool) -> Result<Weighed, ProclivityError> {
        let left_out = left_out(&start);
        let mut start = start;
        for _ in 0..ROUNDS {
            let (found, bound) = self.choice.weights.fit(&start, &self.cases)?;
            if !self.pools.contains(&found) {
                self.add([found.clone()])?;
            }
            let ndcg = self.choice.weights.ndcg(&found, &self.cases)?;
            if ndcg >= bound - AGREEMENT {
                return Ok((found, ndcg));
            }
            (start, _) = self.best(&left_out)?;
        }
        self.best(&left_out)
    }

    /// The best known pool without these members.
    fn best(&self, left_out: &[usize]) -> Result<Weighed, ProclivityError> {
        let mut best: Option<(&LogLinearPool, f64)> = None;
        for pool in &self.pools {
            if left_out.iter().any(|&member| pool.weights()[member] != 0.0) {
                continue;
            }
            let ndcg = self.choice.weights.ndcg(pool, &self.cases)?;
            if best.is_none_or(|(_, most)| ndcg > most) {
                best = Some((pool, ndcg));
            }
        }
        best.map(|(pool, ndcg)| (pool.clone(), ndcg))
            .ok_or(ProclivityError::Empty { what: "pools" })
    }

    /// Leaves out members one by one, the others being weighed anew, as long as all of them together
    /// cost less than `worth`. Never less than the best member alone.
    pub(super) fn drop_members(&mut self, found: Weighed) -> Result<Weighed, ProclivityError> {
        let (weights, members) = (&self.choice.weights, found.0.weights().len());
        let (mut pool, mut best) = found;
        let mut highest = best;
        while members - left_out(&pool).len() > 1 {
            let mut fewer: Option<Weighed> = None;
            for member in (0..members).filter(|&member| pool.weights()[member] != 0.0) {
                let mut left_out = left_out(&pool);
                left_out.push(member);
                let mut starts = self.likely_pools(&left_out)?;
                starts.push(without(&pool, &left_out)?);
                let found = self.highest(&starts)?;
                if found.as_ref().map(|found| found.1) > fewer.as_ref().map(|fewer| fewer.1) {
                    fewer = found;
                }
            }
            let Some((start, _)) = fewer.filter(|fewer| fewer.1 > highest - self.choice.worth)
            else {
                break;
            };
            let found = self.search(start)?;
            if found.1 <= highest - self.choice.worth {
                break;
            }
            (pool, best) = found;
            highest = highest.max(best);
        }
        for member in 0..members {
            let mut alone = vec![0.0; members];
            alone[member] = 1.0;
            let alone = LogLinearPool::new(alone)?;
            let ndcg = weights.ndcg(&alone, &self.cases)?;
            if ndcg > best {
                (pool, best) = (alone, ndcg);
            }
        }
        Ok((pool, best))
    }
}
