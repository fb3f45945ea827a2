//! Expected information gain: how much the answer to a question is going to tell.

use ndarray::{ArrayView2, Axis};
use rand::Rng;
use statrs::function::gamma::digamma;

use super::sample::Sample;
use crate::error::{in_range, same_length};
use crate::{Dirichlet, PosteriorError, entropy};

/// The mutual information between θ, one of finitely many hypotheses, and an answer: exact, in nats.
///
/// An item is a question, too: it is chosen or not, or one of a set is.
///
/// # Formula
/// I(h; a) = H(Σₕ P(h) P(a|h)) − Σₕ P(h) H(P(a|h))
///
/// # Shapes
/// `probs`: `[hypotheses]`, `answers`: `[hypotheses, answers]`, whose rows sum to 1
///
/// # Errors
/// [`PosteriorError::Length`] for another number of rows, [`PosteriorError::OutOfRange`] for a
/// negative probability and unless each distribution sums to 1 within 10⁻⁶.
pub fn information_gain(
    probs: &[f64],
    answers: ArrayView2<'_, f64>,
) -> Result<f64, PosteriorError> {
    same_length("hypotheses with answers", probs.len(), answers.nrows())?;
    distribution("sum of P(h)", probs)?;
    let mut predictive = vec![0.0; answers.ncols()];
    let mut known = 0.0;
    for (prob, answers) in probs.iter().zip(answers.axis_iter(Axis(0))) {
        let answers = answers.to_vec();
        distribution("sum of P(answer|h)", &answers)?;
        known += prob * entropy(&answers);
        predictive.iter_mut().zip(&answers).for_each(|(sum, answer)| *sum += prob * answer);
    }
    Ok((entropy(&predictive) - known).max(0.0))
}

fn distribution(name: &'static str, probs: &[f64]) -> Result<(), PosteriorError> {
    for &prob in probs {
        in_range("probability", prob, prob >= 0.0 && prob.is_finite(), "0 or more")?;
    }
    let sum: f64 = probs.iter().sum();
    in_range(name, sum, (sum - 1.0).abs() <= 1e-6, "1")
}

/// The mutual information between shares θ and the interest that one event is labelled with: exact,
/// in nats.
///
/// It is what an event tells whose interest is known, and at least what any event tells whose
/// interest has to be guessed.
///
/// # Formula
/// H(m) + Σₖ mₖ (ψ(aₖ + 1) − ψ(Σ a + 1)), m the mean
pub fn label_information_gain(shares: &Dirichlet) -> f64 {
    let total = digamma(shares.strength() + 1.0);
    let mean = shares.mean();
    let terms = mean.iter().zip(shares.concentration());
    let known: f64 = terms.map(|(m, a)| m * (digamma(a + 1.0) - total)).sum();
    (entropy(&mean) + known).max(0.0)
}

/// Expected information gain with its Monte Carlo error, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InformationGain {
    /// The estimate.
    pub nats: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// The mutual information between any θ and an answer, by draws of θ: the answer itself is summed
/// over.
///
/// `answers` gives P(answer|θ) of every answer: φ(x)·θ of every item for what the next event tells
/// about shares.
///
/// # Formula
/// H(mean of P(·|θ)) − mean of H(P(·|θ))
///
/// # Approximation
/// Besides the standard error it is too low by at most (answers − 1)/draws nats on average.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] for fewer than 2 draws and for answers that are no distribution,
/// [`PosteriorError::Length`] when their number changes.
pub fn information_gain_by_draws<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    answers: impl Fn(&P::Draw) -> Vec<f64>,
    draws: usize,
    rng: &mut R,
) -> Result<InformationGain, PosteriorError> {
    in_range("draws", draws as f64, draws > 1, "from 2")?;
    let conditional: Vec<Vec<f64>> = (0..draws).map(|_| answers(&posterior.draw(rng))).collect();
    let mut predictive = vec![0.0; conditional[0].len()];
    for probs in &conditional {
        same_length("answers", predictive.len(), probs.len())?;
        distribution("sum of P(answer|θ)", probs)?;
        predictive.iter_mut().zip(probs).for_each(|(sum, prob)| *sum += prob / draws as f64);
    }
    // KL(P(·|θ) ‖ predictive) of each draw: their mean is the difference of entropies.
    let gains: Vec<f64> =
        conditional.iter().map(|probs| crate::kl_divergence(probs, &predictive)).collect();
    let nats = gains.iter().sum::<f64>() / draws as f64;
    let variance = gains.iter().map(|gain| (gain - nats).powi(2)).sum::<f64>() / (draws - 1) as f64;
    Ok(InformationGain { nats: nats.max(0.0), standard_error: (variance / draws as f64).sqrt() })
}
