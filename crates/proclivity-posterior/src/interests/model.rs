//! Prior and likelihood of interests together: the family of items' events, and how well it foretells.

use std::sync::Arc;

use rayon::prelude::*;

use super::rates::RatesEvidence;
use crate::error::same_length;
use crate::{
    AssumedDensity, Chosen, Dirichlet, Family, Fingerprint, GammaRates, InterestLikelihood,
    PosteriorError, Predictive, Rates,
};

/// P(θ) and P(x|θ): what is needed to start and to update a belief about anyone.
///
/// As a family it is [`Rates`] with items: beside labelled events it takes in [`Chosen`] and
/// [`Dismissed`](crate::Dismissed) items, and `AssumedDensity<InterestModel>` is the running belief. The
/// likelihood is shared, so that clones and models with other priors cost no memory.
///
/// # Approximation
/// The running belief knows too much: soft labels count as if they were certain. For 4 interests and
/// 8 chosen items its means are off by 0.023 on average (0.044 the worst of a user's), its 90 %
/// intervals are 0.81 times as wide as the exact ones and hold 75 % of the truths where those hold 90 %;
/// measured on 300 simulated users by the test `approximations_are_off_by_what_their_docs_say`.
/// [`GibbsConfig`](crate::GibbsConfig) and [`exact_shares`](crate::exact_shares) have the intervals
/// right.
#[derive(Debug, Clone, PartialEq)]
pub struct InterestModel {
    prior: Dirichlet,
    rates: Rates,
    likelihood: Arc<InterestLikelihood>,
    fingerprint: u64,
}

impl InterestModel {
    /// A prior over the interests of a likelihood.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when they have different numbers of interests.
    pub fn new(
        prior: Dirichlet,
        likelihood: impl Into<Arc<InterestLikelihood>>,
    ) -> Result<Self, PosteriorError> {
        let (rates, likelihood) = (Rates::from(&prior), likelihood.into());
        same_length("interests", likelihood.interest_count(), rates.interest_count())?;
        let of_likelihood = likelihood.fingerprint();
        let halves = [of_likelihood >> 32, of_likelihood & 0xffff_ffff];
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(rates.concentration().iter().copied())
            .with(rates.exposure().iter().copied())
            .with(halves.map(|half| half as f64))
            .finish();
        Ok(Self { prior, rates, likelihood, fingerprint })
    }

    /// The same likelihood under another prior, such as one user's.
    ///
    /// # Errors
    /// As for [`InterestModel::new`].
    pub fn with_prior(&self, prior: Dirichlet) -> Result<Self, PosteriorError> {
        Self::new(prior, Arc::clone(&self.likelihood))
    }

    /// P(θ).
    pub fn prior(&self) -> &Dirichlet {
        &self.prior
    }

    /// The prior as rates.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// P(x|θ).
    pub fn likelihood(&self) -> &InterestLikelihood {
        &self.likelihood
    }

    /// The belief after unit-weight events.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn belief(&self, history: &[u32]) -> Result<AssumedDensity<Self>, PosteriorError> {
        let mut belief = AssumedDensity::new(self);
        for &item in history {
            belief.absorb(self, &Chosen { item, weight: 1.0 })?;
        }
        Ok(belief)
    }

    /// The prequential log loss: how surprising, in nats an event, each event of each history is
    /// to the belief from the events before it. What prior and likelihood are chosen by.
    ///
    /// # Formula
    /// −(1/N) Σ log P(xₜ | x₁, …, xₜ₋₁)
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog, [`PosteriorError::Empty`] without
    /// events.
    pub fn prequential_log_loss(&self, histories: &[&[u32]]) -> Result<f64, PosteriorError> {
        let losses: Vec<(f64, usize)> = histories
            .par_iter()
            .map(|history| {
                let mut belief = AssumedDensity::new(self);
                let mut loss = 0.0;
                for &item in *history {
                    let phi = self.likelihood.item(item)?;
                    let shares = belief.posterior(self)?.shares();
                    loss -= phi.iter().zip(&shares).map(|(p, s)| p * s).sum::<f64>().ln();
                    belief.absorb(self, &Chosen { item, weight: 1.0 })?;
                }
                Ok((loss, history.len()))
            })
            .collect::<Result<_, PosteriorError>>()?;
        let events: usize = losses.iter().map(|(_, events)| events).sum();
        if events == 0 {
            return Err(PosteriorError::Empty { what: "events" });
        }
        Ok(losses.iter().map(|(loss, _)| loss).sum::<f64>() / events as f64)
    }
}

impl Family for InterestModel {
    const NAME: &'static str = "interests";
    type Statistic = RatesEvidence;
    type Posterior = GammaRates;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> RatesEvidence {
        self.rates.nothing()
    }

    fn posterior(&self, evidence: &RatesEvidence) -> Result<GammaRates, PosteriorError> {
        self.rates.posterior(evidence)
    }
}

impl Predictive for InterestModel {
    fn item_count(&self) -> usize {
        self.likelihood.item_count()
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let belief = self.belief(history).and_then(|belief| belief.posterior(self));
        belief.expect("a history of the catalog's items").log_probs(&self.likelihood, out);
    }
}
