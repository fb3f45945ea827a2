//! External ids (any string or integer) and the dense indices they are interned to.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::SchemaError;

macro_rules! external_id {
    ($name:ident, $role:literal) => {
        #[doc = concat!("The id of one ", $role, " as the log or shop writes it: any non-empty text without control characters.")]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and wraps an id; surrounding white space is dropped.
            ///
            /// # Errors
            /// [`SchemaError::InvalidId`] when nothing is left or a control character is in it.
            pub fn new(id: &str) -> Result<Self, SchemaError> {
                let id = id.trim();
                if id.is_empty() || id.chars().any(char::is_control) {
                    return Err(SchemaError::InvalidId { role: $role, id: id.to_owned() });
                }
                Ok(Self(id.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<u64> for $name {
            fn from(id: u64) -> Self {
                Self(id.to_string().into())
            }
        }

        impl TryFrom<String> for $name {
            type Error = SchemaError;
            fn try_from(id: String) -> Result<Self, SchemaError> {
                Self::new(&id)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

external_id!(UserId, "user");
external_id!(ItemId, "item");

macro_rules! dense_index {
    ($name:ident, $of:literal) => {
        #[doc = concat!("Position of one ", $of, ", counted from 0.")]
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position as `usize`, to index arrays with.
            pub fn get(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_index!(UserIndex, "user in a log");
dense_index!(ItemIndex, "item in a catalog");

/// Ids in order of first appearance, each with its dense position.
///
/// `Id` is [`UserId`] or [`ItemId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interner<Id: Eq + Hash> {
    ids: Vec<Id>,
    positions: HashMap<Id, u32>,
}

impl<Id: Eq + Hash> Default for Interner<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), positions: HashMap::new() }
    }
}

impl<Id: Clone + Eq + Hash + Borrow<str>> Interner<Id> {
    /// Position of an id, which is added when it is new.
    ///
    /// # Errors
    /// [`SchemaError::TooMany`] past 2³² − 1 ids.
    pub fn intern(&mut self, id: Id) -> Result<u32, SchemaError> {
        if let Some(&position) = self.positions.get(id.borrow()) {
            return Ok(position);
        }
        let position = u32::try_from(self.ids.len())
            .ok()
            .filter(|&p| p < u32::MAX)
            .ok_or(SchemaError::TooMany { what: "id", limit: u64::from(u32::MAX) })?;
        self.ids.push(id.clone());
        self.positions.insert(id, position);
        Ok(position)
    }

    /// Position of a known id.
    pub fn position(&self, id: &str) -> Option<u32> {
        self.positions.get(id).copied()
    }

    /// All ids, by position.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
