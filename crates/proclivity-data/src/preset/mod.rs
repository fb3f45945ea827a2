//! Data sets by name: which reader and which files each takes.

mod amazon;
mod mind;
mod movielens;
mod online_retail;
mod recbole;
mod sequences;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proclivity_schema::Language;
use serde::{Deserialize, Serialize};

use crate::{
    DataError, Dataset, ErrorPolicy, EventMapping, EventReader, Format, Input, ItemMapping,
    ItemReader,
};

pub use recbole::recbole;
pub use sequences::sequences;

/// A public data set in the form in which it is published or compared on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// MovieLens-100K as RecBole's atomic files: ratings with times.
    #[serde(rename = "ml-100k")]
    Ml100k,
    /// MovieLens-1M as SASRec prepared it (`ml-1m_sas.txt`), with `items.tsv`.
    #[serde(rename = "ml-1m")]
    Ml1m,
    /// Amazon Beauty 2014 5-core as S3-Rec prepared it (`Beauty.txt`), with `items.tsv`.
    Beauty,
    /// MovieLens-100K as GroupLens publishes it: `u.data`, `u.item`.
    #[serde(rename = "movielens-100k")]
    MovieLens100k,
    /// MovieLens-1M and 10M as GroupLens publishes them: `ratings.dat`, `movies.dat`.
    #[serde(rename = "movielens-1m")]
    MovieLens1m,
    /// MovieLens-20M, 25M, 32M and the small samples: `ratings.csv`, `movies.csv`.
    #[serde(rename = "movielens-csv")]
    MovieLensCsv,
    /// MovieTweetings: `ratings.dat`, `movies.dat`.
    #[serde(rename = "movietweetings")]
    MovieTweetings,
    /// One category of Amazon Reviews 2023: `X.jsonl`, `meta_X.jsonl`, also compressed, or Parquet.
    #[serde(rename = "amazon-reviews-2023")]
    AmazonReviews2023,
    /// MIND, news with logged impressions: `behaviors.tsv`, `news.tsv`.
    Mind,
    /// UCI Online Retail as one CSV, perhaps compressed: purchases and returns.
    OnlineRetail,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 10] = [
        Self::Ml100k,
        Self::Ml1m,
        Self::Beauty,
        Self::MovieLens100k,
        Self::MovieLens1m,
        Self::MovieLensCsv,
        Self::MovieTweetings,
        Self::AmazonReviews2023,
        Self::Mind,
        Self::OnlineRetail,
    ];

    /// The name: `ml-100k`, `ml-1m`, `beauty`, ….
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ml100k => "ml-100k",
            Self::Ml1m => "ml-1m",
            Self::Beauty => "beauty",
            Self::MovieLens100k => "movielens-100k",
            Self::MovieLens1m => "movielens-1m",
            Self::MovieLensCsv => "movielens-csv",
            Self::MovieTweetings => "movietweetings",
            Self::AmazonReviews2023 => "amazon-reviews-2023",
            Self::Mind => "mind",
            Self::OnlineRetail => "online-retail",
        }
    }

    /// What [`load`] does with bad rows: stops at the first where the published files have none,
    /// and sets up to 1 % aside where they may, of Online Retail up to 30 %.
    pub fn policy(self) -> ErrorPolicy {
        match self {
            Self::AmazonReviews2023 | Self::Mind => ErrorPolicy::Quarantine { max_share: 0.01 },
            Self::OnlineRetail => ErrorPolicy::Quarantine { max_share: 0.3 },
            _ => ErrorPolicy::Fail,
        }
    }

    pub(crate) fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.as_str() == name)
            .ok_or_else(|| DataError::UnknownPreset { name: name.to_owned() })
    }
}

/// Reads a data set from the folder that holds its files, with [`Preset::policy`] for bad rows.
/// Texts are English, and film titles have their article in front.
///
/// # Errors
/// [`DataError::FileCount`] and [`DataError::Io`] for files that aren't there, and those of
/// [`EventReader::read_with`].
pub fn load(preset: Preset, dir: &Path) -> Result<Dataset, DataError> {
    load_with_policy(preset, dir, preset.policy())
}

/// [`load`] with another policy for bad rows.
///
/// # Errors
/// Those of [`load`].
pub fn load_with_policy(
    preset: Preset,
    dir: &Path,
    policy: ErrorPolicy,
) -> Result<Dataset, DataError> {
    let english = || ItemMapping::new("item_id", "title", Language::ENGLISH);
    let items = dir.join("items.tsv");
    match preset {
        Preset::Ml100k => recbole::read(dir, policy, Language::ENGLISH),
        Preset::Ml1m => {
            let films = ItemMapping { article_first: true, ..english() };
            sequences::read(&dir.join("ml-1m_sas.txt"), films, &items, policy)
        }
        Preset::Beauty => sequences::read(&dir.join("Beauty.txt"), english(), &items, policy),
        Preset::MovieLens100k => movielens::movielens_100k(dir, policy),
        Preset::MovieLens1m => movielens::movielens_1m(dir, policy),
        Preset::MovieLensCsv => movielens::movielens_csv(dir, policy),
        Preset::MovieTweetings => movielens::movietweetings(dir, policy),
        Preset::AmazonReviews2023 => amazon::amazon_reviews_2023(dir, policy),
        Preset::Mind => mind::mind(dir, policy),
        Preset::OnlineRetail => online_retail::online_retail(dir, policy),
    }
}

/// A file of events and one of items, each with its mapping and format.
struct Files {
    events: (EventMapping, Format, PathBuf),
    items: (ItemMapping, Format, PathBuf),
}

impl Files {
    fn read(self, policy: ErrorPolicy) -> Result<Dataset, DataError> {
        let (mapping, format, path) = self.items;
        let items = ItemReader::new(mapping, format).with_policy(policy);
        let (catalog, item_report) = items.read([Input::path(path)])?;
        let (mapping, format, path) = self.events;
        let events = EventReader::new(mapping, format).with_policy(policy);
        let (log, report) = events.read_with([Input::path(path)], &catalog)?;
        Ok(Dataset { catalog, log, report, item_report: Some(item_report) })
    }
}

/// The files of a folder whose names match, in order.
fn files(folder: &Path, pattern: &'static str) -> Result<Vec<PathBuf>, DataError> {
    let invalid = |source| DataError::Glob { pattern: pattern.to_owned(), source };
    let pattern = glob::Pattern::new(pattern).map_err(invalid)?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file() && pattern.matches(&name) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The one file of a folder whose name matches.
fn one_file(folder: &Path, pattern: &'static str) -> Result<PathBuf, DataError> {
    let files = files(folder, pattern)?;
    <[_; 1]>::try_from(files).map(|[file]| file).map_err(|files| DataError::FileCount {
        folder: folder.to_owned(),
        pattern,
        found: files.len(),
    })
}

/// A file of this name, or the same compressed.
fn existing(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let plain = folder.join(name);
    let compressed = ["gz", "zst"].map(|end| folder.join(format!("{name}.{end}")));
    let found = [&plain].into_iter().chain(&compressed).find(|path| path.exists()).cloned();
    Ok(found.unwrap_or(plain))
}
