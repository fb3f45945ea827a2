//! Where rows come from: a path, a glob, any reader; plain, gzip or zstd.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

/// One file or stream. What is compressed with gzip or zstd is unpacked on the way; the first
/// bytes tell, not the name.
pub struct Input<'a> {
    name: String,
    source: Source<'a>,
}

enum Source<'a> {
    Path(PathBuf),
    Reader(Box<dyn Read + 'a>),
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").field(&self.name).finish()
    }
}

impl<'a> Input<'a> {
    /// A file.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: path.display().to_string(), source: Source::Path(path) }
    }

    /// Any stream; `name` stands for it in errors and reports.
    pub fn reader(name: impl Into<String>, reader: impl Read + 'a) -> Self {
        Self { name: name.into(), source: Source::Reader(Box::new(reader)) }
    }

    /// All files that a pattern such as `logs/2021-*.csv.gz` matches, in order of their names.
    ///
    /// # Errors
    /// [`DataError::Glob`] for a pattern that is none, [`DataError::NoFile`] when nothing matches,
    /// and [`DataError::Io`] for a folder that can't be read.
    pub fn glob(pattern: &str) -> Result<Vec<Self>, DataError> {
        let paths = glob::glob(pattern)
            .map_err(|source| DataError::Glob { pattern: pattern.to_owned(), source })?;
        let mut inputs = Vec::new();
        for path in paths {
            let path = path.map_err(|error| DataError::Io {
                path: error.path().to_owned(),
                source: error.into(),
            })?;
            if !path.is_dir() {
                inputs.push(Self::path(path));
            }
        }
        if inputs.is_empty() {
            return Err(DataError::NoFile { pattern: pattern.to_owned() });
        }
        Ok(inputs)
    }

    /// The path or name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unpacked bytes.
    pub(crate) fn open(self) -> Result<Box<dyn BufRead + 'a>, DataError> {
        let path = PathBuf::from(&self.name);
        let reader: Box<dyn Read + 'a> = match self.source {
            Source::Path(path) => Box::new(File::open(&path).map_err(DataError::io(&path))?),
            Source::Reader(reader) => reader,
        };
        unpack(reader).map_err(DataError::io(&path))
    }

    /// The file itself, where it is one.
    #[cfg(feature = "parquet")]
    pub(crate) fn file_path(&self) -> Option<&Path> {
        match &self.source {
            Source::Path(path) => Some(path),
            Source::Reader(_) => None,
        }
    }
}

impl From<&Path> for Input<'_> {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 1 << 17;

fn unpack<'a>(mut reader: Box<dyn Read + 'a>) -> std::io::Result<Box<dyn BufRead + 'a>> {
    let mut magic = Vec::with_capacity(ZSTD.len());
    reader.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(&GZIP), magic == ZSTD);
    let whole = BufReader::with_capacity(BUFFER, std::io::Cursor::new(magic).chain(reader));
    Ok(if gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole)))
    } else if zstd {
        Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(whole)?))
    } else {
        Box::new(whole)
    })
}
