//! Items: what there is to be interested in, said in one or more languages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Embedding, ItemId, Language, Price, SchemaError, Timestamp};

/// What an item says about itself in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ItemText {
    /// The language of all fields.
    pub language: Language,
    /// The title.
    pub title: String,
    /// A description; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it belongs to: paths from the root to a leaf, the most important first. A tag or genre
    /// is a path of one part. May be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Vec<String>>,
}

impl ItemText {
    /// A title alone.
    pub fn title(language: Language, title: impl Into<String>) -> Self {
        Self { language, title: title.into(), description: String::new(), categories: Vec::new() }
    }

    /// The last part of the first category: the narrowest thing that it belongs to.
    pub fn leaf_category(&self) -> Option<&str> {
        self.categories.iter().find_map(|path| path.last()).map(String::as_str)
    }

    /// The parts of all categories in their order, each once.
    pub fn category_parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = Vec::new();
        for part in self.categories.iter().flatten() {
            if !parts.contains(&part.as_str()) {
                parts.push(part);
            }
        }
        parts
    }
}

/// One item of a catalog, with at least one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawItem", into = "RawItem")]
pub struct Item(RawItem);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(rename = "Item"))]
#[serde(deny_unknown_fields)]
struct RawItem {
    id: ItemId,
    /// At least one, the first being the one to fall back to.
    texts: Vec<ItemText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    brand: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    /// Microseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Embedding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio: Option<Embedding>,
}

impl Item {
    /// An item with its texts, the first being the one to fall back to.
    ///
    /// # Errors
    /// [`SchemaError::NoText`] when there is no text or a title is blank.
    pub fn new(id: ItemId, texts: Vec<ItemText>) -> Result<Self, SchemaError> {
        Self::try_from(RawItem {
            id,
            texts,
            brand: None,
            price: None,
            published: None,
            domain: None,
            attributes: BTreeMap::new(),
            image: None,
            audio: None,
        })
    }

    /// The same item with other texts.
    ///
    /// # Errors
    /// [`SchemaError::NoText`] when there is no text or a title is blank.
    pub fn with_texts(mut self, texts: Vec<ItemText>) -> Result<Self, SchemaError> {
        self.0.texts = texts;
        Self::try_from(self.0)
    }

    /// The same item with a brand.
    pub fn with_brand(mut self, brand: impl Into<String>) -> Self {
        self.0.brand = Some(brand.into());
        self
    }

    /// The same item with a price.
    pub fn with_price(mut self, price: Price) -> Self {
        self.0.price = Some(price);
        self
    }

    /// The same item with the time at which it came out.
    pub fn with_published(mut self, published: Timestamp) -> Self {
        self.0.published = Some(published);
        self
    }

    /// The same item in a domain, such as `shop` or `video`.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.0.domain = Some(domain.into());
        self
    }

    /// The same item with one more attribute; an earlier one of this name is replaced.
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.insert(name.into(), value.into());
        self
    }

    /// The same item with what an image model made of its picture.
    pub fn with_image(mut self, embedding: Embedding) -> Self {
        self.0.image = Some(embedding);
        self
    }

    /// The same item with what an audio model made of its sound.
    pub fn with_audio(mut self, embedding: Embedding) -> Self {
        self.0.audio = Some(embedding);
        self
    }

    /// The id.
    pub fn id(&self) -> &ItemId {
        &self.0.id
    }

    /// All texts, the first being the one to fall back to.
    pub fn texts(&self) -> &[ItemText] {
        &self.0.texts
    }

    /// The text in a language, or the first text where there is none in it.
    pub fn text(&self, language: &Language) -> &ItemText {
        let texts = &self.0.texts;
        texts.iter().find(|text| text.language == *language).unwrap_or(&texts[0])
    }

    /// The brand, where known.
    pub fn brand(&self) -> Option<&str> {
        self.0.brand.as_deref()
    }

    /// The price, where known.
    pub fn price(&self) -> Option<&Price> {
        self.0.price.as_ref()
    }

    /// The time at which it came out, where known.
    pub fn published(&self) -> Option<Timestamp> {
        self.0.published
    }

    /// The domain, where the catalog has several.
    pub fn domain(&self) -> Option<&str> {
        self.0.domain.as_deref()
    }

    /// Whatever else is known, by name.
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.0.attributes
    }

    /// What an image model made of its picture, where known.
    pub fn image(&self) -> Option<&Embedding> {
        self.0.image.as_ref()
    }

    /// What an audio model made of its sound, where known.
    pub fn audio(&self) -> Option<&Embedding> {
        self.0.audio.as_ref()
    }
}

impl TryFrom<RawItem> for Item {
    type Error = SchemaError;
    fn try_from(raw: RawItem) -> Result<Self, SchemaError> {
        if raw.texts.is_empty() || raw.texts.iter().any(|text| text.title.trim().is_empty()) {
            return Err(SchemaError::NoText { id: raw.id });
        }
        Ok(Self(raw))
    }
}

impl From<Item> for RawItem {
    fn from(item: Item) -> Self {
        item.0
    }
}
