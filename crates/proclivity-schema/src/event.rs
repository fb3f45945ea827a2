//! Events: who did what, when.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ItemIndex, SchemaError, Timestamp, UserIndex};

/// A finite rating, on the scale of its data set.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Rating(f32);

impl Rating {
    /// Checks and wraps a rating.
    ///
    /// # Errors
    /// [`SchemaError::InvalidRating`] for NaN and infinities.
    pub fn new(value: f64) -> Result<Self, SchemaError> {
        let rating = value as f32;
        if rating.is_finite() {
            Ok(Self(rating))
        } else {
            Err(SchemaError::InvalidRating { value })
        }
    }

    /// The value, on the scale of its data set.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Rating {
    type Error = SchemaError;
    fn try_from(value: f32) -> Result<Self, SchemaError> {
        Self::new(f64::from(value))
    }
}

impl From<Rating> for f32 {
    fn from(rating: Rating) -> f32 {
        rating.0
    }
}

/// What a user did, with what belongs to that kind of deed and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Action {
    /// Opened an item's page.
    View { item: ItemIndex },
    /// Searched for a text.
    Search { query: Box<str> },
    /// Clicked an item in a list.
    Click { item: ItemIndex },
    /// Put an item into the cart.
    AddToCart { item: ItemIndex },
    /// Bought an item.
    Purchase { item: ItemIndex, quantity: u32 },
    /// Rated an item.
    Rate { item: ItemIndex, rating: Rating },
    /// Liked an item.
    Like { item: ItemIndex },
    /// Followed a user, group or topic.
    Follow { topic: Box<str> },
    /// Passed an item on.
    Share { item: ItemIndex },
    /// Went past an item.
    Skip { item: ItemIndex },
    /// Asked not to be shown an item.
    Dismiss { item: ItemIndex },
    /// Was shown an item, at a position counted from 0.
    Impression { item: ItemIndex, position: u32 },
}

impl Action {
    /// The kind without what belongs to it.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::View { .. } => EventKind::View,
            Self::Search { .. } => EventKind::Search,
            Self::Click { .. } => EventKind::Click,
            Self::AddToCart { .. } => EventKind::AddToCart,
            Self::Purchase { .. } => EventKind::Purchase,
            Self::Rate { .. } => EventKind::Rate,
            Self::Like { .. } => EventKind::Like,
            Self::Follow { .. } => EventKind::Follow,
            Self::Share { .. } => EventKind::Share,
            Self::Skip { .. } => EventKind::Skip,
            Self::Dismiss { .. } => EventKind::Dismiss,
            Self::Impression { .. } => EventKind::Impression,
        }
    }

    /// The item, where the kind has one.
    pub fn item(&self) -> Option<ItemIndex> {
        match *self {
            Self::View { item }
            | Self::Click { item }
            | Self::AddToCart { item }
            | Self::Purchase { item, .. }
            | Self::Rate { item, .. }
            | Self::Like { item }
            | Self::Share { item }
            | Self::Skip { item }
            | Self::Dismiss { item }
            | Self::Impression { item, .. } => Some(item),
            Self::Search { .. } | Self::Follow { .. } => None,
        }
    }
}

impl Action {
    /// All that the action says, in a form that can be hashed: equal exactly where actions are.
    pub(crate) fn identity(&self) -> (EventKind, Option<ItemIndex>, u32, &str) {
        let (number, text) = match self {
            Self::Purchase { quantity, .. } => (*quantity, ""),
            Self::Impression { position, .. } => (*position, ""),
            // Adding 0 makes −0 the 0 that it equals.
            Self::Rate { rating, .. } => ((rating.get() + 0.0).to_bits(), ""),
            Self::Search { query } => (0, &**query),
            Self::Follow { topic } => (0, &**topic),
            _ => (0, ""),
        };
        (self.kind(), self.item(), number, text)
    }
}

/// One deed of one user. Logs without timestamps (a mere order) have `time: None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Who.
    pub user: UserIndex,
    /// When, if the log says so.
    pub time: Option<Timestamp>,
    /// What.
    pub action: Action,
}

/// The kinds of [`Action`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "documented at `Action`")]
pub enum EventKind {
    View,
    Search,
    Click,
    AddToCart,
    Purchase,
    Rate,
    Like,
    Follow,
    Share,
    Skip,
    Dismiss,
    Impression,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::View,
        Self::Search,
        Self::Click,
        Self::AddToCart,
        Self::Purchase,
        Self::Rate,
        Self::Like,
        Self::Follow,
        Self::Share,
        Self::Skip,
        Self::Dismiss,
        Self::Impression,
    ];

    /// The name in logs: `view`, `add_to_cart`, ….
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Search => "search",
            Self::Click => "click",
            Self::AddToCart => "add_to_cart",
            Self::Purchase => "purchase",
            Self::Rate => "rate",
            Self::Like => "like",
            Self::Follow => "follow",
            Self::Share => "share",
            Self::Skip => "skip",
            Self::Dismiss => "dismiss",
            Self::Impression => "impression",
        }
    }

    /// Whether the deed speaks for the item: everything but search, follow (no item), skip,
    /// dismiss (against it) and impression (says nothing yet).
    pub fn is_positive(self) -> bool {
        !matches!(self, Self::Search | Self::Follow | Self::Skip | Self::Dismiss | Self::Impression)
    }

    pub(crate) fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = SchemaError;

    /// Case and `-`, `_` or a space between words don't matter: `Add-To-Cart` reads.
    fn from_str(name: &str) -> Result<Self, SchemaError> {
        let canonical = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == canonical)
            .ok_or_else(|| SchemaError::UnknownKind { name: name.to_owned() })
    }
}
