//! Do events that are given a probability happen as often? Counted over any number of predictions.

use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;
use crate::vectorized::exp;

/// Predictions and what came of them, in narrow bins of log-probability: a few kilobytes however
/// many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    /// Predictions, their expected and their observed events.
    bins: Vec<(u64, f64, u64)>,
}

/// Some predictions of similar probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// How many predictions.
    pub predictions: u64,
    /// How many events were expected: the sum of the probabilities.
    pub expected: f64,
    /// How many events there were.
    pub observed: u64,
}

impl ReliabilityBin {
    /// expected / observed, `None` without events.
    pub fn ratio(&self) -> Option<f64> {
        (self.observed > 0).then(|| self.expected / self.observed as f64)
    }
}

/// What groups of predictions have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReliabilityGroups {
    /// About as many predictions in each: deciles, with ten groups.
    Predictions,
    /// About as many expected events in each, so that groups of improbable predictions are large
    /// enough to be judged.
    Expected,
}

impl Reliability {
    const BINS: usize = 4_096;
    /// The narrowest: log-probabilities below it share a bin.
    const LOWEST: f64 = -32.0;

    /// Nothing yet.
    pub fn new() -> Self {
        Self { bins: vec![(0, 0.0, 0); Self::BINS] }
    }

    /// One more prediction.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the log-probability is at most 0, to rounding.
    pub fn add(&mut self, log_prob: f64, happened: bool) -> Result<(), PosteriorError> {
        self.add_all(&[log_prob], happened.then_some(0))
    }

    /// Many predictions at once, of which at most one, by its position, happened.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless each log-probability is at most 0, to rounding.
    pub fn add_all(
        &mut self,
        log_probs: &[f64],
        happened: Option<usize>,
    ) -> Result<(), PosteriorError> {
        for &log_prob in log_probs {
            in_range("log-probability", log_prob, log_prob <= 1e-9, "a number up to 0")?;
        }
        let mut probs = log_probs.to_vec();
        exp(&mut probs);
        for (at, (&log_prob, prob)) in log_probs.iter().zip(probs).enumerate() {
            let share = 1.0 - (log_prob.min(0.0) / Self::LOWEST).min(1.0);
            let bin = ((share * Self::BINS as f64) as usize).min(Self::BINS - 1);
            let (predictions, expected, observed) = &mut self.bins[bin];
            *predictions += 1;
            *expected += prob;
            *observed += u64::from(happened == Some(at));
        }
        Ok(())
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.0 += other.0;
            bin.1 += other.1;
            bin.2 += other.2;
        }
    }

    /// All predictions by rising probability, in at most this many groups of about the same size.
    pub fn groups(&self, count: usize, of: ReliabilityGroups) -> Vec<ReliabilityBin> {
        let size = |bin: &(u64, f64, u64)| match of {
            ReliabilityGroups::Predictions => bin.0 as f64,
            ReliabilityGroups::Expected => bin.1,
        };
        let total: f64 = self.bins.iter().map(size).sum();
        let mut groups: Vec<ReliabilityBin> = Vec::new();
        let (mut before, mut last) = (0.0, None);
        for bin in self.bins.iter().filter(|bin| bin.0 > 0) {
            let middle = before + size(bin) / 2.0;
            let group = ((middle / total * count as f64) as usize).min(count.saturating_sub(1));
            if last != Some(group) {
                groups.push(ReliabilityBin { predictions: 0, expected: 0.0, observed: 0 });
                last = Some(group);
            }
            if let Some(group) = groups.last_mut() {
                group.predictions += bin.0;
                group.expected += bin.1;
                group.observed += bin.2;
            }
            before += size(bin);
        }
        groups
    }
}

impl Default for Reliability {
    fn default() -> Self {
        Self::new()
    }
}
