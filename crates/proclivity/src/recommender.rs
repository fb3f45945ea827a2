//! The recommender: interests and next steps as one predictive, fitted, asked and explained.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1};
use proclivity_posterior::{
    Belief, Chosen, Dirichlet, Dismissed, GammaRates, GibbsConfig, InterestLikelihood,
    InterestModel, Kernel, NextStep, Predictive, ShareInterval, mixture_weights, nearest_items,
};
use proclivity_rank::{Ranking, Share, TieBreak, shares, top_k};
use proclivity_schema::{Action, Catalog, Interest, SchemaError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::config::Evidence;
use crate::user::Observed;
use crate::{ProclivityError, RecommenderConfig, UserState};

/// What a recommender is fitted to.
#[derive(Debug)]
pub struct TrainingData<'a> {
    /// A vector of unit length for each item, `[items, dim]`.
    pub item_embeddings: Array2<f32>,
    /// A vector of unit length for each interest, `[interests, dim]`.
    pub interest_embeddings: Array2<f32>,
    /// Items that training users chose, each sequence from the oldest to the newest.
    pub sequences: &'a [&'a [u32]],
    /// The same of other users, or later: temperature, strength and weights are chosen on them.
    pub validation: &'a [&'a [u32]],
    /// The language model's distribution over a user's first item, whose projection onto the
    /// interests is the prior's mean; the population's popularity where there is none.
    pub first_item: Option<Vec<f64>>,
}

/// What was chosen on the validation data.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// The interests' temperature.
    pub temperature: f64,
    /// The prior's strength, in events.
    pub strength: f64,
    /// Nats an event: what the interests lose on the validation data.
    pub prequential_log_loss: f64,
    /// The weight of the interests in the predictive; next-step has the rest.
    pub interest_weight: f64,
}

/// A source of a recommendation's probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The prior P(θ): what holds before any event, a user's own words included.
    Prior,
    /// An event, by its position in [`UserState::events`].
    Event(usize),
}

/// Ranks a catalog for users by P(item | X) = w · Σₖ E\[θₖ|X\] φₖ(item) + (1 − w) · P(item | last items).
///
/// The first part knows the user's interests, the second what follows the items of the history.
/// Before the first event the second part has nothing to go by: w is one then, unless the user has
/// described themselves, whose words stand in for a history.
#[derive(Debug)]
pub struct Recommender {
    config: RecommenderConfig,
    catalog: Catalog,
    interests: Vec<Interest>,
    item_embeddings: Array2<f32>,
    interest_embeddings: Array2<f32>,
    model: InterestModel,
    next_step: NextStep,
    ties: TieBreak,
    report: FitReport,
}

impl Recommender {
    /// Fits prior, likelihood and next-step, and chooses what has to be chosen by prequential log
    /// loss on the validation data.
    ///
    /// # Errors
    /// [`ProclivityError::Count`] or [`ProclivityError::Posterior`] when the arrays don't belong
    /// together or hold something that isn't finite, [`ProclivityError::Empty`] without items,
    /// interests, candidates or validation events.
    pub fn fit(
        config: RecommenderConfig,
        catalog: Catalog,
        interests: Vec<Interest>,
        data: TrainingData<'_>,
    ) -> Result<Self, ProclivityError> {
        for (what, empty) in [
            ("items", catalog.is_empty()),
            ("interests", interests.is_empty()),
            ("temperatures", config.temperatures.is_empty()),
            ("strengths", config.strengths.is_empty()),
        ] {
            if empty {
                return Err(ProclivityError::Empty { what });
            }
        }
        count("item embeddings", catalog.len(), data.item_embeddings.nrows())?;
        count("interest embeddings", interests.len(), data.interest_embeddings.nrows())?;
        let kernel = Kernel::nearest(
            data.item_embeddings.view(),
            config.neighbors,
            config.kernel_temperature,
        )?;
        let next_step =
            NextStep::fit(config.next_step.clone(), data.sequences, catalog.len(), Some(kernel))?;
        let (model, mut report) = fit_interests(&config, &data, next_step.popularity())?;
        report.interest_weight = fit_weight(&model, &next_step, data.validation)?;
        let ties = TieBreak::new(catalog.ids().iter().map(|id| id.as_str()), config.tie_seed);
        Ok(Self {
            config,
            catalog,
            interests,
            item_embeddings: data.item_embeddings,
            interest_embeddings: data.interest_embeddings,
            model,
            next_step,
            ties,
            report,
        })
    }

    /// The items.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The named interests, which the components of θ stand for.
    pub fn interests(&self) -> &[Interest] {
        &self.interests
    }

    /// P(θ) and P(x|θ).
    pub fn model(&self) -> &InterestModel {
        &self.model
    }

    /// What was chosen on the validation data.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// The order among equally probable items.
    pub fn ties(&self) -> &TieBreak {
        &self.ties
    }

    /// A user of whom nothing is known.
    pub fn new_user(&self) -> UserState {
        UserState::new(&self.model)
    }

    /// A new user who has described themselves, given the description's embedding.
    ///
    /// The description turns the prior's mean towards the interests whose words are close to it and
    /// is worth `pseudo_count` events; until the first event it also stands in for a history.
    ///
    /// # Formula
    /// θ ~ Dirichlet(a + pseudo_count · r), rₖ ∝ meanₖ · exp(temperature · e·cₖ)
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] when the embedding has another dimension or isn't finite, or
    /// for a negative pseudo-count.
    pub fn new_user_from_text(
        &self,
        embedding: ArrayView1<'_, f32>,
        pseudo_count: f64,
    ) -> Result<UserState, ProclivityError> {
        let row = nearest_items(
            embedding,
            self.item_embeddings.view(),
            self.config.neighbors,
            self.config.kernel_temperature,
        )?;
        let prior = self.model.prior();
        let cosines = self.interest_embeddings.dot(&embedding);
        let weights: Vec<f64> = prior
            .mean()
            .iter()
            .zip(&cosines)
            .map(|(mean, &cosine)| mean * (self.report.temperature * f64::from(cosine)).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let concentration = prior.concentration().iter().zip(&weights);
        let prior = Dirichlet::new(
            concentration.map(|(a, weight)| a + pseudo_count * weight / total).collect(),
        )?;
        Ok(UserState { text_row: Some(row), ..UserState::new(&self.model.with_prior(prior)?) })
    }

    /// Takes one event in: microseconds, without retraining.
    ///
    /// # Errors
    /// [`ProclivityError::Schema`] for an item outside of the catalog,
    /// [`ProclivityError::ForeignState`] for a state of other interests,
    /// [`ProclivityError::Posterior`] for one of another recommender, and for an item that the
    /// interests hold impossible. The state
    /// then stays as it was.
    pub fn observe(&self, user: &mut UserState, action: &Action) -> Result<(), ProclivityError> {
        let model = self.model_of(user)?;
        let labels = match (action.item(), self.config.evidence.of(action)) {
            (None, _) => None,
            (Some(item), _) if item.get() >= self.catalog.len() => {
                let id = format!("at position {}", item.get());
                return Err(SchemaError::UnknownId { role: "item", id }.into());
            }
            (Some(item), Evidence::For(weight)) => {
                Some(user.belief.absorb(&model, &Chosen { item: item.0, weight })?)
            }
            (Some(item), Evidence::Against(weight)) => {
                user.belief.update(&model, &Dismissed { item: item.0 }, weight)?;
                None
            }
            (Some(_), Evidence::Nothing) => None,
        };
        user.evidence.push(Observed { action: action.clone(), labels });
        Ok(())
    }

    /// Mean and central credible interval of each interest's share, by 1,000 seeded draws of Gibbs
    /// sampling over the user's events: milliseconds for hundreds of events. The running belief that
    /// ranks has close means and too narrow intervals.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] unless the level lies between 0 and 1,
    /// [`ProclivityError::ForeignState`] for a state of another recommender.
    pub fn interest_shares(
        &self,
        user: &UserState,
        level: f64,
    ) -> Result<Vec<ShareInterval>, ProclivityError> {
        let model = self.model_of(user)?;
        let mut dismissed = Belief::new(&model);
        let mut chosen = Vec::new();
        for Observed { action, .. } in &user.evidence {
            match (action.item(), self.config.evidence.of(action)) {
                (Some(item), Evidence::For(weight)) => chosen.push(Chosen { item: item.0, weight }),
                (Some(item), Evidence::Against(weight)) => {
                    dismissed.update_weighted(&model, &Dismissed { item: item.0 }, weight)?;
                }
                _ => {}
            }
        }
        let before = dismissed.posterior(&model)?;
        if chosen.is_empty() {
            return Ok(before.intervals(level)?);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let gibbs = GibbsConfig::default();
        Ok(gibbs
            .sample_weighted(&before, model.likelihood(), &chosen, &mut rng)?
            .intervals(level)?)
    }

    /// log P(item | X) of every item of the catalog.
    ///
    /// # Errors
    /// [`ProclivityError::ForeignState`] for a state of another recommender.
    pub fn log_probs(&self, user: &UserState) -> Result<Vec<f64>, ProclivityError> {
        let shares = self.posterior(user)?.shares();
        let (_, history) = user.positive();
        let mut out = vec![0.0; self.catalog.len()];
        self.combine(&shares, &history, user.text_row.as_deref(), &mut out);
        Ok(out)
    }

    /// The k most probable items that the user hasn't dealt with, with probabilities among those.
    ///
    /// The list is shorter than k only when the catalog has no more: see
    /// [`Ranking::is_short`].
    ///
    /// # Errors
    /// As for [`log_probs`](Self::log_probs).
    pub fn recommend(&self, user: &UserState, k: usize) -> Result<Ranking, ProclivityError> {
        let seen = user.seen();
        Ok(top_k(&self.log_probs(user)?, k, |item| !seen.contains(&item), &self.ties)?)
    }

    /// How an item's probability splits among the prior and the events, the largest part first.
    ///
    /// Exact: the predictive is linear in the counts that each event added, given the exposures,
    /// and in the rows of the history's items. It says what the probability is made of, not what
    /// it would be without an event.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] for an item outside of the catalog,
    /// [`ProclivityError::ForeignState`] for a state of another recommender.
    pub fn explain(
        &self,
        user: &UserState,
        item: u32,
    ) -> Result<Vec<Share<Source>>, ProclivityError> {
        let posterior = self.posterior(user)?;
        let phi = self.model.likelihood().item(item)?;
        let (positions, history) = user.positive();
        let weight = self.interest_weight(&history, user.text_row.is_some());
        let per_count = posterior.share_per_count();
        let through = |counts: &mut dyn Iterator<Item = f64>| -> f64 {
            counts.zip(&per_count).zip(phi).map(|((n, share), phi)| n * share * phi).sum()
        };
        let mut prior = weight * through(&mut user.prior.concentration().iter().copied());
        let mut events: Vec<f64> = user
            .evidence
            .iter()
            .map(|e| e.labels.as_ref().map_or(0.0, |site| weight * through(&mut site.counts())))
            .collect();
        if history.is_empty() {
            let of_text = user.text_row.iter().flatten().find(|&&(near, _)| near == item);
            prior += (1.0 - weight) * self.text_probability(item, of_text.map_or(0.0, |n| n.1));
        } else {
            let rows = self.next_step.contributions(&history, item)?;
            for (&position, row) in positions.iter().zip(rows) {
                events[position] += (1.0 - weight) * row;
            }
        }
        let events = events.into_iter().enumerate().map(|(at, part)| (Source::Event(at), part));
        Ok(shares(std::iter::once((Source::Prior, prior)).chain(events))?)
    }

    /// The interests' model under the prior of one user.
    fn model_of(&self, user: &UserState) -> Result<InterestModel, ProclivityError> {
        let (expected, got) = (self.interests.len(), user.prior.concentration().len());
        if expected == got {
            Ok(self.model.with_prior(user.prior.clone())?)
        } else {
            Err(ProclivityError::ForeignState { expected, got })
        }
    }

    fn posterior(&self, user: &UserState) -> Result<GammaRates, ProclivityError> {
        Ok(user.belief.posterior(&self.model_of(user)?)?)
    }

    fn interest_weight(&self, history: &[u32], described: bool) -> f64 {
        if history.is_empty() && !described { 1.0 } else { self.report.interest_weight }
    }

    /// A text is an item without events: its row is the prior of such a row.
    fn text_probability(&self, item: u32, kernel: f32) -> f64 {
        let popularity_share = self.config.next_step.popularity_share;
        (1.0 - popularity_share) * f64::from(kernel)
            + popularity_share * self.next_step.popularity()[item as usize]
    }

    fn combine(
        &self,
        shares: &[f64],
        history: &[u32],
        text_row: Option<&[(u32, f32)]>,
        out: &mut [f64],
    ) {
        let weight = self.interest_weight(history, text_row.is_some());
        match text_row {
            Some(row) if history.is_empty() => {
                for (item, out) in (0..).zip(out.iter_mut()) {
                    *out = self.text_probability(item, 0.0);
                }
                for &(item, kernel) in row {
                    out[item as usize] = self.text_probability(item, kernel);
                }
            }
            _ => {
                self.next_step.log_probs(history, out);
                out.iter_mut().for_each(|log_prob| *log_prob = log_prob.exp());
            }
        }
        let mut by_interest = vec![0.0; out.len()];
        self.model.likelihood().log_probs(shares, &mut by_interest);
        for (out, log_prob) in out.iter_mut().zip(by_interest) {
            *out = (weight * log_prob.exp() + (1.0 - weight) * *out).ln();
        }
    }
}

/// The predictive of a user whose events are the history, each a view.
impl Predictive for Recommender {
    fn item_count(&self) -> usize {
        self.catalog.len()
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let posterior = self.model.belief(history).and_then(|belief| belief.posterior(&self.model));
        let shares = posterior.expect("a history of the catalog's items").shares();
        self.combine(&shares, history, None, out);
    }
}

fn count(what: &'static str, expected: usize, got: usize) -> Result<(), ProclivityError> {
    if expected == got { Ok(()) } else { Err(ProclivityError::Count { what, expected, got }) }
}

fn fit_interests(
    config: &RecommenderConfig,
    data: &TrainingData<'_>,
    popularity: &[f64],
) -> Result<(InterestModel, FitReport), ProclivityError> {
    let log_popularity: Vec<f64> = popularity.iter().map(|p| p.ln()).collect();
    let mut best: Option<(InterestModel, FitReport)> = None;
    for &temperature in &config.temperatures {
        let likelihood = Arc::new(InterestLikelihood::from_embeddings(
            data.interest_embeddings.view(),
            data.item_embeddings.view(),
            &log_popularity,
            temperature,
        )?);
        let mean = likelihood.project(data.first_item.as_deref().unwrap_or(popularity))?;
        // An interest that the projection leaves out stays possible.
        let floor = 0.01 / mean.len() as f64;
        let mean: Vec<f64> = mean.iter().map(|share| share.max(floor)).collect();
        for &strength in &config.strengths {
            let prior = Dirichlet::from_mean(&mean, strength)?;
            let model = InterestModel::new(prior, Arc::clone(&likelihood))?;
            let prequential_log_loss = model.prequential_log_loss(data.validation)?;
            if best.as_ref().is_none_or(|(_, b)| prequential_log_loss < b.prequential_log_loss) {
                let report =
                    FitReport { temperature, strength, prequential_log_loss, interest_weight: 1.0 };
                best = Some((model, report));
            }
        }
    }
    best.ok_or(ProclivityError::Empty { what: "candidates with a finite log loss" })
}

/// The weight of the interests beside next-step, by held-out likelihood of every event after the
/// first.
fn fit_weight(
    model: &InterestModel,
    next_step: &NextStep,
    validation: &[&[u32]],
) -> Result<f64, ProclivityError> {
    let mut log_probs = Vec::new();
    let mut out = vec![0.0; next_step.item_count()];
    for sequence in validation {
        for (position, &target) in sequence.iter().enumerate().skip(1) {
            let history = &sequence[..position];
            // What was seen can't be recommended, so it doesn't decide how to recommend either.
            if history.contains(&target) {
                continue;
            }
            for member in [model as &dyn Predictive, next_step] {
                member.log_probs(history, &mut out);
                log_probs.push(out[target as usize]);
            }
        }
    }
    if log_probs.is_empty() {
        return Ok(1.0);
    }
    let events = log_probs.len() / 2;
    let log_probs = Array2::from_shape_vec((events, 2), log_probs)
        .map_err(|_| ProclivityError::Empty { what: "validation events" })?;
    Ok(mixture_weights(log_probs.view())?[0])
}
