//! Embeddings of images and sounds, made elsewhere, read into a catalog.

use std::collections::HashMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proclivity_schema::{Catalog, Embedding, Item, ItemId, SchemaError};

use crate::rows::Lines;
use crate::{DataError, Input};

/// What a model outside of this project embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    /// The item's picture.
    Image,
    /// The item's sound.
    Audio,
}

/// What became of the vectors: `vectors = attached + zero + unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EmbeddingReport {
    /// Vectors in the file.
    pub vectors: usize,
    /// Numbers in each.
    pub embedding_dim: usize,
    /// Vectors that an item of the catalog now has.
    pub attached: usize,
    /// Vectors of zeros: what is stored where there was nothing to embed.
    pub zero: usize,
    /// Vectors of items that the catalog doesn't have.
    pub unknown: usize,
    /// Items of the catalog without a vector.
    pub without: usize,
}

/// Reads vectors from NumPy's `.npy`: an array of `f4` or `f8`, a row for each item. Which item is
/// said by `ids`, one id a line; without it the rows are in the catalog's order.
///
/// # Errors
/// - [`DataError::Npy`] for a file that is no such array, [`DataError::Io`] for one that can't be
///   read;
/// - [`DataError::Count`] when there is another number of ids, or items, than of rows;
/// - [`DataError::Vector`] for NaN, an infinity, or an id that comes twice.
pub fn read_npy_embeddings(
    catalog: Catalog,
    modality: Modality,
    vectors: Input<'_>,
    ids: Option<Input<'_>>,
) -> Result<(Catalog, EmbeddingReport), DataError> {
    let file = vectors.name().to_owned();
    let (rows, embedding_dim, values) = read_npy(vectors)?;
    let ids = match ids {
        Some(input) => read_ids(input)?,
        None => catalog.ids().iter().map(|id| id.as_str().to_owned()).collect(),
    };
    if ids.len() != rows {
        return Err(DataError::Count { what: "ids of embeddings", expected: rows, got: ids.len() });
    }
    let vectors = values.chunks_exact(embedding_dim.max(1)).map(<[f32]>::to_vec);
    attach(catalog, modality, &file, ids.into_iter().zip(vectors))
}

/// Reads vectors from Parquet: a column of ids and one of lists of numbers.
///
/// # Errors
/// - [`DataError::Parquet`] and [`DataError::MissingColumn`] for a file without such columns;
/// - [`DataError::Vector`] for a vector that is missing, of another length than the first, has NaN
///   or an infinity, or whose id comes twice.
#[cfg(feature = "parquet")]
pub fn read_parquet_embeddings(
    catalog: Catalog,
    modality: Modality,
    input: Input<'_>,
    id: &str,
    vector: &str,
) -> Result<(Catalog, EmbeddingReport), DataError> {
    let file = input.name().to_owned();
    let columns = ReadVectors { id, vector };
    let vectors = crate::rows::with_rows(input, &crate::Format::Parquet, columns)?;
    attach(catalog, modality, &file, vectors.into_iter())
}

#[cfg(feature = "parquet")]
struct ReadVectors<'a> {
    id: &'a str,
    vector: &'a str,
}

#[cfg(feature = "parquet")]
impl crate::rows::ReadRows for ReadVectors<'_> {
    type Output = Vec<(String, Vec<f32>)>;

    fn read(self, rows: &mut impl crate::rows::Rows) -> Result<Self::Output, DataError> {
        let (id, vector) = (rows.column(self.id)?, rows.column(self.vector)?);
        let mut vectors = Vec::new();
        while rows.advance()? {
            let place = || rows.place().line as usize - 1;
            let invalid = || DataError::Vector { file: rows.file().to_string(), row: place() };
            let id = rows.field(id).map_err(|_| invalid())?.into_owned();
            let numbers = rows.elements(vector).ok_or_else(invalid)?;
            let numbers =
                numbers.iter().map(|number| number.parse()).collect::<Result<Vec<f32>, _>>();
            vectors.push((id, numbers.map_err(|_| invalid())?));
        }
        Ok(vectors)
    }
}

/// The number of rows, their length, and all numbers. A header that claims more than there is
/// costs no memory: numbers are read one after the other.
fn read_npy(input: Input<'_>) -> Result<(usize, usize, Vec<f32>), DataError> {
    let file = input.name().to_owned();
    let path = std::path::PathBuf::from(&file);
    let mut reader = input.open()?;
    let broken = |message: String| DataError::Npy { file: file.clone(), message };
    let start = read_npy_header(&mut reader).map_err(DataError::io(&path))?;
    let start = start.ok_or_else(|| broken("no header, or one of more than 64 KiB".to_owned()))?;
    // An array of numbers has one dictionary and one tuple; nested ones take upstream's parser
    // exponential time.
    let brackets = start.iter().filter(|byte| matches!(byte, b'{' | b'(' | b'[')).count();
    if brackets > 2 {
        return Err(broken("not a plain array of numbers".to_owned()));
    }
    let mut reader = std::io::Cursor::new(start).chain(reader);
    // A shape whose product overflows panics upstream.
    let header = catch_unwind(AssertUnwindSafe(|| npyz::NpyHeader::from_reader(&mut reader)))
        .map_err(|_| broken("a shape that no memory holds".to_owned()))?
        .map_err(|error| broken(error.to_string()))?;
    let array = npyz::NpyFile::with_header(header, reader);
    let &[rows, embedding_dim] = array.shape() else {
        return Err(broken(format!("{} axes, expected 2", array.shape().len())));
    };
    if embedding_dim == 0 {
        return Err(broken("vectors of no numbers".to_owned()));
    }
    if array.order() != npyz::Order::C {
        return Err(broken("columns first, expected rows first".to_owned()));
    }
    let single = array.try_data::<f32>();
    let values: Result<Vec<f32>, _> = match single {
        Ok(values) => values.collect(),
        Err(array) => array
            .try_data::<f64>()
            .map_err(|array| {
                broken(format!("numbers of type {}, expected f4 or f8", array.dtype().descr()))
            })?
            .map(|value| value.map(|value| value as f32))
            .collect(),
    };
    let values = values.map_err(|error| broken(error.to_string()))?;
    if rows.checked_mul(embedding_dim) != Some(values.len() as u64) {
        return Err(broken("a shape that no memory holds".to_owned()));
    }
    Ok((rows as usize, embedding_dim as usize, values))
}

/// Magic, version, length and header of an `.npy` file; nothing where the length isn't that of a
/// header.
fn read_npy_header(reader: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut start = Vec::with_capacity(128);
    reader.take(8).read_to_end(&mut start)?;
    // The length has two bytes in version 1, and four later.
    let length_bytes = if start.get(6).is_some_and(|&version| version >= 2) { 4 } else { 2 };
    reader.take(length_bytes).read_to_end(&mut start)?;
    match start.get(8..) {
        Some(&[low, high]) | Some(&[low, high, 0, 0]) => {
            let length = u16::from_le_bytes([low, high]);
            reader.take(length.into()).read_to_end(&mut start)?;
            Ok(Some(start))
        }
        _ => Ok(None),
    }
}

fn read_ids(input: Input<'_>) -> Result<Vec<String>, DataError> {
    let file = input.name().to_owned();
    let mut lines = Lines::new(input.open()?, file.as_str().into());
    let mut ids = Vec::new();
    while lines.advance_to_row()? {
        let id = std::str::from_utf8(lines.bytes())
            .map_err(|_| DataError::Vector { file: file.clone(), row: ids.len() })?;
        ids.push(id.trim().to_owned());
    }
    Ok(ids)
}

fn attach(
    catalog: Catalog,
    modality: Modality,
    file: &str,
    vectors: impl Iterator<Item = (String, Vec<f32>)>,
) -> Result<(Catalog, EmbeddingReport), DataError> {
    let mut report = EmbeddingReport::default();
    let mut by_id: HashMap<ItemId, Option<Embedding>> = HashMap::new();
    for (row, (id, vector)) in vectors.enumerate() {
        let invalid = || DataError::Vector { file: file.to_owned(), row };
        if row == 0 {
            report.embedding_dim = vector.len();
        }
        if vector.len() != report.embedding_dim {
            return Err(invalid());
        }
        report.vectors += 1;
        let id = ItemId::new(&id).map_err(|_| invalid())?;
        let is_zero = vector.iter().all(|&value| value == 0.0);
        let embedding =
            if is_zero { None } else { Some(Embedding::new(vector).map_err(|_| invalid())?) };
        if catalog.index(id.as_str()).is_err() {
            report.unknown += 1;
        } else {
            report.zero += usize::from(is_zero);
            report.attached += usize::from(!is_zero);
            if by_id.insert(id, embedding).is_some() {
                return Err(invalid());
            }
        }
    }
    report.without = catalog.len() - report.attached;
    let catalog = catalog.map(|_, item| {
        let found = by_id.remove(item.id()).flatten();
        Ok::<Item, SchemaError>(match (found, modality) {
            (Some(embedding), Modality::Image) => item.with_image(embedding),
            (Some(embedding), Modality::Audio) => item.with_audio(embedding),
            (None, _) => item,
        })
    })?;
    Ok((catalog, report))
}
