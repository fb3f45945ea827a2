//! Approximate evidence with its events: taken back by replay, refined by expectation propagation.

use serde::{Deserialize, Serialize};

use crate::assumed_density::Statistics;
use crate::{Approximate, Belief, Exact, Family, PosteriorError};

/// A belief that keeps its approximate events, each with the site that stands for it.
///
/// Before [`refine`](Sites::refine) it is what [`AssumedDensity`](crate::AssumedDensity) makes of the
/// events in their order; after it, the sites agree with one another and order matters less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(serialize = "E: Serialize", deserialize = "E: Deserialize<'de>")
)]
pub struct Sites<F: Family, E> {
    exact: Belief<F>,
    sum: Belief<F>,
    log: Vec<Site<F, E>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(serialize = "E: Serialize", deserialize = "E: Deserialize<'de>")
)]
struct Site<F: Family, E> {
    id: u64,
    event: E,
    site: F::Statistic,
}

impl<F: Family, E: Approximate<F>> Sites<F, E> {
    /// The belief before any event.
    pub fn new(family: &F) -> Self {
        Self { exact: Belief::new(family), sum: Belief::new(family), log: Vec::new() }
    }

    /// How many approximate events there are.
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether there is no approximate event.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// One more event that needs no approximation.
    ///
    /// # Errors
    /// Those of [`Belief::update`].
    pub fn update(&mut self, family: &F, event: &impl Exact<F>) -> Result<(), PosteriorError> {
        self.sum.update(family, event)?;
        self.exact.update(family, event)
    }

    /// One more event, under a number of the caller's.
    ///
    /// # Errors
    /// [`PosteriorError::DuplicateEvent`], and what is wrong with the event; the belief is then as it
    /// was.
    pub fn absorb(&mut self, family: &F, id: u64, event: E) -> Result<(), PosteriorError> {
        if self.log.iter().any(|logged| logged.id == id) {
            return Err(PosteriorError::DuplicateEvent { id });
        }
        let site = event.site(family, self.sum.evidence())?;
        self.sum.update(family, &Statistics(&site))?;
        self.log.push(Site { id, event, site });
        Ok(())
    }

    /// Takes an event back: the other events are replayed in their order, as if it had never been.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownEvent`], and those of [`Sites::absorb`]; the belief is then as it
    /// was.
    pub fn retract(&mut self, family: &F, id: u64) -> Result<(), PosteriorError>
    where
        E: Clone,
    {
        let at = self.log.iter().position(|logged| logged.id == id);
        let at = at.ok_or(PosteriorError::UnknownEvent { id })?;
        let mut replayed =
            Self { exact: self.exact.clone(), sum: self.exact.clone(), log: Vec::new() };
        for (_, logged) in self.log.iter().enumerate().filter(|&(position, _)| position != at) {
            replayed.absorb(family, logged.id, logged.event.clone())?;
        }
        *self = replayed;
        Ok(())
    }

    /// One sweep of expectation propagation: every site anew, given all the others.
    ///
    /// A site that can't be made, because the others leave no proper cavity, stays as it was.
    /// Returns how many sites changed.
    ///
    /// # Errors
    /// [`PosteriorError::ForeignBelief`] when the belief is another family's.
    pub fn refine(&mut self, family: &F) -> Result<usize, PosteriorError> {
        self.sum.posterior(family).map(drop)?;
        let mut changed = 0;
        for logged in &mut self.log {
            let mut cavity = self.sum.clone();
            if cavity.retract(family, &Statistics(&logged.site)).is_err() {
                continue;
            }
            let Ok(site) = logged.event.site(family, cavity.evidence()) else { continue };
            if site != logged.site && cavity.update(family, &Statistics(&site)).is_ok() {
                (logged.site, self.sum) = (site, cavity);
                changed += 1;
            }
        }
        Ok(changed)
    }

    /// What stands for P(θ|X).
    ///
    /// # Errors
    /// Those of [`Belief::posterior`].
    pub fn posterior(&self, family: &F) -> Result<F::Posterior, PosteriorError> {
        self.sum.posterior(family)
    }
}
