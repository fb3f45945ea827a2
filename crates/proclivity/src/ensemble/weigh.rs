//! The weights of an ensemble: searched over each case's rivals, ranked among all items.

use std::mem::take;

use proclivity_eval::Case;
use proclivity_posterior::{LogLinearPool, RankingCase};

use crate::{Ensemble, EnsembleSearch, ProclivityError};

/// How far the NDCG@10 that a search counts may be above that of the ranking.
const AGREEMENT: f64 = 1e-4;

/// How often rivals are added at most; the best of the pools is taken then.
const ROUNDS: usize = 8;

impl EnsembleSearch {
    /// The pool with the highest NDCG@10 that a search from `start` finds, and that NDCG@10, ranked
    /// among all items.
    ///
    /// Cases whose target stands in the history say nothing here and are left out.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] without cases, for an item outside of the catalog and for a
    /// pool of another number of members.
    pub fn weigh(
        &self,
        ensemble: &Ensemble<'_>,
        start: &LogLinearPool,
        validation: &[Case<'_>],
    ) -> Result<(LogLinearPool, f64), ProclivityError> {
        let mut known = KnownPools::new(self, ensemble, start, validation)?;
        known.search(|pool, cases| Ok(self.weights.fit(pool, cases)?))
    }

    /// Weighs from the ensemble's own pool, and drops members that bring nothing.
    pub(super) fn weigh_and_drop(
        &self,
        ensemble: &Ensemble<'_>,
        validation: &[Case<'_>],
    ) -> Result<(LogLinearPool, f64), ProclivityError> {
        let start = ensemble.pool();
        let mut known = KnownPools::new(self, ensemble, start, validation)?;
        known.search(|pool, cases| Ok(self.weights.fit(pool, cases)?))?;
        let mut first = true;
        known.search(|pool, cases| self.drop_members(start, take(&mut first), pool, cases))
    }

    /// One by one, members whose absence costs less than `worth` get a weight of 0, others being
    /// weighed anew. With `restart`, searches from `start` without one member are tried, too, before
    /// any is left out: where one ends higher, that member was in the way. Never less than the best
    /// member alone.
    fn drop_members(
        &self,
        start: &LogLinearPool,
        mut restart: bool,
        pool: &LogLinearPool,
        cases: &[RankingCase],
    ) -> Result<(LogLinearPool, f64), ProclivityError> {
        let (mut pool, mut best) = self.weights.fit(pool, cases)?;
        loop {
            let members = pool.weights().len();
            let kept: Vec<usize> = (0..members).filter(|&m| pool.weights()[m] != 0.0).collect();
            let highest_without_one = |from: &LogLinearPool| {
                let mut highest = (pool.clone(), f64::NEG_INFINITY);
                for &dropped in kept.iter().filter(|_| kept.len() > 1) {
                    let rest = |&member: &usize| member != dropped && kept.contains(&member);
                    let fewer = self.weights.fit(&only(from, rest)?, cases)?;
                    if fewer.1 > highest.1 {
                        highest = fewer;
                    }
                }
                Ok::<_, ProclivityError>(highest)
            };
            let fewer = highest_without_one(&pool)?;
            let anew = take(&mut restart).then(|| highest_without_one(start)).transpose()?;
            match anew.filter(|anew| anew.1 > best.max(fewer.1)) {
                Some(anew) => (pool, best) = anew,
                None if fewer.1 > best - self.worth => (pool, best) = fewer,
                None => break,
            }
        }
        for member in 0..start.weights().len() {
            let alone = only(start, |&other| other == member)?;
            let ndcg = self.weights.ndcg(&alone, cases)?;
            if ndcg > best {
                (pool, best) = (alone, ndcg);
            }
        }
        Ok((pool, best))
    }
}

/// The pool with a weight of 0 for all other members.
fn only(
    pool: &LogLinearPool,
    kept: impl Fn(&usize) -> bool,
) -> Result<LogLinearPool, ProclivityError> {
    let weights = pool.weights().iter().enumerate();
    let weights = weights.map(|(member, &weight)| if kept(&member) { weight } else { 0.0 });
    Ok(LogLinearPool::new(weights.collect())?)
}

/// The pools that searches have found, and cases that have the strongest rivals of each: the NDCG@10
/// of these pools is exact, of others a bound from above.
struct KnownPools<'k, 'a> {
    choice: &'k EnsembleSearch,
    ensemble: &'k Ensemble<'a>,
    validation: Vec<&'k Case<'k>>,
    pools: Vec<LogLinearPool>,
    cases: Vec<RankingCase>,
}

impl<'k, 'a> KnownPools<'k, 'a> {
    fn new(
        choice: &'k EnsembleSearch,
        ensemble: &'k Ensemble<'a>,
        start: &LogLinearPool,
        validation: &'k [Case<'k>],
    ) -> Result<Self, ProclivityError> {
        let is_new = |case: &&Case<'_>| !case.history.contains(&case.target);
        let validation = validation.iter().filter(is_new).collect();
        let mut known = Self { choice, ensemble, validation, pools: vec![], cases: vec![] };
        known.add(start.clone())?;
        Ok(known)
    }

    /// Ranks among all items, and makes what stands in front there rivals.
    fn add(&mut self, pool: LogLinearPool) -> Result<(), ProclivityError> {
        self.pools.push(pool);
        self.cases.clear();
        let (pools, top) = (&self.pools, self.choice.top.max(self.choice.weights.cutoff));
        self.cases = self.ensemble.each(&self.validation, |case, scores| {
            Ok(RankingCase::new(scores.view(), case.history, case.target, pools, top)?)
        })?;
        Ok(())
    }

    /// Searches from the best pool, and again with the rivals of what was found, until the NDCG@10
    /// that the search counts is that of the ranking.
    fn search(
        &mut self,
        mut search: impl FnMut(
            &LogLinearPool,
            &[RankingCase],
        ) -> Result<(LogLinearPool, f64), ProclivityError>,
    ) -> Result<(LogLinearPool, f64), ProclivityError> {
        let (mut best, mut best_ndcg) = self.best()?;
        for _ in 0..ROUNDS {
            let (found, bound) = search(&best, &self.cases)?;
            if !self.pools.contains(&found) {
                self.add(found.clone())?;
            }
            let ndcg = self.choice.weights.ndcg(&found, &self.cases)?;
            if ndcg >= bound - AGREEMENT {
                return Ok((found, ndcg));
            }
            (best, best_ndcg) = self.best()?;
        }
        Ok((best, best_ndcg))
    }

    fn best(&self) -> Result<(LogLinearPool, f64), ProclivityError> {
        let mut best: Option<(&LogLinearPool, f64)> = None;
        for pool in &self.pools {
            let ndcg = self.choice.weights.ndcg(pool, &self.cases)?;
            if best.is_none_or(|(_, most)| ndcg > most) {
                best = Some((pool, ndcg));
            }
        }
        best.map(|(pool, ndcg)| (pool.clone(), ndcg))
            .ok_or(ProclivityError::Empty { what: "pools" })
    }
}
