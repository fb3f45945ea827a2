//! What is fitted on, chosen on and tested on: the order of events, and the protocol.

use std::error::Error;

use clap::ValueEnum;
use proclivity::eval::{Split, Targets};
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
        let sequences: Vec<&[u32]> = self.items.iter().map(Vec::as_slice).collect();
        let Protocol::GlobalTime = protocol else { return Ok(Split::leave_one_out(&sequences)) };
        let micros = |&(_, time): &(u32, Option<Timestamp>)| time.map(|time| time.as_micros());
        let times = self.users.iter().map(|events| events.iter().map(micros).collect());
        let times: Vec<Vec<i64>> =
            times.collect::<Option<_>>().ok_or("a split by time needs the time of every event")?;
        let times: Vec<&[i64]> = times.iter().map(Vec::as_slice).collect();
        let mut sorted = times.concat();
        sorted.sort_unstable();
        let cut = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        Ok(Split::at_times(&sequences, &times, cut(0.8), cut(0.9), Targets::First)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proclivity::data::{ErrorPolicy, sequences};

    #[test]
    fn orders_keep_events_and_what_is_held_out() {
        let folder = tempfile::tempdir().unwrap();
        let (events, items) = (folder.path().join("events.txt"), folder.path().join("items.tsv"));
        std::fs::write(&events, "a 1 2 3 4 5 6 7 8\nb 3 1\n").unwrap();
        let titles: String = (1..=8).map(|id| format!("{id}\tTitle {id}\n")).collect();
        std::fs::write(&items, format!("item_id\ttitle\n{titles}")).unwrap();
        let log = sequences(&events, &items, ErrorPolicy::Fail).unwrap().log;
        let of = |order, seed| Sequences::new(&log, order, seed).unwrap();
        let plain = of(Order::Log, 0);
        let bags = of(Order::Bags, 1);
        assert_eq!(plain.event_count(), 10);
        assert_ne!(bags.items()[0], plain.items()[0]);
        assert_eq!(bags.items()[0][6..], plain.items()[0][6..]);
        let sorted = |items: &[u32]| {
            let mut items = items.to_vec();
            items.sort_unstable();
            items
        };
        assert_eq!(sorted(&bags.items()[0]), sorted(&plain.items()[0]));
        assert_eq!(bags.items(), of(Order::Bags, 1).items());
        let swapped = of(Order::Swapped, 0);
        let (plain, swapped) =
            (plain.split(Protocol::LeaveOneOut), swapped.split(Protocol::LeaveOneOut));
        let (plain, swapped) = (plain.unwrap(), swapped.unwrap());
        assert_eq!(plain.train[0], swapped.train[0]);
        assert_eq!(plain.test[0].target, swapped.validation[0].target);
        assert_eq!(plain.test.len(), 1);
        // The log has an order and no times.
        assert!(Sequences::new(&log, Order::Ties, 0).is_err());
        assert!(of(Order::Log, 0).split(Protocol::GlobalTime).is_err());
    }
}
