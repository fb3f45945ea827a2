//! How rows are written: separated text, lines, JSON, Parquet.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// How the rows of a file are written, before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// Separated text.
    Csv {
        /// What stands between two fields: one ASCII character; default `,`.
        #[serde(default = "comma")]
        separator: char,
        /// Whether fields may be quoted with `"`; default true.
        #[serde(default = "yes")]
        quotes: bool,
        /// The columns' names where the file has no header. The `:token`, `:token_seq`, `:float` and
        /// `:float_seq` that RecBole puts behind the names of a header are no part of them.
        #[serde(default)]
        columns: Option<Vec<String>>,
        /// The text's encoding, by its [label](https://encoding.spec.whatwg.org/#names-and-labels)
        /// (`utf-8`, `gbk`, `windows-1252`, …); default `utf-8`. The bytes of separators and line
        /// ends must be those of ASCII.
        #[serde(default = "utf_8")]
        encoding: String,
    },
    /// One row a line, without header or quotes, its fields between a text such as `::`.
    Lines {
        /// What stands between two fields.
        separator: String,
        /// The columns' names.
        columns: Vec<String>,
        /// The text's encoding; default `utf-8`.
        #[serde(default = "utf_8")]
        encoding: String,
    },
    /// One JSON object a line. A column is a field's name, or a path such as `item.id`.
    Jsonl,
    /// Apache Parquet, behind the feature `parquet`. A column is a field's name, or a path such as
    /// `item.id`.
    Parquet,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

fn utf_8() -> String {
    "utf-8".to_owned()
}

impl Format {
    /// Commas, quotes where needed, a header, UTF-8.
    pub fn csv() -> Self {
        Self::Csv { separator: ',', quotes: true, columns: None, encoding: utf_8() }
    }

    /// Tabs, no quotes, a header, UTF-8.
    pub fn tsv() -> Self {
        Self::Csv { separator: '\t', quotes: false, columns: None, encoding: utf_8() }
    }

    /// [`Format::Lines`] in UTF-8.
    pub fn lines(separator: &str, columns: &[&str]) -> Self {
        Self::Lines { separator: separator.to_owned(), columns: owned(columns), encoding: utf_8() }
    }

    /// The same format without a header: these are its columns. JSON and Parquet name their own.
    pub fn with_columns(mut self, names: &[&str]) -> Self {
        match &mut self {
            Self::Csv { columns, .. } => *columns = Some(owned(names)),
            Self::Lines { columns, .. } => *columns = owned(names),
            Self::Jsonl | Self::Parquet => {}
        }
        self
    }

    /// The same format in another encoding. JSON and Parquet are always UTF-8.
    pub fn with_encoding(mut self, label: &str) -> Self {
        if let Self::Csv { encoding, .. } | Self::Lines { encoding, .. } = &mut self {
            *encoding = label.to_owned();
        }
        self
    }

    /// What the name of a file says: `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`, perhaps
    /// followed by `.gz` or `.zst`.
    ///
    /// # Errors
    /// [`DataError::UnknownFormat`] for any other name.
    pub fn of_path(path: &Path) -> Result<Self, DataError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit('.').next() {
            Some("csv") => Ok(Self::csv()),
            Some("tsv") => Ok(Self::tsv()),
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(DataError::UnknownFormat { path: path.to_owned() }),
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
