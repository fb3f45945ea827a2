//! Separated text with a header, read row by row with the exact place and bytes of each row.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use crate::{DataError, QuarantinedRow, Reason};

/// How fields are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Separator {
    /// Commas; fields that hold commas, quotes or line breaks are quoted.
    Comma,
    /// Tabs; a quote is a character like any other.
    Tab,
}

/// What is wrong with a row, and in which column.
pub(crate) type Fault = (Option<&'static str>, Reason);

/// A table whose header has been read.
pub(crate) struct Table<R> {
    file: String,
    reader: csv::Reader<Tee<R>>,
    header: Vec<String>,
    record: ByteRecord,
}

impl Table<File> {
    /// Opens a file.
    pub(crate) fn open(path: &Path, separator: Separator) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        Self::new(file, &path.display().to_string(), separator)
    }
}

impl<R: Read> Table<R> {
    /// Reads the header; column names are trimmed.
    pub(crate) fn new(reader: R, file: &str, separator: Separator) -> Result<Self, DataError> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).buffer_capacity(1 << 16);
        if let Separator::Tab = separator {
            builder.delimiter(b'\t').quoting(false);
        }
        let mut table = Self {
            file: file.to_owned(),
            reader: builder.from_reader(Tee::new(reader)),
            header: Vec::new(),
            record: ByteRecord::new(),
        };
        table.advance()?;
        table.header = table
            .record
            .iter()
            // The parser takes a byte order mark away unless it comes in pieces.
            .map(|name| {
                String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned()
            })
            .collect();
        Ok(table)
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Takes the `:type` off every column's name, which atomic files have there.
    pub(crate) fn drop_column_types(&mut self) {
        for name in &mut self.header {
            if let Some(end) = name.find(':') {
                name.truncate(end);
            }
        }
    }

    /// Where a column stands.
    pub(crate) fn column(&self, column: &'static str) -> Result<usize, DataError> {
        self.optional_column(column)?.ok_or_else(|| DataError::MissingColumn {
            file: self.file.clone(),
            column,
            found: self.header.clone(),
        })
    }

    /// Where a column stands, if it does.
    pub(crate) fn optional_column(&self, column: &'static str) -> Result<Option<usize>, DataError> {
        let mut places = (0..self.header.len()).filter(|&place| self.header[place] == column);
        let first = places.next();
        if places.next().is_some() {
            return Err(DataError::DuplicateColumn { file: self.file.clone(), column });
        }
        Ok(first)
    }

    /// Goes to the next row; false at the end. Blank lines are no rows.
    pub(crate) fn advance(&mut self) -> Result<bool, DataError> {
        let start = self.reader.position().byte();
        self.reader.get_mut().forget(start);
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(|source| DataError::Csv { file: self.file.clone(), source })
    }

    /// Refuses a row with another number of fields than the header.
    pub(crate) fn check_field_count(&self) -> Result<(), Fault> {
        let (expected, got) = (self.header.len(), self.record.len());
        if expected == got { Ok(()) } else { Err((None, Reason::FieldCount { expected, got })) }
    }

    /// A field of this row without surrounding white space; empty where the row ends before it.
    pub(crate) fn field(&self, place: usize, column: &'static str) -> Result<&str, Fault> {
        std::str::from_utf8(self.record.get(place).unwrap_or_default())
            .map(str::trim)
            .map_err(|_| (Some(column), Reason::InvalidUtf8))
    }

    /// Whether the quotes of this row don't pair, so that a line break within it is no text.
    pub(crate) fn has_unpaired_quote(&self) -> bool {
        let quotes = self.raw().iter().filter(|&&byte| byte == b'"').count();
        quotes % 2 == 1
    }

    /// The line on which this row begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.place().0
    }

    /// This row with what is wrong with it.
    pub(crate) fn quarantined(&self, (column, reason): Fault) -> QuarantinedRow {
        let (line, byte) = self.place();
        QuarantinedRow {
            line,
            byte,
            column,
            reason,
            raw: without_line_end(&self.raw()[self.leading()..]),
        }
    }

    /// The error of this row, where every row has to be used.
    pub(crate) fn fault(&self, fault: Fault) -> DataError {
        DataError::Row { file: self.file.clone(), row: Box::new(self.quarantined(fault)) }
    }

    /// The bytes from where the row before ended: the rest of its line end, blank lines, the row.
    fn raw(&self) -> &[u8] {
        let start = self.record.position().map_or(0, csv::Position::byte);
        let end = self.reader.position().byte();
        self.reader.get_ref().bytes(start, end)
    }

    /// How many bytes stand before the row itself.
    fn leading(&self) -> usize {
        let raw = self.raw();
        raw.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(raw.len())
    }

    /// Line and byte at which the row itself begins.
    fn place(&self) -> (u64, u64) {
        let (line, byte) =
            self.record.position().map_or((1, 0), |position| (position.line(), position.byte()));
        let leading = self.leading();
        let breaks = self.raw()[..leading].iter().filter(|&&byte| byte == b'\n').count();
        (line + breaks as u64, byte + leading as u64)
    }
}

/// A row as text, for people: bytes that are not UTF-8 are replaced.
pub(crate) fn without_line_end(row: &[u8]) -> String {
    let breaks = row.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    String::from_utf8_lossy(&row[..row.len() - breaks]).into_owned()
}

/// A reader that keeps what was read until told to forget it.
struct Tee<R> {
    inner: R,
    kept: Vec<u8>,
    start: u64,
}

/// Forgetting moves what is left, so it waits until this much is to go.
const FORGET_BYTES: u64 = 1 << 18;

impl<R> Tee<R> {
    fn new(inner: R) -> Self {
        Self { inner, kept: Vec::new(), start: 0 }
    }

    fn forget(&mut self, before: u64) {
        let bytes = before.saturating_sub(self.start);
        if bytes >= FORGET_BYTES {
            let bytes = usize::try_from(bytes).map_or(self.kept.len(), |n| n.min(self.kept.len()));
            self.kept.drain(..bytes);
            self.start += bytes as u64;
        }
    }

    fn bytes(&self, start: u64, end: u64) -> &[u8] {
        let place = |byte: u64| usize::try_from(byte.saturating_sub(self.start)).ok();
        place(start)
            .zip(place(end))
            .and_then(|(start, end)| self.kept.get(start..end))
            .unwrap_or_default()
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}
