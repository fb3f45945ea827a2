//! The catalog: all items there are, and the interests that they can serve.

use serde::{Deserialize, Serialize};

use crate::{Interner, Item, ItemId, ItemIndex, Language, SchemaError};

/// All items, each with a dense index and an id of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Item>", into = "Vec<Item>")]
pub struct Catalog {
    items: Vec<Item>,
    ids: Interner<ItemId>,
}

impl Catalog {
    /// A catalog of these items, in this order. It may be empty.
    ///
    /// # Errors
    /// [`SchemaError::DuplicateItem`] when two items share an id.
    pub fn new(items: Vec<Item>) -> Result<Self, SchemaError> {
        let mut ids = Interner::default();
        for (second, item) in items.iter().enumerate() {
            let first = ids.intern(item.id().clone())? as usize;
            if first != second {
                return Err(SchemaError::DuplicateItem { id: item.id().clone(), first, second });
            }
        }
        Ok(Self { items, ids })
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items, by index.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// All ids, by index.
    pub fn ids(&self) -> &[ItemId] {
        self.ids.ids()
    }

    /// The item at an index.
    ///
    /// # Panics
    /// When the index is from another, larger catalog.
    pub fn item(&self, index: ItemIndex) -> &Item {
        &self.items[index.get()]
    }

    /// The index of an id.
    ///
    /// # Errors
    /// [`SchemaError::UnknownId`] when no item has it.
    pub fn index(&self, id: &str) -> Result<ItemIndex, SchemaError> {
        self.ids
            .position(id)
            .map(ItemIndex)
            .ok_or_else(|| SchemaError::UnknownId { role: "item", id: id.to_owned() })
    }
}

impl TryFrom<Vec<Item>> for Catalog {
    type Error = SchemaError;
    fn try_from(items: Vec<Item>) -> Result<Self, SchemaError> {
        Self::new(items)
    }
}

impl From<Catalog> for Vec<Item> {
    fn from(catalog: Catalog) -> Self {
        catalog.items
    }
}

/// What an interest is called in one language, and the words that say what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterestText {
    /// The language of both fields.
    pub language: Language,
    /// A short name, such as `Coffee & tea`.
    pub name: String,
    /// Words that describe it, which the language model reads.
    pub words: String,
}

/// A named interest: one component of θ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// A short id, such as `coffee`.
    pub id: String,
    /// Name and words, the first being the language to fall back to; at least one.
    pub texts: Vec<InterestText>,
}

impl Interest {
    /// The text in a language, or the first text where there is none in it.
    ///
    /// # Panics
    /// When there is no text at all.
    pub fn text(&self, language: &Language) -> &InterestText {
        self.texts.iter().find(|text| text.language == *language).unwrap_or(&self.texts[0])
    }
}
