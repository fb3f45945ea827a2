//! Likelihoods of choices from a language model's scores of texts.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::PosteriorError;
use crate::error::{in_range, same_length};
use crate::log_sum_exp::log_sum_exp;

/// log P(x|h, C) of every choice in a set C, from a language model's scores of texts.
///
/// A score of a text is no likelihood of an event: it is neither additive nor exchangeable, and long
/// texts score lower. What the hypothesis adds to a null context counts, sharpened or softened by
/// `sharpness`, among the choices that there were. `sharpness` is chosen by held-out log loss; at 0
/// every hypothesis says what popularity says. The last row is "none of these": popularity alone.
///
/// # Formula
/// log P(x|h, C) = log softmax_{x ∈ C}(sharpness · (log p(x|h) − log p(x|∅)) + log popularity(x))
///
/// # Shapes
/// `scores`: `[hypotheses, choices]`, log p(x|h); `null_scores`, `log_popularity`: `[choices]`;
/// result: `[hypotheses + 1, choices]`
///
/// A score of −∞ is a choice that the hypothesis rules out, a popularity of −∞ one that couldn't be
/// had. A hypothesis that rules out every choice has a row of −∞.
///
/// # Errors
/// [`PosteriorError::Length`] for arrays that don't agree, [`PosteriorError::OutOfRange`] for a
/// negative sharpness, NaN or +∞ among the numbers, a null score of −∞, or when nothing could be
/// had.
pub fn choice_log_probs(
    scores: ArrayView2<'_, f64>,
    null_scores: ArrayView1<'_, f64>,
    log_popularity: ArrayView1<'_, f64>,
    sharpness: f64,
) -> Result<Array2<f64>, PosteriorError> {
    let (hypotheses, choices) = scores.dim();
    same_length("null scores", choices, null_scores.len())?;
    same_length("popularities", choices, log_popularity.len())?;
    let valid = sharpness >= 0.0 && sharpness.is_finite();
    in_range("sharpness", sharpness, valid, "a finite number from 0")?;
    let below_infinity = |value: f64| !value.is_nan() && value < f64::INFINITY;
    let named = scores.iter().map(|&score| ("score", score));
    for (name, value) in named.chain(log_popularity.iter().map(|&value| ("popularity", value))) {
        in_range(name, value, below_infinity(value), "−∞ or a finite number")?;
    }
    for &value in null_scores {
        in_range("null score", value, value.is_finite(), "a finite number")?;
    }
    let mut log_probs = Array2::zeros((hypotheses + 1, choices));
    for (hypothesis, mut row) in log_probs.axis_iter_mut(Axis(0)).enumerate() {
        for (choice, log_prob) in row.iter_mut().enumerate() {
            // At sharpness 0 even what is ruled out is as likely as it is popular.
            let lift = match scores.get((hypothesis, choice)) {
                Some(score) if sharpness > 0.0 => sharpness * (score - null_scores[choice]),
                _ => 0.0,
            };
            *log_prob = lift + log_popularity[choice];
        }
        let total = log_sum_exp(&row.to_vec());
        if hypothesis == hypotheses {
            in_range(
                "log of the sum of popularities",
                total,
                total.is_finite(),
                "a finite number",
            )?;
        }
        if total > f64::NEG_INFINITY {
            row.mapv_inplace(|log_prob| log_prob - total);
        }
    }
    Ok(log_probs)
}
