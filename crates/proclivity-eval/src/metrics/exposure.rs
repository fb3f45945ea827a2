//! Exposure: how evenly the lists show the items of the catalog.

use proclivity_posterior::entropy;

/// How often each item of the catalog was shown.
///
/// Places in a list count alike. Items outside of the catalog don't count, and a list that names
/// an item twice shows it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    counts: Vec<u64>,
}

impl Exposure {
    /// Of these lists; for exposure@k give the first k items of each.
    pub fn new<L>(lists: impl IntoIterator<Item = L>, item_count: usize) -> Self
    where
        L: IntoIterator<Item = u32>,
    {
        let mut counts = vec![0; item_count];
        for item in lists.into_iter().flatten() {
            if let Some(count) = counts.get_mut(item as usize) {
                *count += 1;
            }
        }
        Self { counts }
    }

    /// How often each item was shown: `[items]`.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The Gini coefficient of the items' exposure: 0 if all are shown alike, 1 − 1/|catalog| if a
    /// single one is shown; `None` if nothing is.
    ///
    /// # Formula
    /// G = Σᵢ (2i − n − 1) · xᵢ / (n · Σ x), x the counts ascending, i from 1, n = |catalog|
    ///
    /// Items that are never shown count with 0, as in RecBole; leaving them out, as some do, makes
    /// a recommender that shows two items look fair. It isn't rescaled by n / (n − 1).
    ///
    /// # Source
    /// C. Gini. *Variabilità e mutabilità*, 1912; D. Fleder and K. Hosanagar. *Blockbuster
    /// culture's next rise or fall.* Management Science 55(5), 2009, for recommenders.
    pub fn gini(&self) -> Option<f64> {
        let mut ascending = self.counts.clone();
        ascending.sort_unstable();
        let (n, total) = (ascending.len() as f64, self.total()?);
        let terms = (1_u64..).zip(ascending).map(|(i, x)| (2.0 * i as f64 - n - 1.0) * x as f64);
        Some((terms.sum::<f64>() / (n * total)).max(0.0))
    }

    /// Shannon's entropy of the items' exposure in nats: ln |catalog| if all are shown alike, 0 if
    /// a single one is shown; `None` if nothing is. Its exponential is the number of items that,
    /// shown alike, would be as diverse.
    ///
    /// # Formula
    /// H = −Σᵢ pᵢ ln pᵢ, pᵢ = xᵢ / Σ x
    ///
    /// RecBole's `ShannonEntropy` divides this by the number of items shown, so that it falls when
    /// more are shown; we agree with it before that division.
    ///
    /// # Source
    /// C. E. Shannon. *A mathematical theory of communication.* Bell System Technical Journal 27,
    /// 1948; G. Shani and A. Gunawardana. *Evaluating recommendation systems.* Recommender Systems
    /// Handbook, 2011, for recommenders.
    pub fn entropy(&self) -> Option<f64> {
        let total = self.total()?;
        let shares: Vec<f64> = self.counts.iter().map(|&count| count as f64 / total).collect();
        Some(entropy(&shares))
    }

    /// `None` of nothing.
    fn total(&self) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        (total > 0).then_some(total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_worked_by_hand() {
        // Shown 0, 1, 1 and 2 times: (−3·0 − 1·1 + 1·1 + 3·2) / (4·4).
        let exposure = Exposure::new([vec![3, 1, 9], vec![3, 2]], 4);
        assert_eq!(exposure.counts(), [0, 1, 1, 2]);
        assert_eq!(exposure.gini(), Some(0.375));
        assert!((exposure.entropy().unwrap() - 1.5 * 2.0_f64.ln()).abs() < 1e-15);
        let one = Exposure::new([[2], [2]], 5);
        assert!((one.gini().unwrap() - 0.8).abs() < 1e-15);
        assert_eq!(one.entropy(), Some(0.0));
        for nothing in [Exposure::new([[7]], 5), Exposure::new([[0]], 0)] {
            assert_eq!((nothing.gini(), nothing.entropy()), (None, None));
        }
    }

    proptest! {
        #[test]
        fn gini_is_half_the_relative_mean_difference(
            counts in prop::collection::vec(0..6_u32, 1..12),
            rotation in 0..12_usize,
        ) {
            prop_assume!(counts.iter().any(|&count| count > 0));
            let exposure = |counts: &[u32]| {
                let lists = (0_u32..).zip(counts).map(|(item, &n)| vec![item; n as usize]);
                Exposure::new(lists, counts.len())
            };
            let of_all = exposure(&counts);
            let (gini, entropy) = (of_all.gini().unwrap(), of_all.entropy().unwrap());
            let n = counts.len() as f64;
            let total = f64::from(counts.iter().sum::<u32>());
            let pairs = counts.iter().flat_map(|a| counts.iter().map(|b| a.abs_diff(*b)));
            let mean_difference = f64::from(pairs.sum::<u32>()) / (n * n);
            prop_assert!((gini - mean_difference / (2.0 * total / n)).abs() < 1e-12);
            prop_assert!((0.0..=1.0 - 1.0 / n + 1e-12).contains(&gini));
            prop_assert!((-1e-12..=n.ln() + 1e-12).contains(&entropy));

            // Which item has which index doesn't matter, nor does showing everything twice.
            let mut rotated = counts.clone();
            rotated.rotate_left(rotation % counts.len());
            prop_assert_eq!(exposure(&rotated).gini(), Some(gini));
            let doubled: Vec<u32> = counts.iter().map(|count| 2 * count).collect();
            prop_assert!((exposure(&doubled).gini().unwrap() - gini).abs() < 1e-12);

            // Showing the most shown item once less and the least shown once more evens out.
            let most = (0..counts.len()).max_by_key(|&i| counts[i]).unwrap();
            let least = (0..counts.len()).min_by_key(|&i| counts[i]).unwrap();
            if counts[most] > counts[least] + 1 {
                let mut even = counts.clone();
                even[most] -= 1;
                even[least] += 1;
                prop_assert!(exposure(&even).gini().unwrap() < gini);
                prop_assert!(exposure(&even).entropy().unwrap() > entropy);
            }
        }
    }
}
