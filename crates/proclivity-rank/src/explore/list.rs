//! Lists by Thompson sampling and by upper confidence bounds.

use ndarray::ArrayView2;
use proclivity_posterior::{
    LinearMoments, Sample, Score, thompson_scores, upper_confidence_bounds,
};
use rand::Rng;

use crate::{RankError, Scored, ScoredList, TieBreak, top_k};

/// The `k` admissible items with the highest scores; equal scores stand in the order of `ties`.
///
/// # Errors
/// [`RankError::InvalidScore`] when any item, admissible or not, has NaN or +∞;
/// [`RankError::Length`] when `ties` orders another number of items.
pub fn rank_by_scores(
    scores: &[f64],
    k: usize,
    admissible: impl Fn(u32) -> bool,
    ties: &TieBreak,
) -> Result<ScoredList, RankError> {
    let ranking = top_k(scores, k, admissible, ties).map_err(|error| match error {
        RankError::InvalidLogProb { item, value } => RankError::InvalidScore { item, value },
        other => other,
    })?;
    let scored = |item: u32| Scored { item, score: scores[item as usize] };
    Ok(ScoredList {
        items: ranking.items.iter().map(|ranked| scored(ranked.item)).collect(),
        requested: ranking.requested,
        admissible: ranking.admissible,
    })
}

/// A list by Thompson sampling: one joint draw of θ scores all items and so orders the whole list.
///
/// Each list is shown as often as it is believed to be the best one. A fresh draw for each place
/// would mix several users into one list, and show an item with many close rivals less often than
/// it deserves.
///
/// # Source
/// W. R. Thompson. *On the likelihood that one unknown probability exceeds another in view of the
/// evidence of two samples.* Biometrika 25, 1933; D. Russo et al. *A tutorial on Thompson
/// sampling.* Foundations and Trends in Machine Learning 11(1), 2018.
///
/// # Errors
/// Those of [`rank_by_scores`].
pub fn thompson_list<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    items: &impl Score<P::Draw>,
    k: usize,
    admissible: impl Fn(u32) -> bool,
    ties: &TieBreak,
    rng: &mut R,
) -> Result<ScoredList, RankError> {
    rank_by_scores(&thompson_scores(posterior, items, rng), k, admissible, ties)
}

/// A list by upper confidence bounds: mean + `width` posterior standard deviations of each item's
/// linear score.
///
/// All bounds are of one posterior, and there is no chance in them. A deterministic list has no
/// propensities below 1, so that its logs can't be used to evaluate another policy.
///
/// # Shapes
/// `items`: `[items, parameters]`
///
/// # Source
/// T. L. Lai and H. Robbins, Advances in Applied Mathematics 6, 1985; for linear scores
/// L. Li et al., WWW 2010.
///
/// # Errors
/// [`RankError::Posterior`] for another number of parameters and for a width that is negative or
/// not finite, and those of [`rank_by_scores`]: a posterior without a variance has no bounds.
pub fn upper_confidence_list(
    posterior: &impl LinearMoments,
    items: ArrayView2<'_, f64>,
    width: f64,
    k: usize,
    admissible: impl Fn(u32) -> bool,
    ties: &TieBreak,
) -> Result<ScoredList, RankError> {
    rank_by_scores(&upper_confidence_bounds(posterior, items, width)?, k, admissible, ties)
}
