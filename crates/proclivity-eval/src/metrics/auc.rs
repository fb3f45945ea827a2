//! AUC: how often a relevant item is ranked above another one.

use crate::EvalError;

/// The area under the ROC curve of one user's full ranking: the probability that a relevant item
/// drawn at random scores above another candidate drawn at random, ties counting half. `None`
/// where there is nothing to compare: no relevant items, or no others.
///
/// It takes scores, or log probabilities (−∞ is one), instead of ranks, since ties need them. In
/// O((|relevant| + |others|) · log |relevant|), without sorting the catalog.
///
/// # Formula
/// AUC = (1 / (|relevant| · |others|)) · Σ over relevant s and others t of (\[s > t\] + ½ \[s = t\])
///
/// With one relevant item of rank r among n candidates, without ties: (n − r) / (n − 1).
///
/// `scikit-learn`'s `roc_auc_score` of one user agrees, and RecBole's GAUC of one user. Over users,
/// GAUC weights by |relevant| where a plain mean doesn't, and RecBole's AUC is over the pairs of all
/// users together, so that it depends on whether scores are comparable between users.
///
/// # Source
/// J. A. Hanley and B. J. McNeil. *The meaning and use of the area under a receiver operating
/// characteristic (ROC) curve.* Radiology 143(1), 1982; S. Rendle et al., UAI 2009, for its use on
/// rankings of items.
///
/// # Errors
/// [`EvalError::NotANumber`] for NaN.
pub fn auc(
    relevant: &[f64],
    others: impl IntoIterator<Item = f64>,
) -> Result<Option<f64>, EvalError> {
    let not_a_number = |what, position| EvalError::NotANumber { what, position };
    if let Some(position) = relevant.iter().position(|score| score.is_nan()) {
        return Err(not_a_number("scores of relevant items", position));
    }
    let mut relevant = relevant.to_vec();
    relevant.sort_unstable_by(f64::total_cmp);
    // Twice the number of pairs in order, so that ties count in whole numbers.
    let (mut doubled, mut count) = (0_u128, 0_u64);
    for (position, score) in others.into_iter().enumerate() {
        if score.is_nan() {
            return Err(not_a_number("scores of other candidates", position));
        }
        let below = relevant.partition_point(|&s| s < score);
        let not_above = relevant.partition_point(|&s| s <= score);
        doubled += (2 * relevant.len() - below - not_above) as u128;
        count += 1;
    }
    let pairs = relevant.len() as f64 * count as f64;
    Ok((pairs > 0.0).then(|| doubled as f64 / (2.0 * pairs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_worked_by_hand() {
        let auc = |relevant: &[f64], others: &[f64]| auc(relevant, others.iter().copied());
        // Of four pairs: 3 > 1, 3 > 2, 2 > 1 and 2 = 2.
        assert_eq!(auc(&[3.0, 2.0], &[1.0, 2.0]).unwrap(), Some(3.5 / 4.0));
        let impossible = f64::NEG_INFINITY;
        assert_eq!(auc(&[impossible], &[impossible, -3.0]).unwrap(), Some(0.25));
        assert_eq!(auc(&[-0.0], &[0.0]).unwrap(), Some(0.5));
        assert_eq!(auc(&[], &[1.0]).unwrap(), None);
        assert_eq!(auc(&[1.0], &[]).unwrap(), None);
        assert!(matches!(
            auc(&[1.0], &[1.0, f64::NAN]),
            Err(EvalError::NotANumber { what: "scores of other candidates", position: 1 })
        ));
        assert!(matches!(auc(&[f64::NAN], &[]), Err(EvalError::NotANumber { position: 0, .. })));
    }

    proptest! {
        #[test]
        fn it_counts_pairs_and_only_order_matters(
            relevant in prop::collection::vec(-5..5_i32, 1..8),
            others in prop::collection::vec(-5..5_i32, 1..30),
        ) {
            let run = |score: fn(f64) -> f64, relevant: &[i32], others: &[i32]| {
                let scores: Vec<f64> = relevant.iter().map(|&s| score(f64::from(s))).collect();
                auc(&scores, others.iter().map(|&t| score(f64::from(t)))).unwrap().unwrap()
            };
            let (mut sum, pairs) = (0.0, (relevant.len() * others.len()) as f64);
            for s in &relevant {
                for t in &others {
                    sum += if s > t { 1.0 } else if s == t { 0.5 } else { 0.0 };
                }
            }
            let got = run(|s| s, &relevant, &others);
            prop_assert!((got - sum / pairs).abs() < 1e-12);
            prop_assert_eq!(got, run(f64::exp, &relevant, &others));
            let mirrored = run(|s| -s, &relevant, &others);
            prop_assert!((got + mirrored - 1.0).abs() < 1e-12);
            let exchanged = run(|s| s, &others, &relevant);
            prop_assert!((got + exchanged - 1.0).abs() < 1e-12);
        }
    }
}
