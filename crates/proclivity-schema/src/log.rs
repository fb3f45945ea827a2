//! The log: every user's events in order of time, in one contiguous array.

use std::collections::HashSet;

use crate::{Action, Event, Interner, SchemaError, Timestamp, UserId, UserIndex};

/// Events grouped by user and ordered by time; within equal or missing times in the order they
/// were pushed. Item indices refer to the catalog that the log was built against.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    users: Interner<UserId>,
    events: Vec<Event>,
    offsets: Vec<usize>,
}

impl Log {
    /// How many users have at least one event.
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
        self.events.push(Event { user, time, action });
        Ok(())
    }

    /// Drops every event that repeats an earlier one exactly (the same user, time and action; missing
    /// times are equal) and says how many there were.
    pub fn remove_duplicates(&mut self) -> usize {
        self.sort();
        let mut first = Vec::with_capacity(self.events.len());
        let mut seen = HashSet::new();
        // Repeats share user and time, so that only such runs have to be looked through.
        for run in self.events.chunk_by(|a, b| (a.user, a.time) == (b.user, b.time)) {
            seen.clear();
            first.extend(
                run.iter().map(|event| run.len() == 1 || seen.insert(event.action.identity())),
            );
        }
        let mut first = first.into_iter();
        let before = self.events.len();
        self.events.retain(|_| first.next().unwrap_or(true));
        before - self.events.len()
    }

    fn sort(&mut self) {
        self.events.sort_by_key(|event| (event.user, event.time));
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
