//! RecBole's atomic files: `*.inter` and `*.item`, separated by tabs, with `name:type` headers.

use std::fs;
use std::path::{Path, PathBuf};

use proclivity_schema::{Action, Catalog, Language, Timestamp};

use crate::account::{Account, Parsed};
use crate::event_csv::{self, ITEM, TIMESTAMP, USER};
use crate::film_title::spoken_title;
use crate::item_table::{Description, read_items, tags};
use crate::table::{Fault, Separator, Table};
use crate::{DataError, Dataset, ErrorPolicy, Reason};

const RATING: &str = "rating";
const TITLE: &str = "movie_title";
const YEAR: &str = "release_year";
const GENRES: &str = "class";

/// Reads a folder with one `*.inter` and one `*.item` file of the columns that MovieLens has there.
///
/// Interactions (`user_id`, `item_id`, `rating`, `timestamp` in seconds since 1970) become ratings.
/// Items (`item_id`, `movie_title`, `release_year`, `class`) get an English text: the title with
/// its article in front and the year behind it in parentheses, where it is one, and the genres as
/// category. Every row has to be good; exact duplicates are dropped and counted.
///
/// # Errors
/// - [`DataError::FileCount`] unless there is exactly one file of each kind, [`DataError::Io`] and
///   [`DataError::Csv`] where one can't be read;
/// - [`DataError::MissingColumn`] and [`DataError::DuplicateColumn`] for a bad header;
/// - [`DataError::Row`] for the first bad row, [`DataError::Schema`] for an item that comes twice;
/// - [`DataError::EmptyLog`] when there is no interaction.
pub fn recbole(dir: &Path) -> Result<Dataset, DataError> {
    let interactions = only_file(dir, "inter")?;
    let (catalog, untitled) = read_catalog(&only_file(dir, "item")?)?;
    let mut table = Table::open(&interactions, Separator::Tab)?;
    table.drop_column_types();
    let columns =
        [table.column(USER)?, table.column(ITEM)?, table.column(RATING)?, table.column(TIMESTAMP)?];
    let mut account = Account::new(table.file(), ErrorPolicy::Fail)?;
    account.read(&mut table, |row| parse(row, columns, &catalog))?;
    let (log, mut report) = account.finish_distinct()?;
    report.untitled = untitled;
    Ok(Dataset { catalog, log, report })
}

fn read_catalog(path: &Path) -> Result<(Catalog, usize), DataError> {
    let mut table = Table::open(path, Separator::Tab)?;
    table.drop_column_types();
    let id = table.column(ITEM)?;
    let title = table.column(TITLE)?;
    let year = table.column(YEAR)?;
    let genres = table.column(GENRES)?;
    read_items(&mut table, &Language::ENGLISH, |row| {
        let year = row.field(year, YEAR)?;
        let mut title = spoken_title(row.field(title, TITLE)?);
        if !title.is_empty() && year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) {
            title.push_str(&format!(" ({year})"));
        }
        Ok(Description {
            id: row.field(id, ITEM)?,
            title,
            categories: tags(row.field(genres, GENRES)?, ' '),
        })
    })
}

fn parse(
    row: &Table<fs::File>,
    [user, item, rating, timestamp]: [usize; 4],
    catalog: &Catalog,
) -> Result<Parsed, Fault> {
    row.check_field_count()?;
    let user = event_csv::user_id(row.field(user, USER)?)?;
    let item = event_csv::item_index(row.field(item, ITEM)?, catalog)?;
    let rating = event_csv::rating(row.field(rating, RATING)?, RATING)?;
    // The format has floats here, such as `8.81250949e8`.
    let seconds: f64 = row
        .field(timestamp, TIMESTAMP)?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())
        .ok_or((Some(TIMESTAMP), Reason::InvalidTime))?;
    let time =
        Timestamp::from_micros((seconds * 1e6).round() as i64).map_err(event_csv::time_fault)?;
    Ok((user, Some(time), Action::Rate { item, rating }))
}

/// The one file of a folder whose name ends so.
fn only_file(folder: &Path, extension: &'static str) -> Result<PathBuf, DataError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        if path.extension().is_some_and(|end| end == extension) {
            files.push(path);
        }
    }
    match (files.pop(), files.len()) {
        (Some(file), 0) => Ok(file),
        (last, others) => Err(DataError::FileCount {
            folder: folder.to_owned(),
            extension,
            found: others + usize::from(last.is_some()),
        }),
    }
}
