//! Prior and likelihood of interests together, and how well they foretell histories.

use rayon::prelude::*;

use crate::error::same_length;
use crate::{Dirichlet, InterestBelief, InterestLikelihood, PosteriorError, Predictive};

/// P(θ) and P(x|θ): what is needed to start and to update a belief about anyone.
#[derive(Debug, Clone, PartialEq)]
pub struct InterestModel {
    prior: Dirichlet,
    likelihood: InterestLikelihood,
}

impl InterestModel {
    /// A prior over the interests of a likelihood.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when they have different numbers of interests.
    pub fn new(prior: Dirichlet, likelihood: InterestLikelihood) -> Result<Self, PosteriorError> {
        same_length("interests", likelihood.interest_count(), prior.concentration().len())?;
        Ok(Self { prior, likelihood })
    }

    /// P(θ).
    pub fn prior(&self) -> &Dirichlet {
        &self.prior
    }

    /// P(x|θ).
    pub fn likelihood(&self) -> &InterestLikelihood {
        &self.likelihood
    }

    /// The belief after unit-weight events.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn belief(&self, history: &[u32]) -> Result<InterestBelief, PosteriorError> {
        let mut belief = InterestBelief::new(&self.prior);
        for &item in history {
            belief.observe(&self.likelihood, item, 1.0)?;
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
                let mut belief = InterestBelief::new(&self.prior);
                let mut loss = 0.0;
                for &item in *history {
                    let phi = self.likelihood.item(item)?;
                    let shares = belief.shares();
                    loss -= phi.iter().zip(&shares).map(|(p, s)| p * s).sum::<f64>().ln();
                    belief.observe(&self.likelihood, item, 1.0)?;
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

impl Predictive for InterestModel {
    fn item_count(&self) -> usize {
        self.likelihood.item_count()
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let belief = self.belief(history).expect("a history of the catalog's items");
        self.likelihood.log_probs(&belief.shares(), out);
    }
}
