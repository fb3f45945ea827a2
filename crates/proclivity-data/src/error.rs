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
    /// A Parquet file that can't be read.
    #[error("{file}: {message}")]
    Parquet {
        /// The file.
        file: String,
        /// What the reader said.
        message: String,
    },
    /// A file that is no array of vectors.
    #[error("{file}: {message}")]
    Npy {
        /// The file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A vector that can't be used.
    #[error(
        "{file}, row {row} (from 0): a vector or id that is missing, repeated, not finite or of another length than the first"
    )]
    Vector {
        /// The file.
        file: String,
        /// The row, from 0.
        row: usize,
    },
    /// Events without a time where every event needs one.
    #[error("{events} events have no time, and a split by time needs all")]
    Untimed {
        /// How many.
        events: usize,
    },
    /// A format that was not compiled in.
    #[error("{file}: reading it needs the feature `{feature}` of proclivity-data")]
    MissingFeature {
        /// The file.
        file: String,
        /// The feature.
        feature: &'static str,
    },
    /// A pattern that is none.
    #[error("{pattern:?} is no pattern: {source}")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// A pattern that no file matches.
    #[error("no file matches {pattern:?}")]
    NoFile {
        /// The pattern.
        pattern: String,
    },
    /// A name that says no format.
    #[error("{}: expected .csv, .tsv, .jsonl, .ndjson or .parquet, perhaps followed by .gz or .zst", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A label that is no encoding.
    #[error("{label:?} is no encoding: expected a label such as utf-8, gbk or windows-1252")]
    UnknownEncoding {
        /// The label.
        label: String,
    },
    /// A name that is no time zone.
    #[error("{name:?} is no time zone: expected an IANA name such as Asia/Shanghai")]
    UnknownZone {
        /// The name.
        name: String,
    },
    /// A character that can't stand between fields.
    #[error(
        "{separator:?} can't separate fields: expected one ASCII character, no quote or line break"
    )]
    Separator {
        /// The character.
        separator: char,
    },
    /// A header without a column that is needed.
    #[error("{file}: the header has no column {column:?}, only {}", found.join(", "))]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A header with the same column twice.
    #[error("{file}: the header has the column {column:?} twice")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A row that can't be used, where every row has to be.
    #[error("{row}")]
    Row {
        /// The row, its place and what is wrong with it.
        row: Box<QuarantinedRow>,
    },
    /// More quarantined rows than the policy allows.
    #[error("{}: {} of {} rows can't be used, more than a share of {max_share}\n{report}", report.files().join(", "), report.quarantined().len(), report.read())]
    TooManyQuarantined {
        /// The largest share allowed.
        max_share: f64,
        /// All rows, accounted for.
        report: Box<ReadReport>,
    },
    /// Files of which no row was accepted.
    #[error("{}: no row was accepted\n{report}", report.files().join(", "))]
    NothingAccepted {
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
    /// A folder that doesn't hold exactly one file of a name.
    #[error("{}: {found} files are named {pattern}, expected one", folder.display())]
    FileCount {
        /// The folder.
        folder: PathBuf,
        /// What the name has to match.
        pattern: &'static str,
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

/// For writers of CSV.
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
