//! What a recommender is fitted with.

use proclivity_posterior::NextStepConfig;
use proclivity_schema::{Action, EventKind};
use serde::{Deserialize, Serialize};

/// How a [`Recommender`](crate::Recommender) is fitted.
///
/// | parameter | default | purpose |
/// |---|---|---|
/// | `temperatures` | 1, 2, 4, …, 48 | candidates of the interests' temperature; the one with the lowest prequential log loss is taken |
/// | `strengths` | 0.5, 1, 2, 4, 8, 16 | candidates of the prior's strength, likewise |
/// | `popularity_strength` | 100 | events spread evenly over the catalog in popularity |
/// | `neighbors` | 50 | items with close texts that an item borrows from |
/// | `kernel_temperature` | 6 | how sharply closeness of texts counts |
/// | `next_step` | [`NextStepConfig`] | how transitions are counted |
/// | `evidence` | [`EvidenceWeights`] | what each kind of event is worth |
/// | `tie_seed` | 0 | decides between equally probable items |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct RecommenderConfig {
    pub temperatures: Vec<f64>,
    pub strengths: Vec<f64>,
    pub popularity_strength: f64,
    pub neighbors: usize,
    pub kernel_temperature: f64,
    pub next_step: NextStepConfig,
    pub evidence: EvidenceWeights,
    pub tie_seed: u64,
}

impl Default for RecommenderConfig {
    fn default() -> Self {
        Self {
            temperatures: vec![1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0],
            strengths: vec![0.5, 1.0, 2.0, 4.0, 8.0, 16.0],
            popularity_strength: 100.0,
            neighbors: 50,
            kernel_temperature: 6.0,
            next_step: NextStepConfig::default(),
            evidence: EvidenceWeights::default(),
            tie_seed: 0,
        }
    }
}

/// What one event says about interests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Evidence {
    /// It speaks for the item, with a weight.
    For(f64),
    /// It speaks against the item, with a weight.
    Against(f64),
    /// It says nothing.
    Nothing,
}

/// How much each kind of event counts, in views. A weight other than one is a power likelihood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceWeights {
    /// Views, clicks, carts, ratings, comments, and the part of an item that was watched; default 1.
    pub view: f64,
    /// Purchases, likes and shares; default 2.
    pub purchase: f64,
    /// Dismissals, dislikes and returns, as exposure without response; default 1.
    pub dismiss: f64,
    /// Skips and removals from the cart, as exposure without response; default 0.5.
    pub skip: f64,
}

impl Default for EvidenceWeights {
    fn default() -> Self {
        Self { view: 1.0, purchase: 2.0, dismiss: 1.0, skip: 0.5 }
    }
}

impl EvidenceWeights {
    pub(crate) fn of(&self, action: &Action) -> Evidence {
        if let Action::Watch { fraction, .. } = action {
            return Evidence::For(self.view * f64::from(fraction.get().min(1.0)));
        }
        match action.kind() {
            EventKind::View
            | EventKind::Click
            | EventKind::AddToCart
            | EventKind::Rate
            | EventKind::Comment
            | EventKind::Watch => Evidence::For(self.view),
            EventKind::Purchase | EventKind::Like | EventKind::Share => {
                Evidence::For(self.purchase)
            }
            EventKind::Dismiss | EventKind::Dislike | EventKind::Return => {
                Evidence::Against(self.dismiss)
            }
            EventKind::Skip | EventKind::RemoveFromCart => Evidence::Against(self.skip),
            EventKind::Search | EventKind::Follow | EventKind::Impression => Evidence::Nothing,
        }
    }
}
