//! MovieLens as GroupLens publishes it, and MovieTweetings, which has the same shape.

use std::path::Path;

use proclivity_schema::{EventKind, Language};

use super::{Files, existing};
use crate::{
    CategorySource, DataError, Dataset, ErrorPolicy, EventMapping, Format, ItemMapping, KindSource,
    TimeFormat, TimeSource,
};

const RATINGS: [&str; 4] = ["userId", "movieId", "rating", "timestamp"];
const FILMS: [&str; 3] = ["movieId", "title", "genres"];
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

fn ratings() -> EventMapping {
    EventMapping {
        item: Some("movieId".to_owned()),
        rating: Some("rating".to_owned()),
        time: Some(TimeSource::with_format("timestamp", TimeFormat::Seconds)),
        ..EventMapping::new("userId", KindSource::Constant(EventKind::Rate))
    }
}

fn films() -> ItemMapping {
    ItemMapping {
        categories: vec![CategorySource::tags("genres", "|")],
        article_first: true,
        ..ItemMapping::new("movieId", "title", Language::ENGLISH)
    }
}

/// `u.data` and `u.item` of MovieLens-100K.
pub(super) fn movielens_100k(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    let mut columns = vec!["movieId", "title", "release_date", "video_release_date", "url"];
    columns.extend(GENRES);
    let films = ItemMapping {
        // A column for each genre, which holds 1 or 0.
        categories: GENRES
            .iter()
            .map(|genre| CategorySource::Flag { column: (*genre).to_owned() })
            .collect(),
        published: Some(TimeSource::with_format(
            "release_date",
            TimeFormat::Pattern("%d-%b-%Y".to_owned()),
        )),
        ..films()
    };
    let bars = Format::Csv {
        separator: '|',
        quotes: false,
        columns: None,
        encoding: "windows-1252".to_owned(),
    };
    Files {
        events: (ratings(), Format::tsv().with_columns(&RATINGS), existing(dir, "u.data")?),
        items: (films, bars.with_columns(&columns), existing(dir, "u.item")?),
    }
    .read(policy)
}

/// `ratings.dat` and `movies.dat` of MovieLens-1M and 10M.
pub(super) fn movielens_1m(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    dat(dir, policy, "windows-1252")
}

/// `ratings.dat` and `movies.dat` of MovieTweetings.
pub(super) fn movietweetings(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    dat(dir, policy, "utf-8")
}

fn dat(dir: &Path, policy: ErrorPolicy, encoding: &str) -> Result<Dataset, DataError> {
    let lines = |columns: &[&str]| Format::lines("::", columns).with_encoding(encoding);
    Files {
        events: (ratings(), lines(&RATINGS), existing(dir, "ratings.dat")?),
        items: (films(), lines(&FILMS), existing(dir, "movies.dat")?),
    }
    .read(policy)
}

/// `ratings.csv` and `movies.csv` of MovieLens-20M and everything later.
pub(super) fn movielens_csv(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    Files {
        events: (ratings(), Format::csv(), existing(dir, "ratings.csv")?),
        items: (films(), Format::csv(), existing(dir, "movies.csv")?),
    }
    .read(policy)
}
