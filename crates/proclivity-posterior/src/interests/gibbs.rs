//! Gibbs sampling of shares when nobody knows which interest chose an item.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::dirichlet::sample_shares;
use crate::error::{in_range, same_length};
use crate::{Chosen, GammaRates, InterestLikelihood, PosteriorError, ShareInterval};

/// Collapsed Gibbs sampling over labels: rates are integrated out, labels are drawn one by one.
///
/// # Formula
/// P(zₙ = k | z₋ₙ, X) ∝ (aₖ + #{z₋ₙ = k}) / (bₖ + N) · φₖ(xₙ), and after a sweep
/// λₖ ~ Gamma(aₖ + #{z = k}, bₖ + N); with weights, # and N are sums of weights and the first factor is
/// Γ(aₖ + #{z₋ₙ = k} + w) / Γ(aₖ + #{z₋ₙ = k}) / (bₖ + N)^w
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `burn_in` | 100 | sweeps before the first draw | from 0 |
/// | `draws` | 1,000 | draws that are kept | from 1 |
/// | `thinning` | 1 | sweeps for each draw | from 1 |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct GibbsConfig {
    pub burn_in: usize,
    pub draws: usize,
    pub thinning: usize,
}

impl Default for GibbsConfig {
    fn default() -> Self {
        Self { burn_in: 100, draws: 1_000, thinning: 1 }
    }
}

impl GibbsConfig {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] names the one that isn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("draws", self.draws as f64, self.draws > 0, "a number from 1")?;
        in_range("thinning", self.thinning as f64, self.thinning > 0, "a number from 1")
    }

    /// Draws from P(θ|X), given what is known before the chosen items: the prior, or the posterior
    /// of labelled and dismissed ones.
    ///
    /// # Errors
    /// Those of [`sample_weighted`](Self::sample_weighted).
    pub fn sample<R: Rng + ?Sized>(
        &self,
        before: &GammaRates,
        likelihood: &InterestLikelihood,
        items: &[u32],
        rng: &mut R,
    ) -> Result<GibbsDraws, PosteriorError> {
        let events: Vec<Chosen> = items.iter().map(|&item| Chosen { item, weight: 1.0 }).collect();
        self.sample_weighted(before, likelihood, &events, rng)
    }

    /// The same of events that count as much as their weights: an event of weight w is a choice whose
    /// interest chose w times, θ^w φ(x). Exact where weights are one, else a power likelihood.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), [`PosteriorError::UnknownItem`],
    /// [`PosteriorError::ImpossibleItem`], [`PosteriorError::Length`] when the likelihood has other
    /// interests, [`PosteriorError::OutOfRange`] for a weight that is negative or not finite.
    pub fn sample_weighted<R: Rng + ?Sized>(
        &self,
        before: &GammaRates,
        likelihood: &InterestLikelihood,
        events: &[Chosen],
        rng: &mut R,
    ) -> Result<GibbsDraws, PosteriorError> {
        self.validate()?;
        same_length("interests", before.interest_count(), likelihood.interest_count())?;
        for event in events {
            let valid = event.weight >= 0.0 && event.weight.is_finite();
            in_range("weight of an event", event.weight, valid, "a finite number from 0")?;
        }
        let total: f64 = events.iter().map(|event| event.weight).sum();
        let exposure: Vec<f64> = before.exposure().iter().map(|b| b + total).collect();
        let candidates = events
            .iter()
            .map(|&Chosen { item, weight }| {
                let phi = likelihood.item(item)?.iter();
                let probs: Vec<f64> =
                    phi.zip(&exposure).map(|(phi, b)| phi / b.powf(weight)).collect();
                let possible = probs.iter().any(|&prob| prob > 0.0);
                if possible {
                    Ok(Candidates { probs, weight })
                } else {
                    Err(PosteriorError::ImpossibleItem { item })
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let prior = before.concentration();
        let mut totals = prior.to_vec();
        // The first labels, each given those before it.
        let mut labels: Vec<usize> = candidates
            .iter()
            .map(|event| {
                let label = event.draw(&totals, rng);
                totals[label] += event.weight;
                label
            })
            .collect();
        let mut shares = Array2::zeros((self.draws, totals.len()));
        let mut sweep = |totals: &mut [f64], rng: &mut R| {
            for (label, event) in labels.iter_mut().zip(&candidates) {
                totals[*label] = (totals[*label] - event.weight).max(prior[*label]);
                *label = event.draw(totals, rng);
                totals[*label] += event.weight;
            }
        };
        for _ in 0..self.burn_in {
            sweep(&mut totals, rng);
        }
        for mut draw in shares.rows_mut() {
            for _ in 0..self.thinning {
                sweep(&mut totals, rng);
            }
            let theta = sample_shares(&totals, &exposure, rng);
            draw.iter_mut().zip(theta).for_each(|(draw, share)| *draw = share);
        }
        Ok(GibbsDraws { shares })
    }
}

/// What an event says of its label: φ/b^w of each interest, which doesn't change, and its weight w.
struct Candidates {
    probs: Vec<f64>,
    weight: f64,
}

impl Candidates {
    /// A label in proportion to Γ(total + w)/Γ(total) · φ/b^w, given all other events' totals.
    fn draw<R: Rng + ?Sized>(&self, totals: &[f64], rng: &mut R) -> usize {
        let rising = |total: f64| {
            if self.weight == 1.0 {
                total
            } else {
                (ln_gamma(total + self.weight) - ln_gamma(total)).exp()
            }
        };
        let terms: Vec<f64> =
            totals.iter().zip(&self.probs).map(|(&total, prob)| rising(total) * prob).collect();
        let mut left = rng.random::<f64>() * terms.iter().sum::<f64>();
        let mut last = 0;
        for (label, term) in terms.into_iter().enumerate().filter(|&(_, term)| term > 0.0) {
            last = label;
            left -= term;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

/// Draws from P(θ|X) in the order in which they were made; neighbours depend on each other.
#[derive(Debug, Clone, PartialEq)]
pub struct GibbsDraws {
    shares: Array2<f64>,
}

impl GibbsDraws {
    /// The draws.
    ///
    /// # Shapes
    /// `[draws, interests]`
    pub fn shares(&self) -> ArrayView2<'_, f64> {
        self.shares.view()
    }

    /// E\[θ|X\].
    pub fn mean(&self) -> Vec<f64> {
        self.shares.mean_axis(Axis(0)).map_or(Vec::new(), |mean| mean.to_vec())
    }

    /// Mean and central credible interval of each share.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the level lies between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<ShareInterval>, PosteriorError> {
        in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        let columns = self.shares.columns().into_iter().zip(self.mean());
        let interval = |(column, mean): (ArrayView1<'_, f64>, f64)| {
            ShareInterval::of_draws(mean, column.to_vec(), level)
        };
        Ok(columns.map(interval).collect())
    }

    /// How many independent draws would say as much about the mean of each share, by Geyer's initial
    /// monotone sequence; at most the number of draws.
    ///
    /// # Source
    /// Geyer 1992, Practical Markov chain Monte Carlo
    pub fn effective_sample_sizes(&self) -> Vec<f64> {
        self.shares.columns().into_iter().map(effective_sample_size).collect()
    }
}

/// n / (1 + 2 Σ ρₜ), the sum over pairs of neighbouring lags while they are positive and falling.
fn effective_sample_size(draws: ArrayView1<'_, f64>) -> f64 {
    let n = draws.len();
    let mean = draws.sum() / n as f64;
    let centred: Vec<f64> = draws.iter().map(|draw| draw - mean).collect();
    let covariance =
        |lag: usize| centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let variance = covariance(0);
    if variance <= 0.0 {
        return n as f64;
    }
    let (mut sum, mut before) = (0.0, f64::INFINITY);
    for lag in (0..n.saturating_sub(1)).step_by(2) {
        let pair = ((covariance(lag) + covariance(lag + 1)) / variance).min(before);
        if pair <= 0.0 {
            break;
        }
        (sum, before) = (sum + pair, pair);
    }
    (n as f64 / (2.0 * sum - 1.0)).min(n as f64)
}
