//! Which models an ensemble is made of, and how much each counts.

use proclivity_posterior::{HypothesisConfig, LinearConfig, NextStepConfig};
use serde::{Deserialize, Serialize};

/// A model of what comes next, as it is to be fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum MemberConfig {
    /// log P(next | history) of counted transitions with a kernel of texts as their prior.
    NextStep(NextStepConfig),
    /// log of the positive part of a ridge regression of the next item on the decayed history; the
    /// cost is cubic in the items.
    Linear(LinearConfig),
    /// log of the positive part of EASE on the history as a bag; the cost is cubic in the items.
    Ease {
        /// λ, above 0.
        ridge: f64,
    },
    /// Six times the cosine between an item's embedding and the decayed mean of the history's.
    Text {
        /// Weight of an item of the history to that of the next one, in (0, 1].
        decay: f64,
    },
    /// Six times the cosine between an item's TF-IDF vector and the decayed mean of the history's.
    TfIdf {
        /// Weight of an item of the history to that of the next one, in (0, 1].
        decay: f64,
    },
    /// log of an item's smoothed share of all events.
    Popularity {
        /// Events spread evenly over the catalog, above 0.
        strength: f64,
    },
    /// log P(next | history) of trained sequence encoders: of the mean of their probabilities.
    Sequence,
    /// log P(next | history) of interests said in words and scored by a language model.
    Hypotheses(HypothesisConfig),
}

impl MemberConfig {
    /// What it is called in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NextStep(_) => "next-step",
            Self::Linear(_) => "linear",
            Self::Ease { .. } => "EASE",
            Self::Text { .. } => "text",
            Self::TfIdf { .. } => "TF-IDF",
            Self::Popularity { .. } => "popularity",
            Self::Sequence => "sequence",
            Self::Hypotheses(_) => "hypotheses",
        }
    }
}

/// A member and its weight in the log-linear pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightedMember {
    /// The member.
    #[serde(flatten)]
    pub member: MemberConfig,
    /// What its score is multiplied by; negative weights count against what the member prefers.
    pub weight: f64,
}

/// The members of an ensemble.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleConfig {
    /// At least one.
    pub members: Vec<WeightedMember>,
}

impl EnsembleConfig {
    /// One member alone.
    pub fn single(member: MemberConfig) -> Self {
        Self { members: vec![WeightedMember { member, weight: 1.0 }] }
    }

    /// The ensemble without those members of which `leave_out` is true.
    #[must_use]
    pub fn without(&self, leave_out: impl Fn(&MemberConfig) -> bool) -> Self {
        let kept = self.members.iter().filter(|weighted| !leave_out(&weighted.member));
        Self { members: kept.cloned().collect() }
    }

    /// The weights, in order.
    pub fn weights(&self) -> Vec<f64> {
        self.members.iter().map(|weighted| weighted.weight).collect()
    }
}
