//! What a language model says of every item under hypotheses said in words.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::error::{in_range, same_length};
use crate::{PosteriorError, choice_log_probs};

/// log p(x|h) of every item's text under every hypothesis, and log p(x|∅) under a null context.
#[derive(Debug, Clone, PartialEq)]
pub struct HypothesisScores {
    names: Vec<String>,
    scores: Array2<f64>,
    null_scores: Array1<f64>,
    /// `[items, hypotheses + 1]`
    lifts: Array2<f64>,
}

impl HypothesisScores {
    /// Scores in nats, with what the hypotheses are called.
    ///
    /// # Shapes
    /// `scores`: `[hypotheses, items]`; `null_scores`: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without hypotheses or items, [`PosteriorError::Length`] for numbers
    /// of names or null scores that don't agree with the scores, [`PosteriorError::OutOfRange`] for
    /// a score that isn't finite.
    pub fn new(
        names: Vec<String>,
        scores: Array2<f64>,
        null_scores: Array1<f64>,
    ) -> Result<Self, PosteriorError> {
        let (hypotheses, items) = scores.dim();
        for (what, count) in [("hypotheses", hypotheses), ("items", items)] {
            if count == 0 {
                return Err(PosteriorError::Empty { what });
            }
        }
        same_length("names of hypotheses", hypotheses, names.len())?;
        same_length("null scores", items, null_scores.len())?;
        for &score in scores.iter().chain(&null_scores) {
            in_range("score", score, score.is_finite(), "a finite number")?;
        }
        let lifts = |(item, hypothesis)| match scores.get((hypothesis, item)) {
            Some(score) => score - null_scores[item],
            None => 0.0,
        };
        let lifts = Array2::from_shape_fn((items, hypotheses + 1), lifts);
        Ok(Self { names, scores, null_scores, lifts })
    }

    /// What the hypotheses are called, without "none of these".
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many items were scored.
    pub fn item_count(&self) -> usize {
        self.null_scores.len()
    }

    /// What each hypothesis adds to the null context, nothing for "none of these".
    ///
    /// # Shapes
    /// `[items, hypotheses + 1]`
    pub(super) fn lifts(&self) -> ArrayView2<'_, f64> {
        self.lifts.view()
    }

    /// log P(x|h) over the catalog, see [`choice_log_probs`]; "none of these" is last.
    ///
    /// # Shapes
    /// result: `[items, hypotheses + 1]`, an item's row in one piece
    pub(super) fn log_probs(
        &self,
        log_popularity: ArrayView1<'_, f64>,
        sharpness: f64,
    ) -> Result<Array2<f64>, PosteriorError> {
        let (scores, null_scores) = (self.scores.view(), self.null_scores.view());
        let log_probs = choice_log_probs(scores, null_scores, log_popularity, sharpness)?;
        Ok(log_probs.t().as_standard_layout().into_owned())
    }
}
