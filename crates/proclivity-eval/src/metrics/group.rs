//! Any metric by group of users: its mean there, and how sure that is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::mean;
use crate::EvalError;

/// The mean of a metric over the users of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupMean {
    /// How many users have a value.
    pub count: usize,
    /// How many have none.
    pub missing: usize,
    /// The mean over those that have one; `None` if none has.
    pub mean: Option<f64>,
    /// The standard error of the mean, s / √count with s² = Σ (value − mean)² / (count − 1);
    /// `None` for fewer than two values.
    pub standard_error: Option<f64>,
}

/// The means by group, in the groups' order; `groups` says for each user which group is theirs.
///
/// NaN stands for a missing value, such as the AUC of a user who has seen everything: it is counted
/// as missing and stays out of the mean. Where users can lack a group, let G be an `Option`.
///
/// The groups are disjoint and the users of a group a sample: the standard error is that of the
/// mean of all such users. Many groups make some extreme by chance.
///
/// # Errors
/// [`EvalError::Length`] unless there is a group for each value, [`EvalError::NotFinite`] for an
/// infinite value, which no standard error goes with.
///
/// # Example
/// ```
/// use proclivity_eval::metrics::by_group;
///
/// let by_activity = by_group(&[0.5, 1.0, f64::NAN, 0.0], &["few", "many", "few", "many"])?;
/// assert_eq!(by_activity["many"].mean, Some(0.5));
/// assert_eq!(by_activity["many"].standard_error, Some(0.5));
/// assert_eq!((by_activity["few"].count, by_activity["few"].missing), (1, 1));
/// # Ok::<(), proclivity_eval::EvalError>(())
/// ```
pub fn by_group<G: Ord + Clone>(
    values: &[f64],
    groups: &[G],
) -> Result<BTreeMap<G, GroupMean>, EvalError> {
    if groups.len() != values.len() {
        return Err(EvalError::Length {
            what: "users with a group",
            expected: values.len(),
            got: groups.len(),
        });
    }
    let mut by_group: BTreeMap<&G, (Vec<f64>, usize)> = BTreeMap::new();
    for (position, (&value, group)) in values.iter().zip(groups).enumerate() {
        if value.is_infinite() {
            return Err(EvalError::NotFinite { what: "value", position, value });
        }
        let (present, missing) = by_group.entry(group).or_default();
        if value.is_nan() {
            *missing += 1;
        } else {
            present.push(value);
        }
    }
    let of_group = |(group, (values, missing)): (&G, (Vec<f64>, usize))| {
        let (count, mean) = (values.len(), mean(values.iter().copied()));
        let standard_error = mean.filter(|_| count > 1).map(|mean| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (count - 1) as f64 / count as f64).sqrt()
        });
        (group.clone(), GroupMean { count, missing, mean, standard_error })
    };
    Ok(by_group.into_iter().map(of_group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_group_without_values_is_named_all_the_same() {
        let groups = [Some(1), None, Some(1)];
        let means = by_group(&[f64::NAN, 2.0, f64::NAN], &groups).unwrap();
        let nothing = GroupMean { count: 0, missing: 2, mean: None, standard_error: None };
        assert_eq!(means[&Some(1)], nothing);
        let one = GroupMean { count: 1, missing: 0, mean: Some(2.0), standard_error: None };
        assert_eq!(means[&None], one);
        assert!(by_group::<u8>(&[], &[]).unwrap().is_empty());
        assert!(matches!(by_group(&[1.0], &[0, 1]), Err(EvalError::Length { got: 2, .. })));
        let infinite = by_group(&[1.0, f64::INFINITY], &[0, 1]);
        assert!(matches!(infinite, Err(EvalError::NotFinite { position: 1, .. })));
    }

    proptest! {
        #[test]
        fn the_groups_make_up_the_whole(
            users in prop::collection::vec((-3.0..3.0_f64, 0..4_u8), 1..60),
        ) {
            let (values, groups): (Vec<f64>, Vec<u8>) = users.into_iter().unzip();
            let parts = by_group(&values, &groups).unwrap();
            let whole = by_group(&values, &vec![(); values.len()]).unwrap()[&()];
            prop_assert_eq!(parts.values().map(|part| part.count).sum::<usize>(), whole.count);
            let weighted = parts.values().map(|part| part.count as f64 * part.mean.unwrap());
            let mean = weighted.sum::<f64>() / whole.count as f64;
            prop_assert!((mean - whole.mean.unwrap()).abs() < 1e-12);
            // The sum of squares splits into within and between.
            let squares = |part: &GroupMean| {
                let n = part.count as f64;
                part.standard_error.map_or(0.0, |error| error.powi(2) * n * (n - 1.0))
            };
            let between = |part: &GroupMean| part.count as f64 * (part.mean.unwrap() - mean).powi(2);
            let split: f64 = parts.values().map(|part| squares(part) + between(part)).sum();
            prop_assert!((split - squares(&whole)).abs() < 1e-9);
        }
    }
}
