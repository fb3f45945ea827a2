//! The log: every user's events in order of time, in one contiguous array.

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use crate::{Action, Event, Interner, SchemaError, SchemaVersion, Timestamp, UserId, UserIndex};

/// Events grouped by user and ordered by time; within equal or missing times in the order they
/// were pushed. Item indices refer to the catalog that the log was built against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawLog", into = "RawLog")]
pub struct Log {
    users: Interner<UserId>,
    events: Vec<Event>,
    offsets: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(rename = "Log"))]
#[serde(deny_unknown_fields)]
struct RawLog {
    schema_version: SchemaVersion,
    /// A user's position here is their index in events.
    users: Vec<UserId>,
    /// In any order.
    events: Vec<Event>,
}

impl TryFrom<RawLog> for Log {
    type Error = SchemaError;
    fn try_from(raw: RawLog) -> Result<Self, SchemaError> {
        let mut users = Interner::default();
        for id in raw.users {
            let expected = users.len();
            if users.intern(id.clone())? as usize != expected {
                return Err(SchemaError::DuplicateUser { id });
            }
        }
        for (position, event) in raw.events.iter().enumerate() {
            if event.user.get() >= users.len() {
                let (user, users) = (event.user.0, users.len());
                return Err(SchemaError::UnlistedUser { event: position, user, users });
            }
        }
        Ok(LogBuilder { users, events: raw.events }.build())
    }
}

impl From<Log> for RawLog {
    fn from(log: Log) -> Self {
        Self {
            schema_version: SchemaVersion::CURRENT,
            users: log.users.into_ids(),
            events: log.events,
        }
    }
}

impl Default for Log {
    /// A log without users.
    fn default() -> Self {
        LogBuilder::new().build()
    }
}

impl Log {
    /// How many users there are; one may have lost all events to [`Log::filter_map`].
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many events there are.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// All events: users in order of first appearance, each user's in order of time.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// All users' ids, by index.
    pub fn user_ids(&self) -> &[UserId] {
        self.users.ids()
    }

    /// All user indices.
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserIndex> + use<> {
        (0..self.users.len() as u32).map(UserIndex)
    }

    /// The index of a user's id.
    ///
    /// # Errors
    /// [`SchemaError::UnknownId`] when the log has no event of that user.
    pub fn user(&self, id: &str) -> Result<UserIndex, SchemaError> {
        self.users
            .position(id)
            .map(UserIndex)
            .ok_or_else(|| SchemaError::UnknownId { role: "user", id: id.to_owned() })
    }

    /// The id of a user.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn user_id(&self, user: UserIndex) -> &UserId {
        &self.users.ids()[user.get()]
    }

    /// The log with some events left out or changed. Users keep their index, even without events.
    ///
    /// # Panics
    /// When an event comes back with another user.
    pub fn filter_map(self, mut keep: impl FnMut(Event) -> Option<Event>) -> Self {
        let Self { users, events, .. } = self;
        let events = events
            .into_iter()
            .filter_map(|event| {
                let user = event.user;
                let kept = keep(event)?;
                assert_eq!(kept.user, user, "events keep their user");
                Some(kept)
            })
            .collect();
        LogBuilder { users, events }.build()
    }

    /// The log in which every history is what `change` makes of it. Users keep their index.
    ///
    /// # Panics
    /// When an event comes back with another user.
    pub fn map_histories(self, mut change: impl FnMut(Vec<Event>) -> Vec<Event>) -> Self {
        let Self { users, events, offsets } = self;
        let mut events = events.into_iter();
        let mut changed = Vec::with_capacity(events.len());
        for (user, bounds) in offsets.windows(2).enumerate() {
            let history = change(events.by_ref().take(bounds[1] - bounds[0]).collect());
            assert!(history.iter().all(|event| event.user.get() == user), "events keep their user");
            changed.extend(history);
        }
        LogBuilder { users, events: changed }.build()
    }

    /// The log without events that repeat an earlier one exactly: the same user, time, action and
    /// details; missing times are equal.
    pub fn without_duplicates(self) -> Self {
        let Self { users, events, .. } = self;
        let mut builder = LogBuilder { users, events };
        builder.remove_duplicates();
        builder.build()
    }

    /// Adds the events of another log of the same catalog; users with the same id are the same.
    ///
    /// # Errors
    /// [`SchemaError::TooMany`] past 2³² − 1 users.
    pub fn merge(self, other: Self) -> Result<Self, SchemaError> {
        let Self { mut users, mut events, .. } = self;
        let ids = other.users.into_ids();
        let indices = ids.into_iter().map(|id| users.intern(id)).collect::<Result<Vec<_>, _>>()?;
        events.extend(other.events.into_iter().map(|mut event| {
            event.user = UserIndex(indices[event.user.get()]);
            event
        }));
        Ok(LogBuilder { users, events }.build())
    }

    /// One user's history: their events in order of time.
    ///
    /// # Panics
    /// When the index is from another, larger log.
    pub fn history(&self, user: UserIndex) -> &[Event] {
        &self.events[self.offsets[user.get()]..self.offsets[user.get() + 1]]
    }
}

/// Collects events in any order and makes a [`Log`] of them.
#[derive(Debug, Default)]
pub struct LogBuilder {
    users: Interner<UserId>,
    events: Vec<Event>,
}

impl LogBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event.
    ///
    /// # Errors
    /// [`SchemaError::TooMany`] past 2³² − 1 users.
    pub fn push(
        &mut self,
        user: UserId,
        time: Option<Timestamp>,
        action: Action,
    ) -> Result<(), SchemaError> {
        let user = UserIndex(self.users.intern(user)?);
        self.push_event(Event::new(user, time, action));
        Ok(())
    }

    /// The index of the user that a text stands for, who is added when new; allocates nothing for
    /// those seen before.
    ///
    /// # Errors
    /// [`SchemaError::InvalidId`] for a text that is no id, [`SchemaError::TooMany`] past 2³² − 1
    /// users.
    pub fn user(&mut self, id: &str) -> Result<UserIndex, SchemaError> {
        self.users.intern_text(id).map(UserIndex)
    }

    /// Adds an event of a user whose index [`LogBuilder::user`] gave.
    ///
    /// # Panics
    /// When it didn't.
    pub fn push_event(&mut self, event: Event) {
        assert!(event.user.get() < self.users.len(), "the user's index is of this builder");
        self.events.push(event);
    }

    /// How many events were added.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// Drops every event that repeats an earlier one exactly (the same user, time, action and
    /// details; missing times are equal) and says how many there were.
    pub fn remove_duplicates(&mut self) -> usize {
        self.sort();
        let mut first = Vec::with_capacity(self.events.len());
        let mut seen: HashSet<_> = HashSet::new();
        // Repeats share user and time, so that only such runs have to be looked through.
        for run in self.events.chunk_by(|a, b| (a.user, a.time) == (b.user, b.time)) {
            if let [_] = run {
                first.push(true);
                continue;
            }
            seen.clear();
            first.extend(run.iter().map(|event| seen.insert(event)));
        }
        drop(seen);
        let mut first = first.into_iter();
        let before = self.events.len();
        self.events.retain(|_| first.next().unwrap_or(true));
        before - self.events.len()
    }

    fn sort(&mut self) {
        if !self.events.is_sorted_by_key(|event| (event.user, event.time)) {
            self.events.sort_by_key(|event| (event.user, event.time));
        }
    }

    /// Groups by user and sorts by time (stable).
    pub fn build(mut self) -> Log {
        self.sort();
        let Self { users, events } = self;
        let mut offsets = vec![0; users.len() + 1];
        for event in &events {
            offsets[event.user.get() + 1] += 1;
        }
        for user in 0..users.len() {
            offsets[user + 1] += offsets[user];
        }
        Log { users, events, offsets }
    }
}
