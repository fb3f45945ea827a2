//! Parquet, batch by batch; upstream panics on damaged files become errors.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StringArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Fault, Place, Rows};
use crate::{DataError, Input, Reason};

/// Rows of a batch: enough to spread the cost of casts, little enough to stay small.
const BATCH_ROWS: usize = 4096;

/// Rows of the columns that are asked for; the others are never unpacked.
pub(super) struct ParquetRows {
    file: Arc<str>,
    schema: SchemaRef,
    builder: Option<Builder>,
    batches: Option<Box<dyn RecordBatchReader + Send>>,
    columns: Vec<String>,
    batch: Vec<Column>,
    batch_rows: usize,
    row: usize,
    number: u64,
}

enum Builder {
    File(ParquetRecordBatchReaderBuilder<File>),
    Bytes(ParquetRecordBatchReaderBuilder<Bytes>),
}

/// A column of a batch: as it came, and as text or lists of text.
struct Column {
    original: ArrayRef,
    cells: Cells,
}

enum Cells {
    Text(StringArray),
    Lists(Vec<Option<StringArray>>),
    Nested,
}

impl ParquetRows {
    pub(super) fn new(input: Input<'_>, file: Arc<str>) -> Result<Self, DataError> {
        let builder = match input.file_path() {
            Some(path) if starts_as_parquet(path) => {
                let opened = File::open(path).map_err(DataError::io(path))?;
                guarded(&file, || ParquetRecordBatchReaderBuilder::try_new(opened))
                    .map(Builder::File)?
            }
            _ => {
                let path = std::path::PathBuf::from(&*file);
                let mut bytes = Vec::new();
                input.open()?.read_to_end(&mut bytes).map_err(DataError::io(&path))?;
                guarded(&file, || ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)))
                    .map(Builder::Bytes)?
            }
        };
        let schema = match &builder {
            Builder::File(builder) => builder.schema(),
            Builder::Bytes(builder) => builder.schema(),
        };
        Ok(Self {
            file,
            schema: Arc::clone(schema),
            builder: Some(builder),
            batches: None,
            columns: Vec::new(),
            batch: Vec::new(),
            batch_rows: 0,
            row: 0,
            number: 0,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let Self { file, schema, builder, batches, columns, .. } = self;
        if let Some(builder) = builder.take() {
            // Whole top-level fields: a name may hold dots that are no path.
            let roots: Vec<usize> =
                columns.iter().filter_map(|path| root_of(schema.fields(), path)).collect();
            let roots = || roots.iter().copied();
            *batches = Some(guarded(file, || match builder {
                Builder::File(builder) => {
                    let mask = ProjectionMask::roots(builder.parquet_schema(), roots());
                    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
                    reader.build().map(|reader| Box::new(reader) as Box<_>)
                }
                Builder::Bytes(builder) => {
                    let mask = ProjectionMask::roots(builder.parquet_schema(), roots());
                    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
                    reader.build().map(|reader| Box::new(reader) as Box<_>)
                }
            })?);
        }
        let Some(reader) = batches else { return Ok(None) };
        guarded(file, || reader.next().transpose())
    }

    fn cell(&self, column: usize) -> Option<&Column> {
        self.batch.get(column)
    }
}

impl Rows for ParquetRows {
    fn file(&self) -> &Arc<str> {
        &self.file
    }

    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError> {
        if let Some(place) = self.columns.iter().position(|column| column == name) {
            return Ok(Some(place));
        }
        if !has_path(self.schema.fields(), name) {
            return Ok(None);
        }
        self.columns.push(name.to_owned());
        Ok(Some(self.columns.len() - 1))
    }

    fn column_name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    fn column_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        self.row += 1;
        self.number += 1;
        while self.row >= self.batch_rows {
            let Some(batch) = self.next_batch()? else { return Ok(false) };
            self.batch_rows = batch.num_rows();
            self.row = 0;
            self.batch = self
                .columns
                .iter()
                .map(|path| guarded(&self.file, || Column::new(&batch, path)))
                .collect::<Result<_, _>>()?;
        }
        Ok(true)
    }

    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        let Some(cell) = self.cell(column) else { return Ok("".into()) };
        match &cell.cells {
            Cells::Text(text) if text.is_valid(self.row) => Ok(text.value(self.row).trim().into()),
            Cells::Text(_) if cell.original.is_valid(self.row) => {
                Err((Some(column), Reason::InvalidEncoding))
            }
            Cells::Text(_) => Ok("".into()),
            Cells::Lists(lists) if lists.get(self.row).is_some_and(Option::is_none) => {
                Ok("".into())
            }
            Cells::Lists(_) | Cells::Nested => Err((Some(column), Reason::Nested)),
        }
    }

    fn elements(&self, column: usize) -> Option<Vec<String>> {
        let Cells::Lists(lists) = &self.cell(column)?.cells else { return None };
        let list = lists.get(self.row)?.as_ref()?;
        let elements = list.iter().flatten().map(str::trim).filter(|text| !text.is_empty());
        Some(elements.map(str::to_owned).collect())
    }

    fn place(&self) -> Place {
        Place { line: self.number, byte: None }
    }

    /// A JSON object of the columns that are read: a row of a Parquet file has no text of its own.
    fn raw(&self) -> String {
        let cells = (0..self.columns.len()).map(|column| {
            let text = self.field(column).map_or_else(|_| "…".to_owned(), Cow::into_owned);
            (self.columns[column].clone(), serde_json::Value::String(text))
        });
        serde_json::Value::Object(cells.collect()).to_string()
    }
}

impl Column {
    fn new(batch: &RecordBatch, path: &str) -> Result<Self, ArrowError> {
        let mut original = find_array(batch, path)?;
        if let DataType::Timestamp(unit, Some(_)) = *original.data_type() {
            // The same instants; only offsets can be written out without a table of zones.
            let utc = DataType::Timestamp(unit, Some("+00:00".into()));
            original = arrow_cast::cast(&original, &utc)?;
        }
        let cells = match original.data_type() {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                let text = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
                match arrow_cast::cast(&original, &text) {
                    Ok(lists) => {
                        let lists = lists.as_list::<i32>();
                        let list = |list: Option<ArrayRef>| Some(list?.as_string().clone());
                        Cells::Lists(lists.iter().map(list).collect())
                    }
                    Err(_) => Cells::Nested,
                }
            }
            kind if arrow_cast::can_cast_types(kind, &DataType::Utf8) => {
                Cells::Text(arrow_cast::cast(&original, &DataType::Utf8)?.as_string().clone())
            }
            _ => Cells::Nested,
        };
        Ok(Self { original, cells })
    }
}

/// The array at a path.
fn find_array(batch: &RecordBatch, path: &str) -> Result<ArrayRef, ArrowError> {
    if let Some(array) = batch.column_by_name(path) {
        return Ok(Arc::clone(array));
    }
    let root: ArrayRef = Arc::new(StructArray::from(batch.clone()));
    path.split('.')
        .try_fold(root, |array, name| array.as_struct_opt()?.column_by_name(name).cloned())
        .ok_or_else(|| ArrowError::SchemaError(format!("a batch lacks the column {path:?}")))
}

fn has_path(fields: &arrow_schema::Fields, path: &str) -> bool {
    if fields.find(path).is_some() {
        return true;
    }
    let Some((name, rest)) = path.split_once('.') else { return false };
    fields.find(name).is_some_and(|(_, field)| match field.data_type() {
        DataType::Struct(fields) => has_path(fields, rest),
        _ => false,
    })
}

/// The top-level field in which a path lies.
fn root_of(fields: &arrow_schema::Fields, path: &str) -> Option<usize> {
    let name = if fields.find(path).is_some() { path } else { path.split('.').next()? };
    fields.find(name).map(|(place, _)| place)
}

fn starts_as_parquet(path: &std::path::Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"PAR1"
}

/// Runs what may panic in the reader of a damaged file.
fn guarded<T, E: std::fmt::Display>(
    file: &Arc<str>,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, DataError> {
    let broken = |message: String| DataError::Parquet { file: file.to_string(), message };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| broken(error.to_string())),
        Err(_) => Err(broken("the reader panicked on it: the file is damaged".to_owned())),
    }
}
