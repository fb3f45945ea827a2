//! What two recommenders differ by on the same users.

use crate::EvalError;
use crate::metrics::mean;

/// First − second for each user, and the mean of that.
pub(crate) fn differences(first: &[f64], second: &[f64]) -> Result<(Vec<f64>, f64), EvalError> {
    if first.len() != second.len() {
        return Err(EvalError::Length {
            what: "users of the second recommender",
            expected: first.len(),
            got: second.len(),
        });
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    if let Some(position) = differences.iter().position(|value| !value.is_finite()) {
        return Err(EvalError::NotFinite {
            what: "difference",
            position,
            value: differences[position],
        });
    }
    let mean = mean(differences.iter().copied()).ok_or(EvalError::Empty { what: "users" })?;
    Ok((differences, mean))
}
