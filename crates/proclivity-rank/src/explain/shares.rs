//! How a probability splits among what contributed to it.

use crate::RankError;

/// The part of a probability that comes from one source: an event, a text, a prior.
#[derive(Debug, Clone, PartialEq)]
pub struct Share<S> {
    /// Where it comes from.
    pub source: S,
    /// Which part of the whole, from 0 to 1.
    pub share: f64,
}

/// Normalises contributions that add up to a probability, the largest first.
///
/// This is exact for a mixture, whose probability is the sum of what its members give. It says
/// what a recommendation's probability is made of, not what would happen without a source: the
/// other sources would then weigh more.
///
/// The shares sum to 1. Where every contribution is 0 there is nothing to split, and no share is
/// returned. Equal shares stay in the order they came in.
///
/// # Errors
/// [`RankError::InvalidContribution`] for a negative contribution, NaN or an infinity.
pub fn shares<S>(
    contributions: impl IntoIterator<Item = (S, f64)>,
) -> Result<Vec<Share<S>>, RankError> {
    let mut shares = Vec::new();
    let mut max = 0.0_f64;
    for (position, (source, value)) in contributions.into_iter().enumerate() {
        if !value.is_finite() || value < 0.0 {
            return Err(RankError::InvalidContribution { position, value });
        }
        max = max.max(value);
        shares.push(Share { source, share: value });
    }
    if max == 0.0 {
        return Ok(Vec::new());
    }
    // By the largest first, so that neither tiny nor huge contributions leave the range of f64.
    shares.iter_mut().for_each(|share| share.share /= max);
    let total: f64 = shares.iter().map(|share| share.share).sum();
    shares.iter_mut().for_each(|share| share.share /= total);
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_sum_to_one_and_keep_proportions(
            values in prop::collection::vec(prop_oneof![Just(0.0), 1e-300..1e300_f64, 0.0..1.0], 1..20)
        ) {
            let shares = shares(values.iter().copied().enumerate()).unwrap();
            if values.iter().all(|&value| value == 0.0) {
                prop_assert!(shares.is_empty());
                return Ok(());
            }
            prop_assert_eq!(shares.len(), values.len());
            let total: f64 = shares.iter().map(|share| share.share).sum();
            prop_assert!((total - 1.0).abs() < 1e-12);
            for pair in shares.windows(2) {
                prop_assert!(pair[0].share >= pair[1].share);
                let (first, second) = (values[pair[0].source], values[pair[1].source]);
                if first > 0.0 {
                    let expected = pair[0].share * (second / first);
                    prop_assert!((expected - pair[1].share).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_is_no_contribution_is_refused() {
        for value in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                shares([("view", 0.5), ("text", value)]),
                Err(RankError::InvalidContribution { position: 1, .. })
            ));
        }
        assert_eq!(shares::<&str>([]), Ok(vec![]));
    }
}
