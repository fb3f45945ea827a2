//! RecBole's atomic files: `*.inter` and `*.item`, separated by tabs, with `name:type` headers.

use std::path::Path;

use proclivity_schema::{EventKind, Language};

use super::{Files, one_file};
use crate::rows::{ReadRows, Rows, with_rows};
use crate::{
    CategorySource, DataError, Dataset, ErrorPolicy, EventMapping, Format, Input, ItemMapping,
    KindSource, TimeFormat, TimeSource,
};

/// Reads a folder with one `*.inter` and one `*.item` file.
///
/// Interactions (`user_id`, `item_id`, perhaps `rating`, perhaps `timestamp` in seconds since 1970)
/// become ratings, or views where there is no rating. Items (`item_id`; `movie_title` or `title`;
/// perhaps `release_year`; genres in `class` or `genre`, between spaces, or `categories`, between
/// commas) get a text of no known language; of films the article comes to the title's front and
/// the year behind it.
///
/// # Errors
/// [`DataError::FileCount`] unless there is exactly one file of each kind, and those of
/// [`EventReader::read_with`](crate::EventReader::read_with) under this policy.
pub fn recbole(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    read(dir, policy, Language::UNDETERMINED)
}

pub(super) fn read(
    dir: &Path,
    policy: ErrorPolicy,
    language: Language,
) -> Result<Dataset, DataError> {
    let (events, items) = (one_file(dir, "*.inter*")?, one_file(dir, "*.item*")?);
    let has = |header: &[String], name: &str| header.iter().any(|column| column == name);
    let first_of = |header: &[String], names: &[&'static str]| {
        names.iter().copied().find(|name| has(header, name))
    };

    let header = header(&items)?;
    let title = first_of(&header, &["movie_title", "title"]).unwrap_or("title");
    let genres = first_of(&header, &["class", "genre"]);
    let mut categories: Vec<_> =
        genres.map(|genres| CategorySource::tags(genres, " ")).into_iter().collect();
    if has(&header, "categories") {
        categories.push(CategorySource::tags("categories", ","));
    }
    let item_mapping = ItemMapping {
        year: first_of(&header, &["release_year"]).map(str::to_owned),
        categories,
        article_first: title == "movie_title",
        ..ItemMapping::new("item_id", title, language)
    };

    let header = self::header(&events)?;
    let rating = first_of(&header, &["rating"]).map(str::to_owned);
    let kind = if rating.is_some() { EventKind::Rate } else { EventKind::View };
    let event_mapping = EventMapping {
        item: Some("item_id".to_owned()),
        rating,
        time: first_of(&header, &["timestamp"])
            .map(|column| TimeSource::with_format(column, TimeFormat::Seconds)),
        ..EventMapping::new("user_id", KindSource::Constant(kind))
    };
    Files {
        events: (event_mapping, Format::tsv(), events),
        items: (item_mapping, Format::tsv(), items),
    }
    .read(policy)
}

/// The names of a table's columns.
pub(super) fn header(path: &Path) -> Result<Vec<String>, DataError> {
    struct Header;
    impl ReadRows for Header {
        type Output = Vec<String>;
        fn read(self, rows: &mut impl Rows) -> Result<Vec<String>, DataError> {
            Ok(rows.column_names())
        }
    }
    with_rows(Input::path(path), &Format::tsv(), Header)
}
