//! Graded NDCG: gains that depend on how relevant an item is, discounted by rank.

use super::GradedRanks;
use super::ndcg::discount;

/// What an item of a grade is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// The grade itself, as in Järvelin and Kekäläinen, `trec_eval`, `ranx`'s `ndcg` and
    /// `scikit-learn`.
    Linear,
    /// 2^grade − 1, as in Burges et al., `ranx`'s `ndcg_burges` and LightGBM: the top grades decide.
    Exponential,
}

impl Gain {
    fn of(self, grade: f64) -> f64 {
        match self {
            Self::Linear => grade,
            // 2^grade − 1 without cancellation.
            Self::Exponential => (grade * std::f64::consts::LN_2).exp_m1(),
        }
    }
}

/// The normalised discounted cumulative gain of the first k places.
///
/// # Formula
/// NDCG@k = Σ over items of grade g and rank r ≤ k of gain(g)/log₂(r + 1), divided by the same sum
/// for the best order of all graded items, ranked or not
///
/// With grades 0 and 1 both gains give [`ndcg`](super::ndcg()). Implementations that give "NDCG"
/// without saying which gain differ by it alone: here it has no default.
///
/// # Source
/// K. Järvelin and J. Kekäläinen. *Cumulated gain-based evaluation of IR techniques.* ACM TOIS
/// 20(4), 2002; C. Burges et al. *Learning to rank using gradient descent.* ICML 2005.
pub fn graded_ndcg(ranks: &GradedRanks, k: usize, gain: Gain) -> f64 {
    let best = (1..=k).zip(ranks.grades());
    let ideal: f64 = best.map(|(rank, &grade)| gain.of(grade) * discount(rank)).sum();
    if ideal == 0.0 {
        return 0.0;
    }
    let found = ranks.ranked().iter().take_while(|item| item.0 <= k);
    found.map(|&(rank, grade)| gain.of(grade) * discount(rank)).sum::<f64>() / ideal
}
