//! The arguments that name a data set, and its loading.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use proclivity::data::{Dataset, ErrorPolicy, Preset, load, sequences};

/// Which data set, and where.
#[derive(Debug, Clone, Args)]
pub struct DatasetArguments {
    /// ml-100k, ml-1m, beauty, movietweetings, online-retail, …, or sequences with --events and --items.
    #[arg(long = "dataset")]
    pub name: String,
    /// The folder that holds the data set.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// A file of sequences.
    #[arg(long)]
    pub events: Option<PathBuf>,
    /// A file of items, tab-separated, with a header.
    #[arg(long)]
    pub items: Option<PathBuf>,
}

impl DatasetArguments {
    /// Reads it; a row that can't be read is an error.
    ///
    /// # Errors
    /// When an argument is missing or a file can't be read.
    pub fn load(&self) -> Result<Dataset, Box<dyn Error>> {
        if self.name == "sequences" {
            let events = self.events.as_deref().ok_or("sequences need --events FILE")?;
            let items = self.items.as_deref().ok_or("sequences need --items FILE")?;
            return Ok(sequences(events, items, ErrorPolicy::Fail)?);
        }
        let preset = self
            .name
            .parse::<Preset>()
            .map_err(|error| format!("{error}, or sequences with --events and --items"))?;
        let folder = self.data.as_deref().ok_or("a preset needs --data DIR")?;
        Ok(load(preset, folder)?)
    }
}
