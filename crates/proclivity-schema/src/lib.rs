#![doc = include_str!("../README.md")]

mod action;
mod catalog;
mod embedding;
mod error;
mod event;
mod ids;
mod item;
mod language;
mod log;
mod number;
mod price;
mod time;
mod version;

pub use action::{Action, EventKind, FollowTarget};
pub use catalog::{Catalog, Interest, InterestText};
pub use embedding::Embedding;
pub use error::SchemaError;
pub use event::{Event, EventDetails};
pub use ids::{Interner, ItemId, ItemIndex, UserId, UserIndex};
pub use item::{Item, ItemText};
pub use language::Language;
pub use log::{Log, LogBuilder};
pub use number::{Fraction, Rating};
pub use price::Price;
pub use time::Timestamp;
pub use version::SchemaVersion;
