//! The catalog: all items there are, and the interests that they can serve.

use serde::{Deserialize, Serialize};

use crate::{Interner, Item, ItemId, ItemIndex, Language, SchemaError, SchemaVersion};

/// All items, each with a dense index and an id of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawCatalog", into = "RawCatalog")]
pub struct Catalog {
    items: Vec<Item>,
    ids: Interner<ItemId>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(rename = "Catalog"))]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    schema_version: SchemaVersion,
    /// An item's position here is its index in events.
    items: Vec<Item>,
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

    /// The same catalog with each item changed, but for its id.
    ///
    /// # Errors
    /// What `change` refuses, and [`SchemaError::ChangedId`] when it gives another item.
    pub fn map(
        self,
        mut change: impl FnMut(ItemIndex, Item) -> Result<Item, SchemaError>,
    ) -> Result<Self, SchemaError> {
        let items =
            self.items.into_iter().zip(self.ids.ids()).enumerate().map(|(position, (item, id))| {
                let item = change(ItemIndex(position as u32), item)?;
                if item.id() == id {
                    Ok(item)
                } else {
                    Err(SchemaError::ChangedId { from: id.clone(), to: item.id().clone() })
                }
            });
        Ok(Self { items: items.collect::<Result<_, _>>()?, ids: self.ids })
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

impl TryFrom<RawCatalog> for Catalog {
    type Error = SchemaError;
    fn try_from(raw: RawCatalog) -> Result<Self, SchemaError> {
        Self::new(raw.items)
    }
}

impl From<Catalog> for RawCatalog {
    fn from(catalog: Catalog) -> Self {
        Self { schema_version: SchemaVersion::CURRENT, items: catalog.items }
    }
}

/// What an interest is called in one language, and the words that say what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
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
