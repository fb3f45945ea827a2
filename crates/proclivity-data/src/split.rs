//! Splits: each user's last items held out, and users dealt into groups.

use proclivity_schema::{EventKind, Log, UserIndex};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::DataError;
use crate::error::in_range;

/// The items of every user in order of time, in one array. Users keep their index in the log; one
/// may have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSequences {
    items: Vec<u32>,
    offsets: Vec<usize>,
}

impl ItemSequences {
    /// The items of all events that speak for them ([`EventKind::is_positive`]).
    pub fn positive(log: &Log) -> Self {
        Self::of_kinds(log, EventKind::is_positive)
    }

    /// The items of the kinds of event that `keep` is true for. Kinds without an item give none.
    pub fn of_kinds(log: &Log, keep: impl Fn(EventKind) -> bool) -> Self {
        let mut items = Vec::new();
        let mut offsets = vec![0];
        for user in log.users() {
            items.extend(
                log.history(user)
                    .iter()
                    .filter(|event| keep(event.action.kind()))
                    .filter_map(|event| event.action.item())
                    .map(|item| item.0),
            );
            offsets.push(items.len());
        }
        Self { items, offsets }
    }

    /// How many users there are, those without items included.
    pub fn user_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many events there are.
    pub fn event_count(&self) -> usize {
        self.items.len()
    }

    /// All user indices.
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserIndex> + use<> {
        (0..self.user_count() as u32).map(UserIndex)
    }

    /// One user's items, the oldest first.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn sequence(&self, user: UserIndex) -> &[u32] {
        &self.items[self.offsets[user.get()]..self.offsets[user.get() + 1]]
    }

    /// The leave-one-out view.
    pub fn leave_one_out(&self) -> LeaveOneOut<'_> {
        LeaveOneOut { sequences: self }
    }
}

/// Leave-one-out: a user's last item is the test, the one before is validation, the rest is
/// training. Users with fewer than [`LeaveOneOut::MIN_EVENTS`] items are training only.
#[derive(Debug, Clone, Copy)]
pub struct LeaveOneOut<'a> {
    sequences: &'a ItemSequences,
}

impl<'a> LeaveOneOut<'a> {
    /// The fewest items from which all three parts can be had.
    pub const MIN_EVENTS: usize = 3;

    /// The sequences that are split.
    pub fn sequences(&self) -> &'a ItemSequences {
        self.sequences
    }

    /// The users with a validation and a test item.
    pub fn held_out_users(&self) -> impl Iterator<Item = UserIndex> + use<'a> {
        let sequences = self.sequences;
        sequences.users().filter(|&user| sequences.sequence(user).len() >= Self::MIN_EVENTS)
    }

    /// How many users are training only.
    pub fn train_only_count(&self) -> usize {
        self.sequences.user_count() - self.held_out_users().count()
    }

    /// The items to fit on.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn train(&self, user: UserIndex) -> &'a [u32] {
        self.validation(user).map_or_else(|| self.sequences.sequence(user), |(history, _)| history)
    }

    /// The items before the validation item, and that item; nothing for users of training only.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn validation(&self, user: UserIndex) -> Option<(&'a [u32], u32)> {
        self.test(user).and_then(|(history, _)| last_and_before(history))
    }

    /// The items before the test item, which include the validation item, and the test item;
    /// nothing for users of training only.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn test(&self, user: UserIndex) -> Option<(&'a [u32], u32)> {
        let sequence = self.sequences.sequence(user);
        last_and_before(sequence).filter(|_| sequence.len() >= Self::MIN_EVENTS)
    }
}

fn last_and_before(sequence: &[u32]) -> Option<(&[u32], u32)> {
    sequence.split_last().map(|(&last, before)| (before, last))
}

/// Deals `count` users into groups of these shares of them all, each group in order of index.
///
/// Shares are relative: `[8.0, 1.0, 1.0]` and `[0.8, 0.1, 0.1]` are the same. The seeded shuffle
/// goes by index, which is the order of first appearance in the log, so that other names for the
/// same users change nothing. Every user is in exactly one group.
///
/// # Errors
/// [`DataError::Parameter`] when a share is negative or not finite, when they sum to 0, or when
/// there are more users than a log can hold.
pub fn split_users(
    count: usize,
    shares: &[f64],
    seed: u64,
) -> Result<Vec<Vec<UserIndex>>, DataError> {
    for &share in shares {
        in_range("share", share, share.is_finite() && share >= 0.0, "0 or more")?;
    }
    let total: f64 = shares.iter().sum();
    in_range("sum of shares", total, total.is_finite() && total > 0.0, "a finite number above 0")?;
    let users = u32::try_from(count);
    in_range("count", count as f64, users.is_ok(), "below 2³²")?;

    let mut order: Vec<UserIndex> = (0..users.unwrap_or_default()).map(UserIndex).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut sum = 0.0;
    let mut start = 0;
    let mut groups = Vec::with_capacity(shares.len());
    for share in shares {
        sum += share;
        let end = ((sum / total * count as f64).round() as usize).clamp(start, count);
        let mut group = order[start..end].to_vec();
        group.sort_unstable();
        groups.push(group);
        start = end;
    }
    Ok(groups)
}
