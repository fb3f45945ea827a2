//! Separated text, row by row with the exact place and bytes of each.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};

use super::{Decoder, Fault, Place, Rows, without_line_end};
use crate::{DataError, Reason};

/// How fields are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// What stands between two fields.
    pub(super) separator: char,
    /// Whether fields that hold separators, quotes or line breaks are quoted; otherwise a quote is
    /// a character like any other.
    pub(super) quotes: bool,
}

/// What RecBole's atomic files put behind a column's name.
const TYPES: [&str; 4] = [":token", ":token_seq", ":float", ":float_seq"];

/// A table whose header has been read.
pub(super) struct CsvRows<R> {
    file: Arc<str>,
    reader: csv::Reader<Tee<R>>,
    layout: Layout,
    decoder: Decoder,
    header: Vec<String>,
    record: ByteRecord,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header unless the columns' names are given; names are trimmed.
    pub(super) fn new(
        reader: R,
        file: Arc<str>,
        layout: Layout,
        columns: Option<&[String]>,
        decoder: Decoder,
    ) -> Result<Self, DataError> {
        let separator = u8::try_from(layout.separator)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b'"'))
            .ok_or(DataError::Separator { separator: layout.separator })?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .quoting(layout.quotes)
            .buffer_capacity(1 << 16)
            .from_reader(Tee::new(reader));
        let record = ByteRecord::new();
        let mut rows = Self { file, reader, layout, decoder, header: Vec::new(), record };
        if let Some(columns) = columns {
            rows.header = columns.to_vec();
        } else {
            rows.advance()?;
            let name = |name: &[u8]| {
                let name = decoder.lossy(name);
                // The parser takes a byte order mark away unless it comes in pieces.
                let name = name.trim_start_matches('\u{feff}').trim();
                TYPES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
            };
            rows.header = rows.record.iter().map(name).collect();
        }
        Ok(rows)
    }

    /// The bytes from where the row before ended: the rest of its line end, blank lines, the row.
    fn bytes(&self) -> &[u8] {
        let start = self.record.position().map_or(0, csv::Position::byte);
        let end = self.reader.position().byte();
        self.reader.get_ref().bytes(start, end)
    }

    /// How many bytes stand before the row itself.
    fn leading(&self) -> usize {
        let bytes = self.bytes();
        bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len())
    }

    /// Whether the row goes over several lines though its quotes don't pair: the line breaks
    /// within it are no text then.
    fn has_unclosed_quote(&self) -> bool {
        let start = self.record.position().map_or(0, csv::Position::line);
        if !self.layout.quotes || self.reader.position().line() <= start + 1 {
            return false;
        }
        let row = without_line_end(&self.bytes()[self.leading()..]);
        let quotes = row.iter().filter(|&&byte| byte == b'"').count();
        row.contains(&b'\n') && quotes % 2 == 1
    }
}

impl<R: Read> Rows for CsvRows<R> {
    fn file(&self) -> &Arc<str> {
        &self.file
    }

    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError> {
        let mut places = (0..self.header.len()).filter(|&place| self.header[place] == name);
        let first = places.next();
        if places.next().is_some() {
            let (file, column) = (self.file.to_string(), name.to_owned());
            return Err(DataError::DuplicateColumn { file, column });
        }
        Ok(first)
    }

    fn column_name(&self, column: usize) -> &str {
        self.header.get(column).map_or("", String::as_str)
    }

    fn column_names(&self) -> Vec<String> {
        self.header.clone()
    }

    /// Blank lines are no rows.
    fn advance(&mut self) -> Result<bool, DataError> {
        let start = self.reader.position().byte();
        self.reader.get_mut().forget(start);
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(|source| DataError::Csv { file: self.file.to_string(), source })
    }

    fn check(&self) -> Result<(), Fault> {
        let (expected, got) = (self.header.len(), self.record.len());
        if self.has_unclosed_quote() {
            Err((None, Reason::UnclosedQuote))
        } else if expected != got {
            Err((None, Reason::FieldCount { expected, got }))
        } else {
            Ok(())
        }
    }

    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        self.decoder.field(self.record.get(column).unwrap_or_default(), column)
    }

    fn place(&self) -> Place {
        let (line, byte) =
            self.record.position().map_or((1, 0), |position| (position.line(), position.byte()));
        let leading = self.leading();
        let breaks = self.bytes()[..leading].iter().filter(|&&byte| byte == b'\n').count();
        Place { line: line + breaks as u64, byte: Some(byte + leading as u64) }
    }

    fn raw(&self) -> String {
        self.decoder.lossy(without_line_end(&self.bytes()[self.leading()..]))
    }
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
