//! Vectors that a model outside of this project made of an image or a sound.

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// A vector of finite numbers, at least one of which is not zero.
///
/// # Shapes
/// `[embedding_dim]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<f32>", into = "Vec<f32>")]
pub struct Embedding(Box<[f32]>);

impl Embedding {
    /// Checks and wraps a vector.
    ///
    /// # Errors
    /// [`SchemaError::InvalidEmbedding`] for one that is empty, all zeros, or holds NaN or an
    /// infinity: it has no direction.
    pub fn new(values: Vec<f32>) -> Result<Self, SchemaError> {
        let finite = values.iter().all(|value| value.is_finite());
        if finite && values.iter().any(|&value| value != 0.0) {
            Ok(Self(values.into()))
        } else {
            Err(SchemaError::InvalidEmbedding { embedding_dim: values.len() })
        }
    }

    /// The numbers.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = SchemaError;
    fn try_from(values: Vec<f32>) -> Result<Self, SchemaError> {
        Self::new(values)
    }
}

impl From<Embedding> for Vec<f32> {
    fn from(embedding: Embedding) -> Self {
        embedding.0.into()
    }
}
