//! The version of the serialized forms.

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// The version of the form in which catalogs and logs are serialized; only [`SchemaVersion::CURRENT`]
/// is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "u32", into = "u32")]
pub struct SchemaVersion(u32);

impl SchemaVersion {
    /// What this release writes and reads.
    pub const CURRENT: Self = Self(1);
}

impl TryFrom<u32> for SchemaVersion {
    type Error = SchemaError;
    fn try_from(found: u32) -> Result<Self, SchemaError> {
        if found == Self::CURRENT.0 {
            Ok(Self(found))
        } else {
            Err(SchemaError::UnknownVersion { found, expected: Self::CURRENT.0 })
        }
    }
}

impl From<SchemaVersion> for u32 {
    fn from(version: SchemaVersion) -> u32 {
        version.0
    }
}
