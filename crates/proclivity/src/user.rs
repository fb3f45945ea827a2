//! What is known of one user: the belief, and the events that made it.

use std::collections::BTreeSet;

use proclivity_posterior::{AssumedDensity, Dirichlet, InterestModel, RatesEvidence};
use proclivity_schema::Action;
use serde::{Deserialize, Serialize};

/// One user's state: small, serializable, and changed only by
/// [`Recommender::observe`](crate::Recommender::observe).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserState {
    pub(crate) prior: Dirichlet,
    pub(crate) belief: AssumedDensity<InterestModel>,
    pub(crate) evidence: Vec<Observed>,
    /// Items close to what a new user said about themselves.
    pub(crate) text_row: Option<Vec<(u32, f32)>>,
}

/// An event that a state has taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observed {
    pub(crate) action: Action,
    /// What the event added to the interests' counts, if it speaks for its item.
    pub(crate) labels: Option<RatesEvidence>,
}

impl UserState {
    /// A user with the prior of a model.
    pub(crate) fn new(model: &InterestModel) -> Self {
        Self {
            prior: model.prior().clone(),
            belief: AssumedDensity::new(model),
            evidence: Vec::new(),
            text_row: None,
        }
    }

    /// The events taken in, the oldest first. [`Source::Event`](crate::Source::Event) counts them.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Action> {
        self.evidence.iter().map(|observed| &observed.action)
    }

    /// The belief about the user's interests, of the recommender's likelihood under
    /// [`prior`](Self::prior).
    pub fn belief(&self) -> &AssumedDensity<InterestModel> {
        &self.belief
    }

    /// P(θ) of this user, before any event.
    pub fn prior(&self) -> &Dirichlet {
        &self.prior
    }

    /// Positions and items of the events that speak for their item.
    pub(crate) fn positive(&self) -> (Vec<usize>, Vec<u32>) {
        let positive = self.evidence.iter().enumerate().filter(|(_, e)| e.labels.is_some());
        positive.filter_map(|(at, e)| e.action.item().map(|item| (at, item.0))).unzip()
    }

    /// Items not to be recommended: those the user has dealt with or doesn't want. A mere
    /// impression doesn't count.
    pub(crate) fn seen(&self) -> BTreeSet<u32> {
        let dealt_with =
            self.evidence.iter().filter(|e| !matches!(e.action, Action::Impression { .. }));
        dealt_with.filter_map(|e| e.action.item().map(|item| item.0)).collect()
    }
}
