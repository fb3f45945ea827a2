//! Parquet, whole and damaged.
#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use proclivity_data::{
    CategorySource, DataError, Dataset, ErrorPolicy, EventMapping, EventReader, Format, Input,
    ItemMapping, ItemReader, KindSource, Modality, TimeSource, read_parquet_embeddings,
};
use proclivity_schema::{Action, Catalog, Item, ItemText, Language};
use proptest::prelude::*;

fn written(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn log_bytes() -> Vec<u8> {
    let item: ArrayRef = Arc::new(Int64Array::from(vec![Some(11), Some(12), None]));
    let item = StructArray::from(vec![(
        Arc::new(arrow_schema::Field::new("id", arrow_schema::DataType::Int64, true)),
        item,
    )]);
    written(vec![
        ("user", Arc::new(StringArray::from(vec![Some("u"), Some("u"), Some("u")]))),
        ("item", Arc::new(item)),
        ("kind", Arc::new(StringArray::from(vec!["view", "rate", "view"]))),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![1_000_000, 2_000_000, 3_000_000])
                    .with_timezone("UTC"),
            ),
        ),
        ("rating", Arc::new(Float64Array::from(vec![None, Some(4.5), None]))),
    ])
}

fn read(bytes: &[u8]) -> Result<Dataset, DataError> {
    read_input(Input::reader("log.parquet", bytes))
}

fn read_input(input: Input<'_>) -> Result<Dataset, DataError> {
    let mapping = EventMapping {
        item: Some("item.id".into()),
        time: Some(TimeSource::new("at")),
        rating: Some("rating".into()),
        ..EventMapping::new("user", KindSource::column("kind"))
    };
    EventReader::new(mapping, Format::Parquet)
        .with_policy(ErrorPolicy::Quarantine { max_share: 1.0 })
        .read([input])
}

#[test]
fn events_are_read_and_bad_rows_set_aside() {
    let bytes = log_bytes();
    let dataset = read(&bytes).unwrap();
    let events = dataset.log.events();
    assert!(matches!(events[1].action, Action::Rate { rating, .. } if rating.get() == 4.5));
    assert_eq!(events[1].time.unwrap().to_string(), "1970-01-01T00:00:02Z");
    assert_eq!(dataset.catalog.ids()[0].as_str(), "11");
    let bad = &dataset.report.quarantined()[0];
    assert_eq!((bad.line, bad.byte, bad.reason.code()), (3, None, "empty_item"));
    assert_eq!(bad.column.as_deref(), Some("item.id"));
    assert!(bad.raw.contains("\"kind\":\"view\""), "{}", bad.raw);

    // From a file, which is read in pieces, and compressed as a whole.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_input(Input::path(&path)).unwrap().log, dataset.log);
    std::fs::write(&path, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
    assert_eq!(read_input(Input::path(&path)).unwrap().log, dataset.log);
}

#[test]
fn names_may_hold_dots_and_vectors_have_a_fixed_length() {
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    vectors.values().append_slice(&[0.6, 0.8]);
    vectors.append(true);
    let bytes = written(vec![
        ("user", Arc::new(StringArray::from(vec!["u"]))),
        ("item.id", Arc::new(Int64Array::from(vec![7]))),
        ("kind", Arc::new(StringArray::from(vec!["view"]))),
        ("at", Arc::new(Int64Array::from(vec![5]))),
        ("rating", Arc::new(Float64Array::from(vec![None]))),
        ("vector", Arc::new(vectors.finish())),
    ]);
    let dataset = read(&bytes).unwrap();
    assert_eq!(dataset.catalog.ids()[0].as_str(), "7");
    let (_, report) = read_parquet_embeddings(
        dataset.catalog,
        Modality::Image,
        Input::reader("x", &bytes[..]),
        "item.id",
        "vector",
    )
    .unwrap();
    assert_eq!(report.attached, 1);
}

#[test]
fn items_have_lists_and_embeddings() {
    let mut categories = ListBuilder::new(StringBuilder::new());
    categories.append_value([Some("Beauty"), Some("Tubs")]);
    categories.append_null();
    let mut vectors = ListBuilder::new(Float32Builder::new());
    vectors.append_value([Some(0.6), Some(0.8)]);
    vectors.append_value([Some(0.0), Some(0.0)]);
    let bytes = written(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("title", Arc::new(StringArray::from(vec![Some("Tub"), None]))),
        ("categories", Arc::new(categories.finish())),
        ("vector", Arc::new(vectors.finish())),
    ]);
    let mapping = ItemMapping {
        categories: vec![CategorySource::Path {
            columns: vec!["categories".into()],
            separator: None,
        }],
        ..ItemMapping::new("id", "title", Language::ENGLISH)
    };
    let reader = ItemReader::new(mapping, Format::Parquet);
    let (catalog, report) = reader.read([Input::reader("x", &bytes[..])]).unwrap();
    assert_eq!(catalog.items()[0].texts()[0].categories, [["Beauty", "Tubs"]]);
    assert_eq!(report.untitled(), 1);
    let (catalog, report) = read_parquet_embeddings(
        catalog,
        Modality::Audio,
        Input::reader("x", &bytes[..]),
        "id",
        "vector",
    )
    .unwrap();
    assert_eq!(catalog.items()[0].audio().unwrap().values(), [0.6, 0.8]);
    assert_eq!((report.vectors, report.attached, report.zero), (2, 1, 1));
    let text = ItemText::title(Language::ENGLISH, "x");
    let other = Catalog::new(vec![Item::new(9.into(), vec![text]).unwrap()]).unwrap();
    let bad = read_parquet_embeddings(
        other,
        Modality::Image,
        Input::reader("x", &bytes[..]),
        "id",
        "title",
    );
    assert!(matches!(bad, Err(DataError::Vector { row: 0, .. })));
}

#[test]
fn a_file_that_claims_a_quintillion_rows_is_an_error() {
    let bytes = log_bytes();
    // The footer is Thrift: `num_rows` of 3 is the zigzag varint 6 in field 3 of the metadata.
    let footer = bytes.len()
        - 8
        - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let claims = |place: usize| {
        let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
        let mut damaged = [&bytes[..place], &huge, &bytes[place + 1..]].concat();
        let length = (bytes.len() - 8 - footer + huge.len() - 1) as u32;
        let end = damaged.len();
        damaged[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        damaged
    };
    let mut places = 0;
    let sixes = (footer..bytes.len() - 8).filter(|&place| bytes[place] == 6);
    for place in sixes {
        places += 1;
        // Counts are checked against pages, so that nothing is made up: an error, or the three
        // rows that there are.
        if let Ok(dataset) = read(&claims(place)) {
            assert_eq!(dataset.report.read(), 3);
        }
    }
    assert!(places > 1);
    assert!(matches!(read(b"PAR1"), Err(DataError::Parquet { .. })));
    assert!(matches!(read(b""), Err(DataError::Parquet { .. })));
}

proptest! {
    #[test]
    fn damaged_files_are_errors(cut in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = log_bytes();
        let _ = read(&bytes[..cut.index(bytes.len())]);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = read(&bytes);
    }
}
