//! Serendipity: what is relevant and would not have been recommended by the obvious means.

/// The share of the first k places that hold relevant items which a primitive recommender, such as
/// [`Popularity`](crate::Popularity), doesn't list.
///
/// `expected` is the primitive recommender's list for the same user; give k items of it. An item
/// that the list repeats counts once.
///
/// # Formula
/// serendipity@k = |(list@k ∖ expected) ∩ relevant| / k
///
/// With nothing expected this is [`precision`](super::precision()), which is its upper bound. The
/// denominator is k, as precision's; dividing by |list@k ∖ expected| instead would reward a list
/// whose only unexpected item is a hit over one with nine hits of ten.
///
/// # Source
/// T. Murakami, K. Mori and R. Orihara. *Metrics for evaluating the serendipity of recommendation
/// lists.* JSAI 2007 (the primitive recommender); M. Ge, C. Delgado-Battenfeld and D. Jannach.
/// *Beyond accuracy: evaluating recommender systems by coverage and serendipity.* RecSys 2010.
pub fn serendipity(list: &[u32], expected: &[u32], relevant: &[u32], k: usize) -> f64 {
    let head = &list[..k.min(list.len())];
    let serendipitous = head.iter().enumerate().filter(|&(place, item)| {
        relevant.contains(item) && !expected.contains(item) && !head[..place].contains(item)
    });
    serendipitous.count() as f64 / k.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{RelevantRanks, precision};
    use proptest::prelude::*;

    #[test]
    fn values_worked_by_hand() {
        // Relevant: 1 and 3 of the first three; 1 was expected.
        assert_eq!(serendipity(&[1, 2, 3, 4], &[1, 9], &[1, 3, 4], 3), 1.0 / 3.0);
        assert_eq!(serendipity(&[3, 3], &[], &[3], 2), 0.5);
        assert_eq!(serendipity(&[1], &[], &[1], 10), 0.1);
        assert_eq!(serendipity(&[1], &[], &[1], 0), 0.0);
        assert_eq!(serendipity(&[], &[], &[1], 5), 0.0);
    }

    proptest! {
        #[test]
        fn precision_bounds_it_and_expectation_lowers_it(
            list in Just((0..20_u32).collect::<Vec<_>>()).prop_shuffle(),
            relevant in prop::collection::btree_set(0..20_u32, 1..6),
            expected in prop::collection::vec(0..20_u32, 0..8),
            k in 0..25_usize,
        ) {
            let relevant: Vec<u32> = relevant.into_iter().collect();
            let rank = |item: &u32| list.iter().position(|listed| listed == item).map(|p| p + 1);
            let ranks = RelevantRanks::new(relevant.iter().map(rank)).unwrap();
            prop_assert_eq!(serendipity(&list, &[], &relevant, k), precision(&ranks, k));
            let got = serendipity(&list, &expected, &relevant, k);
            prop_assert!((0.0..=precision(&ranks, k)).contains(&got));
            let fewer = &expected[..expected.len() / 2];
            prop_assert!(serendipity(&list, fewer, &relevant, k) >= got);
            prop_assert_eq!(serendipity(&list, &list, &relevant, k), 0.0);
        }
    }
}
