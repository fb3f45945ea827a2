//! What can be wrong with a value of the schema.

use crate::{EventKind, ItemId};

/// A value that the schema refuses, with what was got and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// An id that is empty or holds control characters.
    #[error("{role} id {id:?} is empty or holds control characters")]
    InvalidId {
        /// `user` or `item`.
        role: &'static str,
        /// The id as it came.
        id: String,
    },
    /// Two items of one catalog share an id.
    #[error("item id {id} stands twice in the catalog, as item {first} and item {second} (from 0)")]
    DuplicateItem {
        /// The shared id.
        id: ItemId,
        /// Position of the first.
        first: usize,
        /// Position of the second.
        second: usize,
    },
    /// An item without any text.
    #[error("item {id} has no text: give at least one title")]
    NoText {
        /// The item.
        id: ItemId,
    },
    /// A time outside the accepted range.
    #[error(
        "time {micros} µs since 1970 is outside {} to {}",
        crate::Timestamp::MIN,
        crate::Timestamp::MAX
    )]
    TimeOutOfRange {
        /// Microseconds since 1970-01-01T00:00:00Z.
        micros: i64,
    },
    /// A time that doesn't parse.
    #[error(
        "{text:?} is no time: expected seconds since 1970, `2021-01-01T10:00:00Z` or `2021-01-01 10:00:00` (UTC)"
    )]
    InvalidTime {
        /// The text as it came.
        text: String,
    },
    /// A rating that is not a finite number.
    #[error("rating {value} is not a finite number")]
    InvalidRating {
        /// The value as it came.
        value: f64,
    },
    /// A fraction that is negative or not finite.
    #[error("fraction {value} is not a finite, non-negative number")]
    InvalidFraction {
        /// The value as it came.
        value: f64,
    },
    /// A vector without a direction.
    #[error("an embedding of {embedding_dim} numbers is empty, all zeros or not finite")]
    InvalidEmbedding {
        /// How many numbers it has.
        embedding_dim: usize,
    },
    /// A price that is negative or not finite.
    #[error("price {value} is not a finite, non-negative number")]
    InvalidPrice {
        /// The value as it came.
        value: f64,
    },
    /// A currency that is no ISO 4217 code.
    #[error("currency {code:?} is not three ASCII capitals")]
    InvalidCurrency {
        /// The code as it came.
        code: String,
    },
    /// A language tag that is not two or three small ASCII letters.
    #[error("language {tag:?} is not two or three small ASCII letters")]
    InvalidLanguage {
        /// The tag as it came.
        tag: String,
    },
    /// A name that is no event kind.
    #[error("{name:?} is no event kind: expected one of {}", EventKind::names())]
    UnknownKind {
        /// The name as it came.
        name: String,
    },
    /// A name that is no target of a follow.
    #[error("{name:?} can't be followed: expected topic, user or group")]
    UnknownFollowTarget {
        /// The name as it came.
        name: String,
    },
    /// A serialized form of another version.
    #[error(
        "schema version {found}, expected {expected}: convert it with the release that wrote it"
    )]
    UnknownVersion {
        /// The version that was found.
        found: u32,
        /// The version that is read.
        expected: u32,
    },
    /// An event of a user that the log doesn't list.
    #[error("event {event} (from 0) is of user {user}, and there are {users} users")]
    UnlistedUser {
        /// Position of the event.
        event: usize,
        /// The user's index.
        user: u32,
        /// How many users are listed.
        users: usize,
    },
    /// Two users of one log share an id.
    #[error("user id {id} stands twice in the log")]
    DuplicateUser {
        /// The shared id.
        id: crate::UserId,
    },
    /// A change of an item that changed its id.
    #[error("item {from} can't become item {to}: indices in logs refer to it")]
    ChangedId {
        /// The id before.
        from: ItemId,
        /// The id after.
        to: ItemId,
    },
    /// More users, items or events than an index can hold.
    #[error("more than {limit} {what}s in one log or catalog")]
    TooMany {
        /// `user`, `item` or `event`.
        what: &'static str,
        /// The largest number allowed.
        limit: u64,
    },
    /// An id that is not known.
    #[error("{role} {id} is not known")]
    UnknownId {
        /// `user` or `item`.
        role: &'static str,
        /// The id as it came.
        id: String,
    },
}
