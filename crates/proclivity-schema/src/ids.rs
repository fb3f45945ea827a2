//! External ids (any string or integer) and the dense indices they are interned to.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Serialize};

use crate::SchemaError;

macro_rules! external_id {
    ($name:ident, $role:literal) => {
        #[doc = concat!("The id of one ", $role, " as the log or shop writes it: any non-empty text without control characters.")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(CompactString);

        // As its text, which `Borrow<str>` promises.
        impl Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

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

        impl TryFrom<&str> for $name {
            type Error = SchemaError;
            fn try_from(id: &str) -> Result<Self, SchemaError> {
                Self::new(id)
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
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
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
/// `Id` is [`UserId`] or [`ItemId`]. Every id is stored once.
#[derive(Debug, Clone)]
pub struct Interner<Id> {
    ids: Vec<Id>,
    positions: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<Id> Default for Interner<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), positions: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<Id: PartialEq> PartialEq for Interner<Id> {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

impl<Id: Eq> Eq for Interner<Id> {}

impl<Id: Borrow<str>> Interner<Id> {
    /// Position of an id, which is added when it is new.
    ///
    /// # Errors
    /// [`SchemaError::TooMany`] past 2³² − 1 ids.
    pub fn intern(&mut self, id: Id) -> Result<u32, SchemaError> {
        match self.position(id.borrow()) {
            Some(position) => Ok(position),
            None => self.insert(id),
        }
    }

    /// Position of the id that a text stands for, which is checked and added when it is new; for
    /// texts that were seen before nothing is allocated.
    ///
    /// # Errors
    /// [`SchemaError::InvalidId`] for a text that is none, [`SchemaError::TooMany`] past 2³² − 1
    /// ids.
    pub fn intern_text<'t>(&mut self, text: &'t str) -> Result<u32, SchemaError>
    where
        Id: TryFrom<&'t str, Error = SchemaError>,
    {
        let text = text.trim();
        match self.position(text) {
            Some(position) => Ok(position),
            None => self.insert(Id::try_from(text)?),
        }
    }

    fn insert(&mut self, id: Id) -> Result<u32, SchemaError> {
        let position = u32::try_from(self.ids.len())
            .ok()
            .filter(|&p| p < u32::MAX)
            .ok_or(SchemaError::TooMany { what: "id", limit: u64::from(u32::MAX) })?;
        let hash = self.hasher.hash_one(id.borrow());
        self.ids.push(id);
        let (ids, hasher) = (&self.ids, &self.hasher);
        let rehash = |&p: &u32| hasher.hash_one(ids[p as usize].borrow());
        self.positions.insert_unique(hash, position, rehash);
        Ok(position)
    }

    /// Position of a known id.
    pub fn position(&self, id: &str) -> Option<u32> {
        let same = |&p: &u32| self.ids[p as usize].borrow() == id;
        self.positions.find(self.hasher.hash_one(id), same).copied()
    }

    /// All ids, by position.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// All ids, by position.
    pub fn into_ids(self) -> Vec<Id> {
        self.ids
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
