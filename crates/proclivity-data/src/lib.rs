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
mod shop;
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
pub use shop::Shop;
pub use simulator::{Simulation, Simulator, UserTruth};
pub use split::{ItemSequences, LeaveOneOut, split_users};
