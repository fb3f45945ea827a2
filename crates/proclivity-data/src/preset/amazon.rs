//! Amazon Reviews 2023: reviews and metadata as JSON lines, or as Parquet.

use std::path::Path;

use proclivity_schema::{EventKind, Language};

use super::{Files, files, one_file};
use crate::{
    CategorySource, DataError, Dataset, ErrorPolicy, EventMapping, Format, ItemMapping, KindSource,
    TimeFormat, TimeSource,
};

/// One category: `meta_X.jsonl` beside `X.jsonl`, either perhaps compressed or as Parquet.
///
/// A review is a rating of its `parent_asin`, under which the metadata has it.
pub(super) fn amazon_reviews_2023(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    let items = one_file(dir, "*meta_*")?;
    let is_review = |path: &std::path::PathBuf| *path != items && Format::of_path(path).is_ok();
    let reviews: Vec<_> = files(dir, "*")?.into_iter().filter(is_review).collect();
    let [events] = <[_; 1]>::try_from(reviews).map_err(|reviews: Vec<_>| DataError::FileCount {
        folder: dir.to_owned(),
        pattern: "*.jsonl or *.parquet, beside the one of metadata,",
        found: reviews.len(),
    })?;
    let event_mapping = EventMapping {
        item: Some("parent_asin".to_owned()),
        rating: Some("rating".to_owned()),
        time: Some(TimeSource::with_format("timestamp", TimeFormat::Milliseconds)),
        ..EventMapping::new("user_id", KindSource::Constant(EventKind::Rate))
    };
    let item_mapping = ItemMapping {
        description: vec!["features".to_owned(), "description".to_owned()],
        categories: vec![CategorySource::Path {
            columns: vec!["categories".to_owned()],
            separator: None,
        }],
        brand: Some("store".to_owned()),
        // Not always a number: `from 9.99`, `—`.
        attributes: vec!["price".to_owned(), "main_category".to_owned()],
        ..ItemMapping::new("parent_asin", "title", Language::ENGLISH)
    };
    let (event_format, item_format) = (Format::of_path(&events)?, Format::of_path(&items)?);
    Files {
        events: (event_mapping, event_format, events),
        items: (item_mapping, item_format, items),
    }
    .read(policy)
}
