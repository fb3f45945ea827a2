//! The best k of a stream of scored items.

use std::cmp::Ordering;

use crate::TieBreak;

/// Holds at most 2k candidates and halves them whenever it is full, so that the selections cost
/// O(1) per item.
pub(crate) struct Best<'a, T> {
    k: usize,
    ties: &'a TieBreak,
    candidates: Vec<(u32, T)>,
    threshold: Option<T>,
}

impl<'a, T: PartialOrd + Copy> Best<'a, T> {
    pub(crate) fn new(k: usize, ties: &'a TieBreak) -> Self {
        Self { k, ties, candidates: Vec::new(), threshold: None }
    }

    /// A score that k of the items so far have reached.
    pub(crate) fn threshold(&self) -> Option<T> {
        self.threshold
    }

    /// The score must not be NaN.
    pub(crate) fn push(&mut self, item: u32, score: T) {
        if self.k == 0 || self.threshold.is_some_and(|threshold| score < threshold) {
            return;
        }
        self.candidates.push((item, score));
        if self.candidates.len() == self.k.saturating_mul(2) {
            self.halve();
        }
    }

    /// Takes in the candidates of another stream.
    pub(crate) fn merge(&mut self, other: Self) {
        for (item, score) in other.candidates {
            self.push(item, score);
        }
    }

    fn halve(&mut self) {
        let ties = self.ties;
        let (_, last, _) =
            self.candidates.select_nth_unstable_by(self.k - 1, |a, b| order(ties, *a, *b));
        self.threshold = Some(last.1);
        self.candidates.truncate(self.k);
    }

    /// Best first.
    pub(crate) fn into_sorted(mut self) -> Vec<(u32, T)> {
        if self.candidates.len() > self.k {
            self.halve();
        }
        let ties = self.ties;
        self.candidates.sort_unstable_by(|a, b| order(ties, *a, *b));
        self.candidates
    }
}

/// Descending score, then the order among ties.
fn order<T: PartialOrd>(ties: &TieBreak, a: (u32, T), b: (u32, T)) -> Ordering {
    // −0 and 0 are the same score, so `total_cmp` won't do; NaN was refused before.
    let by_score = b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal);
    by_score.then_with(|| ties.key(a.0).cmp(&ties.key(b.0)))
}
