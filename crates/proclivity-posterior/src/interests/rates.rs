//! The family of rates: Gamma–Poisson, counts and exposures in fixed point.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::steps;
use crate::error::{in_range, same_length};
use crate::fixed;
use crate::{Conjugate, Dirichlet, Family, Fingerprint, GammaRates, PosteriorError, Statistic};

/// Independent rates λₖ ~ Gamma(aₖ, bₖ), one for each interest; the shares are θₖ = λₖ / Σⱼ λⱼ.
///
/// A choice of an interest adds one to its count and the same exposure to all; being shown without
/// being chosen adds exposure to one, which lowers it without negative counts. While no exposure
/// differs, the shares are Dirichlet(a + n) exactly.
///
/// # Formula
/// λₖ | X ~ Gamma(aₖ + nₖ, bₖ + c + eₖ), n the counts, e own exposures, c the exposure of all
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Rates {
    concentration: Vec<f64>,
    exposure: Vec<f64>,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Rates")]
struct Saved {
    concentration: Vec<f64>,
    exposure: Vec<f64>,
}

impl Rates {
    /// A prior by the a and b of each rate.
    ///
    /// # Shapes
    /// `concentration`, `exposure`: `[interests]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without interests, [`PosteriorError::Length`] when the lengths
    /// differ, [`PosteriorError::OutOfRange`] unless each number is positive and finite.
    pub fn new(concentration: Vec<f64>, exposure: Vec<f64>) -> Result<Self, PosteriorError> {
        let prior = GammaRates::new(concentration, exposure)?;
        Ok(Self::of(prior.concentration().to_vec(), prior.exposure().to_vec()))
    }

    fn of(concentration: Vec<f64>, exposure: Vec<f64>) -> Self {
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(concentration.iter().copied())
            .with(exposure.iter().copied())
            .finish();
        Self { concentration, exposure, fingerprint }
    }

    /// How many interests there are.
    pub fn interest_count(&self) -> usize {
        self.concentration.len()
    }

    /// The a of each rate: events that the prior has seen of it.
    pub fn concentration(&self) -> &[f64] {
        &self.concentration
    }

    /// The b of each rate: the exposure in which the prior has seen them.
    pub fn exposure(&self) -> &[f64] {
        &self.exposure
    }

    /// One event that speaks of an interest: a count or none, and who was exposed.
    pub(super) fn event(
        &self,
        interest: u32,
        chosen: bool,
    ) -> Result<RatesEvidence, PosteriorError> {
        let (position, mut event) = (interest as usize, self.nothing());
        let valid = position < self.interest_count();
        in_range("interest", f64::from(interest), valid, "a position among the interests")?;
        let one = steps::to_steps(1.0)?;
        if chosen {
            event.counts[position] = one;
            event.common = i64::from(one);
        } else {
            event.exposures[position] = one;
        }
        Ok(event)
    }
}

/// The rates whose shares are a Dirichlet's, scaled so that all of them expect one event in a unit
/// of exposure: bₖ = Σⱼ aⱼ.
impl From<&Dirichlet> for Rates {
    fn from(shares: &Dirichlet) -> Self {
        let concentration = shares.concentration().to_vec();
        let exposure = vec![shares.strength(); concentration.len()];
        Self::of(concentration, exposure)
    }
}

impl TryFrom<Saved> for Rates {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        Self::new(saved.concentration, saved.exposure)
    }
}

impl From<Rates> for Saved {
    fn from(rates: Rates) -> Self {
        Self { concentration: rates.concentration, exposure: rates.exposure }
    }
}

impl Family for Rates {
    const NAME: &'static str = "rates";
    type Statistic = RatesEvidence;
    type Posterior = GammaRates;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> RatesEvidence {
        let zeros = || vec![0; self.interest_count()].into_boxed_slice();
        RatesEvidence { counts: zeros(), exposures: zeros(), common: 0 }
    }

    fn posterior(&self, evidence: &RatesEvidence) -> Result<GammaRates, PosteriorError> {
        evidence.is_of(self.interest_count())?;
        let counts = evidence.counts().zip(&self.concentration);
        let exposures = evidence.exposures().zip(&self.exposure);
        let concentration = counts.map(|(count, prior)| prior + count).collect();
        GammaRates::new(
            concentration,
            exposures.map(|(exposure, prior)| prior + exposure).collect(),
        )
    }
}

impl Conjugate for Rates {
    /// log P(X) of a Poisson process in each interest, which counts how many events there were as
    /// well as whose they are.
    ///
    /// # Formula
    /// Σₖ log Γ(aₖ + nₖ) − (aₖ + nₖ) log(bₖ + c + eₖ) − log Γ(aₖ) + aₖ log bₖ
    fn log_evidence(&self, evidence: &RatesEvidence) -> Result<f64, PosteriorError> {
        let posterior = self.posterior(evidence)?;
        Ok(log_partition(posterior.concentration(), posterior.exposure())
            - log_partition(&self.concentration, &self.exposure))
    }
}

/// Σₖ log Γ(aₖ) − aₖ log bₖ.
pub(super) fn log_partition(concentration: &[f64], exposure: &[f64]) -> f64 {
    concentration.iter().zip(exposure).map(|(&a, b)| ln_gamma(a) - a * b.ln()).sum()
}

/// Counts and exposures of each interest, in steps of 2⁻¹⁶ of an event: 8 bytes an interest.
///
/// A sum may fall 64 steps (0.001 of an event) below 0, because what has faded was rounded before it
/// is taken back; it then counts as 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesEvidence {
    counts: Box<[i32]>,
    exposures: Box<[i32]>,
    /// Exposure of every interest.
    common: i64,
}

/// How far below 0 rounding may bring a sum.
const SLACK: i32 = 64;
const RANGE: &str = "no more taken back than was seen, and less than 32,768 events";

impl RatesEvidence {
    /// A choice: parts of it to each interest, and its exposure to all.
    pub(super) fn choice(counts: Box<[i32]>, weight: i32) -> Self {
        let exposures = vec![0; counts.len()].into_boxed_slice();
        Self { counts, exposures, common: i64::from(weight) }
    }

    /// Exposure without a choice.
    pub(super) fn shown(exposures: Box<[i32]>) -> Self {
        Self { counts: vec![0; exposures.len()].into_boxed_slice(), exposures, common: 0 }
    }

    /// The count of each interest, in events; of one event, its soft labels.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = f64> {
        self.counts.iter().map(|&steps| steps::to_events(f64::from(steps.max(0))))
    }

    /// The exposure of each interest, its own and that of all.
    pub fn exposures(&self) -> impl ExactSizeIterator<Item = f64> {
        let common = self.common as f64;
        let steps = self.exposures.iter().map(move |&steps| (common + f64::from(steps)).max(0.0));
        steps.map(steps::to_events)
    }

    pub(super) fn is_of(&self, interests: usize) -> Result<(), PosteriorError> {
        same_length("counts of interests", interests, self.counts.len())?;
        same_length("exposures of interests", interests, self.exposures.len())
    }

    /// Adds what `sum` makes of both numbers of steps, or nothing where one leaves the range.
    fn add_by(
        &mut self,
        other: &Self,
        common: Option<i64>,
        sum: impl Fn(i32, i32) -> i32,
    ) -> Result<(), PosteriorError> {
        let refused = |name, steps: i64| PosteriorError::OutOfRange {
            name,
            value: steps::to_events(steps as f64),
            expected: RANGE,
        };
        let common = common.filter(|&steps| steps >= -i64::from(SLACK));
        let common = common.ok_or_else(|| refused("exposure of all", other.common))?;
        let lists = [
            ("count of an interest", &mut self.counts, &other.counts),
            ("exposure of an interest", &mut self.exposures, &other.exposures),
        ];
        for (name, sums, more) in &lists {
            let steps = || sums.iter().zip(more.iter()).map(|(&a, &b)| sum(a, b));
            // Without an early exit, so that it is vectorised.
            if !steps().fold(true, |valid, steps| valid & in_steps(steps)) {
                let bad = steps().find(|&steps| !in_steps(steps)).unwrap_or_default();
                return Err(refused(name, i64::from(bad)));
            }
        }
        for (_, sums, more) in lists {
            sums.iter_mut().zip(more.iter()).for_each(|(a, &b)| *a = sum(*a, b));
        }
        self.common = common;
        Ok(())
    }
}

/// As far from the top as from 0: then a number in range plus or minus any other, where it wraps
/// around, comes out of range.
fn in_steps(steps: i32) -> bool {
    (-SLACK..=i32::MAX - SLACK).contains(&steps)
}

impl Statistic for RatesEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        self.is_of(self.counts.len())?;
        other.is_of(self.counts.len())?;
        in_range("weight of evidence", weight, weight.is_finite(), "a finite number")?;
        let common = fixed::added(self.common, other.common, weight);
        if weight == 1.0 {
            self.add_by(other, common, i32::wrapping_add)
        } else if weight == -1.0 {
            self.add_by(other, common, i32::wrapping_sub)
        } else {
            let weighted = |steps: i32| (f64::from(steps) * weight).round() as i32;
            self.add_by(other, common, |a, b| a.wrapping_add(weighted(b)))
        }
    }

    /// Rounds towards 0, so that forgetting for ever ends there.
    fn scale(&mut self, kept: f64) {
        for steps in self.counts.iter_mut().chain(&mut self.exposures) {
            *steps = (f64::from(*steps) * kept) as i32;
        }
        self.common = (self.common as f64 * kept) as i64;
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        self.is_of(self.counts.len())?;
        if self.counts.is_empty() {
            return Err(PosteriorError::Empty { what: "interests" });
        }
        let common = self.common >= -i64::from(SLACK);
        in_range("exposure of all", steps::to_events(self.common as f64), common, RANGE)?;
        for (name, list) in
            [("count of an interest", &self.counts), ("exposure of an interest", &self.exposures)]
        {
            for &steps in list {
                in_range(name, steps::to_events(f64::from(steps)), in_steps(steps), RANGE)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AssumedDensity, Belief, InterestModel};

    #[test]
    fn a_belief_takes_eight_bytes_an_interest() {
        for interests in [1, 16, 256] {
            let family = Rates::new(vec![0.1; interests], vec![1.0; interests]).unwrap();
            let evidence = family.nothing();
            let heap = size_of_val(&*evidence.counts) + size_of_val(&*evidence.exposures);
            assert!(size_of::<Belief<Rates>>() + heap <= 8 * interests + 128);
            assert!(size_of::<AssumedDensity<InterestModel>>() + heap <= 8 * interests + 128);
        }
    }

    #[test]
    fn a_sum_that_wraps_around_is_out_of_range() {
        let edges = |at: i32| (-130..=130).map(move |offset| at.wrapping_add(offset));
        let numbers = || [0, i32::MAX, 1 << 30].into_iter().flat_map(edges);
        for (a, b) in numbers().flat_map(|a| numbers().map(move |b| (a, b))) {
            let (sum, difference) = (i64::from(a) + i64::from(b), i64::from(a) - i64::from(b));
            for (wrapped, exact) in [(a.wrapping_add(b), sum), (a.wrapping_sub(b), difference)] {
                if in_steps(a) && in_steps(wrapped) {
                    assert_eq!(i64::from(wrapped), exact, "{a} and {b}");
                }
            }
        }
    }

    #[test]
    fn sums_out_of_range_are_refused_and_change_nothing() {
        let family = Rates::new(vec![0.1; 3], vec![1.0; 3]).unwrap();
        let mut sum = family.event(1, true).unwrap();
        let event = family.event(1, true).unwrap();
        sum.add(&event, 32_765.0).unwrap();
        let before = sum.clone();
        for (weight, expected) in [(2.0, "count"), (1e300, "exposure of all"), (-1e5, "exposure")] {
            let error = sum.add(&event, weight).unwrap_err();
            assert!(
                matches!(error, PosteriorError::OutOfRange { name, .. } if name.starts_with(expected))
            );
            assert_eq!(sum, before);
        }
        assert!(sum.add(&event, f64::NAN).is_err());
        // Rounding may bring a sum just below nothing, and no further.
        let mut none = family.nothing();
        none.add(&event, -64.0 / 65_536.0).unwrap();
        assert!(none.add(&event, -1.0 / 65_536.0).is_err());
        assert_eq!(family.posterior(&none), family.posterior(&family.nothing()));
    }
}
