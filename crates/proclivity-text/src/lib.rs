#![doc = include_str!("../README.md")]

mod amount;
#[cfg(feature = "tokens")]
mod budget;
mod check;
mod clause;
mod error;
mod flatten;
mod grouped;
mod item;
mod locale;
mod options;
mod parse;
mod plain;
mod prompt;
mod rich;
mod sentence;
mod special;
mod template;
mod tf_idf;
mod when;
mod words;
#[cfg(feature = "tokens")]
mod worth;

#[cfg(feature = "tokens")]
pub use budget::{BudgetedText, TokenBudget};
pub use error::TextError;
pub use item::{interest_text, item_text};
pub use locale::Locale;
pub use options::{Grouping, Order, RatingScale, RichOptions};
pub use parse::parse_plain;
pub use plain::{PlainEvent, plain, plain_into};
pub use prompt::{PromptPart, prompt_part};
pub use rich::{
    TitleFrame, category_text, event_text, history_text, history_text_into, title_text, view_prefix,
};
pub use sentence::{Segment, SentenceTemplate, Slot, because_text};
pub use special::SpecialTokens;
pub use template::{Template, TemplateData};
pub use tf_idf::TfIdf;
#[cfg(feature = "tokens")]
pub use worth::{BudgetConfig, Popularity, informativeness};
