//! The Dirichlet as a family: counts of labels, which may be known or only likely.

use serde::{Deserialize, Serialize};

use crate::error::{in_range, same_length};
use crate::guard::Predictable;
use crate::{
    Approximate, Conjugate, Dirichlet, Exact, Family, Fingerprint, Labelled, PosteriorError,
    Statistic, fixed,
};

/// How often each label was seen, in fixed point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCounts(Vec<i64>);

impl LabelCounts {
    /// The counts.
    pub fn counts(&self) -> Vec<f64> {
        self.0.iter().copied().map(fixed::from_steps).collect()
    }
}

impl Statistic for LabelCounts {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        same_length("labels", self.0.len(), other.0.len())?;
        let pairs = self.0.iter().zip(&other.0);
        let sum = pairs.map(|(&sum, &steps)| {
            let added = fixed::added(sum, steps, weight).filter(|&added| added >= 0);
            added.ok_or(PosteriorError::OutOfRange {
                name: "count",
                value: fixed::from_steps(sum) + weight * fixed::from_steps(steps),
                expected: "from 0, and below 2³¹",
            })
        });
        self.0 = sum.collect::<Result<_, _>>()?;
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        for count in &mut self.0 {
            *count = fixed::kept(*count, kept);
        }
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let negative = self.0.iter().find(|&&count| count < 0);
        negative.map_or(Ok(()), |&count| {
            in_range("count", fixed::from_steps(count), false, "a number from 0")
        })
    }
}

impl Family for Dirichlet {
    const NAME: &'static str = "dirichlet";
    type Statistic = LabelCounts;
    type Posterior = Self;

    fn fingerprint(&self) -> u64 {
        Fingerprint::new(Self::NAME).with(self.concentration().iter().copied()).finish()
    }

    fn nothing(&self) -> LabelCounts {
        LabelCounts(vec![0; self.concentration().len()])
    }

    fn posterior(&self, evidence: &LabelCounts) -> Result<Self, PosteriorError> {
        same_length("labels", self.concentration().len(), evidence.0.len())?;
        let counts = evidence.0.iter().copied().map(fixed::from_steps);
        Self::new(self.concentration().iter().zip(counts).map(|(a, n)| a + n).collect())
    }
}

impl Conjugate for Dirichlet {
    fn log_evidence(&self, evidence: &LabelCounts) -> Result<f64, PosteriorError> {
        Ok(self.posterior(evidence)?.log_partition() - self.log_partition())
    }
}

fn index(event: Labelled, labels: usize) -> Result<usize, PosteriorError> {
    let index = event.interest as usize;
    in_range("label", f64::from(event.interest), index < labels, "a label, from 0")?;
    Ok(index)
}

impl Exact<Dirichlet> for Labelled {
    fn statistic(&self, family: &Dirichlet) -> Result<LabelCounts, PosteriorError> {
        let mut counts = family.nothing();
        let index = index(*self, counts.0.len())?;
        counts.0[index] = fixed::to_steps("count", 1.0)?;
        Ok(counts)
    }
}

impl Predictable<Dirichlet> for Labelled {
    fn log_predictive(
        &self,
        family: &Dirichlet,
        evidence: &LabelCounts,
    ) -> Result<f64, PosteriorError> {
        let posterior = family.posterior(evidence)?;
        let index = index(*self, posterior.concentration().len())?;
        Ok((posterior.concentration()[index] / posterior.strength()).ln())
    }
}

/// An event x whose label isn't known, by P(x|k) of each label k.
///
/// # Approximation
/// The site is the expected label: a mixture of Dirichlets is replaced by one with its expected
/// counts, whose intervals are too narrow: see `docs/interests.md`. [`exact_shares`](crate::exact_shares) is the
/// reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelLikelihood<'a>(pub &'a [f64]);

impl LabelLikelihood<'_> {
    /// P(k, x|X) of each label.
    fn joint(
        &self,
        family: &Dirichlet,
        evidence: &LabelCounts,
    ) -> Result<Vec<f64>, PosteriorError> {
        let posterior = family.posterior(evidence)?;
        same_length("likelihoods of labels", posterior.concentration().len(), self.0.len())?;
        for &likelihood in self.0 {
            let valid = likelihood >= 0.0 && likelihood.is_finite();
            in_range("likelihood", likelihood, valid, "a finite number from 0")?;
        }
        let shares = posterior.concentration().iter().map(|a| a / posterior.strength());
        Ok(shares.zip(self.0).map(|(share, likelihood)| share * likelihood).collect())
    }
}

impl Approximate<Dirichlet> for LabelLikelihood<'_> {
    fn site(
        &self,
        family: &Dirichlet,
        cavity: &LabelCounts,
    ) -> Result<LabelCounts, PosteriorError> {
        let joint = self.joint(family, cavity)?;
        let total: f64 = joint.iter().sum();
        in_range("probability", total, total > 0.0 && total.is_finite(), "above 0")?;
        let steps = joint.iter().map(|value| fixed::to_steps("count", value / total));
        Ok(LabelCounts(steps.collect::<Result<_, _>>()?))
    }
}

impl Predictable<Dirichlet> for LabelLikelihood<'_> {
    fn log_predictive(
        &self,
        family: &Dirichlet,
        evidence: &LabelCounts,
    ) -> Result<f64, PosteriorError> {
        Ok(self.joint(family, evidence)?.iter().sum::<f64>().ln())
    }
}
