#![doc = include_str!("../README.md")]

mod account;
mod clean;
mod dataset;
mod embeddings;
mod error;
mod event_csv;
mod event_reader;
mod event_row;
mod film_title;
mod format;
mod input;
mod item_reader;
mod log_split;
mod mapping;
mod noise;
mod preset;
mod report;
mod rows;
mod showcase;
mod simulator;
mod split;
mod time;

pub use account::ErrorPolicy;
pub use clean::{Bots, Cleaning, CleaningReport, CleaningStep, StepReport};
pub use dataset::Dataset;
#[cfg(feature = "parquet")]
pub use embeddings::read_parquet_embeddings;
pub use embeddings::{EmbeddingReport, Modality, read_npy_embeddings};
pub use error::DataError;
pub use event_csv::read_event_csv;
pub use event_reader::EventReader;
pub use format::Format;
pub use input::Input;
pub use item_reader::{ItemReader, UNTITLED};
pub use log_split::LogSplit;
pub use mapping::{
    CategorySource, EventMapping, ItemMapping, KindSource, PriceSource, TimeFormat, TimeSource,
};
pub use noise::{Noise, NoiseReport};
pub use preset::{Preset, load, load_with_policy, recbole, sequences};
pub use report::{QuarantinedRow, ReadReport, Reason};
pub use showcase::{Domain, Showcase};
pub use simulator::{Choice, Season, Shown, Simulation, Simulator, Slate, UserTruth};
pub use split::{ItemSequences, LeaveOneOut, split_users};
