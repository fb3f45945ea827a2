//! The running belief about one user's interests, updated by one event in time linear in their number.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::dirichlet::gamma_variate;
use crate::error::{in_range, same_length};
use crate::{Dirichlet, InterestLikelihood, PosteriorError};

/// Gamma–Poisson rates λₖ ~ Gamma(aₖ, bₖ), one for each interest; the shares are θₖ = λₖ / Σⱼ λⱼ.
///
/// A chosen item adds its weight to the counts a by its *soft labels*, the probabilities that each
/// interest chose it, and the same exposure to every b: while no exposure differs, the shares are
/// Dirichlet(a) exactly. A dismissed item adds exposure to the interests it stands for and no
/// count, which lowers them.
///
/// # Approximation
/// Soft labels make the exact posterior a mixture of Dirichlets; adding fractional counts is its
/// assumed-density filter. [`exact_shares`](crate::exact_shares) is the reference. An event weight
/// other than one is a power likelihood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InterestBelief {
    counts: Vec<f64>,
    exposures: Vec<f64>,
}

/// How much an event moved each interest: what [`InterestBelief::observe`] added to the counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoftLabels(Vec<f64>);

impl SoftLabels {
    /// The counts added, one for each interest; they sum to the event's weight.
    pub fn counts(&self) -> &[f64] {
        &self.0
    }
}

impl InterestBelief {
    /// The belief before any event.
    pub fn new(prior: &Dirichlet) -> Self {
        let interests = prior.concentration().len();
        Self {
            counts: prior.concentration().to_vec(),
            exposures: vec![prior.strength(); interests],
        }
    }

    /// How many interests there are.
    pub fn interest_count(&self) -> usize {
        self.counts.len()
    }

    /// Expected rates as shares: (aₖ/bₖ) / Σⱼ (aⱼ/bⱼ). With equal exposures this is E\[θ\].
    pub fn shares(&self) -> Vec<f64> {
        self.counts.iter().zip(self.share_per_count()).map(|(a, share)| a * share).collect()
    }

    /// What one more count of each interest adds to its expected share, given all exposures and the
    /// present total: shares are linear in counts, `shares()[k] == counts[k] * share_per_count()[k]`.
    pub fn share_per_count(&self) -> Vec<f64> {
        let total: f64 = self.counts.iter().zip(&self.exposures).map(|(a, b)| a / b).sum();
        self.exposures.iter().map(|b| 1.0 / (b * total)).collect()
    }

    /// A chosen item: counts by soft labels rₖ ∝ E\[λₖ\] φₖ(x), exposure to all alike.
    ///
    /// Returns the soft labels, which add up to what the event is worth in an explanation.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`], [`PosteriorError::Length`] when the likelihood has other
    /// interests, [`PosteriorError::OutOfRange`] for a negative weight; the belief then stays as
    /// it was.
    pub fn observe(
        &mut self,
        likelihood: &InterestLikelihood,
        item: u32,
        weight: f64,
    ) -> Result<SoftLabels, PosteriorError> {
        let phi = self.evidence(likelihood, item, weight)?;
        let mut labels: Vec<f64> = self
            .counts
            .iter()
            .zip(&self.exposures)
            .zip(phi)
            .map(|((a, b), phi)| a / b * phi)
            .collect();
        let total: f64 = labels.iter().sum();
        if total <= 0.0 {
            return Err(PosteriorError::ImpossibleItem { item });
        }
        for ((label, a), b) in labels.iter_mut().zip(&mut self.counts).zip(&mut self.exposures) {
            *label *= weight / total;
            *a += *label;
            *b += weight;
        }
        Ok(SoftLabels(labels))
    }

    /// A dismissed item: exposure to the interests it stands for, ρₖ ∝ φₖ(x), and no count.
    ///
    /// # Errors
    /// As for [`observe`](Self::observe).
    pub fn dismiss(
        &mut self,
        likelihood: &InterestLikelihood,
        item: u32,
        weight: f64,
    ) -> Result<(), PosteriorError> {
        let phi = self.evidence(likelihood, item, weight)?;
        let total: f64 = phi.iter().sum();
        for (b, phi) in self.exposures.iter_mut().zip(phi) {
            *b += weight * phi / total;
        }
        Ok(())
    }

    fn evidence<'a>(
        &self,
        likelihood: &'a InterestLikelihood,
        item: u32,
        weight: f64,
    ) -> Result<&'a [f64], PosteriorError> {
        let valid = weight >= 0.0 && weight.is_finite();
        in_range("weight of an event", weight, valid, "a finite number from 0")?;
        same_length("interests", self.counts.len(), likelihood.interest_count())?;
        likelihood.item(item)
    }

    /// Mean and central credible interval of each share.
    ///
    /// Beta quantiles where exposures are equal, else quantiles and mean of 4,096 seeded draws of
    /// normalised rates.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the level lies between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<ShareInterval>, PosteriorError> {
        in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        let tail = (1.0 - level) / 2.0;
        if let Some(dirichlet) = self.dirichlet() {
            let mean = dirichlet.mean();
            return Ok((0..mean.len())
                .map(|k| {
                    let cdf = |share| dirichlet.marginal_cdf(k, share);
                    ShareInterval {
                        mean: mean[k],
                        lower: quantile(cdf, tail),
                        upper: quantile(cdf, 1.0 - tail),
                    }
                })
                .collect());
        }
        Ok(self.sampled_intervals(tail))
    }

    /// The Dirichlet that the shares follow, if every interest was exposed alike.
    pub fn dirichlet(&self) -> Option<Dirichlet> {
        let first = self.exposures[0];
        let equal = self.exposures.iter().all(|b| (b - first).abs() <= 1e-12 * first);
        if equal { Dirichlet::new(self.counts.clone()).ok() } else { None }
    }

    fn sampled_intervals(&self, tail: f64) -> Vec<ShareInterval> {
        const DRAWS: usize = 4_096;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut draws = vec![Vec::with_capacity(DRAWS); self.counts.len()];
        for _ in 0..DRAWS {
            let rates: Vec<f64> = self
                .counts
                .iter()
                .zip(&self.exposures)
                .map(|(&a, b)| gamma_variate(a, &mut rng) / b)
                .collect();
            let total: f64 = rates.iter().sum();
            for (draws, rate) in draws.iter_mut().zip(rates) {
                draws.push(if total > 0.0 { rate / total } else { 0.0 });
            }
        }
        draws
            .into_iter()
            .map(|mut draws| {
                draws.sort_by(f64::total_cmp);
                let at = |p: f64| draws[(p * (DRAWS - 1) as f64).round() as usize];
                ShareInterval {
                    mean: draws.iter().sum::<f64>() / DRAWS as f64,
                    lower: at(tail),
                    upper: at(1.0 - tail),
                }
            })
            .collect()
    }
}

/// Mean and central credible interval of one share of θ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShareInterval {
    /// The posterior mean.
    pub mean: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

/// The share where a distribution function on \[0, 1\] reaches a probability, by bisection.
pub(crate) fn quantile(cdf: impl Fn(f64) -> f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Shannon entropy of shares, in nats; its exponential is the effective number of interests.
///
/// # Formula
/// H(p) = −Σₖ pₖ log pₖ
pub fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

/// Kullback–Leibler divergence of an estimate q from the truth p, in nats.
///
/// # Formula
/// KL(p‖q) = Σₖ pₖ log(pₖ / qₖ), infinite where q is zero and p is not.
pub fn kl_divergence(truth: &[f64], estimate: &[f64]) -> f64 {
    truth.iter().zip(estimate).filter(|&(&p, _)| p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}
