//! What a simulation gives back: the log, and the truth that it was drawn from.

use std::collections::BTreeMap;
use std::sync::Arc;

use proclivity_schema::{ItemIndex, Language, Log, Timestamp, UserIndex};

use super::season::Seasons;
use crate::Domain;

/// A log and the truth that it was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Every event; those of users 1 and 2 of the worked example included where the shop is.
    pub log: Log,
    /// What is true of each user, by user index; `None` for users 1 and 2 of the worked example.
    pub truth: Vec<Option<UserTruth>>,
    /// The concentration of the Dirichlet that every θ was drawn from.
    pub prior: Vec<f64>,
    /// φₖ(x): what each interest makes a user view, `[interests][items]`. Over the items of each
    /// domain every row sums to one.
    pub likelihood: Vec<Vec<f64>>,
    pub(super) seasons: Seasons,
}

/// What is true of one simulated user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTruth {
    /// θ₀, the shares of the user's interests across domains, at the start.
    pub shares: Arc<[f64]>,
    /// θ_d, their shares in each domain in which they act, at the start.
    pub domains: BTreeMap<Domain, Arc<[f64]>>,
    /// The language that the user reads and searches in.
    pub language: Language,
    /// Every choice in order of time. Each that chose an item has one event of the log: a view in
    /// the shop (a click where there are slates), a watch of a video, a view of a topic.
    pub choices: Vec<Choice>,
}

/// One choice, from everything in the domain or from a slate.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// When it was made, to the second: that of the slate's impressions where there are slates,
    /// else a little before the view.
    pub time: Timestamp,
    /// Where it was made.
    pub domain: Domain,
    /// θ_d at that time, season aside; one allocation as long as it doesn't drift.
    pub shares: Arc<[f64]>,
    /// The slate by position; empty where there are no slates.
    pub slate: Vec<Shown>,
    /// What was chosen; only from a slate can it be nothing.
    pub chosen: Option<ItemIndex>,
}

/// One position of a slate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The item.
    pub item: ItemIndex,
    /// The probability with which the policy put it here, given the positions before; the product
    /// over positions is the slate's.
    pub propensity: f64,
    /// The probability that the user examines this position.
    pub examination: f64,
    /// Whether the user did.
    pub examined: bool,
    /// P(this item is chosen | what was examined, θ): 0 where not examined. What is left to 1 is
    /// the probability of choosing nothing.
    pub choice: f64,
}

impl Simulation {
    /// The truth about a user of the log; `None` for users 1 and 2 of the worked example.
    pub fn truth(&self, user: UserIndex) -> Option<&UserTruth> {
        self.truth.get(user.get()).and_then(Option::as_ref)
    }

    /// sₖ(t): how often each interest counts at a time, 1 without seasons.
    pub fn season_factors(&self, time: Timestamp) -> Vec<f64> {
        self.seasons.factors(time.as_micros() as f64 / 1e6)
    }

    /// The shares that made a choice: θₖ sₖ(t) / Σⱼ θⱼ sⱼ(t). Without slates, the item was drawn
    /// from Σₖ of these times φₖ over the items of the choice's domain.
    pub fn choice_shares(&self, choice: &Choice) -> Vec<f64> {
        self.seasons.apply(&choice.shares, choice.time.as_micros() as f64 / 1e6)
    }
}
