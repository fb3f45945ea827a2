//! Data sets by name: which reader and which files each takes.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use proclivity_schema::Language;
use serde::{Deserialize, Serialize};

use crate::film_title::spoken_title;
use crate::{DataError, Dataset, recbole, sequences};

/// A public data set in the form in which recommenders are compared on it.
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
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Ml100k, Self::Ml1m, Self::Beauty];

    /// The name: `ml-100k`, `ml-1m`, `beauty`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ml100k => "ml-100k",
            Self::Ml1m => "ml-1m",
            Self::Beauty => "beauty",
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

/// Reads a data set from the folder that holds its files. Texts are English, and film titles have
/// their article in front.
///
/// # Errors
/// Those of [`recbole`](crate::recbole()) and [`sequences`](crate::sequences()).
pub fn load(preset: Preset, dir: &Path) -> Result<Dataset, DataError> {
    let items = dir.join("items.tsv");
    match preset {
        Preset::Ml100k => recbole::recbole(dir),
        Preset::Ml1m => {
            sequences::read(&dir.join("ml-1m_sas.txt"), &items, &Language::ENGLISH, spoken_title)
        }
        Preset::Beauty => {
            sequences::read(&dir.join("Beauty.txt"), &items, &Language::ENGLISH, str::to_owned)
        }
    }
}
