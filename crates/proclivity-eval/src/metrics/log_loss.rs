//! Log loss: how much probability the targets were given.

use super::mean;

/// The mean of −ln P(target) in nats; `None` without targets.
///
/// It is strictly proper: nothing but the true probabilities minimises its expectation. A target
/// of probability 0 makes it infinite. Uniform probabilities over n candidates give ln n.
///
/// # Formula
/// log loss = −(1/n) · Σ ln P(targetᵢ)
///
/// # Source
/// I. J. Good. *Rational decisions.* Journal of the Royal Statistical Society B 14(1), 1952.
pub fn log_loss(log_probs: impl IntoIterator<Item = f64>) -> Option<f64> {
    mean(log_probs.into_iter().map(|log_prob| -log_prob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_worked_by_hand() {
        let loss = log_loss([0.5, 0.25].map(f64::ln)).unwrap();
        assert!((loss - 1.5 * 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(log_loss([-1.0, f64::NEG_INFINITY]), Some(f64::INFINITY));
        assert_eq!(log_loss([]), None);
    }
}
