//! Diversity: how different the items of a list are from one another.

use crate::EvalError;

/// How far from 1 the squared length of a unit vector may be.
const UNIT: f64 = 1e-3;

/// The mean distance between two items of a list, 1 − cosine, from their embeddings; `None` for
/// fewer than two items.
///
/// 0 if all items are the same, 1 if each is unrelated to each, and k / (k − 1) at most. In
/// O(k · embedding_dim).
///
/// # Formula
/// diversity = (2 / (k (k − 1))) · Σ for i < j of (1 − vᵢ · vⱼ)
/// = 1 − (‖Σᵢ vᵢ‖² − Σᵢ ‖vᵢ‖²) / (k (k − 1))
///
/// # Shapes
/// `embeddings`: `[k, embedding_dim]`, a unit vector for each item of the list
///
/// # Source
/// B. Smyth and P. McClave. *Similarity vs. diversity.* ICCBR 2001; C.-N. Ziegler et al. *Improving
/// recommendation lists through topic diversification.* WWW 2005, whose intra-list similarity is
/// the sum over the pairs instead of their mean.
///
/// # Errors
/// [`EvalError::Length`] for an embedding of another length than the first,
/// [`EvalError::NotAUnitVector`] for one whose squared length is not within .001 of 1.
pub fn intra_list_diversity<'a>(
    embeddings: impl IntoIterator<Item = &'a [f32]>,
) -> Result<Option<f64>, EvalError> {
    let mut sum: Vec<f64> = Vec::new();
    let (mut norms, mut count) = (0.0, 0_usize);
    for (position, embedding) in embeddings.into_iter().enumerate() {
        if position == 0 {
            sum = vec![0.0; embedding.len()];
        }
        if embedding.len() != sum.len() {
            return Err(EvalError::Length {
                what: "components of an embedding",
                expected: sum.len(),
                got: embedding.len(),
            });
        }
        let mut squared_norm = 0.0;
        for (sum, &component) in sum.iter_mut().zip(embedding) {
            squared_norm += f64::from(component).powi(2);
            *sum += f64::from(component);
        }
        if !(1.0 - UNIT..=1.0 + UNIT).contains(&squared_norm) {
            return Err(EvalError::NotAUnitVector { position, squared_norm });
        }
        norms += squared_norm;
        count += 1;
    }
    if count < 2 {
        return Ok(None);
    }
    let cosines = sum.iter().map(|sum| sum * sum).sum::<f64>() - norms;
    let pairs = count as f64 * (count - 1) as f64;
    Ok(Some((1.0 - cosines / pairs).max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn diversity(list: &[Vec<f32>]) -> Result<Option<f64>, EvalError> {
        intra_list_diversity(list.iter().map(Vec::as_slice))
    }

    #[test]
    fn values_worked_by_hand() {
        let (x, y, back) = (vec![1.0, 0.0], vec![0.0, 1.0], vec![-1.0, 0.0]);
        assert_eq!(diversity(&[x.clone(), y.clone()]).unwrap(), Some(1.0));
        assert_eq!(diversity(&[x.clone(), x.clone(), x.clone()]).unwrap(), Some(0.0));
        assert_eq!(diversity(&[x.clone(), back.clone()]).unwrap(), Some(2.0));
        // Distances 1, 2 and 1.
        let three = diversity(&[x.clone(), y, back]).unwrap().unwrap();
        assert!((three - 4.0 / 3.0).abs() < 1e-15);
        assert_eq!(diversity(&[x]).unwrap(), None);
        assert_eq!(diversity(&[]).unwrap(), None);
    }

    #[test]
    fn what_is_no_unit_vector_is_refused() {
        let x = vec![1.0, 0.0];
        let refused = |other: Vec<f32>| diversity(&[x.clone(), other]).unwrap_err();
        assert!(matches!(refused(vec![1.0]), EvalError::Length { expected: 2, got: 1, .. }));
        for bad in [vec![0.9, 0.0], vec![f32::NAN, 0.0], vec![f32::INFINITY, 0.0]] {
            assert!(matches!(refused(bad), EvalError::NotAUnitVector { position: 1, .. }));
        }
        assert!(diversity(&[vec![]]).is_err());
    }

    proptest! {
        #[test]
        fn it_is_the_mean_over_the_pairs_in_any_order(
            list in prop::collection::vec(prop::collection::vec(-1.0..1.0_f32, 4), 2..10),
            rotation in 0..10_usize,
        ) {
            let unit = |v: &Vec<f32>| {
                let norm = v.iter().map(|c| c * c).sum::<f32>().sqrt();
                (norm > 0.1).then(|| v.iter().map(|c| c / norm).collect::<Vec<f32>>())
            };
            let mut list: Vec<Vec<f32>> = list.iter().filter_map(unit).collect();
            prop_assume!(list.len() > 1);
            let got = diversity(&list).unwrap().unwrap();
            let (mut sum, mut pairs) = (0.0, 0.0);
            for (i, v) in list.iter().enumerate() {
                for w in &list[..i] {
                    let cosine = v.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    sum += 1.0 - cosine.sum::<f64>();
                    pairs += 1.0;
                }
            }
            prop_assert!((got - sum / pairs).abs() < 1e-9);
            let k = list.len() as f64;
            prop_assert!((0.0..=k / (k - 1.0) + 1e-6).contains(&got));
            let places = list.len();
            list.rotate_left(rotation % places);
            prop_assert!((diversity(&list).unwrap().unwrap() - got).abs() < 1e-12);
        }
    }
}
