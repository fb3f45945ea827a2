//! What may be seen of a user's interests: choices and dismissals, of interests and of items.

use serde::{Deserialize, Serialize};

use super::{rates::RatesEvidence, steps};
use crate::{Approximate, Exact, Family, InterestModel, PosteriorError, Predictable, Rates};

/// A choice whose interest is known: one to its count, and exposure to all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// The position of the interest.
    pub interest: u32,
}

/// Something of an interest that was shown and not chosen: exposure to it, and no count.
///
/// An impression that passed without an answer and one that was dismissed differ by the weight of
/// [`Belief::update_weighted`](crate::Belief::update_weighted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The position of the interest.
    pub interest: u32,
}

/// A chosen item, whose interest isn't known: counts by *soft labels*, the probabilities that each
/// interest chose it, and exposure to all alike.
///
/// # Formula
/// rₖ ∝ E\[λₖ\] φₖ(x), Σₖ rₖ = weight to the last bit
///
/// # Approximation
/// The exact posterior of such events is a mixture, see [`exact_shares`](crate::exact_shares). By how
/// much the filter is off: [`InterestModel`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The position of the item in the catalog.
    pub item: u32,
    /// How many events it counts as, by kind and age, in \[0, 32,767\]; rounded to 2⁻¹⁶. Other than
    /// one it is a power likelihood.
    pub weight: f64,
}

/// An item that was dismissed, or shown and not chosen: exposure to the interests that it stands
/// for, and no count.
///
/// # Formula
/// ρₖ = φₖ(x) / Σⱼ φⱼ(x)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dismissed {
    /// The position of the item in the catalog.
    pub item: u32,
}

impl Exact<Rates> for Labelled {
    fn statistic(&self, family: &Rates) -> Result<RatesEvidence, PosteriorError> {
        family.event(self.interest, true)
    }
}

impl Exact<Rates> for Shown {
    fn statistic(&self, family: &Rates) -> Result<RatesEvidence, PosteriorError> {
        family.event(self.interest, false)
    }
}

impl Exact<InterestModel> for Labelled {
    fn statistic(&self, family: &InterestModel) -> Result<RatesEvidence, PosteriorError> {
        self.statistic(family.rates())
    }
}

impl Exact<InterestModel> for Shown {
    fn statistic(&self, family: &InterestModel) -> Result<RatesEvidence, PosteriorError> {
        self.statistic(family.rates())
    }
}

impl Exact<InterestModel> for Dismissed {
    fn statistic(&self, family: &InterestModel) -> Result<RatesEvidence, PosteriorError> {
        let parts = steps::apportion(family.likelihood().item(self.item)?, steps::to_steps(1.0)?);
        let parts = parts.ok_or(PosteriorError::ImpossibleItem { item: self.item })?;
        Ok(RatesEvidence::shown(parts))
    }
}

impl Approximate<InterestModel> for Chosen {
    fn site(
        &self,
        family: &InterestModel,
        cavity: &RatesEvidence,
    ) -> Result<RatesEvidence, PosteriorError> {
        let (rates, phi) = (family.rates(), family.likelihood().item(self.item)?);
        cavity.is_of(phi.len())?;
        let weight = steps::to_steps(self.weight)?;
        let counts = rates.concentration().iter().zip(cavity.counts());
        let exposures = rates.exposure().iter().zip(cavity.exposures());
        let labels: Vec<f64> = counts
            .zip(exposures)
            .zip(phi)
            .map(|(((a, count), (b, exposure)), phi)| (a + count) / (b + exposure) * phi)
            .collect();
        let labels = steps::apportion(&labels, weight);
        let labels = labels.ok_or(PosteriorError::ImpossibleItem { item: self.item })?;
        Ok(RatesEvidence::choice(labels, weight))
    }
}

impl Predictable<InterestModel> for Chosen {
    /// The probability of the item to the power of the event's weight.
    fn log_predictive(
        &self,
        family: &InterestModel,
        evidence: &RatesEvidence,
    ) -> Result<f64, PosteriorError> {
        let phi = family.likelihood().item(self.item)?;
        let shares = family.posterior(evidence)?.shares();
        let prob: f64 = phi.iter().zip(&shares).map(|(phi, share)| phi * share).sum();
        Ok(if self.weight == 0.0 { 0.0 } else { self.weight * prob.ln() })
    }
}
