//! The choice of a pool's weights: by held-out NDCG, over scores that are computed once.

use std::cmp::Reverse;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{in_range, known_items, same_length};
use crate::{LogLinearPool, PosteriorError};

/// What a held-out event says about the weights of a pool: its item's scores by each member, and
/// those of its rivals.
///
/// Only rivals that a member or a known pool ranks high are kept, some that stand for the rest, and
/// for the others each member's smallest and largest score. A rank is therefore exact whenever no
/// rival that was left out can reach the item, and a range otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct RankingCase {
    item: u32,
    pub(super) target: Vec<f64>,
    rival_items: Vec<u32>,
    /// `[members, rivals]`
    pub(super) rivals: Array2<f64>,
    left_out: usize,
    /// Smallest and largest score of each member among those left out.
    bounds: Vec<(f64, f64)>,
}

/// Between which ranks an item lies, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankRange {
    /// The rank when no rival that was left out is in front.
    pub first: usize,
    /// The rank when all that can be are; the same as `first` when the rank is exact.
    pub last: usize,
}

impl RankingCase {
    /// Keeps the `top` highest candidates of each member and of each pool, and `top` more at equal
    /// distances in the catalog: a pool that turns a member over has these in front of the item.
    ///
    /// Candidates are all items but the excluded ones. Under a member alone and under each of the
    /// `pools`, [`RankRange::first`] is the rank wherever that is at most `top`.
    ///
    /// # Shapes
    /// `member_scores`: `[members, items]`
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog, [`PosteriorError::OutOfRange`] for a
    /// target that is excluded, [`PosteriorError::NotFinite`] for a candidate's score that is not,
    /// [`PosteriorError::Length`] for another number of members than the pool's.
    pub fn new(
        member_scores: ArrayView2<'_, f64>,
        excluded: &[u32],
        target: u32,
        pools: &[LogLinearPool],
        top: usize,
    ) -> Result<Self, PosteriorError> {
        let items = member_scores.ncols();
        known_items(excluded, items)?;
        known_items(&[target], items)?;
        let excluded_target = excluded.contains(&target);
        in_range("target", f64::from(target), !excluded_target, "an item that isn't excluded")?;
        let mut is_rival = vec![true; items];
        excluded.iter().chain([&target]).for_each(|&item| is_rival[item as usize] = false);
        for (row, scores) in member_scores.rows().into_iter().enumerate() {
            let bad = scores.iter().enumerate().find(|&(item, score)| {
                (is_rival[item] || item == target as usize) && !score.is_finite()
            });
            if let Some((column, &value)) = bad {
                return Err(PosteriorError::NotFinite {
                    what: "member scores",
                    row,
                    column,
                    value,
                });
            }
        }
        let candidates: Vec<u32> =
            (0..items as u32).filter(|&item| is_rival[item as usize]).collect();
        // How many members and pools rank an item high.
        let mut votes = vec![0_u32; items];
        let mut values = Vec::with_capacity(candidates.len());
        let mut keep_top = |scores: ArrayView1<'_, f64>| {
            values.clear();
            values.extend(candidates.iter().map(|&item| scores[item as usize]));
            if values.len() <= top || top == 0 {
                candidates.iter().take(top).for_each(|&item| votes[item as usize] += 1);
                return;
            }
            let last = *values.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a)).1;
            let mut ties =
                values[..top].iter().filter(|value| value.total_cmp(&last).is_eq()).count();
            for &item in &candidates {
                let order = scores[item as usize].total_cmp(&last);
                if order.is_gt() || (order.is_eq() && ties > 0) {
                    votes[item as usize] += 1;
                    ties -= usize::from(order.is_eq());
                }
            }
        };
        member_scores.rows().into_iter().for_each(&mut keep_top);
        let mut pooled = vec![0.0; items];
        for pool in pools {
            pool.scores(member_scores, &mut pooled)?;
            keep_top(ArrayView1::from(&pooled));
        }
        if top > 0 {
            let spread = candidates.iter().step_by(candidates.len().div_ceil(top).max(1));
            spread.for_each(|&item| votes[item as usize] += 1);
        }
        let (mut kept, left_out): (Vec<usize>, Vec<usize>) =
            candidates.iter().map(|&item| item as usize).partition(|&item| votes[item] > 0);
        // What most rank high comes first: those are likely to stand in front of the item.
        kept.sort_by_key(|&item| Reverse(votes[item]));
        let bounds = member_scores.rows().into_iter().map(|scores| {
            let empty = (f64::INFINITY, f64::NEG_INFINITY);
            left_out
                .iter()
                .fold(empty, |(low, high), &item| (low.min(scores[item]), high.max(scores[item])))
        });
        Ok(Self {
            item: target,
            target: member_scores.column(target as usize).to_vec(),
            rivals: member_scores.select(Axis(1), &kept).as_standard_layout().into_owned(),
            rival_items: kept.into_iter().map(|item| item as u32).collect(),
            left_out: left_out.len(),
            bounds: bounds.collect(),
        })
    }

    /// The case with other scores for a member, such as of other hyper-parameters. The rivals stay:
    /// [`RankRange::first`] bounds the rank from below and is exact for no pool until a case is made
    /// anew.
    ///
    /// # Shapes
    /// `scores`: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] for scores of too few items, [`PosteriorError::NotFinite`] for
    /// a score of the item or a rival that is not.
    ///
    /// # Panics
    /// When there is no such member.
    pub fn with_scores(&self, member: usize, scores: &[f64]) -> Result<Self, PosteriorError> {
        known_items(&[self.item], scores.len())?;
        known_items(&self.rival_items, scores.len())?;
        let mut case = self.clone();
        case.target[member] = scores[self.item as usize];
        let mut row = case.rivals.row_mut(member);
        row.iter_mut().zip(&self.rival_items).for_each(|(to, &item)| *to = scores[item as usize]);
        let of_rivals = self.rival_items.iter().zip(row).map(|(&item, &mut score)| (item, score));
        let mut kept = of_rivals.chain([(self.item, case.target[member])]);
        if let Some((item, value)) = kept.find(|(_, score)| !score.is_finite()) {
            let (what, column) = ("member scores", item as usize);
            return Err(PosteriorError::NotFinite { what, row: member, column, value });
        }
        let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
        let range = |(low, high): (f64, f64), &score: &f64| (low.min(score), high.max(score));
        let finite = scores.iter().all(|score| score.is_finite());
        let empty = (f64::INFINITY, f64::NEG_INFINITY);
        case.bounds[member] = if finite { scores.iter().fold(empty, range) } else { unbounded };
        Ok(case)
    }

    /// Where the item stands under a pool with these weights: 1 + the number of candidates with a
    /// score as high or higher, so that ties count against it.
    ///
    /// # Panics
    /// When there isn't a weight for each member.
    pub fn rank(&self, weights: &[f64]) -> RankRange {
        assert_eq!(weights.len(), self.target.len(), "a weight for each member");
        let mut target = 0.0;
        let mut bound = 0.0;
        let mut scores = vec![0.0; self.rivals.ncols()];
        let members = self.target.iter().zip(&self.bounds).zip(self.rivals.rows());
        for (&weight, ((score, &(low, high)), rivals)) in weights.iter().zip(members) {
            target += weight * score;
            bound += weight * if weight < 0.0 { low } else { high };
            scores.iter_mut().zip(rivals).for_each(|(sum, score)| *sum += weight * score);
        }
        let first = 1 + scores.iter().filter(|&&score| score >= target).count();
        let exact = self.left_out == 0 || bound < target;
        RankRange { first, last: if exact { first } else { first + self.left_out } }
    }

    /// [`RankRange::first`] where it is at most the cutoff, and anything above the cutoff elsewhere:
    /// most items stand behind the first few rivals.
    fn first_within(&self, weights: &[f64], cutoff: usize) -> usize {
        const BLOCK: usize = 32;
        let weighted = || weights.iter().enumerate().filter(|&(_, &weight)| weight != 0.0);
        let target: f64 = weighted().map(|(member, weight)| weight * self.target[member]).sum();
        let mut first = 1;
        for from in (0..self.rivals.ncols()).step_by(BLOCK) {
            let to = self.rivals.ncols().min(from + BLOCK);
            let mut scores = [0.0; BLOCK];
            for (member, &weight) in weighted() {
                let rivals = self.rivals.slice(s![member, from..to]);
                scores.iter_mut().zip(rivals).for_each(|(sum, score)| *sum += weight * score);
            }
            first += scores[..to - from].iter().filter(|&&score| score >= target).count();
            if first > cutoff {
                break;
            }
        }
        first
    }
}

/// How a pool's weights are searched.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `cutoff` | 10 | length of the list whose NDCG is maximised | from 1 |
/// | `step` | 0.5 | first step, as a share of a weight, or of a tenth for smaller weights | (0, 1\] |
/// | `halvings` | 4 | how often the step is halved when no weight improves | from 0 |
/// | `max_rounds` | 30 | how often all weights are tried at most | from 1 |
/// | `seed` | 0 | order in which weights are tried | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct WeightSearch {
    pub cutoff: usize,
    pub step: f64,
    pub halvings: usize,
    pub max_rounds: usize,
    pub seed: u64,
}

impl Default for WeightSearch {
    fn default() -> Self {
        Self { cutoff: 10, step: 0.5, halvings: 4, max_rounds: 30, seed: 0 }
    }
}

impl WeightSearch {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("cutoff", self.cutoff as f64, self.cutoff > 0, "a number from 1")?;
        in_range("step", self.step, self.step > 0.0 && self.step <= 1.0, "in (0, 1]")?;
        in_range("max_rounds", self.max_rounds as f64, self.max_rounds > 0, "a number from 1")
    }

    /// The pool with the highest NDCG of held-out events that a search from `start` finds, and that
    /// NDCG.
    ///
    /// The first weight that isn't 0 stays as it is, since ranking knows weights only up to their
    /// scale, and a member that starts at 0 stays out. The NDCG is [`ndcg`](Self::ndcg)'s and never
    /// below the pool's own: to be sure of it, build the cases anew with the pool among those that
    /// they know, and search again until both agree. The result doesn't depend on threads.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without cases, [`PosteriorError::Length`] for cases of another
    /// number of members, those of [`WeightSearch::validate`].
    pub fn fit(
        &self,
        start: &LogLinearPool,
        cases: &[RankingCase],
    ) -> Result<(LogLinearPool, f64), PosteriorError> {
        self.check(start, cases)?;
        let taking_part = |&member: &usize| start.weights()[member] != 0.0;
        let free: Vec<usize> = (0..start.weights().len()).filter(taking_part).skip(1).collect();
        let mut weights = start.weights().to_vec();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let ndcg = coordinate_search(&mut weights, &free, self, &mut rng, |weights| {
            mean_ndcg(weights, cases, self.cutoff)
        });
        Ok((LogLinearPool::new(weights)?, ndcg))
    }

    /// The NDCG of held-out events under a pool, each at [`RankRange::first`]: a bound from above,
    /// and exact for a member alone and for pools that the cases know, if their `top` is at least
    /// the cutoff.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn ndcg(&self, pool: &LogLinearPool, cases: &[RankingCase]) -> Result<f64, PosteriorError> {
        self.check(pool, cases)?;
        Ok(mean_ndcg(pool.weights(), cases, self.cutoff))
    }

    fn check(&self, pool: &LogLinearPool, cases: &[RankingCase]) -> Result<(), PosteriorError> {
        self.validate()?;
        if cases.is_empty() {
            return Err(PosteriorError::Empty { what: "ranking cases" });
        }
        let members = pool.weights().len();
        cases
            .iter()
            .try_for_each(|case| same_length("members of a case", members, case.target.len()))
    }
}

fn mean_ndcg(weights: &[f64], cases: &[RankingCase], cutoff: usize) -> f64 {
    let gains: Vec<f64> = cases
        .par_iter()
        .map(|case| case.first_within(weights, cutoff))
        .map(|rank| if rank > cutoff { 0.0 } else { 1.0 / (rank as f64 + 1.0).log2() })
        .collect();
    gains.iter().sum::<f64>() / cases.len() as f64
}

/// Climbs an objective by one coordinate at a time, and returns its value.
///
/// Each free coordinate, in an order drawn anew each round, tries a step up and a step down and
/// keeps what is strictly better. When a round brings nothing the step is halved.
///
/// # Panics
/// When a free coordinate is none of the point's.
pub fn coordinate_search<R: Rng + ?Sized>(
    point: &mut [f64],
    free: &[usize],
    search: &WeightSearch,
    rng: &mut R,
    objective: impl Fn(&[f64]) -> f64,
) -> f64 {
    const SMALL: f64 = 0.1;
    let mut best = objective(point);
    let (mut step, mut halvings) = (search.step, 0);
    let mut order = free.to_vec();
    for _ in 0..search.max_rounds {
        let before = best;
        order.shuffle(rng);
        for &coordinate in &order {
            let value = point[coordinate];
            for direction in [1.0, -1.0] {
                point[coordinate] = value + direction * step * value.abs().max(SMALL);
                let found = objective(point);
                if found > best {
                    best = found;
                    break;
                }
                point[coordinate] = value;
            }
        }
        if best <= before {
            if halvings == search.halvings {
                break;
            }
            step /= 2.0;
            halvings += 1;
        }
    }
    best
}
