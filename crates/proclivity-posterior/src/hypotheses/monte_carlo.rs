//! Sequential Monte Carlo: beliefs about hypotheses that are sampled because they can't be listed.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::psis::{ParetoSmoothed, pareto_smooth};
use crate::PosteriorError;
use crate::error::{in_range, same_length};
use crate::log_sum_exp::log_sum_exp;

/// A weighted sample of hypotheses that stands for P(h|X).
///
/// Draws come from any proposal, such as hypotheses that a language model writes. Each event
/// multiplies their weights by its likelihood; when few weights are left to count,
/// [`resample_below`](Particles::resample_below) drops the light ones, doubles the heavy ones and may
/// move them. Where the hypotheses can be listed, [`Finite`](crate::Finite) is exact.
///
/// # Approximation
/// Means are off by about √(variance / effective sample size). exp of
/// [`log_evidence`](Particles::log_evidence) is unbiased (`tests/hypotheses_monte_carlo.rs` holds its
/// average over 20,000 seeds to enumeration), its logarithm is low by half the variance of the
/// weights per draw. What no particle proposes is never believed:
/// [`diagnose`](Particles::diagnose) says whether the weights can be trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Particles<P> {
    particles: Vec<P>,
    /// Normalised.
    log_weights: Vec<f64>,
    log_evidence: f64,
}

impl<P> Particles<P> {
    /// Draws from a proposal, each with the log of prior over proposal at it: 0 for draws from the
    /// prior.
    ///
    /// The log-evidence is right if both densities are normalised; means need them only up to a
    /// factor.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without particles, [`PosteriorError::Length`] unless each has a
    /// weight, [`PosteriorError::OutOfRange`] for a weight of NaN or +∞, or when all are −∞.
    pub fn new(particles: Vec<P>, log_weights: Vec<f64>) -> Result<Self, PosteriorError> {
        if particles.is_empty() {
            return Err(PosteriorError::Empty { what: "particles" });
        }
        same_length("log-weights", particles.len(), log_weights.len())?;
        let equal = -(particles.len() as f64).ln();
        let mut cloud =
            Self { log_weights: vec![equal; particles.len()], particles, log_evidence: 0.0 };
        cloud.reweigh(log_weights)?;
        Ok(cloud)
    }

    /// The hypotheses.
    pub fn particles(&self) -> &[P] {
        &self.particles
    }

    /// The log of each hypothesis's share of the belief; they sum to one.
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// The log of an unbiased estimate of P(X), in nats.
    pub fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    /// One more event, by its log-likelihood under each hypothesis; −∞ rules one out. Returns the
    /// log of the event's estimated probability given the ones before.
    ///
    /// # Formula
    /// wᵢ ∝ wᵢ · P(x|hᵢ), P(x|X) ≈ Σᵢ wᵢ P(x|hᵢ)
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for NaN or +∞, and when no particle that is left allows the
    /// event; the belief is then as it was.
    pub fn update(&mut self, log_likelihood: impl FnMut(&P) -> f64) -> Result<f64, PosteriorError> {
        self.reweigh(self.particles.iter().map(log_likelihood).collect())
    }

    fn reweigh(&mut self, log_factors: Vec<f64>) -> Result<f64, PosteriorError> {
        for &value in &log_factors {
            let valid = !value.is_nan() && value < f64::INFINITY;
            in_range("log-likelihood", value, valid, "−∞ or a finite number")?;
        }
        let joint: Vec<f64> = self
            .log_weights
            .iter()
            .zip(&log_factors)
            .map(|(weight, factor)| weight + factor)
            .collect();
        let total = log_sum_exp(&joint);
        in_range("log-evidence", total, total.is_finite(), "a particle that allows what was seen")?;
        self.log_weights = joint.into_iter().map(|value| value - total).collect();
        self.log_evidence += total;
        Ok(total)
    }

    /// The log of an event's estimated probability given the ones seen: what
    /// [`update`](Particles::update) would return, −∞ included.
    pub fn log_predictive(&self, log_likelihood: impl FnMut(&P) -> f64) -> f64 {
        let likelihoods = self.particles.iter().map(log_likelihood);
        let joint = self.log_weights.iter().zip(likelihoods).filter(|(w, _)| w.is_finite());
        log_sum_exp(&joint.map(|(weight, value)| weight + value).collect::<Vec<_>>())
    }

    /// The posterior mean of a quantity.
    pub fn mean(&self, quantity: impl FnMut(&P) -> f64) -> f64 {
        let quantities = self.particles.iter().map(quantity);
        let weighted = self.log_weights.iter().zip(quantities).filter(|(w, _)| w.is_finite());
        weighted.map(|(weight, value)| weight.exp() * value).sum()
    }

    /// How many equally weighted draws the weights are worth.
    ///
    /// # Formula
    /// 1 / Σᵢ wᵢ²
    pub fn effective_sample_size(&self) -> f64 {
        let squares: Vec<f64> = self.log_weights.iter().map(|weight| 2.0 * weight).collect();
        (-log_sum_exp(&squares)).exp().clamp(1.0, self.particles.len() as f64)
    }

    /// Pareto-smoothed weights and k̂: whether the weights since the last resampling can be trusted.
    ///
    /// # Errors
    /// Those of [`pareto_smooth`](crate::pareto_smooth).
    pub fn diagnose(&self) -> Result<ParetoSmoothed, PosteriorError> {
        pareto_smooth(&self.log_weights)
    }

    /// Resamples when the effective sample size is below a share of the particles, then moves each
    /// particle. Returns whether it did.
    ///
    /// Systematic: one uniform number places equally spaced pointers, so that a particle of weight w
    /// is kept ⌊nw⌋ or ⌈nw⌉ times, and one of weight 0 never. `rejuvenate` tells copies apart: a
    /// Markov step that leaves the posterior of the events so far as it is, such as Metropolis–
    /// Hastings; `|_, _| {}` where particles stay as they are. The log-evidence stays unbiased.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the threshold lies in \[0, 1\].
    pub fn resample_below<R: Rng + ?Sized>(
        &mut self,
        threshold: f64,
        rng: &mut R,
        mut rejuvenate: impl FnMut(&mut P, &mut R),
    ) -> Result<bool, PosteriorError>
    where
        P: Clone,
    {
        in_range("threshold", threshold, (0.0..=1.0).contains(&threshold), "in [0, 1]")?;
        let count = self.particles.len();
        if self.effective_sample_size() >= threshold * count as f64 {
            return Ok(false);
        }
        let ancestors = systematic(&self.log_weights, rng.random::<f64>());
        self.particles = ancestors.into_iter().map(|i| self.particles[i].clone()).collect();
        self.log_weights = vec![-(count as f64).ln(); count];
        self.particles.iter_mut().for_each(|particle| rejuvenate(particle, rng));
        Ok(true)
    }
}

/// The particles under n pointers at (i + offset)/n, for offset in \[0, 1).
fn systematic(log_weights: &[f64], offset: f64) -> Vec<usize> {
    let count = log_weights.len();
    let last = log_weights.iter().rposition(|weight| weight.is_finite()).unwrap_or(count - 1);
    let (mut at, mut cumulated) = (0, log_weights[0].exp());
    let pointers = (0..count).map(|pointer| (pointer as f64 + offset) / count as f64);
    pointers
        .map(|pointer| {
            // Rounding may leave the sum of weights a little below the last pointer.
            while at < last && cumulated <= pointer {
                at += 1;
                cumulated += log_weights[at].exp();
            }
            at
        })
        .collect()
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Particles")]
struct Saved<Hypotheses> {
    version: u32,
    log_evidence: f64,
    /// `None` is −∞, which not every format can write.
    log_weights: Vec<Option<f64>>,
    particles: Hypotheses,
}

impl<P: Serialize> Serialize for Particles<P> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let finite = |&weight: &f64| weight.is_finite().then_some(weight);
        let saved = Saved {
            version: VERSION,
            log_evidence: self.log_evidence,
            log_weights: self.log_weights.iter().map(finite).collect(),
            particles: &self.particles,
        };
        saved.serialize(serializer)
    }
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Particles<P> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let saved = Saved::<Vec<P>>::deserialize(deserializer)?;
        let read = || {
            if saved.version != VERSION {
                return Err(PosteriorError::Version { expected: VERSION, got: saved.version });
            }
            let log_evidence = saved.log_evidence;
            in_range("log-evidence", log_evidence, log_evidence.is_finite(), "a finite number")?;
            let infinite = |weight: &Option<f64>| weight.unwrap_or(f64::NEG_INFINITY);
            let log_weights: Vec<f64> = saved.log_weights.iter().map(infinite).collect();
            same_length("log-weights", saved.particles.len(), log_weights.len())?;
            let total = log_sum_exp(&log_weights);
            in_range("log of the sum of weights", total, total.abs() < 1e-6, "0")?;
            Ok(Self { particles: saved.particles, log_weights, log_evidence })
        };
        read().map_err(D::Error::custom)
    }
}
