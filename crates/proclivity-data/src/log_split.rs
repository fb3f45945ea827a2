//! Splits of a whole log: by time, by each user's order, by user.

use proclivity_schema::{Log, Timestamp, UserId};

use crate::DataError;
use crate::error::in_range;

/// A log in three parts that share no event. Users and items keep their indices in each; a user
/// without events in a part has an empty history there.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSplit {
    /// To fit on.
    pub train: Log,
    /// To choose by.
    pub validation: Log,
    /// To report.
    pub test: Log,
}

impl LogSplit {
    /// Parts by global time: events before `validation`, before `test`, and the rest. Nothing that
    /// is fitted on the first part knows of anyone's future.
    ///
    /// # Errors
    /// [`DataError::Untimed`] for an event without a time, and [`DataError::Parameter`] when
    /// `validation` is after `test`.
    pub fn at_times(log: &Log, validation: Timestamp, test: Timestamp) -> Result<Self, DataError> {
        let micros = validation.as_micros() as f64;
        in_range("validation", micros, validation <= test, "no time after that of test")?;
        require_times(log)?;
        Ok(Self::by(log, |_, event| match event.time {
            Some(time) if time >= test => Part::Test,
            Some(time) if time >= validation => Part::Validation,
            _ => Part::Train,
        }))
    }

    /// Parts by global time, cut so that validation and test have about these shares of all events.
    /// Events of one instant stay together.
    ///
    /// # Errors
    /// [`DataError::Untimed`] for an event without a time, and [`DataError::Parameter`] for shares
    /// that are negative or leave nothing to fit on.
    pub fn at_time_shares(log: &Log, validation: f64, test: f64) -> Result<Self, DataError> {
        check_shares(validation, test)?;
        require_times(log)?;
        let mut times: Vec<Timestamp> =
            log.events().iter().filter_map(|event| event.time).collect();
        times.sort_unstable();
        let cut = |share: f64| {
            let place = ((1.0 - share) * times.len() as f64).round() as usize;
            times.get(place).copied().unwrap_or(Timestamp::MAX)
        };
        Self::at_times(log, cut(validation + test), cut(test))
    }

    /// Parts of each user's history in its order: the last `test` of it, the `validation` before,
    /// and the rest. Shares are rounded down, so that short histories are for training.
    ///
    /// # Errors
    /// [`DataError::Parameter`] for shares that are negative or leave nothing to fit on.
    pub fn by_ratio(log: &Log, validation: f64, test: f64) -> Result<Self, DataError> {
        check_shares(validation, test)?;
        Ok(Self::by(log, |place, event| {
            let count = log.history(event.user).len();
            let held_out = |share: f64| (share * count as f64 + 1e-9).floor() as usize;
            let (test, validation) = (held_out(test), held_out(validation));
            match count - place {
                from_end if from_end <= test => Part::Test,
                from_end if from_end <= test + validation => Part::Validation,
                _ => Part::Train,
            }
        }))
    }

    /// Parts of whole users, about these shares of them. Where a user goes is decided by a seeded
    /// hash of their id alone: other users, their number or their order change nothing, and a user
    /// stays where they were when the log grows.
    ///
    /// # Errors
    /// [`DataError::Parameter`] for shares that are negative or leave nothing to fit on.
    pub fn by_user(log: &Log, validation: f64, test: f64, seed: u64) -> Result<Self, DataError> {
        check_shares(validation, test)?;
        let places: Vec<f64> = log.user_ids().iter().map(|id| unit_hash(id, seed)).collect();
        Ok(Self::by(log, |_, event| match places[event.user.get()] {
            place if place < test => Part::Test,
            place if place < test + validation => Part::Validation,
            _ => Part::Train,
        }))
    }

    /// `part` gets an event's place in its history, and the event.
    fn by(log: &Log, part: impl Fn(usize, &proclivity_schema::Event) -> Part) -> Self {
        let mut parts = Vec::with_capacity(log.event_count());
        for user in log.users() {
            let history = log.history(user).iter().enumerate();
            parts.extend(history.map(|(place, event)| part(place, event)));
        }
        let only = |wanted: Part| {
            let mut parts = parts.iter();
            log.clone().filter_map(|event| (parts.next() == Some(&wanted)).then_some(event))
        };
        Self {
            train: only(Part::Train),
            validation: only(Part::Validation),
            test: only(Part::Test),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Train,
    Validation,
    Test,
}

fn check_shares(validation: f64, test: f64) -> Result<(), DataError> {
    in_range("validation", validation, (0.0..1.0).contains(&validation), "0 to below 1")?;
    in_range("test", test, (0.0..1.0).contains(&test), "0 to below 1")?;
    let sum = validation + test;
    in_range("validation + test", sum, sum < 1.0, "below 1")
}

fn require_times(log: &Log) -> Result<(), DataError> {
    let untimed = log.events().iter().filter(|event| event.time.is_none()).count();
    if untimed == 0 { Ok(()) } else { Err(DataError::Untimed { events: untimed }) }
}

/// A number from 0 to below 1 that only the id and the seed decide.
fn unit_hash(id: &UserId, seed: u64) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(id.as_str().as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}
