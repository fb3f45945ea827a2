//! How sharply a language model's scores speak, fitted by held-out log loss.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::minimize::minimize;
use crate::{Belief, Finite, LogLikelihood, PosteriorError, choice_log_probs};

/// What was chosen among which texts, and how they score: an event of
/// [`choice_log_probs`](crate::choice_log_probs).
///
/// # Shapes
/// `scores`: `[hypotheses, choices]`; `null_scores`, `log_popularity`: `[choices]`
#[derive(Debug, Clone, Copy)]
pub struct ScoredChoice<'a> {
    /// log p(x|h).
    pub scores: ArrayView2<'a, f64>,
    /// log p(x|∅).
    pub null_scores: ArrayView1<'a, f64>,
    /// How often each is chosen whatever the user's interests.
    pub log_popularity: ArrayView1<'a, f64>,
    /// The choice that was made, from 0.
    pub chosen: usize,
}

/// Where [`fit_sharpness`] looks.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `maximum` | 16 | the greatest sharpness that is tried | above 0, finite |
/// | `tolerance` | 0.0001 | how exactly the sharpness is found | above 0, finite |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SharpnessConfig {
    /// The greatest sharpness that is tried.
    pub maximum: f64,
    /// How exactly the sharpness is found.
    pub tolerance: f64,
}

impl Default for SharpnessConfig {
    fn default() -> Self {
        Self { maximum: 16.0, tolerance: 1e-4 }
    }
}

impl SharpnessConfig {
    /// Whether every field lies in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first field that doesn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        for (name, value) in [("maximum", self.maximum), ("tolerance", self.tolerance)] {
            in_range(name, value, value > 0.0 && value.is_finite(), "above 0 and finite")?;
        }
        Ok(())
    }

    /// The sharpness of least log loss.
    pub(super) fn minimize(
        &self,
        mut log_loss: impl FnMut(f64) -> Result<f64, PosteriorError>,
    ) -> Result<SharpnessFit, PosteriorError> {
        self.validate()?;
        let halvings = (0..=10).rev().map(|halvings| self.maximum * (-f64::from(halvings)).exp2());
        let grid: Vec<f64> = std::iter::once(0.0).chain(halvings).collect();
        let best = minimize(&mut log_loss, &grid, self.tolerance)?;
        in_range("log loss", best.value, best.value.is_finite(), "choices that are possible")?;
        Ok(SharpnessFit {
            sharpness: best.at,
            log_loss: best.value,
            popularity_log_loss: log_loss(0.0)?,
            at_maximum: self.maximum - best.at <= self.tolerance,
        })
    }
}

/// The sharpness that [`fit_sharpness`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharpnessFit {
    /// The sharpness of least log loss. At 0 the scores tell nothing that popularity doesn't.
    pub sharpness: f64,
    /// The log loss there, in nats a choice.
    pub log_loss: f64,
    /// The log loss of popularity alone, in nats a choice.
    pub popularity_log_loss: f64,
    /// The sharpness lies at the config's maximum: look further, or find out whether the texts give
    /// the choices away.
    pub at_maximum: bool,
}

/// How surprising users' choices are, in nats a choice, each user's foretold from the ones before.
///
/// # Formula
/// −(1/N) Σ_users log Σₕ P(h) Πₜ P(xₜ|h, Cₜ), which by the chain rule is the prequential log loss.
/// The last hypothesis of the prior is "none of these".
///
/// # Errors
/// [`PosteriorError::Empty`] without choices, [`PosteriorError::Length`] for a prior over another
/// number of hypotheses, [`PosteriorError::OutOfRange`] for a chosen index outside of its set, and
/// those of [`choice_log_probs`](crate::choice_log_probs).
pub fn choice_log_loss(
    users: &[&[ScoredChoice<'_>]],
    prior: &Finite,
    sharpness: f64,
) -> Result<f64, PosteriorError> {
    let count: usize = users.iter().map(|choices| choices.len()).sum();
    if count == 0 {
        return Err(PosteriorError::Empty { what: "choices" });
    }
    let log_evidences = users
        .par_iter()
        .map(|choices| {
            let mut belief = Belief::new(prior);
            for choice in *choices {
                let log_probs = choice_log_probs(
                    choice.scores,
                    choice.null_scores,
                    choice.log_popularity,
                    sharpness,
                )?;
                let chosen = choice.chosen;
                let valid = chosen < log_probs.ncols();
                in_range("chosen", chosen as f64, valid, "a choice of the set, from 0")?;
                belief.update(prior, &LogLikelihood(&log_probs.column(chosen).to_vec()))?;
            }
            belief.log_evidence(prior)
        })
        .collect::<Result<Vec<f64>, _>>()?;
    Ok(-log_evidences.iter().sum::<f64>() / count as f64)
}

/// The sharpness of least [`choice_log_loss`] on users whom nothing else was fitted to.
///
/// If every user's hypothesis were known, the loss would be convex in the sharpness, as that of any
/// softmax. It isn't where the hypotheses are a mixture: so a scan of 0 and of eleven halvings of the
/// maximum finds the valley, and golden sections its bottom. The minimum may lie on the boundary: at
/// 0 the scores don't help, and `at_maximum` says that the other end was reached.
///
/// One number is fitted: some hundred users suffice, and its loss on them is optimistic by about
/// 1/(2N) nats a choice.
///
/// # Errors
/// Those of [`choice_log_loss`] and [`SharpnessConfig::validate`], and [`PosteriorError::OutOfRange`]
/// when at every sharpness some choice is impossible: give "none of these" a prior, and every choice
/// that can be had a popularity.
pub fn fit_sharpness(
    users: &[&[ScoredChoice<'_>]],
    prior: &Finite,
    config: &SharpnessConfig,
) -> Result<SharpnessFit, PosteriorError> {
    config.minimize(|sharpness| choice_log_loss(users, prior, sharpness))
}
