//! What is fitted on, chosen on and tested on: the order of events, and the protocol.

use std::error::Error;

use clap::ValueEnum;
use proclivity::eval::Case;
use proclivity::schema::{Log, Timestamp};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// In which order a user's events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Order {
    /// As the log has them.
    Log,
    /// Histories are bags: all but the last two events are shuffled.
    Bags,
    /// The last two events change places: what was validation is the test.
    Swapped,
    /// Events of one instant are shuffled.
    Ties,
}

/// Which events are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Protocol {
    /// Each user's last event is the test, the one before it validation.
    LeaveOneOut,
    /// The newest tenth of all events is the test, the tenth before it validation: of each user the
    /// first event in it. Nothing that is fitted knows of anyone's future.
    GlobalTime,
}

impl Protocol {
    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "leave-one-out",
            Self::GlobalTime => "global time",
        }
    }
}

/// The items of every user's positive events, the oldest first, with their times.
pub struct Sequences {
    users: Vec<Vec<(u32, Option<Timestamp>)>>,
    items: Vec<Vec<u32>>,
}

/// What is fitted on, chosen on and tested on.
pub struct Split<'a> {
    /// To fit on while choosing.
    pub train: Vec<&'a [u32]>,
    /// The same and the validation items.
    pub with_validation: Vec<&'a [u32]>,
    /// To choose on.
    pub validation: Vec<Case<'a>>,
    /// To report.
    pub test: Vec<Case<'a>>,
}

impl Sequences {
    /// The positive events of a log in an order; chance comes from the seed and the user's place.
    ///
    /// # Errors
    /// When events of one instant are to be shuffled and an event has no time.
    pub fn new(log: &Log, order: Order, seed: u64) -> Result<Self, Box<dyn Error>> {
        let mut users = Vec::new();
        for user in log.users() {
            let events = log.history(user).iter();
            let positive = events.filter(|event| event.action.kind().is_positive());
            let mut events: Vec<(u32, Option<Timestamp>)> =
                positive.filter_map(|event| Some((event.action.item()?.0, event.time))).collect();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(u64::from(user.0));
            let count = events.len();
            match order {
                Order::Log => {}
                Order::Bags => events[..count.saturating_sub(2)].shuffle(&mut rng),
                Order::Swapped if count >= 2 => events.swap(count - 1, count - 2),
                Order::Swapped => {}
                Order::Ties if events.iter().any(|(_, time)| time.is_none()) => {
                    return Err("the log has no times, so that no events share an instant".into());
                }
                Order::Ties => events.sort_by_cached_key(|&(_, time)| (time, rng.random::<u64>())),
            }
            users.push(events);
        }
        let items = users.iter().map(|events| events.iter().map(|&(item, _)| item).collect());
        let items = items.collect();
        Ok(Self { users, items })
    }

    /// How many events there are.
    pub fn event_count(&self) -> usize {
        self.items.iter().map(Vec::len).sum()
    }

    /// The items of each user.
    pub fn items(&self) -> &[Vec<u32>] {
        &self.items
    }

    /// Splits by a protocol.
    ///
    /// # Errors
    /// When a split by time meets an event without one.
    pub fn split(&self, protocol: Protocol) -> Result<Split<'_>, Box<dyn Error>> {
        match protocol {
            Protocol::LeaveOneOut => Ok(self.split_at(|_, items| match items.len() {
                0..3 => (items.len(), items.len()),
                count => (count - 2, count - 1),
            })),
            Protocol::GlobalTime => {
                let times = self.users.iter().flatten().map(|&(_, time)| time);
                let mut times = times
                    .collect::<Option<Vec<Timestamp>>>()
                    .ok_or("a split by time needs the time of every event")?;
                times.sort_unstable();
                let cut = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
                let (validation, test) = (cut(0.8), cut(0.9));
                Ok(self.split_at(|user, _| {
                    let before =
                        |cut| self.users[user].partition_point(|&(_, time)| time < Some(cut));
                    (before(validation), before(test))
                }))
            }
        }
    }

    /// Training events are those before a user's first place, validation those before the second.
    /// The first event behind each place is a case where there is one with something before it.
    fn split_at(&self, places: impl Fn(usize, &[u32]) -> (usize, usize)) -> Split<'_> {
        let mut split = Split {
            train: Vec::new(),
            with_validation: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
        };
        for (user, items) in self.items.iter().enumerate() {
            let (validation, test) = places(user, items);
            split.train.push(&items[..validation]);
            split.with_validation.push(&items[..test]);
            let case = |place: usize| Case {
                user: user as u32,
                history: &items[..place],
                target: items[place],
            };
            if 0 < validation && validation < test {
                split.validation.push(case(validation));
            }
            if 0 < test && test < items.len() {
                split.test.push(case(test));
            }
        }
        split
    }
}
