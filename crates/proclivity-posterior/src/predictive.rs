//! What every model of this crate can say: a probability for each item to come next.

use ndarray::{ArrayView1, ArrayViewMut2};

/// A predictive distribution over the next item, given a history.
///
/// Items are positions in a catalog, `0..item_count`.
pub trait Predictive: Sync {
    /// How many items there are.
    fn item_count(&self) -> usize;

    /// Writes log P(next item = x | history) for every item x.
    ///
    /// `history` runs from the oldest to the newest item. The probabilities sum to one over the
    /// whole catalog; leaving out items that were seen is the ranking's business.
    ///
    /// # Panics
    /// When `out` is not as long as the catalog or the history names an item outside of it.
    fn log_probs(&self, history: &[u32], out: &mut [f64]);

    /// The same after each of several histories, which some models answer faster together.
    ///
    /// # Shapes
    /// `out`: `[histories, items]`
    ///
    /// # Panics
    /// As [`log_probs`](Self::log_probs), and when `out` has another shape.
    fn log_probs_batch(&self, histories: &[&[u32]], mut out: ArrayViewMut2<'_, f64>) {
        assert_eq!(out.dim(), (histories.len(), self.item_count()), "shape of `out`");
        let mut log_probs = vec![0.0; self.item_count()];
        for (history, mut out) in histories.iter().zip(out.rows_mut()) {
            self.log_probs(history, &mut log_probs);
            out.assign(&ArrayView1::from(&log_probs));
        }
    }
}
