//! Amounts of money.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// An amount of money, zero or more, in one currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawPrice", into = "RawPrice")]
pub struct Price {
    amount: f64,
    currency: [u8; 3],
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(rename = "Price"))]
#[serde(deny_unknown_fields)]
struct RawPrice {
    /// In units of the currency, zero or more.
    amount: f64,
    /// ISO 4217: three ASCII capitals.
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
        // Adding 0 makes −0 the 0 that it equals.
        Ok(Self { amount: amount + 0.0, currency: code })
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

// Neither NaN nor −0 is among the amounts, so that equal ones have equal bits.
impl Eq for Price {}

impl Hash for Price {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.amount.to_bits(), self.currency).hash(state);
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
