#![doc = include_str!("../README.md")]

mod account;
mod dataset;
mod error;
mod event_csv;
mod film_title;
mod item_table;
mod noise;
mod preset;
mod recbole;
mod report;
mod sequences;
mod showcase;
mod simulator;
mod split;
mod table;

pub use account::ErrorPolicy;
pub use dataset::Dataset;
pub use error::DataError;
pub use event_csv::read_event_csv;
pub use item_table::UNTITLED;
pub use noise::{Noise, NoiseReport};
pub use preset::{Preset, load};
pub use recbole::recbole;
pub use report::{QuarantinedRow, ReadReport, Reason};
pub use sequences::sequences;
pub use showcase::{Domain, Showcase};
pub use simulator::{Choice, Season, Shown, Simulation, Simulator, Slate, UserTruth};
pub use split::{ItemSequences, LeaveOneOut, split_users};
