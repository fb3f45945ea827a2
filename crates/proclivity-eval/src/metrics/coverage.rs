//! Coverage: how much of the catalog the lists show at all.

/// The share of the catalog that stands in at least one user's list; 0 of an empty catalog.
///
/// For coverage@k give the first k items of each list. Items outside of the catalog don't count.
///
/// # Formula
/// coverage@k = |∪ over users of the first k items| / |catalog|
///
/// # Source
/// M. Ge, C. Delgado-Battenfeld and D. Jannach. *Beyond accuracy: evaluating recommender systems
/// by coverage and serendipity.* RecSys 2010.
pub fn catalog_coverage<L>(lists: impl IntoIterator<Item = L>, item_count: usize) -> f64
where
    L: IntoIterator<Item = u32>,
{
    if item_count == 0 {
        return 0.0;
    }
    let mut covered = vec![false; item_count];
    for item in lists.into_iter().flatten() {
        if let Some(covered) = covered.get_mut(item as usize) {
            *covered = true;
        }
    }
    covered.iter().filter(|&&covered| covered).count() as f64 / item_count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_counts_once_and_only_if_it_exists() {
        assert_eq!(catalog_coverage([vec![0, 1], vec![1, 9], vec![]], 4), 0.5);
        assert_eq!(catalog_coverage([[0]], 0), 0.0);
        assert_eq!(catalog_coverage(Vec::<Vec<u32>>::new(), 4), 0.0);
    }
}
