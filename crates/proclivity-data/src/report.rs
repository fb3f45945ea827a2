//! The account of a reading: what became of every row, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::DataError;

/// Why a row can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// More or fewer fields than the header has columns.
    FieldCount {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A quote that swallowed line breaks and never closed where it should.
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
    /// An item where the kind has none.
    UnexpectedItem,
    /// A name that is no event kind.
    UnknownEvent,
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
    /// A search without a query or a follow without a topic.
    EmptyText,
    /// A value where the kind has none.
    UnexpectedValue,
}

impl Reason {
    /// A stable name, for sidecar files and counts.
    pub fn code(self) -> &'static str {
        match self {
            Self::FieldCount { .. } => "field_count",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::UnclosedQuote => "unclosed_quote",
            Self::EmptyUser => "empty_user",
            Self::InvalidUser => "invalid_user",
            Self::EmptyItem => "empty_item",
            Self::InvalidItem => "invalid_item",
            Self::UnknownItem => "unknown_item",
            Self::UnexpectedItem => "unexpected_item",
            Self::UnknownEvent => "unknown_event",
            Self::InvalidTime => "invalid_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::InvalidRating => "invalid_rating",
            Self::InvalidQuantity => "invalid_quantity",
            Self::InvalidPosition => "invalid_position",
            Self::InvalidFraction => "invalid_fraction",
            Self::EmptyText => "empty_text",
            Self::UnexpectedValue => "unexpected_value",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FieldCount { expected, got } => {
                return write!(f, "{got} fields where {expected} were expected");
            }
            Self::InvalidUtf8 => "not UTF-8",
            Self::UnclosedQuote => "a quote that doesn't close on its line or where a field ends",
            Self::EmptyUser => "no user",
            Self::InvalidUser => "a user id with control characters",
            Self::EmptyItem => "no item",
            Self::InvalidItem => "an item id with control characters",
            Self::UnknownItem => "an item that the catalog doesn't have",
            Self::UnexpectedItem => "an item where the kind of event has none",
            Self::UnknownEvent => "no known kind of event",
            Self::InvalidTime => "no time",
            Self::TimeOutOfRange => "a time before 1970 or in the far future",
            Self::InvalidRating => "no finite rating",
            Self::InvalidQuantity => "no whole quantity of at least 1",
            Self::InvalidPosition => "no whole position of at least 0",
            Self::InvalidFraction => "no finite fraction of at least 0",
            Self::EmptyText => "no query or topic",
            Self::UnexpectedValue => "a value where the kind of event has none",
        })
    }
}

/// A row that can't be used, where it stands and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The byte at which the row begins, from 0.
    pub byte: u64,
    /// The column that is wrong, where it is one.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub reason: Reason,
    /// The row as it stands in the file, without its line end; bytes that are not UTF-8 show as
    /// `\u{fffd}`.
    pub raw: String,
}

/// Longest part of a row that a message shows.
const SHOWN_CHARS: usize = 80;

impl fmt::Display for QuarantinedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
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
    pub(crate) file: String,
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
    byte: u64,
    column: Option<&'static str>,
    reason: &'static str,
    raw: &'a str,
}

impl ReadReport {
    /// The file, as it was named to the reader.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many rows there were: the sum of the three kinds that there are.
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
                file: &self.file,
                line: row.line,
                byte: row.byte,
                column: row.column,
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
        write!(
            f,
            "{} rows read = {} accepted + {} duplicate + {} quarantined",
            self.read(),
            self.accepted,
            self.duplicates,
            self.quarantined.len()
        )?;
        for (code, count) in self.reasons() {
            let lines: Vec<String> = self
                .quarantined
                .iter()
                .filter(|row| row.reason.code() == code)
                .take(EXAMPLE_LINES)
                .map(|row| row.line.to_string())
                .collect();
            let (noun, more) = (
                if count == 1 { "line" } else { "lines" },
                if count > lines.len() { ", …" } else { "" },
            );
            write!(f, "\n  {count} {code}: {noun} {}{more}", lines.join(", "))?;
        }
        if self.untitled > 0 {
            write!(f, "\n  {} items without a title", self.untitled)?;
        }
        Ok(())
    }
}
