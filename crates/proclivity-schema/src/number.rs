//! Numbers with a range: ratings and fractions.

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// A finite rating, on the scale of its data set.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
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

/// How much of an item was watched, from 0 to 1; more than 1 is a second time.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "f32", into = "f32")]
pub struct Fraction(f32);

impl Fraction {
    /// Checks and wraps a fraction.
    ///
    /// # Errors
    /// [`SchemaError::InvalidFraction`] for negative numbers, NaN and infinities.
    pub fn new(value: f64) -> Result<Self, SchemaError> {
        let fraction = value as f32;
        if fraction.is_finite() && fraction >= 0.0 {
            Ok(Self(fraction))
        } else {
            Err(SchemaError::InvalidFraction { value })
        }
    }

    /// The value.
    pub fn get(self) -> f32 {
        self.0
    }
}

macro_rules! checked_f32 {
    ($name:ident) => {
        impl TryFrom<f32> for $name {
            type Error = SchemaError;
            fn try_from(value: f32) -> Result<Self, SchemaError> {
                Self::new(f64::from(value))
            }
        }

        impl From<$name> for f32 {
            fn from(number: $name) -> f32 {
                number.0
            }
        }
    };
}

checked_f32!(Rating);
checked_f32!(Fraction);
