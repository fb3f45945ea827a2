//! F1: precision and recall in one number.

use super::{RelevantRanks, precision, recall};

/// The harmonic mean of [`precision`] and [`recall`]; 0 without hits.
///
/// # Formula
/// F1@k = 2 · P@k · R@k / (P@k + R@k)
///
/// A mean over users is the mean of their F1, not the F1 of mean precision and mean recall.
///
/// # Source
/// C. J. van Rijsbergen. *Information Retrieval*, chapter 7. Butterworths, 1979.
pub fn f1(ranks: &RelevantRanks, k: usize) -> f64 {
    let (precision, recall) = (precision(ranks, k), recall(ranks, k));
    if precision + recall == 0.0 {
        return 0.0;
    }
    2.0 * precision * recall / (precision + recall)
}
