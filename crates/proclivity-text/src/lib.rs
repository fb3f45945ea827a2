#![doc = include_str!("../README.md")]

mod amount;
mod check;
mod error;
mod flatten;
mod item;
mod locale;
mod parse;
mod plain;
mod rich;
mod sentence;
mod words;

pub use error::TextError;
pub use item::{interest_text, item_text};
pub use locale::Locale;
pub use parse::parse_plain;
pub use plain::{PlainEvent, plain, plain_into};
pub use rich::{
    RichOptions, TitleFrame, category_text, event_text, history_text, title_text, view_prefix,
};
pub use sentence::{Segment, SentenceTemplate, Slot, because_text};
