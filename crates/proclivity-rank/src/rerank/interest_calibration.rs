//! A list whose interests have the shares that they have in the user: Steck's calibration.

use serde::{Deserialize, Serialize};

use super::candidates::{Pool, by_probability, check};
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked};

/// How [`InterestCalibration`] trades probability for calibration.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `divergence_weight` | 0.5 | λ: 0 leaves the order of probability, 1 asks for the user's shares alone | \[0, 1\] |
/// | `smoothing` | 0.01 | α: the user's shares in the list's, so that none of the list's is 0 | (0, 1) |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct InterestCalibrationConfig {
    pub divergence_weight: f64,
    pub smoothing: f64,
}

impl Default for InterestCalibrationConfig {
    fn default() -> Self {
        Self { divergence_weight: 0.5, smoothing: 0.01 }
    }
}

impl InterestCalibrationConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<InterestCalibration, RankError> {
        let Self { divergence_weight, smoothing } = self;
        let valid = (0.0..=1.0).contains(&divergence_weight);
        in_range("divergence_weight", divergence_weight, valid, "in [0, 1]")?;
        in_range("smoothing", smoothing, smoothing > 0.0 && smoothing < 1.0, "in (0, 1)")?;
        Ok(InterestCalibration { weight: divergence_weight, smoothing })
    }
}

/// Re-ranks so that the list's interests have the user's shares.
///
/// It is the list that is calibrated, not the probabilities.
///
/// # Formula
/// A list R of n items is as good as (1 − λ) · Σ over x in R of P(x) / Σ over the n best x of P(x)
/// − λ · KL(p ‖ q̃), with p the user's shares of interests (the posterior mean of θ), q the mean
/// of P(interest | x) over R, q̃ = (1 − α) · q + α · p, λ the `divergence_weight` and α the `smoothing`.
/// The score is the part that is kept of the expected hits: from 0 to 1, whatever the scale of the
/// probabilities; the paper leaves it open.
///
/// Items are chosen greedily. As p sums to 1, −KL is Σₖ pₖ log Σ over x in R of q̃ₖ(x), less what all
/// lists of the same length share, with q̃(x) = (1 − α) · P(· | x) + α · p: for given n the objective F
/// is monotone and submodular, but −∞ of the empty list, so that the (1 − 1/e) of Nemhauser, Wolsey
/// and Fisher bounds what the items after the first one add: F(list) − F(first) ≥ (1 − 1/e) · (F(S) −
/// F(first)) for any list S of n items with the same first, and with 1 − (1 − 1/n)ⁿ⁻¹ in place of
/// 1 − 1/e (.61 for ten items) for any list at all.
///
/// Should the most probable n items have a larger objective than the greedy list, they are kept: the
/// list is never less calibrated than they are.
///
/// # Source
/// H. Steck, Calibrated recommendations, RecSys 2018.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterestCalibration {
    weight: f64,
    smoothing: f64,
}

impl InterestCalibration {
    /// The best `k` of the candidates, in O(k · n · interests).
    ///
    /// `shares` are the user's, `interests` gives P(interest | item) of an item's index: what an item
    /// is about, whoever looks at it. The list holds min(k, n) items; among equals the more probable
    /// one is chosen, then the one that came first.
    ///
    /// The items stand by descending probability: the objective knows no order, and that of the
    /// choices, which starts with what is most like the user's mean instead of what is most
    /// probable, costs NDCG for nothing. It is the whole list that is calibrated, then, not each
    /// head of it.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`] or [`RankError::DuplicateItem`]; [`RankError::InvalidShares`]
    /// for what is negative, not finite or sums to anything but 1 (within 1e-6), [`RankError::Length`]
    /// for an item with another number of interests than the user has shares.
    pub fn rerank<'a>(
        &self,
        candidates: &[Ranked],
        k: usize,
        shares: &[f64],
        interests: impl Fn(u32) -> &'a [f64],
    ) -> Result<Reranked, RankError> {
        let mut pool = Pool::new(candidates)?;
        let smoothed = self.smoothed(shares, candidates, interests)?;
        let n = k.min(candidates.len());
        let most_probable = pool.remaining()[..n].to_vec();
        let best_mass: f64 = most_probable.iter().map(|&x| candidates[x].probability).sum();
        let score = |x: usize| candidates[x].probability / best_mass.max(f64::MIN_POSITIVE);
        let terms = |x: usize, sums: &[f64]| -> f64 {
            let sums = sums.iter().zip(&smoothed[x]);
            // An interest without a share has no term, whatever its sum.
            let terms = sums.zip(shares).filter(|(_, share)| **share > 0.0);
            terms.map(|((sum, mass), share)| share * (sum + mass).ln()).sum()
        };
        let gain = |x, sums: &[f64]| (1.0 - self.weight) * score(x) + self.weight * terms(x, sums);
        let add = |x: usize, sums: &mut [f64]| {
            sums.iter_mut().zip(&smoothed[x]).for_each(|(sum, mass)| *sum += mass);
        };

        let mut sums = vec![0.0; shares.len()];
        let mut chosen = Vec::with_capacity(n);
        while chosen.len() < n
            && let Some(x) = pool.take_best(|x| gain(x, &sums))
        {
            add(x, &mut sums);
            chosen.push(x);
        }
        let objective = |list: &[usize]| {
            let mut sums = vec![0.0; shares.len()];
            let Some((&last, before)) = list.split_last() else { return 0.0 };
            before.iter().for_each(|&x| add(x, &mut sums));
            let scores: f64 = before.iter().map(|&x| score(x)).sum();
            (1.0 - self.weight) * scores + gain(last, &sums)
        };
        if objective(&most_probable) > objective(&chosen) {
            chosen = most_probable;
        }
        chosen.sort_unstable();
        let mut items: Vec<Ranked> = chosen.into_iter().map(|x| candidates[x]).collect();
        items.sort_by(by_probability);
        Ok(Reranked { items, requested: k })
    }

    /// KL(p ‖ q̃) of a list, in nats: from 0, for the user's shares, to −log α.
    ///
    /// # Errors
    /// As [`rerank`](Self::rerank); [`RankError::Empty`] for a list without items.
    pub fn divergence<'a>(
        &self,
        list: &[Ranked],
        shares: &[f64],
        interests: impl Fn(u32) -> &'a [f64],
    ) -> Result<f64, RankError> {
        check(list)?;
        if list.is_empty() {
            return Err(RankError::Empty { what: "items in the list" });
        }
        let smoothed = self.smoothed(shares, list, interests)?;
        let terms = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
        let terms = terms.map(|(interest, share)| {
            let mean = smoothed.iter().map(|x| x[interest]).sum::<f64>() / list.len() as f64;
            share * (share / mean).ln()
        });
        // Rounding may leave a sum of a few ulps below 0.
        Ok(terms.sum::<f64>().max(0.0))
    }

    /// q̃(x) of each item.
    fn smoothed<'a>(
        &self,
        shares: &[f64],
        list: &[Ranked],
        interests: impl Fn(u32) -> &'a [f64],
    ) -> Result<Vec<Vec<f64>>, RankError> {
        check_shares(None, shares)?;
        let rows = list.iter().map(|&Ranked { item, .. }| {
            let row = interests(item);
            if row.len() != shares.len() {
                return Err(RankError::Length {
                    what: "interests of an item",
                    expected: shares.len(),
                    got: row.len(),
                });
            }
            check_shares(Some(item), row)?;
            let pairs = row.iter().zip(shares);
            Ok(pairs.map(|(x, p)| (1.0 - self.smoothing) * x + self.smoothing * p).collect())
        });
        rows.collect()
    }
}

fn check_shares(item: Option<u32>, shares: &[f64]) -> Result<(), RankError> {
    let sum: f64 = shares.iter().sum();
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let valid = least >= 0.0 && (sum - 1.0).abs() <= 1e-6;
    if valid { Ok(()) } else { Err(RankError::InvalidShares { item, sum, least }) }
}
