//! Mean-field variational inference of shares when nobody knows which interest chose an item.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

use super::rates::log_partition;
use crate::error::{in_range, same_length};
use crate::{GammaRates, InterestLikelihood, PosteriorError};

/// Coordinate ascent on q(λ) Πₙ q(zₙ), rates independent of labels.
///
/// # Formula
/// rₙₖ ∝ φₖ(xₙ) exp(ψ(âₖ)) / b̂ₖ, âₖ = aₖ + Σₙ rₙₖ, b̂ₖ = bₖ + N
///
/// # Approximation
/// Labels that depend on each other are taken apart, which narrows the intervals. For 4 interests and
/// 8 chosen items the means are off by 0.024 on average (0.041 the worst of a user's), and 90 %
/// intervals are 0.73 times as wide as the exact ones and hold 77 % of the truths where those hold 90 %;
/// measured by the test `approximations_are_off_by_what_their_docs_say`.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `max_sweeps` | 1,000 | sweeps before it gives up | from 1 |
/// | `tolerance` | 1e-9 | the gain of a sweep, in nats, at which it stops | from 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct VariationalConfig {
    pub max_sweeps: usize,
    pub tolerance: f64,
}

impl Default for VariationalConfig {
    fn default() -> Self {
        Self { max_sweeps: 1_000, tolerance: 1e-9 }
    }
}

impl VariationalConfig {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] names the one that isn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("max_sweeps", self.max_sweeps as f64, self.max_sweeps > 0, "a number from 1")?;
        let valid = self.tolerance >= 0.0 && self.tolerance.is_finite();
        in_range("tolerance", self.tolerance, valid, "a finite number from 0")
    }

    /// The closest product to P(λ, z|X), given what is known before the chosen items: the prior, or
    /// the posterior of labelled and dismissed ones. Every item counts as one event.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), [`PosteriorError::UnknownItem`],
    /// [`PosteriorError::ImpossibleItem`], [`PosteriorError::Length`] when the likelihood has other
    /// interests, [`PosteriorError::NotConverged`] when sweeps still gain after the last.
    pub fn fit(
        &self,
        before: &GammaRates,
        likelihood: &InterestLikelihood,
        items: &[u32],
    ) -> Result<Variational, PosteriorError> {
        self.validate()?;
        same_length("interests", before.interest_count(), likelihood.interest_count())?;
        let exposure: Vec<f64> = before.exposure().iter().map(|b| b + items.len() as f64).collect();
        let mut concentration = before.concentration().to_vec();
        let mut labels = Array2::zeros((items.len(), concentration.len()));
        let mut elbo: Vec<f64> = Vec::new();
        for sweep in 0..self.max_sweeps {
            // The first labels follow the expected rates: exp(ψ) of a small count is next to 0.
            let factors: Vec<f64> = concentration
                .iter()
                .zip(&exposure)
                .map(|(&a, b)| if sweep == 0 { a / b } else { digamma(a).exp() / b })
                .collect();
            concentration = before.concentration().to_vec();
            let mut expected = 0.0;
            for (mut row, &item) in labels.rows_mut().into_iter().zip(items) {
                let phi = likelihood.item(item)?;
                row.iter_mut().zip(phi).zip(&factors).for_each(|((r, phi), f)| *r = phi * f);
                let total = row.sum();
                if total <= 0.0 {
                    return Err(PosteriorError::ImpossibleItem { item });
                }
                row /= total;
                for ((&r, phi), count) in row.iter().zip(phi).zip(&mut concentration) {
                    *count += r;
                    if r > 0.0 {
                        expected += r * (phi / r).ln();
                    }
                }
            }
            let bound = expected + log_partition(&concentration, &exposure)
                - log_partition(before.concentration(), before.exposure());
            let gain = elbo.last().map_or(f64::INFINITY, |last| bound - last);
            elbo.push(bound);
            if gain <= self.tolerance {
                let posterior = GammaRates::new(concentration, exposure)?;
                return Ok(Variational { posterior, labels, elbo });
            }
        }
        Err(PosteriorError::NotConverged { what: "variational inference", steps: self.max_sweeps })
    }
}

/// q(λ), q(z) and the bound on log P(X) that they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Variational {
    posterior: GammaRates,
    labels: Array2<f64>,
    elbo: Vec<f64>,
}

impl Variational {
    /// q(λ).
    pub fn posterior(&self) -> &GammaRates {
        &self.posterior
    }

    /// q(z): the soft labels of each item.
    ///
    /// # Shapes
    /// `[items, interests]`
    pub fn labels(&self) -> ArrayView2<'_, f64> {
        self.labels.view()
    }

    /// The evidence lower bound after each sweep, in nats and never falling: below log P(X) of the
    /// items as [`Rates`](crate::Rates) count it, the number of events included.
    ///
    /// # Formula
    /// ELBO = Σₙₖ rₙₖ log(φₖ(xₙ)/rₙₖ) + A(â, b̂) − A(a, b), A = Σₖ log Γ(aₖ) − aₖ log bₖ
    pub fn elbo(&self) -> &[f64] {
        &self.elbo
    }
}
