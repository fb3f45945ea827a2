//! A belief as the sum of exact evidence: merged, taken back and forgotten without approximation.

use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::{Conjugate, Exact, Family, PosteriorError, Statistic};

/// What a user's events add up to under a family; with the family's prior, P(θ|X).
///
/// Only [`Exact`] evidence enters, so every law of the family's table holds. Saved beliefs carry a
/// version and their family, and are checked when they are read and when they are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Belief<F: Family> {
    family: u64,
    evidence: F::Statistic,
    /// Every event counted once, so that the evidence has a probability.
    unit_weights: bool,
}

impl<F: Family> Belief<F> {
    /// The belief before any event.
    pub fn new(family: &F) -> Self {
        Self { family: family.fingerprint(), evidence: family.nothing(), unit_weights: true }
    }

    /// The belief from a sum of unit-weight evidence that was made elsewhere.
    ///
    /// # Errors
    /// Those of [`Statistic::validate`] and [`Statistic::add`].
    pub fn from_evidence(family: &F, evidence: &F::Statistic) -> Result<Self, PosteriorError> {
        evidence.validate()?;
        let mut belief = Self::new(family);
        belief.evidence.add(evidence, 1.0)?;
        Ok(belief)
    }

    /// The sum of the evidence.
    pub fn evidence(&self) -> &F::Statistic {
        &self.evidence
    }

    /// P(θ|X).
    ///
    /// # Errors
    /// [`PosteriorError::ForeignBelief`] when the belief is another family's, and those of
    /// [`Family::posterior`].
    pub fn posterior(&self, family: &F) -> Result<F::Posterior, PosteriorError> {
        self.is_of(family)?;
        family.posterior(&self.evidence)
    }

    /// One more event.
    ///
    /// # Errors
    /// [`PosteriorError::ForeignBelief`], and what is wrong with the event; the belief is then as it
    /// was.
    pub fn update(&mut self, family: &F, event: &impl Exact<F>) -> Result<(), PosteriorError> {
        self.add(family, event, 1.0)
    }

    /// One more event that counts as `weight` events: a power likelihood.
    ///
    /// # Errors
    /// Those of [`Belief::update`], and [`PosteriorError::OutOfRange`] for a negative weight.
    pub fn update_weighted(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
    ) -> Result<(), PosteriorError> {
        self.add(family, event, event_weight(weight)?)?;
        self.unit_weights &= weight == 1.0;
        Ok(())
    }

    /// Takes an event back: the belief is what it would be had the event never been seen.
    ///
    /// # Errors
    /// Those of [`Belief::update`], and [`PosteriorError::OutOfRange`] when no such event can have
    /// been seen.
    pub fn retract(&mut self, family: &F, event: &impl Exact<F>) -> Result<(), PosteriorError> {
        self.add(family, event, -1.0)
    }

    /// Takes an event back that counted as `weight` events.
    ///
    /// # Errors
    /// Those of [`Belief::retract`], and [`PosteriorError::OutOfRange`] for a negative weight.
    pub fn retract_weighted(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
    ) -> Result<(), PosteriorError> {
        self.add(family, event, -event_weight(weight)?)
    }

    fn add(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
    ) -> Result<(), PosteriorError> {
        self.is_of(family)?;
        self.evidence.add(&event.statistic(family)?, weight)
    }

    /// What stands for one more event.
    pub(crate) fn add_site(
        &mut self,
        family: &F,
        site: &F::Statistic,
    ) -> Result<(), PosteriorError> {
        self.is_of(family)?;
        self.evidence.add(site, 1.0)
    }

    /// Adds the evidence of another belief of the same family, as if its events had been seen here.
    ///
    /// # Errors
    /// [`PosteriorError::ForeignBelief`], and those of [`Statistic::add`].
    pub fn merge(&mut self, other: &Self) -> Result<(), PosteriorError> {
        if self.family != other.family {
            return Err(PosteriorError::ForeignBelief { family: F::NAME });
        }
        self.evidence.add(&other.evidence, 1.0)?;
        self.unit_weights &= other.unit_weights;
        Ok(())
    }

    /// Keeps a part of the evidence, so that the belief moves back towards the prior.
    ///
    /// # Formula
    /// P(X|θ) becomes P(X|θ)^kept
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless `kept` lies in \[0, 1\].
    pub fn forget(&mut self, kept: f64) -> Result<(), PosteriorError> {
        in_range("kept part", kept, (0.0..=1.0).contains(&kept), "in [0, 1]")?;
        self.keep(kept);
        Ok(())
    }

    /// [`forget`](Self::forget), for a part that is known to lie in \[0, 1\].
    pub(crate) fn keep(&mut self, kept: f64) {
        if kept < 1.0 {
            self.evidence.scale(kept);
            self.unit_weights = false;
        }
    }

    /// log P(X), in nats.
    ///
    /// # Errors
    /// [`PosteriorError::Weighted`] where an event didn't count once: weights change what a
    /// probability of the evidence would mean. [`PosteriorError::ForeignBelief`], and those of
    /// [`Conjugate::log_evidence`].
    pub fn log_evidence(&self, family: &F) -> Result<f64, PosteriorError>
    where
        F: Conjugate,
    {
        self.is_of(family)?;
        if !self.unit_weights {
            return Err(PosteriorError::Weighted);
        }
        family.log_evidence(&self.evidence)
    }

    /// `Ok` when the belief is this family's.
    pub(crate) fn is_of(&self, family: &F) -> Result<(), PosteriorError> {
        if self.family == family.fingerprint() {
            Ok(())
        } else {
            Err(PosteriorError::ForeignBelief { family: F::NAME })
        }
    }
}

fn event_weight(weight: f64) -> Result<f64, PosteriorError> {
    let valid = weight >= 0.0 && weight.is_finite();
    in_range("weight of an event", weight, valid, "a finite number from 0")?;
    Ok(weight)
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Belief")]
struct Saved<Name, Evidence> {
    version: u32,
    family: Name,
    fingerprint: u64,
    unit_weights: bool,
    evidence: Evidence,
}

impl<F: Family> Serialize for Belief<F> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = Saved {
            version: VERSION,
            family: F::NAME,
            fingerprint: self.family,
            unit_weights: self.unit_weights,
            evidence: &self.evidence,
        };
        saved.serialize(serializer)
    }
}

impl<'de, F: Family> Deserialize<'de> for Belief<F> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let saved = Saved::<String, F::Statistic>::deserialize(deserializer)?;
        if saved.version != VERSION {
            return Err(D::Error::custom(PosteriorError::Version {
                expected: VERSION,
                got: saved.version,
            }));
        }
        if saved.family != F::NAME {
            return Err(D::Error::custom(PosteriorError::ForeignBelief { family: F::NAME }));
        }
        saved.evidence.validate().map_err(D::Error::custom)?;
        Ok(Self {
            family: saved.fingerprint,
            evidence: saved.evidence,
            unit_weights: saved.unit_weights,
        })
    }
}
