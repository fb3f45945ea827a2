//! What a reader, a split or a preset of this crate refuses.

use std::path::{Path, PathBuf};

use proclivity_schema::SchemaError;

use crate::{Preset, QuarantinedRow, ReadReport};

/// An error of the data crate, with the file and, where there is one, the line that caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder that can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A table whose bytes can't be read.
    #[error("{file}: {source}")]
    Csv {
        /// The file.
        file: String,
        /// What the parser said.
        source: csv::Error,
    },
    /// An output that can't be written.
    #[error("can't write: {source}")]
    Write {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
    /// A file of an embedded showcase that can't be read.
    #[error("the embedded {file} is broken: {source}")]
    Embedded {
        /// The file.
        file: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A value that the schema refuses.
    #[error(transparent)]
    Value(#[from] SchemaError),
    /// A value of a file that the schema refuses.
    #[error("{file}, line {line}: {source}")]
    Schema {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What the schema said.
        source: SchemaError,
    },
    /// A header without a column that is needed.
    #[error("{file}: the header has no column {column:?}, only {}", found.join(", "))]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A header with the same column twice.
    #[error("{file}: the header has the column {column:?} twice")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// A row that can't be used, where every row has to be.
    #[error("{file}: {row}")]
    Row {
        /// The file.
        file: String,
        /// The row, its place and what is wrong with it.
        row: Box<QuarantinedRow>,
    },
    /// More quarantined rows than the policy allows.
    #[error("{file}: {} of {} rows can't be used, more than a share of {max_share}\n{report}", report.quarantined().len(), report.read())]
    TooManyQuarantined {
        /// The file.
        file: String,
        /// The largest share allowed.
        max_share: f64,
        /// All rows, accounted for.
        report: Box<ReadReport>,
    },
    /// A log in which no event is left.
    #[error("{file}: no event was accepted\n{report}")]
    EmptyLog {
        /// The file.
        file: String,
        /// All rows, accounted for.
        report: Box<ReadReport>,
    },
    /// A file of sequences in which some lines hold several items and yet a user comes twice.
    #[error(
        "{file}: line {long_line} holds several items, and the user of line {repeated_line} has had a line before: \
         expected one line for each user, or one item in each line"
    )]
    MixedSequences {
        /// The file.
        file: String,
        /// The first line of more than one item.
        long_line: u64,
        /// The first line whose user has had a line before.
        repeated_line: u64,
    },
    /// A folder that doesn't hold exactly one file of a kind.
    #[error("{}: {found} files end in .{extension}, expected one", folder.display())]
    FileCount {
        /// The folder.
        folder: PathBuf,
        /// How the file's name ends.
        extension: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A name that is no preset.
    #[error("{name:?} is no data set: expected one of {}", Preset::names())]
    UnknownPreset {
        /// The name as it came.
        name: String,
    },
    /// Another number of things than there have to be.
    #[error("{got} {what}, expected {expected}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there have to be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}, expected {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
}

impl DataError {
    /// For `map_err`: an input or output error with its path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// For writers of CSV; readers name their file in [`DataError::Csv`].
impl From<csv::Error> for DataError {
    fn from(error: csv::Error) -> Self {
        Self::Write { source: error.into() }
    }
}

/// `Ok` when `valid`, else the error that names the parameter.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    valid: bool,
    expected: &'static str,
) -> Result<(), DataError> {
    if valid { Ok(()) } else { Err(DataError::Parameter { name, value, expected }) }
}
