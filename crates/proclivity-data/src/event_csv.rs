//! The event log as this project itself writes it.

use std::io::Read;

use proclivity_schema::{Catalog, Log};

use crate::{DataError, ErrorPolicy, EventMapping, EventReader, Format, Input, ReadReport};

/// Reads an event log from CSV with the columns of [`EventMapping::canonical`]. Nothing is lost in
/// silence: every row is accepted, a duplicate, or quarantined with its line and reason.
///
/// The header names `user_id`, `item_id`, `event`, `timestamp` and `value`, in any order; other
/// columns are left alone. `name` stands for the input in errors and in the report.
///
/// | `event` | `item_id` | `value` |
/// |---|---|---|
/// | `search` | empty | the query |
/// | `follow` | empty | the topic |
/// | `comment` | needed | the comment, which may be empty |
/// | `rate` | needed | the rating |
/// | `purchase`, `return` | needed | the quantity, 1 where empty |
/// | `watch` | needed | the fraction, 0 and more |
/// | `impression` | needed | the position, from 0 |
/// | all others | needed | empty |
///
/// Times are what [`Timestamp`](proclivity_schema::Timestamp) reads. Rows that repeat an earlier one
/// in all five columns, as they were understood, are duplicates; blank lines are no rows.
///
/// # Errors
/// Those of [`EventReader::read_with`].
pub fn read_event_csv(
    reader: impl Read,
    name: &str,
    catalog: &Catalog,
    policy: ErrorPolicy,
) -> Result<(Log, ReadReport), DataError> {
    EventReader::new(EventMapping::canonical(), Format::csv())
        .with_policy(policy)
        .read_with([Input::reader(name, reader)], catalog)
}
