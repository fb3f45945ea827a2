//! Separated text, row by row with the exact place and bytes of each.

use std::borrow::Cow;
use std::io::BufRead;
use std::sync::Arc;

use csv_core::{ReadRecordResult, ReaderBuilder, Terminator};

use super::{Decoder, Fault, Place, Rows, only_place, without_line_end};
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

/// Over more lines no quoted field goes: a quote is open by mistake then.
const MOST_LINES: u64 = 1_000;
/// Nor over more bytes, unless they are on one line.
const MOST_BYTES: usize = 1 << 20;

/// What RecBole's atomic files put behind a column's name.
const TYPES: [&str; 4] = [":token", ":token_seq", ":float", ":float_seq"];

/// A table whose header has been read.
///
/// A row is a line, and more lines where a quoted field goes over them. A quote that never closes,
/// or closes in the middle of a field on a later line, is open by mistake: its line alone is a bad
/// row, and the next line is a row again, so that one quote can't swallow others' rows.
pub(super) struct CsvRows<R> {
    file: Arc<str>,
    reader: R,
    layout: Layout,
    separator: u8,
    decoder: Decoder,
    parser: csv_core::Reader,
    header: Vec<String>,
    /// This row, then what was read ahead of the next.
    buffer: Vec<u8>,
    /// Where this row ends in the buffer, with its line end.
    end: usize,
    /// The row's line, from 1, and how many lines it has.
    line: u64,
    lines: u64,
    /// The row's first byte in the file.
    byte: u64,
    has_unclosed_quote: bool,
    /// The fields' texts where quotes were resolved, else the row itself has them.
    text: Vec<u8>,
    is_resolved: bool,
    /// Start and end of each field.
    fields: Vec<(usize, usize)>,
}

impl<R: BufRead> CsvRows<R> {
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
        // The row's own line end is taken off, so that a break is one of a quoted field.
        let parser =
            ReaderBuilder::new().delimiter(separator).terminator(Terminator::Any(b'\n')).build();
        let mut rows = Self {
            file,
            reader,
            layout,
            separator,
            decoder,
            parser,
            header: Vec::new(),
            buffer: Vec::new(),
            end: 0,
            line: 1,
            lines: 0,
            byte: 0,
            has_unclosed_quote: false,
            text: Vec::new(),
            is_resolved: false,
            fields: Vec::new(),
        };
        if let Some(columns) = columns {
            rows.header = columns.to_vec();
        } else if rows.advance()? {
            let names = rows.fields.iter().map(|&(start, end)| {
                let name = decoder.lossy(&rows.source()[start..end]);
                let name = name.trim();
                TYPES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
            });
            rows.header = names.collect();
        }
        Ok(rows)
    }

    /// What the fields' places are counted in.
    fn source(&self) -> &[u8] {
        if self.is_resolved { &self.text } else { &self.buffer }
    }

    fn row(&self) -> &[u8] {
        without_line_end(&self.buffer[..self.end])
    }

    /// Where the line that begins at `start` ends, read if it isn't yet; `start` at the end of file.
    fn line_end(&mut self, start: usize) -> Result<usize, DataError> {
        if let Some(length) = memchr::memchr(b'\n', &self.buffer[start..]) {
            return Ok(start + length + 1);
        }
        self.reader
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| DataError::Io { path: self.file.as_ref().into(), source })?;
        Ok(self.buffer.len())
    }

    /// Finds where the row that begins the buffer ends; its first line is read.
    fn find_end(&mut self, first_line: usize) -> Result<(), DataError> {
        (self.end, self.lines, self.has_unclosed_quote) = (first_line, 1, false);
        let mut state = QuoteState::FieldStart;
        let mut scanned = 0;
        let mut end = first_line;
        loop {
            // A line without its end: an open field goes on over the break.
            let line = without_line_end(&self.buffer[scanned..end]);
            let is_first = scanned == 0;
            state = state.after(line, self.separator, is_first);
            match state {
                QuoteState::Quoted => {}
                QuoteState::Broken => break,
                _ => {
                    self.end = end;
                    return Ok(());
                }
            }
            scanned = end;
            if self.lines == MOST_LINES || end > MOST_BYTES.max(first_line) {
                break;
            }
            end = self.line_end(scanned)?;
            if end == scanned {
                break;
            }
            self.lines += 1;
        }
        (self.lines, self.has_unclosed_quote) = (1, true);
        Ok(())
    }

    /// Finds the fields of this row.
    fn split(&mut self) {
        self.fields.clear();
        let row = without_line_end(&self.buffer[..self.end]);
        self.is_resolved = self.layout.quotes && memchr::memchr(b'"', row).is_some();
        if !self.is_resolved {
            let mut start = 0;
            for end in memchr::memchr_iter(self.separator, row) {
                self.fields.push((start, end));
                start = end + 1;
            }
            self.fields.push((start, row.len()));
            return;
        }
        // Resolving quotes only makes a row shorter, and it has at most a field for each byte and one.
        self.text.resize(row.len(), 0);
        let mut ends = vec![0; row.len() + 1];
        self.parser.reset();
        let (first, read, written, mut count) =
            self.parser.read_record(row, &mut self.text, &mut ends);
        if !matches!(first, ReadRecordResult::Record) {
            let (.., more) = self.parser.read_record(
                &row[read..],
                &mut self.text[written..],
                &mut ends[count..],
            );
            count += more;
        }
        if !matches!(first, ReadRecordResult::Record) && count < ends.len() {
            let (.., more) = self.parser.read_record(&[], &mut [], &mut ends[count..]);
            count += more;
        }
        let starts = [0].into_iter().chain(ends.iter().copied());
        self.fields.extend(starts.zip(ends.iter().copied()).take(count));
    }
}

/// Where in a row a scan for quotes stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum QuoteState {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within a quoted field: its end, or half of a quote that is doubled.
    QuoteInQuoted,
    /// A field that a later line closes before its end.
    Broken,
}

impl QuoteState {
    /// The state behind one more line. On the first line what follows a closing quote belongs to
    /// the field, as parsers have it; on a later line it shows that the quote was no opening one.
    fn after(mut self, line: &[u8], separator: u8, is_first: bool) -> Self {
        for &byte in line {
            self = match (self, byte) {
                (Self::Broken, _) => return self,
                (Self::FieldStart, b'"') | (Self::QuoteInQuoted, b'"') => Self::Quoted,
                (Self::Quoted, b'"') => Self::QuoteInQuoted,
                (Self::Quoted, _) => Self::Quoted,
                (_, byte) if byte == separator => Self::FieldStart,
                (Self::QuoteInQuoted, _) if !is_first => Self::Broken,
                _ => Self::Unquoted,
            };
        }
        self
    }
}

impl<R: BufRead> Rows for CsvRows<R> {
    fn file(&self) -> &Arc<str> {
        &self.file
    }

    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError> {
        only_place(&self.header, name, self.file())
    }

    fn column_name(&self, column: usize) -> &str {
        self.header.get(column).map_or("", String::as_str)
    }

    fn column_names(&self) -> Vec<String> {
        self.header.clone()
    }

    /// Blank lines are no rows.
    fn advance(&mut self) -> Result<bool, DataError> {
        loop {
            self.line += self.lines;
            self.byte += self.end as u64;
            self.buffer.drain(..self.end);
            (self.end, self.lines) = (0, 0);
            let first_line = self.line_end(0)?;
            if first_line == 0 {
                return Ok(false);
            }
            if self.byte == 0 && self.buffer.starts_with(BYTE_ORDER_MARK) {
                (self.end, self.byte) = (BYTE_ORDER_MARK.len(), 0);
                continue;
            }
            if without_line_end(&self.buffer[..first_line]).is_empty() {
                (self.end, self.lines) = (first_line, 1);
                continue;
            }
            let line = &self.buffer[..first_line];
            if self.layout.quotes && memchr::memchr(b'"', line).is_some() {
                self.find_end(first_line)?;
            } else {
                (self.end, self.lines, self.has_unclosed_quote) = (first_line, 1, false);
            }
            self.split();
            return Ok(true);
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let (expected, got) = (self.header.len(), self.fields.len());
        if self.has_unclosed_quote {
            Err((None, Reason::UnclosedQuote))
        } else if expected != got {
            Err((None, Reason::FieldCount { expected, got }))
        } else {
            Ok(())
        }
    }

    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        let (start, end) = self.fields.get(column).copied().unwrap_or_default();
        self.decoder.field(&self.source()[start..end], column)
    }

    fn place(&self) -> Place {
        Place { line: self.line, byte: Some(self.byte) }
    }

    fn raw(&self) -> String {
        self.decoder.lossy(self.row())
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
