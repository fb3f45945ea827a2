//! The simulator's parameters and their ranges.

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::error::in_range;

/// How many users there are and how they behave.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `users` | 2400 | simulated users, beside the two of the worked example | from 1 |
/// | `concentration` | 2 | Σ of the Dirichlet that θ is drawn from: small means few interests each | above 0 |
/// | `fewest_views` | 4 | views of every user; with `slate`, slates | from 1 |
/// | `mean_further_views` | 9 | mean of the negative binomial number of further views | above 0, to 10⁶ |
/// | `most_views` | 40 | views are cut there | from `fewest_views` |
/// | `popularity_exponent` | 0.6 | Zipf exponent of the items' popularity within their domain | from 0 |
/// | `affinity_floor` | 0.004 | affinity of every item to every interest | above 0 |
/// | `return_probability` | 0 | of a purchase to be returned | 0 to 1 |
/// | `cross_domain_share` | 0.5 | users who act in two domains or more, where there are several | 0 to 1 |
/// | `domain_spread` | 0 | how far a user's θ in a domain is from their θ₀: θ_d ~ Dirichlet(θ₀ / spread) | 0 to 100 |
/// | `drift` | 0 | standard deviation of the random walk of log θ after one day | 0 to 100 |
/// | `seasons` | none | interests that come and go, see [`Season`] | |
/// | `slate` | none | what users are shown and choose from, see [`Slate`]; without, they find any item | |
/// | `seed` | 2021 | the only source of chance | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct Simulator {
    pub users: usize,
    pub concentration: f64,
    pub fewest_views: usize,
    pub mean_further_views: f64,
    pub most_views: usize,
    pub popularity_exponent: f64,
    pub affinity_floor: f64,
    pub return_probability: f64,
    pub cross_domain_share: f64,
    pub domain_spread: f64,
    pub drift: f64,
    pub seasons: Vec<Season>,
    pub slate: Option<Slate>,
    pub seed: u64,
}

impl Default for Simulator {
    fn default() -> Self {
        Self {
            users: 2_400,
            concentration: 2.0,
            fewest_views: 4,
            mean_further_views: 9.0,
            most_views: 40,
            popularity_exponent: 0.6,
            affinity_floor: 0.004,
            return_probability: 0.0,
            cross_domain_share: 0.5,
            domain_spread: 0.0,
            drift: 0.0,
            seasons: Vec::new(),
            slate: None,
            seed: 2021,
        }
    }
}

/// An interest that comes and goes for everyone.
///
/// # Formula
/// φₖ counts sₖ(t) = 1 + amplitude · cos(2π (t − peak) / period) times, t in days since
/// 2021-01-03T00:00:00Z. Several seasons of one interest multiply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// The interest's id.
    pub interest: String,
    /// From 0, which is no season, to 1, with which the interest vanishes in between.
    pub amplitude: f64,
    /// Days from one peak to the next, above 0.
    pub period: f64,
    /// The day of a peak; default 0.
    #[serde(default)]
    pub peak: f64,
}

/// What users are shown, and how they choose from it.
///
/// # Formula
/// The policy fills positions 0, 1, … in turn with an item that isn't yet on the slate, with
/// probability ∝ popularity(x)^`popularity` · u(x)^`relevance` (Plackett–Luce). u(x) = Σₖ θₖ
/// (affinityₖ(x) + floor), in season, is the item's utility to the user, in which popularity has
/// no part. The user examines position p with probability (p + 1)^−`position_bias`, each on its
/// own, and chooses x among the examined items E with probability
/// u(x) / (`none_utility` + Σ_{y∈E} u(y)), else none.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `size` | 10 | items on each slate | 1 to the items of the smallest domain |
/// | `position_bias` | 0 | how fast examination falls with position; 0: all are examined | from 0 |
/// | `none_utility` | 0.5 | utility of choosing nothing | from 0 |
/// | `popularity` | 1 | how much the policy prefers popular items | 0 to 100 |
/// | `relevance` | 0 | how much the policy prefers items that the user likes | 0 to 100 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct Slate {
    pub size: usize,
    pub position_bias: f64,
    pub none_utility: f64,
    pub popularity: f64,
    pub relevance: f64,
}

impl Default for Slate {
    fn default() -> Self {
        Self { size: 10, position_bias: 0.0, none_utility: 0.5, popularity: 1.0, relevance: 0.0 }
    }
}

impl Simulator {
    pub(super) fn validate(&self) -> Result<(), DataError> {
        in_range("users", self.users as f64, self.users > 0, "a number from 1")?;
        positive("concentration", self.concentration)?;
        let fewest = self.fewest_views;
        in_range("fewest_views", fewest as f64, fewest > 0, "a number from 1")?;
        let mean = self.mean_further_views;
        in_range("mean_further_views", mean, mean > 0.0 && mean <= 1e6, "above 0, to 1,000,000")?;
        let most = self.most_views;
        in_range("most_views", most as f64, most >= fewest, "at least fewest_views")?;
        from_zero("popularity_exponent", self.popularity_exponent)?;
        positive("affinity_floor", self.affinity_floor)?;
        probability("return_probability", self.return_probability)?;
        probability("cross_domain_share", self.cross_domain_share)?;
        to_hundred("domain_spread", self.domain_spread)?;
        to_hundred("drift", self.drift)?;
        for season in &self.seasons {
            probability("seasons.amplitude", season.amplitude)?;
            positive("seasons.period", season.period)?;
            let peak = season.peak;
            in_range("seasons.peak", peak, peak.is_finite(), "a finite number")?;
        }
        let Some(slate) = &self.slate else { return Ok(()) };
        in_range("slate.size", slate.size as f64, slate.size > 0, "a number from 1")?;
        from_zero("slate.position_bias", slate.position_bias)?;
        from_zero("slate.none_utility", slate.none_utility)?;
        to_hundred("slate.popularity", slate.popularity)?;
        to_hundred("slate.relevance", slate.relevance)
    }
}

fn positive(name: &'static str, value: f64) -> Result<(), DataError> {
    in_range(name, value, value > 0.0 && value.is_finite(), "a positive number")
}

fn from_zero(name: &'static str, value: f64) -> Result<(), DataError> {
    in_range(name, value, value >= 0.0 && value.is_finite(), "a finite number from 0")
}

fn probability(name: &'static str, value: f64) -> Result<(), DataError> {
    in_range(name, value, (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn to_hundred(name: &'static str, value: f64) -> Result<(), DataError> {
    in_range(name, value, (0.0..=100.0).contains(&value), "a number from 0 to 100")
}
