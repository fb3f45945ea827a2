//! A log-linear pool of scores, for ranking.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::newton::{Quadratic, minimize};
use crate::error::{in_range, same_length};
use crate::{PosteriorError, RankingCase};

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

/// s(x) = Σₘ wₘ zₘ(x), over members that score items in any unit.
///
/// A member is whatever has a score for each item, such as a log-probability of the next step, a
/// linear model's score, a cosine or a log-popularity. The pool is for ranking: its scores are
/// logarithms of nothing until a [`Splice`](crate::Splice) makes them so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct LogLinearPool {
    weights: Vec<f64>,
}

impl LogLinearPool {
    /// A pool with a weight for each member.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without members, [`PosteriorError::OutOfRange`] for a weight that
    /// is not finite.
    pub fn new(weights: Vec<f64>) -> Result<Self, PosteriorError> {
        if weights.is_empty() {
            return Err(PosteriorError::Empty { what: "members of the pool" });
        }
        for &weight in &weights {
            in_range("weight of a member", weight, weight.is_finite(), "a finite number")?;
        }
        Ok(Self { weights })
    }

    /// The most probable pool, given that held-out events chose their items among the rivals.
    ///
    /// # Formula
    /// The minimum over w, whose weights of the members `left_out` are 0, of |w|² / 2 −
    /// Σ over cases of log (exp s(target) / Σ exp s(x)), x the target and the rivals that its case has
    /// kept: conditional logit (McFadden 1974) with a standard normal prior. It is convex; Newton's
    /// method finds it.
    ///
    /// # Approximation
    /// Rivals are those that stand in front, not a sample of the catalog: weights for the top of the
    /// list, not for probabilities over all items.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without cases or members, [`PosteriorError::Length`] for cases of
    /// different numbers of members, [`PosteriorError::NotPositiveDefinite`] and
    /// [`PosteriorError::NotConverged`] when Newton's method fails.
    pub fn fit(cases: &[&RankingCase], left_out: &[usize]) -> Result<Self, PosteriorError> {
        let members = cases.first().map_or(0, |case| case.target.len());
        for case in cases {
            same_length("members of a case", members, case.target.len())?;
        }
        let taking_part: Vec<usize> = (0..members).filter(|m| !left_out.contains(m)).collect();
        if taking_part.is_empty() {
            return Err(PosteriorError::Empty { what: "members of the pool" });
        }
        let lower = vec![f64::NEG_INFINITY; taking_part.len()];
        let start = vec![0.0; taking_part.len()];
        let fitted = minimize("the fit of the pool's weights", &start, &lower, |weights| {
            let mut loss = choice_loss(cases, &taking_part, weights);
            for (at, &weight) in weights.iter().enumerate() {
                loss.add_ridge(at, weight, 1.0);
            }
            loss
        })?;
        let mut weights = vec![0.0; members];
        taking_part.iter().zip(fitted).for_each(|(&member, weight)| weights[member] = weight);
        Self::new(weights)
    }

    /// The weight of each member.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Writes the pool's score of every item.
    ///
    /// # Shapes
    /// `member_scores`: `[members, items]`, `out`: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of members or items.
    pub fn scores(
        &self,
        member_scores: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), PosteriorError> {
        same_length("members of the pool", self.weights.len(), member_scores.nrows())?;
        same_length("items to score", member_scores.ncols(), out.len())?;
        out.fill(0.0);
        for (&weight, scores) in self.weights.iter().zip(member_scores.rows()) {
            out.iter_mut().zip(scores).for_each(|(out, score)| *out += weight * score);
        }
        Ok(())
    }
}

/// −Σ log P(target | target and rivals) for these weights of the members that take part, with its
/// gradient, the mean of their scores less the target's, and its Hessian, their covariance.
fn choice_loss(cases: &[&RankingCase], members: &[usize], weights: &[f64]) -> Quadratic {
    let width = members.len();
    Quadratic::sum(cases, width, |total, case| {
        let weighted = members.iter().zip(weights);
        let target: f64 = weighted.map(|(&member, weight)| weight * case.target[member]).sum();
        let mut probs: Vec<f64> = vec![0.0; case.rivals.ncols()];
        for (&member, weight) in members.iter().zip(weights) {
            let scores = case.rivals.row(member);
            probs.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight * score);
        }
        let largest = probs.iter().fold(target, |a, &b| a.max(b));
        probs.iter_mut().for_each(|score| *score = (*score - largest).exp());
        let whole = probs.iter().sum::<f64>() + (target - largest).exp();
        probs.iter_mut().for_each(|prob| *prob /= whole);
        total.value += largest + whole.ln() - target;
        // Of differences to the target, whose own is 0.
        let differences: Vec<Vec<f64>> = members
            .iter()
            .map(|&m| case.rivals.row(m).iter().map(|score| score - case.target[m]).collect())
            .collect();
        let mean = |of: &[f64]| -> f64 { probs.iter().zip(of).map(|(p, x)| p * x).sum() };
        let means: Vec<f64> = differences.iter().map(|of| mean(of)).collect();
        for (i, one) in differences.iter().enumerate() {
            total.gradient[i] += means[i];
            for (j, other) in differences.iter().enumerate().take(i + 1) {
                let products = probs.iter().zip(one).zip(other).map(|((p, x), y)| p * x * y);
                let covariance = products.sum::<f64>() - means[i] * means[j];
                total.hessian[i * width + j] += covariance;
                if i != j {
                    total.hessian[j * width + i] += covariance;
                }
            }
        }
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "LogLinearPool")]
struct Saved {
    version: u32,
    weights: Vec<f64>,
}

impl From<LogLinearPool> for Saved {
    fn from(pool: LogLinearPool) -> Self {
        Self { version: VERSION, weights: pool.weights }
    }
}

impl TryFrom<Saved> for LogLinearPool {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        if saved.version != VERSION {
            return Err(PosteriorError::Version { expected: VERSION, got: saved.version });
        }
        Self::new(saved.weights)
    }
}
