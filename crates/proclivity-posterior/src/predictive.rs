//! What every model of this crate can say: a probability for each item to come next.

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
}
