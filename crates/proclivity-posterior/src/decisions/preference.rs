//! How probable it is that one item, or one interest, beats another.

use rand::Rng;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;

use super::sample::{Sample, Score};
use crate::PosteriorError;
use crate::error::{in_range, known_items};

/// P(i beats j) with its Monte Carlo error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preference {
    /// P(score i > score j|X) + ½ P(equal|X).
    pub probability: f64,
    /// √(p(1 − p)/draws); 0 only where all draws agree.
    pub standard_error: f64,
}

/// P(i beats j) by joint draws, so that what both scores depend on isn't counted as doubt.
///
/// Every draw scores all of `items`: of linear scores, pass the two that are compared.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] for 0 draws, [`PosteriorError::UnknownItem`] outside of the
/// catalog.
pub fn preference_by_draws<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    items: &impl Score<P::Draw>,
    (i, j): (u32, u32),
    draws: usize,
    rng: &mut R,
) -> Result<Preference, PosteriorError> {
    in_range("draws", draws as f64, draws > 0, "from 1")?;
    known_items(&[i, j], items.item_count())?;
    let mut scores = vec![0.0; items.item_count()];
    let mut wins = 0.0;
    for _ in 0..draws {
        items.scores(&posterior.draw(rng), &mut scores);
        let (i, j) = (scores[i as usize], scores[j as usize]);
        wins += if i > j { 1.0 } else { 0.5 * f64::from(u8::from(i == j)) };
    }
    let probability = wins / draws as f64;
    let standard_error = (probability * (1.0 - probability) / draws as f64).sqrt();
    Ok(Preference { probability, standard_error })
}

/// P(i beats j) of scores whose difference is Gaussian, as linear scores under a Gaussian θ are:
/// exact.
///
/// # Formula
/// Φ(mean/√variance), of the difference score i − score j = θᵀ(wᵢ − wⱼ)
///
/// # Errors
/// [`PosteriorError::OutOfRange`] for a mean that is not finite and a negative variance.
pub fn normal_preference(mean: f64, variance: f64) -> Result<f64, PosteriorError> {
    in_range("mean", mean, mean.is_finite(), "a finite number")?;
    let valid = variance >= 0.0 && variance.is_finite();
    in_range("variance", variance, valid, "a finite number from 0")?;
    if variance == 0.0 {
        return Ok(if mean == 0.0 { 0.5 } else { f64::from(u8::from(mean > 0.0)) });
    }
    Ok(Normal::standard().cdf(mean / variance.sqrt()))
}

/// P(rate i > rate j) of independent rates Gamma(shape, exposure): exact.
///
/// With equal exposures it is also P(θᵢ > θⱼ) of two shares of a Dirichlet with these concentrations,
/// whose ratio θᵢ/(θᵢ + θⱼ) is Beta.
///
/// # Formula
/// 1 − I(bᵢ/(bᵢ + bⱼ); aᵢ, aⱼ), I the regularised incomplete beta function
///
/// # Errors
/// [`PosteriorError::OutOfRange`] unless shapes a and exposures b are positive and finite.
pub fn gamma_preference(
    (shape_i, exposure_i): (f64, f64),
    (shape_j, exposure_j): (f64, f64),
) -> Result<f64, PosteriorError> {
    for shape in [shape_i, shape_j] {
        in_range("shape", shape, shape > 0.0 && shape.is_finite(), "a positive number")?;
    }
    for exposure in [exposure_i, exposure_j] {
        let valid = exposure > 0.0 && exposure.is_finite();
        in_range("exposure", exposure, valid, "a positive number")?;
    }
    // P(j's part is below), so that neither tail is a difference from 1.
    Ok(beta_reg(shape_j, shape_i, exposure_j / (exposure_i + exposure_j)))
}
