//! Novelty: how unlikely it is that the user would have met the listed items anyway.

use super::mean;

/// What each item tells by being met, in bits: rare items tell more.
///
/// # Formula
/// I(i) = −log₂ P(i), P(i) = (nᵢ + 1) / (Σ n + |catalog|)
///
/// nᵢ counts the events with item i in the training log. The 1 stands for the events to come of
/// an item that has none yet, whose novelty would be infinite otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfInformation {
    bits: Vec<f64>,
}

impl SelfInformation {
    /// From how many training events each item has.
    pub fn new(item_counts: &[u64]) -> Self {
        let events: f64 = item_counts.iter().map(|&count| count as f64).sum();
        let total = events + item_counts.len() as f64;
        let bits = item_counts.iter().map(|&count| (total / (count as f64 + 1.0)).log2());
        Self { bits: bits.collect() }
    }

    /// The novelty of a list: the mean information of its items. `None` for an empty list; items
    /// outside of the catalog don't count.
    ///
    /// # Formula
    /// novelty@k = (1/|list|) · Σ over the first k items i of I(i)
    ///
    /// # Source
    /// T. Zhou et al. *Solving the apparent diversity–accuracy dilemma of recommender systems.*
    /// PNAS 107(10), 2010; S. Vargas and P. Castells, RecSys 2011.
    pub fn novelty(&self, list: impl IntoIterator<Item = u32>) -> Option<f64> {
        let bits = list.into_iter();
        mean(bits.filter_map(|item| self.bits.get(item as usize).copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_worked_by_hand() {
        // (7 + 1)/16, (3 + 1)/16, (1 + 1)/16, 1/16, 1/16: 1, 2, 3, 4 and 4 bits.
        let information = SelfInformation::new(&[7, 3, 1, 0, 0]);
        assert_eq!(information.novelty([0]), Some(1.0));
        assert_eq!(information.novelty([1, 2, 4]), Some(3.0));
        assert_eq!(information.novelty([1, 99]), Some(2.0));
        assert_eq!(information.novelty([]), None);
        assert_eq!(SelfInformation::new(&[]).novelty([0]), None);
    }

    #[test]
    fn what_is_shown_at_random_by_popularity_has_the_entropy_as_novelty() {
        let counts = [5, 2, 0, 9];
        let information = SelfInformation::new(&counts);
        let total = 20.0;
        let (mut expected, mut entropy) = (0.0, 0.0);
        for (item, &count) in counts.iter().enumerate() {
            let p = (count as f64 + 1.0) / total;
            expected += p * information.novelty([item as u32]).unwrap();
            entropy -= p * p.log2();
        }
        assert!((expected - entropy).abs() < 1e-12);
    }
}
