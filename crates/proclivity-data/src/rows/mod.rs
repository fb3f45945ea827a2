//! Rows of a file in any format, one after the other, each with its place and its text.

mod csv;
mod jsonl;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;

use std::borrow::Cow;
use std::sync::Arc;

use crate::{DataError, Format, Input, QuarantinedRow, Reason};

pub(crate) use lines::Lines;

/// What is wrong with a row, and in which column.
pub(crate) type Fault = (Option<usize>, Reason);

/// Where a row begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The line, or in formats without lines the row, from 1.
    pub(crate) line: u64,
    /// The byte, from 0, in formats that have one.
    pub(crate) byte: Option<u64>,
}

/// A file, row by row.
pub(crate) trait Rows {
    /// The file's name.
    fn file(&self) -> &Arc<str>;

    /// Where a column stands, if it does; formats whose rows name their own fields always find one.
    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError>;

    /// The name of a column.
    fn column_name(&self, column: usize) -> &str;

    /// All columns that are known.
    fn column_names(&self) -> Vec<String>;

    /// Goes to the next row; false at the end.
    fn advance(&mut self) -> Result<bool, DataError>;

    /// Refuses a row whose fields can't be told apart.
    fn check(&self) -> Result<(), Fault>;

    /// A field of this row without surrounding white space; empty where there is none.
    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault>;

    /// The elements of a field that the format itself knows as a list.
    fn elements(&self, _column: usize) -> Option<Vec<String>> {
        None
    }

    /// A text, which may be a list of texts.
    fn text(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        match self.elements(column) {
            Some(elements) => Ok(elements.join(" ").into()),
            None => self.field(column),
        }
    }

    /// Where this row begins.
    fn place(&self) -> Place;

    /// This row as it stands in the file, without its line end.
    fn raw(&self) -> String;

    /// Where a column stands.
    fn column(&mut self, name: &str) -> Result<usize, DataError> {
        self.find_column(name)?.ok_or_else(|| DataError::MissingColumn {
            file: self.file().to_string(),
            column: name.to_owned(),
            found: self.column_names(),
        })
    }

    /// This row with what is wrong with it.
    fn quarantined(&self, (column, reason): Fault) -> QuarantinedRow {
        let Place { line, byte } = self.place();
        QuarantinedRow {
            file: Arc::clone(self.file()),
            line,
            byte,
            column: column.map(|column| self.column_name(column).to_owned()),
            reason,
            raw: self.raw(),
        }
    }
}

/// Opens an input in a format and hands its rows to `read`, whatever type they are of.
pub(crate) fn with_rows<T>(
    input: Input<'_>,
    format: &Format,
    read: impl ReadRows<Output = T>,
) -> Result<T, DataError> {
    let name: Arc<str> = input.name().into();
    match format {
        Format::Csv { separator, quotes, columns, encoding } => {
            let layout = csv::Layout { separator: *separator, quotes: *quotes };
            let decoder = Decoder::new(encoding)?;
            let reader = input.open()?;
            read.read(&mut csv::CsvRows::new(reader, name, layout, columns.as_deref(), decoder)?)
        }
        Format::Lines { separator, columns, encoding } => {
            let decoder = Decoder::new(encoding)?;
            read.read(&mut lines::LineRows::new(input.open()?, name, separator, columns, decoder))
        }
        Format::Jsonl => read.read(&mut jsonl::JsonRows::new(input.open()?, name)),
        #[cfg(feature = "parquet")]
        Format::Parquet => read.read(&mut parquet::ParquetRows::new(input, name)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            Err(DataError::MissingFeature { file: input.name().to_owned(), feature: "parquet" })
        }
    }
}

/// Something that reads rows of any type: a closure can't be generic.
pub(crate) trait ReadRows {
    type Output;
    fn read(self, rows: &mut impl Rows) -> Result<Self::Output, DataError>;
}

/// Turns the bytes of a field into text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder(Option<&'static encoding_rs::Encoding>);

impl Decoder {
    fn new(label: &str) -> Result<Self, DataError> {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
            .ok_or_else(|| DataError::UnknownEncoding { label: label.to_owned() })?;
        Ok(Self((encoding != encoding_rs::UTF_8).then_some(encoding)))
    }

    /// The text of a field, trimmed.
    fn field<'b>(self, bytes: &'b [u8], column: usize) -> Result<Cow<'b, str>, Fault> {
        let fault = (Some(column), Reason::InvalidEncoding);
        match self.0 {
            None => std::str::from_utf8(bytes).map(|text| text.trim().into()).map_err(|_| fault),
            Some(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(|text| match text {
                    Cow::Borrowed(text) => text.trim().into(),
                    Cow::Owned(text) => text.trim().to_owned().into(),
                })
                .ok_or(fault),
        }
    }

    /// A row as text, for people: what can't be decoded is replaced.
    fn lossy(self, bytes: &[u8]) -> String {
        let (text, _) = self.0.unwrap_or(encoding_rs::UTF_8).decode_without_bom_handling(bytes);
        text.into_owned()
    }
}

/// Where a column stands, if it does, and once.
fn only_place(columns: &[String], name: &str, file: &str) -> Result<Option<usize>, DataError> {
    let mut places = (0..columns.len()).filter(|&place| columns[place] == name);
    match (places.next(), places.next()) {
        (place, None) => Ok(place),
        _ => Err(DataError::DuplicateColumn { file: file.to_owned(), column: name.to_owned() }),
    }
}

/// The row without its line end.
fn without_line_end(row: &[u8]) -> &[u8] {
    let breaks = row.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    &row[..row.len() - breaks]
}
