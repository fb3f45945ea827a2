//! Full ranking: every user's target against the whole catalog, never against a sample of it.

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicUsize};

use ndarray::{Array2, ArrayView1, s};
use proclivity_posterior::{Predictive, Reliability};
use proclivity_rank::{Ranked, TieBreak, rank_of, top_k};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::metrics::{Pit, PitInterval, RelevantRanks, SelfInformation};
use crate::{EvalError, Summary};

/// One question to a predictive: what comes after this history?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case<'a> {
    /// Whose history it is.
    pub user: u32,
    /// The items of the history, the oldest first.
    pub history: &'a [u32],
    /// The item that came next.
    pub target: u32,
}

/// What a full ranking measures.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `cutoffs` | \[10\] | lengths k of the lists that `hr@k`, `ndcg@k`, … are measured on | each ≥ 1, at least one |
/// | `list_length` | 0 | how many items of each user's list are kept; the largest cutoff if that is more | ≥ 0 |
/// | `reliability` | false | whether all candidates' probabilities are counted beside what came | |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table says what they are")]
pub struct FullRankingConfig {
    pub cutoffs: Vec<usize>,
    pub list_length: usize,
    pub reliability: bool,
}

impl Default for FullRankingConfig {
    fn default() -> Self {
        Self { cutoffs: vec![10], list_length: 0, reliability: false }
    }
}

impl FullRankingConfig {
    /// A protocol for a catalog: how many training events each item has (for novelty), and the
    /// order of items among ties, both by item index.
    ///
    /// # Errors
    /// [`EvalError::Empty`] without cutoffs, [`EvalError::OutOfRange`] for a cutoff of 0,
    /// [`EvalError::Length`] when counts and ties are for catalogs of different size.
    pub fn build<'a>(
        mut self,
        item_counts: &[u64],
        ties: &'a TieBreak,
    ) -> Result<FullRanking<'a>, EvalError> {
        if ties.len() != item_counts.len() {
            return Err(EvalError::Length {
                what: "items with an order among ties",
                expected: item_counts.len(),
                got: ties.len(),
            });
        }
        self.cutoffs.sort_unstable();
        self.cutoffs.dedup();
        match (self.cutoffs.first(), self.cutoffs.last()) {
            (Some(0), _) => Err(EvalError::OutOfRange {
                name: "cutoff",
                value: 0.0,
                expected: "a whole number from 1",
            }),
            (Some(_), Some(&largest)) => Ok(FullRanking {
                list_length: self.list_length.max(largest),
                cutoffs: self.cutoffs,
                reliability: self.reliability,
                information: SelfInformation::new(item_counts),
                ties,
            }),
            _ => Err(EvalError::Empty { what: "cutoffs" }),
        }
    }
}

/// Ranks the whole catalog for every case.
///
/// Candidates are all items but those in the user's history. The target's rank is pessimistic:
/// ties count against it. A target that stands in the history is no candidate: it is a miss in
/// every metric of accuracy, has no log loss, and is counted. The target's probability is
/// renormalised over the candidates.
///
/// The results depend neither on the number of threads nor on the order of the other cases.
/// Memory is 32 catalogs per thread and one list per case.
#[derive(Debug, Clone)]
pub struct FullRanking<'a> {
    cutoffs: Vec<usize>,
    list_length: usize,
    reliability: bool,
    information: SelfInformation,
    ties: &'a TieBreak,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct UserResult {
    /// The user of the case.
    pub user: u32,
    /// The target of the case.
    pub target: u32,
    /// The target's rank; unranked if it stands in the history.
    pub ranks: RelevantRanks,
    /// The log probability of the target among the candidates; `None` if it is not one of them.
    pub log_prob: Option<f64>,
    /// Where the target lies among the candidates by descending probability; `None` if it is not
    /// one of them.
    pub pit: Option<PitInterval>,
    /// The best candidates, the most probable first.
    pub list: Vec<Ranked>,
}

/// What came of all cases, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    per_user: Vec<UserResult>,
    summary: Summary,
    reliability: Option<Reliability>,
}

impl FullRanking<'_> {
    /// Evaluates a predictive; `progress` is told now and then how many cases are done, from
    /// whichever thread did it.
    ///
    /// # Errors
    /// [`EvalError::Empty`] without cases, [`EvalError::Length`] for a predictive of another
    /// catalog, [`EvalError::UnknownItem`] for an item outside of it, [`EvalError::Ranking`] for
    /// NaN or +∞ among the log probabilities.
    pub fn evaluate(
        &self,
        predictive: &dyn Predictive,
        cases: &[Case<'_>],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Evaluation, EvalError> {
        self.check(predictive, cases)?;
        let done = AtomicUsize::new(0);
        let mut per_user = Vec::with_capacity(cases.len());
        let mut reliability = self.reliability.then(Reliability::new);
        for cases in cases.chunks(BATCHES * BATCH) {
            let batches = cases.par_chunks(BATCH).map_init(
                || Buffers::new(predictive.item_count()),
                |Buffers { log_probs, seen }, cases| {
                    let histories: Vec<&[u32]> = cases.iter().map(|case| case.history).collect();
                    let mut log_probs = log_probs.slice_mut(s![..cases.len(), ..]);
                    predictive.log_probs_batch(&histories, log_probs.view_mut());
                    let mut reliability = self.reliability.then(Reliability::new);
                    let of_case = |(case, log_probs): (&Case<'_>, ArrayView1<'_, f64>)| {
                        self.evaluate_case(case, &log_probs.to_vec(), seen, reliability.as_mut())
                    };
                    let results: Vec<_> =
                        cases.iter().zip(log_probs.outer_iter()).map(of_case).collect();
                    progress(done.fetch_add(cases.len(), atomic::Ordering::Relaxed) + cases.len());
                    (results, reliability)
                },
            );
            // In order, so that it is always the first error that is reported, and sums are the same.
            for (results, part) in batches.collect::<Vec<_>>() {
                for result in results {
                    per_user.push(result?);
                }
                if let (Some(all), Some(part)) = (&mut reliability, &part) {
                    all.merge(part);
                }
            }
        }
        let summary =
            Summary::of(&per_user, &self.cutoffs, &self.information, predictive.item_count())?;
        Ok(Evaluation { per_user, summary, reliability })
    }

    /// The rank of each case's target, as [`evaluate`](Self::evaluate) finds it and nothing else, in
    /// less time. A NaN among the log probabilities counts against the target.
    ///
    /// # Errors
    /// Those of [`evaluate`](Self::evaluate) but the last.
    pub fn ranks(
        &self,
        predictive: &dyn Predictive,
        cases: &[Case<'_>],
    ) -> Result<Vec<RelevantRanks>, EvalError> {
        self.check(predictive, cases)?;
        let batches = cases.par_chunks(BATCH).map_init(
            || Array2::zeros((BATCH, predictive.item_count())),
            |log_probs, cases| {
                let histories: Vec<&[u32]> = cases.iter().map(|case| case.history).collect();
                let mut log_probs = log_probs.slice_mut(s![..cases.len(), ..]);
                predictive.log_probs_batch(&histories, log_probs.view_mut());
                let rank = |(case, log_probs)| RelevantRanks::single(target_rank(case, log_probs));
                cases.iter().zip(log_probs.outer_iter()).map(rank).collect::<Vec<_>>()
            },
        );
        Ok(batches.flatten().collect())
    }

    fn check(&self, predictive: &dyn Predictive, cases: &[Case<'_>]) -> Result<(), EvalError> {
        let items = predictive.item_count();
        if self.ties.len() != items {
            return Err(EvalError::Length {
                what: "items of the predictive",
                expected: self.ties.len(),
                got: items,
            });
        }
        if cases.is_empty() {
            return Err(EvalError::Empty { what: "cases" });
        }
        for case in cases {
            let mut of_case = case.history.iter().chain([&case.target]);
            if let Some(&item) = of_case.find(|&&item| item as usize >= items) {
                return Err(EvalError::UnknownItem { user: case.user, item, items });
            }
        }
        Ok(())
    }

    fn evaluate_case(
        &self,
        case: &Case<'_>,
        log_probs: &[f64],
        seen: &mut [bool],
        reliability: Option<&mut Reliability>,
    ) -> Result<UserResult, EvalError> {
        for &item in case.history {
            seen[item as usize] = true;
        }
        let candidate = |item: u32| !seen[item as usize];
        let ranking = top_k(log_probs, self.list_length, candidate, self.ties);
        let rank = candidate(case.target).then(|| rank_of(log_probs, case.target, candidate));
        let pit =
            ranking.as_ref().ok().filter(|_| rank.is_some()).map(|ranking| {
                PitInterval::of(log_probs, case.target, candidate, ranking.log_mass)
            });
        if let (Ok(ranking), Some(reliability), Some(_)) = (&ranking, reliability, rank) {
            count(reliability, case.target, log_probs, candidate, ranking.log_mass)?;
        }
        for &item in case.history {
            seen[item as usize] = false;
        }
        let ranking = ranking.map_err(|source| EvalError::Ranking { user: case.user, source })?;
        let log_prob = rank.map(|_| match log_probs[case.target as usize] {
            f64::NEG_INFINITY => f64::NEG_INFINITY,
            log_prob => (log_prob - ranking.log_mass).min(0.0),
        });
        Ok(UserResult {
            user: case.user,
            target: case.target,
            ranks: RelevantRanks::single(rank),
            log_prob,
            pit,
            list: ranking.items,
        })
    }
}

impl Evaluation {
    /// The results, by case.
    pub fn per_user(&self) -> &[UserResult] {
        &self.per_user
    }

    /// The means over all users.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The randomised probability integral transforms of the targets that are candidates.
    pub fn pit(&self, seed: u64) -> Pit {
        Pit::new(self.per_user.iter().filter_map(|user| user.pit), seed)
    }

    /// How often what was given a probability happened, over all candidates of all cases whose
    /// target is one of them; `None` unless it was asked for.
    pub fn reliability(&self) -> Option<&Reliability> {
        self.reliability.as_ref()
    }

    /// One metric for every case, as [`paired_bootstrap`](crate::paired_bootstrap) takes it:
    /// `evaluation.values(|ranks| ndcg(ranks, 10))`.
    pub fn values(&self, metric: impl Fn(&RelevantRanks) -> f64) -> Vec<f64> {
        self.per_user.iter().map(|user| metric(&user.ranks)).collect()
    }
}

/// Counts all candidates' probabilities, where any is possible.
fn count(
    reliability: &mut Reliability,
    target: u32,
    log_probs: &[f64],
    candidate: impl Fn(u32) -> bool,
    log_mass: f64,
) -> Result<(), EvalError> {
    if log_mass == f64::NEG_INFINITY {
        return Ok(());
    }
    let candidates: Vec<u32> =
        (0..log_probs.len() as u32).filter(|&item| candidate(item)).collect();
    let relative = |&item: &u32| (log_probs[item as usize] - log_mass).min(0.0);
    let relative: Vec<f64> = candidates.iter().map(relative).collect();
    let happened = candidates.binary_search(&target).ok();
    reliability.add_all(&relative, happened).map_err(|_| EvalError::OutOfRange {
        name: "log probability",
        value: log_mass,
        expected: "no more than the candidates have together",
    })
}

/// The rank of a target that isn't in the history.
fn target_rank(case: &Case<'_>, log_probs: ArrayView1<'_, f64>) -> Option<usize> {
    if case.history.contains(&case.target) {
        return None;
    }
    let threshold = log_probs[case.target as usize];
    // The target itself is one of them.
    let reaches = |log_prob: &f64| log_prob.partial_cmp(&threshold) != Some(Ordering::Less);
    let mut seen = case.history.to_vec();
    seen.sort_unstable();
    seen.dedup();
    let reached = log_probs.iter().filter(|log_prob| reaches(log_prob)).count();
    Some(reached - seen.iter().filter(|&&item| reaches(&log_probs[item as usize])).count())
}

/// How many cases a predictive is asked for at once.
const BATCH: usize = 32;

/// How many batches' counts are held at once.
const BATCHES: usize = 256;

/// What a thread reuses from case to case.
struct Buffers {
    /// `[batch, items]`
    log_probs: Array2<f64>,
    /// The items of the current history; all `false` in between.
    seen: Vec<bool>,
}

impl Buffers {
    fn new(items: usize) -> Self {
        Self { log_probs: Array2::zeros((BATCH, items)), seen: vec![false; items] }
    }
}
