//! Splits: what is fitted on, and the cases that are held out from it.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Case, EvalError};

/// Sequences to fit on and cases held out from them, for choosing and for reporting.
///
/// Sequences are items, the oldest first; a user is a position among them. `train` and `refit`
/// have an entry a user, which is a prefix of the user's sequence and empty where nothing of it may
/// be known: `times[user][..train[user].len()]` are its times. Cases are in order of user and
/// borrow from the sequences; each has a history.
///
/// | | `train` | `validation` | `refit` | `test` |
/// |---|---|---|---|---|
/// | [`leave_one_out`](Self::leave_one_out) | all but the last two events | the last but one | all but the last | the last |
/// | [`at_times`](Self::at_times) | events before the first cut | the first event from there on | events before the second cut | the first event from there on |
/// | [`by_user`](Self::by_user) | the other users | the last event of those users | all but the test users | the last event of those users |
/// | [`k_fold`](Self::k_fold) | all folds but two | the fold after | all folds but one | the fold |
///
/// No target of `validation` is in `train`, and no target of `test` in `train` or `refit`. An item
/// without events in training stays a candidate of the ranking, as the catalog is given apart.
///
/// Leave-one-out trains on what others did after a case's target. Only splitting by time tells how
/// a recommender would have done on the day.
///
/// # Example
/// ```
/// use proclivity_eval::{Case, Split, Targets};
///
/// let sequences: [&[u32]; 2] = [&[4, 2, 7, 1], &[2, 3]];
/// let split = Split::leave_one_out(&sequences);
/// assert_eq!(split.train, [&[4, 2][..], &[2, 3]]);
/// assert_eq!(split.validation, [Case { user: 0, history: &[4, 2], target: 7 }]);
/// assert_eq!(split.test, [Case { user: 0, history: &[4, 2, 7], target: 1 }]);
///
/// let times: [&[i64]; 2] = [&[10, 20, 30, 40], &[5, 35]];
/// let split = Split::at_times(&sequences, &times, 20, 35, Targets::First)?;
/// assert_eq!(split.train, [&[4][..], &[2]]);
/// assert_eq!(split.refit, [&[4, 2, 7][..], &[2]]);
/// assert_eq!(split.test[1], Case { user: 1, history: &[2], target: 3 });
/// # Ok::<(), proclivity_eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<'a> {
    /// To fit on while hyper-parameters are chosen, and for the report where nothing is refitted.
    pub train: Vec<&'a [u32]>,
    /// To choose hyper-parameters by.
    pub validation: Vec<Case<'a>>,
    /// To fit on once they are chosen: training with what validation held out.
    pub refit: Vec<&'a [u32]>,
    /// To report.
    pub test: Vec<Case<'a>>,
}

/// Which of a user's events from a cut on are targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Targets {
    /// The first: every user counts the same.
    #[default]
    First,
    /// Each, given all before it: every event counts the same. The cases of one user depend on
    /// each other, so that a bootstrap over cases gives intervals that are too narrow.
    Every,
}

impl<'a> Split<'a> {
    /// The fewest events of a user from which leave-one-out holds any out.
    pub const MIN_EVENTS: usize = 3;

    /// Each user's last event for the test, the one before for validation. Users with fewer than
    /// [`MIN_EVENTS`](Self::MIN_EVENTS) are for training only.
    pub fn leave_one_out(sequences: &[&'a [u32]]) -> Self {
        let but_last = |count: usize| {
            let prefix = |sequence: &&'a [u32]| match sequence.len() {
                length if length < Self::MIN_EVENTS => *sequence,
                length => &sequence[..length - count],
            };
            sequences.iter().map(prefix).collect()
        };
        let cases = |from_end: usize| {
            let long = users(sequences).filter(|(_, items)| items.len() >= Self::MIN_EVENTS);
            long.map(|(user, items)| case(user, items, items.len() - from_end)).collect()
        };
        Self { train: but_last(2), validation: cases(2), refit: but_last(1), test: cases(1) }
    }

    /// Everybody's events by time: before `validation`, from there on before `test`, and the rest.
    /// An event is a target if its user has one before it, at whatever time; with
    /// [`Targets::First`] it has to be the user's first of its part. Among events of one time the
    /// sequence decides which came first.
    ///
    /// Times have any unit. Cuts that leave given shares of the events are those of
    /// `LogSplit::at_time_shares` in `proclivity-data`.
    ///
    /// # Shapes
    /// `times`: one for each item of `sequences`, none earlier than the one before
    ///
    /// # Errors
    /// [`EvalError::Length`] unless each item has a time, [`EvalError::TimeReversed`] for times out
    /// of order, [`EvalError::OutOfRange`] for a `validation` after `test`.
    pub fn at_times(
        sequences: &[&'a [u32]],
        times: &[&[i64]],
        validation: i64,
        test: i64,
        targets: Targets,
    ) -> Result<Self, EvalError> {
        check_times(sequences, times)?;
        if validation > test {
            let expected = "no time after that of test";
            return Err(EvalError::OutOfRange {
                name: "validation",
                value: validation as f64,
                expected,
            });
        }
        // How many of a user's events are before a time.
        let before = |times: &[i64], cut: i64| times.partition_point(|&time| time < cut);
        let until = |cut| {
            let prefixes = sequences.iter().zip(times);
            prefixes.map(|(items, times)| &items[..before(times, cut)]).collect()
        };
        let cases = |from: i64, to: Option<i64>| {
            let of_user = |((user, items), times): ((u32, &'a [u32]), &&[i64])| {
                let (start, end) =
                    (before(times, from), to.map_or(times.len(), |to| before(times, to)));
                let end = match targets {
                    Targets::First => end.min(start + 1),
                    Targets::Every => end,
                };
                (start..end).filter(|&place| place > 0).map(move |place| case(user, items, place))
            };
            users(sequences).zip(times).flat_map(of_user).collect()
        };
        Ok(Self {
            train: until(validation),
            validation: cases(validation, Some(test)),
            refit: until(test),
            test: cases(test, None),
        })
    }

    /// Whole users held out: those of `validation` and of `test`, such as `split_users` in
    /// `proclivity-data` deals them. A held-out user with a single event gives no case.
    ///
    /// # Errors
    /// [`EvalError::UnknownUser`] for a user without a sequence, [`EvalError::DuplicateUser`] for
    /// one that is held out twice.
    pub fn by_user(
        sequences: &[&'a [u32]],
        validation: &[u32],
        test: &[u32],
    ) -> Result<Self, EvalError> {
        let mut parts = vec![Part::Train; sequences.len()];
        for (group, part) in [(validation, Part::Validation), (test, Part::Test)] {
            for &user in group {
                let users = parts.len();
                match parts.get_mut(user as usize) {
                    None => return Err(EvalError::UnknownUser { user, users }),
                    Some(Part::Train) => parts[user as usize] = part,
                    Some(_) => return Err(EvalError::DuplicateUser { user }),
                }
            }
        }
        Ok(Self::of_parts(sequences, |user| parts[user]))
    }

    /// Users dealt into `folds` of the same size, give or take one: each fold is the test of one
    /// split, and the next one its validation. `refit` and `test` are the usual cross-validation.
    ///
    /// How users are dealt depends on their number and the seed alone.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for fewer than three folds, of which one is tested and one is
    /// chosen by, or for more folds than users.
    pub fn k_fold(
        sequences: &[&'a [u32]],
        folds: usize,
        seed: u64,
    ) -> Result<Vec<Self>, EvalError> {
        let count = sequences.len();
        if folds < 3 || folds > count {
            return Err(EvalError::OutOfRange {
                name: "folds",
                value: folds as f64,
                expected: "a whole number from 3, up to the number of users",
            });
        }
        let mut fold_of: Vec<usize> = (0..count).map(|user| user % folds).collect();
        fold_of.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let split = |fold: usize| {
            Self::of_parts(sequences, |user| match fold_of[user] {
                of_user if of_user == fold => Part::Test,
                of_user if of_user == (fold + 1) % folds => Part::Validation,
                _ => Part::Train,
            })
        };
        Ok((0..folds).map(split).collect())
    }

    fn of_parts(sequences: &[&'a [u32]], part: impl Fn(usize) -> Part) -> Self {
        let without = |held_out: &[Part]| {
            let whole = |(user, items): (usize, &&'a [u32])| match held_out.contains(&part(user)) {
                true => &items[..0],
                false => items,
            };
            sequences.iter().enumerate().map(whole).collect()
        };
        let cases = |held_out: Part| {
            let of_part = users(sequences).filter(|&(user, _)| part(user as usize) == held_out);
            let known = of_part.filter(|(_, items)| items.len() > 1);
            known.map(|(user, items)| case(user, items, items.len() - 1)).collect()
        };
        Self {
            train: without(&[Part::Validation, Part::Test]),
            validation: cases(Part::Validation),
            refit: without(&[Part::Test]),
            test: cases(Part::Test),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Train,
    Validation,
    Test,
}

fn users<'a>(sequences: &[&'a [u32]]) -> impl Iterator<Item = (u32, &'a [u32])> {
    (0..).zip(sequences.iter().copied())
}

/// The item at a place, given all before it.
fn case(user: u32, items: &[u32], place: usize) -> Case<'_> {
    Case { user, history: &items[..place], target: items[place] }
}

/// A time for each item, none earlier than the one before.
pub(crate) fn check_times(sequences: &[&[u32]], times: &[&[i64]]) -> Result<(), EvalError> {
    let same = |what, expected, got| {
        if expected == got { Ok(()) } else { Err(EvalError::Length { what, expected, got }) }
    };
    same("users with times", sequences.len(), times.len())?;
    for ((user, items), times) in users(sequences).zip(times) {
        same("times of a user", items.len(), times.len())?;
        if let Some(earlier) = times.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(EvalError::TimeReversed { user, position: earlier + 1 });
        }
    }
    Ok(())
}
