//! Actions: what a user did, with what belongs to that kind of deed and no more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Fraction, ItemIndex, Rating, SchemaError};

/// What a user did, with what belongs to that kind of deed and no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
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
    /// Took an item out of the cart.
    RemoveFromCart { item: ItemIndex },
    /// Bought an item.
    Purchase { item: ItemIndex, quantity: u32 },
    /// Gave a bought item back.
    Return { item: ItemIndex, quantity: u32 },
    /// Rated an item.
    Rate { item: ItemIndex, rating: Rating },
    /// Liked an item.
    Like { item: ItemIndex },
    /// Disliked an item.
    Dislike { item: ItemIndex },
    /// Followed a user, group or topic.
    Follow { target: FollowTarget, name: Box<str> },
    /// Passed an item on.
    Share { item: ItemIndex },
    /// Wrote about an item; the text is empty where the log doesn't keep it.
    Comment { item: ItemIndex, text: Box<str> },
    /// Watched or listened to a part of an item.
    Watch { item: ItemIndex, fraction: Fraction },
    /// Went past an item.
    Skip { item: ItemIndex },
    /// Asked not to be shown an item.
    Dismiss { item: ItemIndex },
    /// Was shown an item, at a position counted from 0.
    Impression { item: ItemIndex, position: u32 },
}

/// Whom or what a [`Action::Follow`] is about.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FollowTarget {
    /// A topic, which is what is meant where nothing is said.
    #[default]
    Topic,
    /// Another user.
    User,
    /// A group.
    Group,
}

impl FollowTarget {
    /// Every target.
    pub const ALL: [Self; 3] = [Self::Topic, Self::User, Self::Group];

    /// The name in logs: `topic`, `user`, `group`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

impl FromStr for FollowTarget {
    type Err = SchemaError;
    fn from_str(name: &str) -> Result<Self, SchemaError> {
        Self::ALL
            .into_iter()
            .find(|target| target.as_str().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| SchemaError::UnknownFollowTarget { name: name.to_owned() })
    }
}

impl Action {
    /// The kind without what belongs to it.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::View { .. } => EventKind::View,
            Self::Search { .. } => EventKind::Search,
            Self::Click { .. } => EventKind::Click,
            Self::AddToCart { .. } => EventKind::AddToCart,
            Self::RemoveFromCart { .. } => EventKind::RemoveFromCart,
            Self::Purchase { .. } => EventKind::Purchase,
            Self::Return { .. } => EventKind::Return,
            Self::Rate { .. } => EventKind::Rate,
            Self::Like { .. } => EventKind::Like,
            Self::Dislike { .. } => EventKind::Dislike,
            Self::Follow { .. } => EventKind::Follow,
            Self::Share { .. } => EventKind::Share,
            Self::Comment { .. } => EventKind::Comment,
            Self::Watch { .. } => EventKind::Watch,
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
            | Self::RemoveFromCart { item }
            | Self::Purchase { item, .. }
            | Self::Return { item, .. }
            | Self::Rate { item, .. }
            | Self::Like { item }
            | Self::Dislike { item }
            | Self::Share { item }
            | Self::Comment { item, .. }
            | Self::Watch { item, .. }
            | Self::Skip { item }
            | Self::Dismiss { item }
            | Self::Impression { item, .. } => Some(item),
            Self::Search { .. } | Self::Follow { .. } => None,
        }
    }

    /// The text that the user wrote or named: a query, what is followed, a comment.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Search { query: text }
            | Self::Follow { name: text, .. }
            | Self::Comment { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// The kinds of [`Action`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "documented at `Action`")]
pub enum EventKind {
    View,
    Search,
    Click,
    AddToCart,
    RemoveFromCart,
    Purchase,
    Return,
    Rate,
    Like,
    Dislike,
    Follow,
    Share,
    Comment,
    Watch,
    Skip,
    Dismiss,
    Impression,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::View,
        Self::Search,
        Self::Click,
        Self::AddToCart,
        Self::RemoveFromCart,
        Self::Purchase,
        Self::Return,
        Self::Rate,
        Self::Like,
        Self::Dislike,
        Self::Follow,
        Self::Share,
        Self::Comment,
        Self::Watch,
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
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
            Self::Return => "return",
            Self::Rate => "rate",
            Self::Like => "like",
            Self::Dislike => "dislike",
            Self::Follow => "follow",
            Self::Share => "share",
            Self::Comment => "comment",
            Self::Watch => "watch",
            Self::Skip => "skip",
            Self::Dismiss => "dismiss",
            Self::Impression => "impression",
        }
    }

    /// Whether the deed is about an item; a search and a follow aren't.
    pub fn has_item(self) -> bool {
        !matches!(self, Self::Search | Self::Follow)
    }

    /// Whether the deed speaks for its item: all but those without one (search, follow), those
    /// against it (remove from cart, return, dislike, skip, dismiss), and the impression, which
    /// says nothing yet.
    pub fn is_positive(self) -> bool {
        self.has_item()
            && !matches!(
                self,
                Self::RemoveFromCart
                    | Self::Return
                    | Self::Dislike
                    | Self::Skip
                    | Self::Dismiss
                    | Self::Impression
            )
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
        let name = name.trim();
        let same = |kind: &Self| {
            let kind = kind.as_str().as_bytes();
            kind.len() == name.len()
                && kind.iter().zip(name.bytes()).all(|(&expected, got)| {
                    let got = if matches!(got, b'-' | b' ') { b'_' } else { got };
                    got.eq_ignore_ascii_case(&expected)
                })
        };
        Self::ALL
            .into_iter()
            .find(same)
            .ok_or_else(|| SchemaError::UnknownKind { name: name.to_owned() })
    }
}
