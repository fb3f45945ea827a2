//! Assumed-density filtering: a running belief that takes in evidence of any form, event by event.

use serde::{Deserialize, Serialize};

use crate::{Approximate, Belief, Exact, Family, PosteriorError};

/// A belief whose approximate events each left a site behind.
///
/// Constant memory and one pass. What it holds depends on the order of the events, so parts can't
/// be merged and nothing can be taken back: [`Sites`](crate::Sites) keeps the events for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct AssumedDensity<F: Family> {
    filter: Belief<F>,
}

impl<F: Family> AssumedDensity<F> {
    /// The belief before any event.
    pub fn new(family: &F) -> Self {
        Self { filter: Belief::new(family) }
    }

    /// The sum of exact evidence and sites.
    pub fn evidence(&self) -> &F::Statistic {
        self.filter.evidence()
    }

    /// `Ok` when the belief is this family's.
    pub(crate) fn is_of(&self, family: &F) -> Result<(), PosteriorError> {
        self.filter.is_of(family)
    }

    /// One more event. Returns its site, which is what the event moved.
    ///
    /// # Errors
    /// [`PosteriorError::ForeignBelief`], and what is wrong with the event; the belief is then as it
    /// was.
    pub fn absorb(
        &mut self,
        family: &F,
        event: &impl Approximate<F>,
    ) -> Result<F::Statistic, PosteriorError> {
        let site = event.site(family, self.filter.evidence())?;
        self.filter.add_site(family, &site)?;
        Ok(site)
    }

    /// One more event that needs no approximation, counted as `weight` events.
    ///
    /// # Errors
    /// Those of [`Belief::update_weighted`].
    pub fn update(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
    ) -> Result<(), PosteriorError> {
        self.filter.update_weighted(family, event, weight)
    }

    /// Keeps a part of the evidence: [`Belief::forget`].
    ///
    /// # Errors
    /// Those of [`Belief::forget`].
    pub fn forget(&mut self, kept: f64) -> Result<(), PosteriorError> {
        self.filter.forget(kept)
    }

    /// What stands for P(θ|X).
    ///
    /// # Errors
    /// Those of [`Belief::posterior`].
    pub fn posterior(&self, family: &F) -> Result<F::Posterior, PosteriorError> {
        self.filter.posterior(family)
    }
}

/// A statistic as the event that it stands for.
pub(crate) struct Statistics<'a, S>(pub(crate) &'a S);

impl<F: Family> Exact<F> for Statistics<'_, F::Statistic> {
    fn statistic(&self, _: &F) -> Result<F::Statistic, PosteriorError> {
        Ok(self.0.clone())
    }
}
