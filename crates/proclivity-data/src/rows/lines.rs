//! Lines, with their places, and rows of one line whose fields stand between a text such as `::`.

use std::borrow::Cow;
use std::io::BufRead;
use std::sync::Arc;

use super::{Decoder, Fault, Place, Rows, only_place, without_line_end};
use crate::{DataError, Reason};

/// The lines of a file, with their places.
pub(crate) struct Lines<R> {
    file: Arc<str>,
    reader: R,
    line: Vec<u8>,
    number: u64,
    byte: u64,
    next_byte: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, file: Arc<str>) -> Self {
        Self { file, reader, line: Vec::new(), number: 0, byte: 0, next_byte: 0 }
    }

    /// Goes to the next line; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, DataError> {
        self.line.clear();
        let count = self
            .reader
            .read_until(b'\n', &mut self.line)
            .map_err(|source| DataError::Io { path: self.file.as_ref().into(), source })?;
        self.byte = self.next_byte;
        self.next_byte += count as u64;
        self.number += 1;
        if self.number == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(.."\u{feff}".len());
        }
        Ok(count > 0)
    }

    /// Goes to the next line that isn't blank; false at the end.
    pub(crate) fn advance_to_row(&mut self) -> Result<bool, DataError> {
        while self.advance()? {
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The bytes of this line, without its end.
    pub(crate) fn bytes(&self) -> &[u8] {
        without_line_end(&self.line)
    }

    /// Where this line begins.
    pub(crate) fn place(&self) -> Place {
        Place { line: self.number, byte: Some(self.byte) }
    }
}

/// Rows of one line each, without a header.
pub(super) struct LineRows<R> {
    lines: Lines<R>,
    separator: Vec<u8>,
    columns: Vec<String>,
    decoder: Decoder,
    /// Start and end of each field in the line.
    fields: Vec<(usize, usize)>,
}

impl<R: BufRead> LineRows<R> {
    pub(super) fn new(
        reader: R,
        file: Arc<str>,
        separator: &str,
        columns: &[String],
        decoder: Decoder,
    ) -> Self {
        let (separator, columns) = (separator.as_bytes().to_vec(), columns.to_vec());
        Self { lines: Lines::new(reader, file), separator, columns, decoder, fields: Vec::new() }
    }
}

impl<R: BufRead> Rows for LineRows<R> {
    fn file(&self) -> &Arc<str> {
        self.lines.file()
    }

    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError> {
        only_place(&self.columns, name, self.file())
    }

    fn column_name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    fn column_names(&self) -> Vec<String> {
        self.columns.clone()
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        let more = self.lines.advance_to_row()?;
        self.fields.clear();
        let line = self.lines.bytes();
        let mut start = 0;
        if !self.separator.is_empty() {
            for end in memchr::memmem::find_iter(line, &self.separator) {
                self.fields.push((start, end));
                start = end + self.separator.len();
            }
        }
        self.fields.push((start, line.len()));
        Ok(more)
    }

    fn check(&self) -> Result<(), Fault> {
        let (expected, got) = (self.columns.len(), self.fields.len());
        if expected == got { Ok(()) } else { Err((None, Reason::FieldCount { expected, got })) }
    }

    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        let (start, end) = self.fields.get(column).copied().unwrap_or_default();
        self.decoder.field(&self.lines.bytes()[start..end], column)
    }

    fn place(&self) -> Place {
        self.lines.place()
    }

    fn raw(&self) -> String {
        self.decoder.lossy(self.lines.bytes())
    }
}
