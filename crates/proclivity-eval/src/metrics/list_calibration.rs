//! Calibration of a list: whether what it is about has the shares that it has for the user.

use proclivity_posterior::kl_divergence;

use crate::EvalError;

/// How far the interests of a list are from the user's: 0 if they have the same shares,
/// −ln `smoothing` at most; `None` for an empty list.
///
/// It is the list that is calibrated or not; for probabilities see
/// [`Calibration`](super::Calibration).
///
/// # Formula
/// KL(p ‖ q̃) = Σₖ pₖ ln(pₖ / q̃ₖ), q̃ = (1 − α) q + α p, q = (1/|list|) · Σ over the list of P(k | item)
///
/// p are the user's shares of interests and α the `smoothing`, between 0 and 1, which keeps an
/// interest that the list lacks from making it infinite; Steck takes .01. His q may weight items by
/// their rank; here they count alike.
///
/// # Shapes
/// `shares`: `[interests]`; `list`: `[k, interests]`, P(interest | item) for each item of the list
///
/// # Source
/// H. Steck. *Calibrated recommendations.* RecSys 2018.
///
/// # Errors
/// [`EvalError::OutOfRange`] for the smoothing, [`EvalError::InvalidShares`] for shares that are
/// negative or don't sum to 1 within 10⁻⁶, [`EvalError::Length`] for an item with another number of
/// interests than the user.
pub fn calibration_divergence<'a>(
    shares: &[f64],
    list: impl IntoIterator<Item = &'a [f64]>,
    smoothing: f64,
) -> Result<Option<f64>, EvalError> {
    if !(smoothing > 0.0 && smoothing < 1.0) {
        return Err(EvalError::OutOfRange {
            name: "smoothing",
            value: smoothing,
            expected: "a number between 0 and 1",
        });
    }
    check(shares, None)?;
    let mut sums = vec![0.0; shares.len()];
    let mut count = 0;
    for (place, of_item) in list.into_iter().enumerate() {
        if of_item.len() != shares.len() {
            return Err(EvalError::Length {
                what: "interests of an item",
                expected: shares.len(),
                got: of_item.len(),
            });
        }
        check(of_item, Some(place))?;
        sums.iter_mut().zip(of_item).for_each(|(sum, share)| *sum += share);
        count += 1;
    }
    if count == 0 {
        return Ok(None);
    }
    let smoothed = sums
        .iter()
        .zip(shares)
        .map(|(sum, share)| (1.0 - smoothing) * sum / f64::from(count) + smoothing * share);
    Ok(Some(kl_divergence(shares, &smoothed.collect::<Vec<_>>()).max(0.0)))
}

fn check(shares: &[f64], place: Option<usize>) -> Result<(), EvalError> {
    let (sum, least) = (shares.iter().sum::<f64>(), shares.iter().copied().fold(1.0, f64::min));
    // NaN is in no range: it makes the sum NaN.
    if (sum - 1.0).abs() <= 1e-6 && least >= 0.0 {
        return Ok(());
    }
    Err(EvalError::InvalidShares { place, sum, least })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_worked_by_hand() {
        let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
        let run = |list: &[&[f64]], smoothing| {
            calibration_divergence(&[0.5, 0.5], list.iter().copied(), smoothing).unwrap()
        };
        assert_eq!(run(&[&a, &b], 0.01), Some(0.0));
        // q̃ = (.95, .05) where p = (.5, .5): half ln(.25 / (.95 · .05)).
        let one_sided = run(&[&a, &a], 0.1).unwrap();
        assert!((one_sided - 0.5 * (0.25 / (0.95 * 0.05_f64)).ln()).abs() < 1e-12);
        assert_eq!(run(&[], 0.1), None);
        // Nothing of what the user wants: all that is left is the smoothing.
        let wanted = calibration_divergence(&a, [&b as &[f64]], 0.01).unwrap().unwrap();
        assert!((wanted + 0.01_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn hostile_input_is_refused() {
        let user = [0.5, 0.5];
        let run = |shares: &[f64], item: &[f64], smoothing| {
            calibration_divergence(shares, [&user, item], smoothing)
        };
        for smoothing in [0.0, 1.0, f64::NAN] {
            let result = run(&user, &user, smoothing);
            assert!(matches!(result, Err(EvalError::OutOfRange { name: "smoothing", .. })));
        }
        for bad in [[0.5, 0.6], [-0.5, 1.5], [f64::NAN, 0.5]] {
            let result = run(&bad, &user, 0.1);
            assert!(matches!(result, Err(EvalError::InvalidShares { place: None, .. })));
            let result = run(&user, &bad, 0.1);
            assert!(matches!(result, Err(EvalError::InvalidShares { place: Some(1), .. })));
        }
        let result = run(&user, &[1.0], 0.1);
        assert!(matches!(result, Err(EvalError::Length { expected: 2, got: 1, .. })));
        assert!(matches!(run(&[], &[], 0.1), Err(EvalError::InvalidShares { place: None, .. })));
    }

    fn shares() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(0..5_u32, 4).prop_filter_map("a share", |weights| {
            let total = f64::from(weights.iter().sum::<u32>());
            (total > 0.0).then(|| weights.iter().map(|&w| f64::from(w) / total).collect())
        })
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_more_of_the_user_lowers_it(
            user in shares(),
            list in prop::collection::vec(shares(), 1..6),
            smoothing in 0.001..0.9_f64,
        ) {
            let run = |list: &[&Vec<f64>]| {
                let list = list.iter().map(|shares| shares.as_slice());
                calibration_divergence(&user, list, smoothing).unwrap().unwrap()
            };
            let mut list: Vec<&Vec<f64>> = list.iter().collect();
            let got = run(&list);
            prop_assert!((0.0..=-smoothing.ln() + 1e-9).contains(&got));
            prop_assert!(run(&[&user]) < 1e-12);
            list.reverse();
            prop_assert!((run(&list) - got).abs() < 1e-12);
            // KL is convex in q̃, and 0 at the user's own shares.
            list.push(&user);
            prop_assert!(run(&list) <= got + 1e-12);
        }
    }
}
