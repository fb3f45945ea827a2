//! Numbers with a range: ratings and fractions.

use std::hash::{Hash, Hasher};

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
            // Adding 0 makes −0 the 0 that it equals.
            Ok(Self(rating + 0.0))
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
            Ok(Self(fraction + 0.0))
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
        // Neither NaN nor −0 is among the values, so that equal ones have equal bits.
        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.to_bits().hash(state);
            }
        }

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
