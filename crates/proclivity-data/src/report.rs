//! The account of a reading: what became of every row, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::DataError;

/// Why a row can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// More or fewer fields than the header has columns.
    FieldCount {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Bytes that are not of the format's encoding.
    InvalidEncoding,
    /// A line that is no JSON object.
    InvalidJson,
    /// A list or record where one value was expected.
    Nested,
    /// A whole number with more digits than can be told apart: write ids as text.
    InexactNumber,
    /// A quote that never closes, or not where a field ends.
    UnclosedQuote,
    /// No user.
    EmptyUser,
    /// A user id with control characters.
    InvalidUser,
    /// No item where the kind needs one.
    EmptyItem,
    /// An item id with control characters.
    InvalidItem,
    /// An item that the catalog doesn't have.
    UnknownItem,
    /// An item that an earlier row of the items describes.
    RepeatedItem,
    /// An item where the kind has none.
    UnexpectedItem,
    /// A name that is no event kind.
    UnknownEvent,
    /// Something else followed than a topic, user or group.
    UnknownFollowTarget,
    /// A time that doesn't parse.
    InvalidTime,
    /// A time before 1970 or in the far future.
    TimeOutOfRange,
    /// A rating that is not a finite number.
    InvalidRating,
    /// A quantity that is not a whole number of at least 1.
    InvalidQuantity,
    /// A position that is not a whole number of at least 0.
    InvalidPosition,
    /// A fraction that is not a finite number of at least 0.
    InvalidFraction,
    /// A price that is not a finite number of at least 0.
    InvalidPrice,
    /// A search without a query or a follow without a name.
    EmptyText,
    /// A value where the kind has none.
    UnexpectedValue,
    /// A list of impressions that isn't one.
    InvalidImpressions,
}

impl Reason {
    /// A stable name, for sidecar files and counts.
    pub fn code(self) -> &'static str {
        self.words().0
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::FieldCount { .. } => ("field_count", "another number of fields than of columns"),
            Self::InvalidEncoding => ("invalid_encoding", "not of the file's encoding"),
            Self::InvalidJson => ("invalid_json", "no JSON object"),
            Self::Nested => ("nested", "a list or record where one value was expected"),
            Self::InexactNumber => {
                ("inexact_number", "a number of more digits than can be told apart: ids are text")
            }
            Self::UnclosedQuote => {
                ("unclosed_quote", "a quote that doesn't close on its line or where a field ends")
            }
            Self::EmptyUser => ("empty_user", "no user"),
            Self::InvalidUser => ("invalid_user", "a user id with control characters"),
            Self::EmptyItem => ("empty_item", "no item"),
            Self::InvalidItem => ("invalid_item", "an item id with control characters"),
            Self::UnknownItem => ("unknown_item", "an item that the catalog doesn't have"),
            Self::RepeatedItem => ("repeated_item", "an item that an earlier row describes"),
            Self::UnexpectedItem => ("unexpected_item", "an item where the kind of event has none"),
            Self::UnknownEvent => ("unknown_event", "no known kind of event"),
            Self::UnknownFollowTarget => {
                ("unknown_follow_target", "no topic, user or group to follow")
            }
            Self::InvalidTime => ("invalid_time", "no time"),
            Self::TimeOutOfRange => {
                ("time_out_of_range", "a time before 1970 or in the far future")
            }
            Self::InvalidRating => ("invalid_rating", "no finite rating"),
            Self::InvalidQuantity => ("invalid_quantity", "no whole quantity of at least 1"),
            Self::InvalidPosition => ("invalid_position", "no whole position of at least 0"),
            Self::InvalidFraction => ("invalid_fraction", "no finite fraction of at least 0"),
            Self::InvalidPrice => ("invalid_price", "no finite price of at least 0"),
            Self::EmptyText => ("empty_text", "no query or name"),
            Self::UnexpectedValue => {
                ("unexpected_value", "a value where the kind of event has none")
            }
            Self::InvalidImpressions => ("invalid_impressions", "no list of impressions"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldCount { expected, got } => {
                write!(f, "{got} fields where {expected} were expected")
            }
            _ => f.write_str(self.words().1),
        }
    }
}

/// A row that can't be used, where it stands and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The file, as it was named to the reader.
    pub file: Arc<str>,
    /// The line on which the row begins, from 1; in Parquet, the row.
    pub line: u64,
    /// The byte at which the row begins, from 0; Parquet has none.
    pub byte: Option<u64>,
    /// The column that is wrong, where it is one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
    /// The row as it stands in the file, without its line end; bytes that can't be decoded show as
    /// `\u{fffd}`. A row of Parquet is a JSON object of the columns that were read.
    pub raw: String,
}

/// Longest part of a row that a message shows.
const SHOWN_CHARS: usize = 80;

impl fmt::Display for QuarantinedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        let shown: String = self.raw.chars().take(SHOWN_CHARS).collect();
        let more = if shown.len() < self.raw.len() { " …" } else { "" };
        write!(f, ": {} in {shown:?}{more}", self.reason)
    }
}

/// What became of every row: accepted + duplicates + quarantined = read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadReport {
    pub(crate) files: Vec<Arc<str>>,
    pub(crate) accepted: usize,
    pub(crate) duplicates: usize,
    pub(crate) quarantined: Vec<QuarantinedRow>,
    pub(crate) untitled: usize,
}

/// How many lines of each reason the report names.
const EXAMPLE_LINES: usize = 3;

#[derive(Serialize)]
struct SidecarRow<'a> {
    file: &'a str,
    line: u64,
    byte: Option<u64>,
    column: Option<&'a str>,
    reason: &'static str,
    raw: &'a str,
}

impl ReadReport {
    /// The files, as they were named to the reader.
    pub fn files(&self) -> &[Arc<str>] {
        &self.files
    }

    /// How many rows there were: the sum of the three kinds that there are. Where a row holds several
    /// events (sequences, impressions), each counts, and a bad row as one.
    pub fn read(&self) -> usize {
        self.accepted + self.duplicates + self.quarantined.len()
    }

    /// How many rows became events of the log.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// How many rows repeat an earlier row exactly: the same user, item, kind, time and value.
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// The rows that can't be used, in the order of the file.
    pub fn quarantined(&self) -> &[QuarantinedRow] {
        &self.quarantined
    }

    /// How many items have no title and carry [`UNTITLED`](crate::UNTITLED) in its place.
    pub fn untitled(&self) -> usize {
        self.untitled
    }

    /// How many rows were quarantined for each reason, by [`Reason::code`].
    pub fn reasons(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.quarantined {
            *counts.entry(row.reason.code()).or_default() += 1;
        }
        counts
    }

    /// Writes a JSON line for each quarantined row: `file`, `line`, `byte`, `column`, `reason` and
    /// `raw`.
    ///
    /// # Errors
    /// [`DataError::Write`] when `out` fails.
    pub fn write_quarantine(&self, mut out: impl Write) -> Result<(), DataError> {
        for row in &self.quarantined {
            let sidecar = SidecarRow {
                file: &row.file,
                line: row.line,
                byte: row.byte,
                column: row.column.as_deref(),
                reason: row.reason.code(),
                raw: &row.raw,
            };
            serde_json::to_writer(&mut out, &sidecar).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = |count: usize| if count == 1 { "row" } else { "rows" };
        let duplicates = if self.duplicates == 1 { "duplicate" } else { "duplicates" };
        write!(
            f,
            "{} {} read = {} accepted + {} {duplicates} + {} quarantined",
            self.read(),
            rows(self.read()),
            self.accepted,
            self.duplicates,
            self.quarantined.len()
        )?;
        for (code, count) in self.reasons() {
            let of_code = || self.quarantined.iter().filter(|row| row.reason.code() == code);
            let lines: Vec<String> = of_code()
                .take(EXAMPLE_LINES)
                .map(|row| match self.files.len() {
                    0 | 1 => row.line.to_string(),
                    _ => format!("{} of {}", row.line, row.file),
                })
                .collect();
            let noun = if count == 1 { "line" } else { "lines" };
            let more = if count > lines.len() { ", …" } else { "" };
            write!(f, "\n  {count} {code}: {noun} {}{more}", lines.join(", "))?;
        }
        if self.untitled > 0 {
            write!(f, "\n  {} items without a title", self.untitled)?;
        }
        Ok(())
    }
}
