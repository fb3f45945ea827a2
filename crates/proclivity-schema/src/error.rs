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
