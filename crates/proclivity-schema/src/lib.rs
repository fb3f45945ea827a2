#![doc = include_str!("../README.md")]

mod catalog;
mod error;
mod event;
mod ids;
mod item;
mod language;
mod log;
mod time;

pub use catalog::{Catalog, Interest, InterestText};
pub use error::SchemaError;
pub use event::{Action, Event, EventKind, Rating};
pub use ids::{Interner, ItemId, ItemIndex, UserId, UserIndex};
pub use item::{Item, ItemText, Price};
pub use language::Language;
pub use log::{Log, LogBuilder};
pub use time::Timestamp;
