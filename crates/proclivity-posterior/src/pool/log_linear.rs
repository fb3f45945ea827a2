//! A log-linear pool of scores, for ranking.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::{in_range, same_length};

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
