//! Inverse propensity scores, self-normalised ones, and the doubly robust estimate.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::weights::Weights;
use super::{Interaction, RankingLog, WeightSummary};
use crate::EvalError;

/// How a target policy is evaluated on the log of another one.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `interaction` | `Cascade` | what the reward of a place may depend on | see [`Interaction`] |
/// | `clip` | none | the largest weight: less variance, more bias | above 0, or none |
/// | `confidence` | .95 | how probable it is meant to be that the interval holds the truth | (0, 1) |
///
/// The value of a policy is the mean over users of Σₖ rₖ, its rewards at all places of a list. Each
/// estimator needs exact propensities, and a logging policy that shows with some probability
/// whatever the target policy shows. Standard errors take rankings as independent: of several
/// rankings of one user, resample users instead, with [`OffPolicyEstimate::terms`].
///
/// # Bias of clipping
/// With weights min(w, clip) the mean of [`ips`](Self::ips) is off by −Σₖ E\[(wₖ − clip)⁺ rₖ\]: too low for
/// rewards from 0, by at most the largest reward times the sum of [`WeightSummary::clipped`] (as it
/// is on average). Of [`doubly_robust`](Self::doubly_robust) it is the same with rₖ less its
/// prediction, for `ItemPosition` and `List`; `Cascade` clips the weights of predictions, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct OffPolicyConfig {
    pub interaction: Interaction,
    pub clip: Option<f64>,
    pub confidence: f64,
}

impl Default for OffPolicyConfig {
    fn default() -> Self {
        Self { interaction: Interaction::Cascade, clip: None, confidence: 0.95 }
    }
}

/// What a reward model says of one place of a logged ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// q̂ of what was shown.
    pub logged: f64,
    /// The mean of q̂ over what the target policy shows there: under `Cascade` given the logged
    /// items before the place, under `List` over whole lists.
    pub target: f64,
}

/// The estimated value of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OffPolicyEstimate {
    /// The estimate: what a list of the target policy earns.
    pub value: f64,
    /// Its standard error; for self-normalised weights by the delta method.
    pub standard_error: f64,
    /// Lower end of the normal interval.
    pub low: f64,
    /// Upper end of the normal interval. It is too narrow while few rankings have all the weight.
    pub high: f64,
    /// How probable it is meant to be that the interval holds the truth.
    pub confidence: f64,
    /// The weights of each place.
    pub weights: Vec<WeightSummary>,
    /// What each ranking says, with the estimate as mean: for a
    /// [`paired_bootstrap`](crate::paired_bootstrap) of two policies on one log.
    pub terms: Vec<f64>,
}

impl OffPolicyEstimate {
    /// The smallest of the places' effective sample sizes.
    pub fn effective_sample_size(&self) -> f64 {
        let sizes = self.weights.iter().map(|place| place.effective_sample_size);
        sizes.fold(f64::INFINITY, f64::min)
    }
}

impl OffPolicyConfig {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), EvalError> {
        let clip = self.clip.unwrap_or(f64::INFINITY);
        for (name, value, valid, expected) in [
            ("clip", clip, clip > 0.0, "a number above 0"),
            (
                "confidence",
                self.confidence,
                self.confidence > 0.0 && self.confidence < 1.0,
                "a number between 0 and 1",
            ),
        ] {
            if !valid {
                return Err(EvalError::OutOfRange { name, value, expected });
            }
        }
        Ok(())
    }

    /// Inverse propensity scores: unbiased without clipping, if the assumption holds.
    ///
    /// # Formula
    /// (1/n) Σᵢ Σₖ wᵢₖ rᵢₖ
    ///
    /// # Source
    /// D. G. Horvitz and D. J. Thompson, JASA 47, 1952; clipped, E. L. Ionides, JCGS 17(2), 2008.
    ///
    /// # Errors
    /// [`EvalError::NotFinite`] for a weight or a term beyond f64, those of
    /// [`validate`](Self::validate).
    pub fn ips(&self, log: &RankingLog) -> Result<OffPolicyEstimate, EvalError> {
        let weights = self.weights(log)?;
        let weighted = log.items().iter().zip(&weights.values).map(|(item, w)| w * item.reward);
        let terms = sums(weighted, log.places());
        self.estimate(terms, weights.summaries)
    }

    /// Self-normalised inverse propensity scores: biased in the order of 1/n, but within the range
    /// of the rewards, and moved by c where every reward is moved by c.
    ///
    /// # Formula
    /// Σₖ vₖ with vₖ = Σᵢ wᵢₖ rᵢₖ / Σᵢ wᵢₖ; its terms are Σₖ (vₖ + wᵢₖ (rᵢₖ − vₖ) / w̄ₖ)
    ///
    /// # Source
    /// A. Swaminathan and T. Joachims. *The self-normalized estimator for counterfactual learning.*
    /// NeurIPS 2015; by place, J. McInerney et al., KDD 2020.
    ///
    /// # Errors
    /// [`EvalError::NoOverlap`] where all weights of a place are 0, and those of [`ips`](Self::ips).
    pub fn snips(&self, log: &RankingLog) -> Result<OffPolicyEstimate, EvalError> {
        let weights = self.weights(log)?;
        let places = log.places();
        let (mut sums, mut totals) = (vec![0.0; places], vec![0.0; places]);
        for (index, (item, weight)) in log.items().iter().zip(&weights.values).enumerate() {
            sums[index % places] += weight * item.reward;
            totals[index % places] += weight;
        }
        if let Some(place) = totals.iter().position(|&total| total == 0.0) {
            return Err(EvalError::NoOverlap { place });
        }
        let (rankings, values) = (log.rankings() as f64, sums.iter().zip(&totals));
        let values: Vec<f64> = values.map(|(sum, total)| sum / total).collect();
        let term = |(index, (item, weight)): (usize, (&super::LoggedItem, &f64))| {
            let (value, total) = (values[index % places], totals[index % places]);
            value + weight * rankings * (item.reward - value) / total
        };
        let terms = log.items().iter().zip(&weights.values).enumerate().map(term);
        self.estimate(self::sums(terms, places), weights.summaries)
    }

    /// Doubly robust: what a reward model predicts, corrected by the weighted rewards that it
    /// missed. Unbiased without clipping whatever the model, as it was fitted on other rankings;
    /// the better the model, the less the weights matter.
    ///
    /// # Formula
    /// (1/n) Σᵢ Σₖ (bᵢₖ q̂ᵢₖ(π) + wᵢₖ (rᵢₖ − q̂ᵢₖ)), with q̂(π) = [`Predicted::target`] and
    /// q̂ = [`Predicted::logged`]; bᵢₖ is the weight of the place before k under `Cascade`, else and
    /// at the first place 1
    ///
    /// # Shapes
    /// `predicted`: as the log, `[rankings, places]`
    ///
    /// # Source
    /// M. Dudík, J. Langford and L. Li. *Doubly robust policy evaluation and learning.* ICML 2011;
    /// under the cascade H. Kiyohara et al., WSDM 2022.
    ///
    /// # Errors
    /// [`EvalError::Length`] for another number of predictions, [`EvalError::NotFinite`] for one
    /// that isn't finite, and those of [`ips`](Self::ips).
    pub fn doubly_robust(
        &self,
        log: &RankingLog,
        predicted: &[Predicted],
    ) -> Result<OffPolicyEstimate, EvalError> {
        let (places, expected, got) = (log.places(), log.items().len(), predicted.len());
        if expected != got {
            return Err(EvalError::Length { what: "predicted rewards", expected, got });
        }
        for (position, predicted) in predicted.iter().enumerate() {
            for value in [predicted.logged, predicted.target] {
                if !value.is_finite() {
                    let what = "predicted reward";
                    return Err(EvalError::NotFinite { what, position, value });
                }
            }
        }
        let weights = self.weights(log)?;
        let term = |(index, (item, predicted)): (usize, (&super::LoggedItem, &Predicted))| {
            let cascade = self.interaction == Interaction::Cascade && index % places > 0;
            let baseline = if cascade { weights.values[index - 1] } else { 1.0 };
            let missed = item.reward - predicted.logged;
            baseline * predicted.target + weights.values[index] * missed
        };
        let terms = log.items().iter().zip(predicted).enumerate().map(term);
        let terms = sums(terms, places);
        self.estimate(terms, weights.summaries)
    }

    fn weights(&self, log: &RankingLog) -> Result<Weights, EvalError> {
        self.validate()?;
        Weights::new(log, self.interaction, self.clip.unwrap_or(f64::INFINITY))
    }

    fn estimate(
        &self,
        terms: Vec<f64>,
        weights: Vec<WeightSummary>,
    ) -> Result<OffPolicyEstimate, EvalError> {
        let rankings = terms.len() as f64;
        let value = terms.iter().sum::<f64>() / rankings;
        let squares: f64 = terms.iter().map(|term| (term - value).powi(2)).sum();
        let standard_error = (squares / (rankings - 1.0) / rankings).sqrt();
        if !standard_error.is_finite() {
            let (what, position) = ("standard error", 0);
            return Err(EvalError::NotFinite { what, position, value: standard_error });
        }
        let width = Normal::standard().inverse_cdf(0.5 + self.confidence / 2.0) * standard_error;
        Ok(OffPolicyEstimate {
            value,
            standard_error,
            low: value - width,
            high: value + width,
            confidence: self.confidence,
            weights,
            terms,
        })
    }
}

/// Sums of so many values each.
fn sums(values: impl Iterator<Item = f64>, places: usize) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    values.chunks_exact(places).map(|ranking| ranking.iter().sum()).collect()
}
