//! The event log as CSV: one row for each event of any kind.

use std::io::Read;

use proclivity_schema::{
    Action, Catalog, EventKind, FollowTarget, Fraction, ItemIndex, Log, Rating, SchemaError, UserId,
};

use crate::account::{Account, Parsed};
use crate::table::{Fault, Separator, Table};
use crate::{DataError, ErrorPolicy, ReadReport, Reason};

pub(crate) const USER: &str = "user_id";
pub(crate) const ITEM: &str = "item_id";
const EVENT: &str = "event";
pub(crate) const TIMESTAMP: &str = "timestamp";
const VALUE: &str = "value";

/// Reads an event log from CSV. Nothing is lost in silence: every row is accepted, a duplicate, or
/// quarantined with its line and reason.
///
/// The header names `user_id`, `item_id`, `event`, `timestamp` and `value`, in any order; other
/// columns are left alone. `name` stands for the input in errors and in the report.
///
/// | `event` | `item_id` | `value` |
/// |---|---|---|
/// | `search` | empty | the query |
/// | `follow` | empty | the topic |
/// | `rate` | needed | the rating |
/// | `purchase` | needed | the quantity, 1 where empty |
/// | `impression` | needed | the position, from 0 |
/// | all others | needed | empty |
///
/// Times are what [`Timestamp`](proclivity_schema::Timestamp) reads. Rows that repeat an earlier one in all five columns, as
/// they were understood, are duplicates; blank lines are no rows.
///
/// # Errors
/// - [`DataError::MissingColumn`] and [`DataError::DuplicateColumn`] for a bad header;
/// - [`DataError::Row`] for the first bad row under [`ErrorPolicy::Fail`];
/// - [`DataError::TooManyQuarantined`] for more of them than [`ErrorPolicy::Quarantine`] allows;
/// - [`DataError::EmptyLog`] when no event is left;
/// - [`DataError::Parameter`] for a share that is none, [`DataError::Csv`] when `reader` fails.
pub fn read_event_csv(
    reader: impl Read,
    name: &str,
    catalog: &Catalog,
    policy: ErrorPolicy,
) -> Result<(Log, ReadReport), DataError> {
    let mut account = Account::new(name, policy)?;
    let mut table = Table::new(reader, name, Separator::Comma)?;
    let columns = Columns::of(&table)?;
    account.read(&mut table, |row| parse(row, &columns, catalog))?;
    account.finish_distinct()
}

/// Where each column stands.
struct Columns {
    user: usize,
    item: usize,
    event: usize,
    timestamp: usize,
    value: usize,
}

impl Columns {
    fn of<R: Read>(table: &Table<R>) -> Result<Self, DataError> {
        Ok(Self {
            user: table.column(USER)?,
            item: table.column(ITEM)?,
            event: table.column(EVENT)?,
            timestamp: table.column(TIMESTAMP)?,
            value: table.column(VALUE)?,
        })
    }
}

fn parse<R: Read>(row: &Table<R>, columns: &Columns, catalog: &Catalog) -> Result<Parsed, Fault> {
    row.check_field_count()?;
    let user = user_id(row.field(columns.user, USER)?)?;
    let kind: EventKind = row
        .field(columns.event, EVENT)?
        .parse()
        .map_err(|_| (Some(EVENT), Reason::UnknownEvent))?;
    let time = row.field(columns.timestamp, TIMESTAMP)?.parse().map_err(time_fault)?;
    let item = row.field(columns.item, ITEM)?;
    let value = row.field(columns.value, VALUE)?;
    if value.contains('\n') && row.has_unpaired_quote() {
        return Err((Some(VALUE), Reason::UnclosedQuote));
    }
    Ok((user, Some(time), action(kind, item, value, catalog)?))
}

fn action(kind: EventKind, item: &str, value: &str, catalog: &Catalog) -> Result<Action, Fault> {
    let text = || match (item, value) {
        ("", "") => Err((Some(VALUE), Reason::EmptyText)),
        ("", text) => Ok(text.into()),
        _ => Err((Some(ITEM), Reason::UnexpectedItem)),
    };
    let no_value = |action: Action| match value {
        "" => Ok(action),
        _ => Err((Some(VALUE), Reason::UnexpectedValue)),
    };
    let found = || item_index(item, catalog);
    match kind {
        EventKind::Search => Ok(Action::Search { query: text()? }),
        EventKind::Follow => Ok(Action::Follow { target: FollowTarget::Topic, name: text()? }),
        EventKind::Purchase => Ok(Action::Purchase { item: found()?, quantity: quantity(value)? }),
        EventKind::Return => Ok(Action::Return { item: found()?, quantity: quantity(value)? }),
        EventKind::Comment => Ok(Action::Comment { item: found()?, text: value.into() }),
        EventKind::Watch => Ok(Action::Watch { item: found()?, fraction: fraction(value)? }),
        EventKind::Rate => Ok(Action::Rate { item: found()?, rating: rating(value, VALUE)? }),
        EventKind::Impression => Ok(Action::Impression {
            item: found()?,
            position: value.parse().map_err(|_| (Some(VALUE), Reason::InvalidPosition))?,
        }),
        EventKind::View => no_value(Action::View { item: found()? }),
        EventKind::Click => no_value(Action::Click { item: found()? }),
        EventKind::AddToCart => no_value(Action::AddToCart { item: found()? }),
        EventKind::RemoveFromCart => no_value(Action::RemoveFromCart { item: found()? }),
        EventKind::Dislike => no_value(Action::Dislike { item: found()? }),
        EventKind::Like => no_value(Action::Like { item: found()? }),
        EventKind::Share => no_value(Action::Share { item: found()? }),
        EventKind::Skip => no_value(Action::Skip { item: found()? }),
        EventKind::Dismiss => no_value(Action::Dismiss { item: found()? }),
    }
}

/// A user's id.
pub(crate) fn user_id(id: &str) -> Result<UserId, Fault> {
    UserId::new(id).map_err(|_| {
        let reason = if id.is_empty() { Reason::EmptyUser } else { Reason::InvalidUser };
        (Some(USER), reason)
    })
}

/// An item of the catalog.
pub(crate) fn item_index(id: &str, catalog: &Catalog) -> Result<ItemIndex, Fault> {
    if id.is_empty() {
        return Err((Some(ITEM), Reason::EmptyItem));
    }
    catalog.index(id).map_err(|_| (Some(ITEM), Reason::UnknownItem))
}

/// How many were bought: one where nothing is said.
fn quantity(value: &str) -> Result<u32, Fault> {
    match value {
        "" => Some(1),
        _ => value.parse().ok().filter(|&quantity| quantity > 0),
    }
    .ok_or((Some(VALUE), Reason::InvalidQuantity))
}

/// How much was watched.
fn fraction(value: &str) -> Result<Fraction, Fault> {
    let number = value.parse().ok();
    number
        .and_then(|number| Fraction::new(number).ok())
        .ok_or((Some(VALUE), Reason::InvalidFraction))
}

/// A rating.
pub(crate) fn rating(value: &str, column: &'static str) -> Result<Rating, Fault> {
    value
        .parse()
        .ok()
        .and_then(|value| Rating::new(value).ok())
        .ok_or((Some(column), Reason::InvalidRating))
}

/// What is wrong with a time.
pub(crate) fn time_fault(error: SchemaError) -> Fault {
    let reason = match error {
        SchemaError::TimeOutOfRange { .. } => Reason::TimeOutOfRange,
        _ => Reason::InvalidTime,
    };
    (Some(TIMESTAMP), reason)
}
