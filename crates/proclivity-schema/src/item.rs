//! Items: what there is to be interested in, said in one or more languages.

use serde::{Deserialize, Serialize};

use crate::{ItemId, Language, SchemaError};

/// What an item says about itself in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemText {
    /// The language of all fields.
    pub language: Language,
    /// The title.
    pub title: String,
    /// A description; may be empty.
    #[serde(default)]
    pub description: String,
    /// What it belongs to, as its data set says it: one path from the root to the leaf, or tags
    /// such as genres; may be empty.
    #[serde(default)]
    pub category: Vec<String>,
}

impl ItemText {
    /// A title alone.
    pub fn title(language: Language, title: impl Into<String>) -> Self {
        Self { language, title: title.into(), description: String::new(), category: Vec::new() }
    }
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPrice", into = "RawPrice")]
pub struct Price {
    amount: f64,
    currency: [u8; 3],
}

#[derive(Serialize, Deserialize)]
struct RawPrice {
    amount: f64,
    currency: String,
}

impl Price {
    /// Checks and wraps an amount and its ISO 4217 currency code.
    ///
    /// # Errors
    /// [`SchemaError::InvalidPrice`] when the amount is negative or not finite,
    /// [`SchemaError::InvalidCurrency`] unless the code is three ASCII capitals.
    pub fn new(amount: f64, currency: &str) -> Result<Self, SchemaError> {
        if !amount.is_finite() || amount < 0.0 {
            return Err(SchemaError::InvalidPrice { value: amount });
        }
        let code: [u8; 3] = currency
            .as_bytes()
            .try_into()
            .ok()
            .filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase))
            .ok_or_else(|| SchemaError::InvalidCurrency { code: currency.to_owned() })?;
        Ok(Self { amount, currency: code })
    }

    /// The amount, in units of the currency.
    pub fn amount(&self) -> f64 {
        self.amount
    }

    /// The ISO 4217 code.
    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or_default()
    }
}

impl TryFrom<RawPrice> for Price {
    type Error = SchemaError;
    fn try_from(raw: RawPrice) -> Result<Self, SchemaError> {
        Self::new(raw.amount, &raw.currency)
    }
}

impl From<Price> for RawPrice {
    fn from(price: Price) -> Self {
        Self { amount: price.amount, currency: price.currency().to_owned() }
    }
}

/// One item of a catalog, with at least one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawItem", into = "RawItem")]
pub struct Item {
    id: ItemId,
    texts: Vec<ItemText>,
    price: Option<Price>,
}

#[derive(Serialize, Deserialize)]
struct RawItem {
    id: ItemId,
    texts: Vec<ItemText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
}

impl Item {
    /// An item with its texts, the first being the one to fall back to.
    ///
    /// # Errors
    /// [`SchemaError::NoText`] when there is no text or a title is blank.
    pub fn new(id: ItemId, texts: Vec<ItemText>) -> Result<Self, SchemaError> {
        if texts.is_empty() || texts.iter().any(|text| text.title.trim().is_empty()) {
            return Err(SchemaError::NoText { id });
        }
        Ok(Self { id, texts, price: None })
    }

    /// The same item with a price.
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// The id.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// All texts, the first being the one to fall back to.
    pub fn texts(&self) -> &[ItemText] {
        &self.texts
    }

    /// The text in a language, or the first text where there is none in it.
    pub fn text(&self, language: &Language) -> &ItemText {
        self.texts.iter().find(|text| text.language == *language).unwrap_or(&self.texts[0])
    }

    /// The price, where known.
    pub fn price(&self) -> Option<&Price> {
        self.price.as_ref()
    }
}

impl TryFrom<RawItem> for Item {
    type Error = SchemaError;
    fn try_from(raw: RawItem) -> Result<Self, SchemaError> {
        let item = Self::new(raw.id, raw.texts)?;
        Ok(Self { price: raw.price, ..item })
    }
}

impl From<Item> for RawItem {
    fn from(item: Item) -> Self {
        Self { id: item.id, texts: item.texts, price: item.price }
    }
}
