//! Points in time: microseconds since 1970, UTC, within a range that logs can hold.

use std::fmt;
use std::num::NonZeroI64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// A point in time between 1970-01-01 and 2100-01-01, UTC.
///
/// # Units
/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(
    /// Microseconds plus one, so that an `Option<Timestamp>` takes no more room.
    NonZeroI64,
);

impl Timestamp {
    /// 1970-01-01T00:00:00Z. Earlier times are errors of the log.
    pub const MIN: Self = Self(one_more(0));
    /// 2100-01-01T00:00:00Z. Later times are errors of the log.
    pub const MAX: Self = Self(one_more(4_102_444_800_000_000));

    /// From microseconds since 1970.
    ///
    /// # Errors
    /// [`SchemaError::TimeOutOfRange`] before [`Timestamp::MIN`] or after [`Timestamp::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self, SchemaError> {
        if (Self::MIN.as_micros()..=Self::MAX.as_micros()).contains(&micros) {
            Ok(Self(one_more(micros)))
        } else {
            Err(SchemaError::TimeOutOfRange { micros })
        }
    }

    /// From seconds since 1970.
    ///
    /// # Errors
    /// [`SchemaError::TimeOutOfRange`] as for [`Timestamp::from_micros`].
    pub fn from_seconds(seconds: i64) -> Result<Self, SchemaError> {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0.get() - 1
    }
}

/// `micros + 1` for numbers from 0.
const fn one_more(micros: i64) -> NonZeroI64 {
    match NonZeroI64::new(micros.saturating_add(1)) {
        Some(number) => number,
        None => NonZeroI64::MAX,
    }
}

impl FromStr for Timestamp {
    type Err = SchemaError;

    /// Reads seconds since 1970 (`881250949`), RFC 3339 (`2021-01-01T10:00:00+08:00`), or a civil
    /// date and time taken as UTC (`2021-01-01 10:00:00`).
    fn from_str(text: &str) -> Result<Self, SchemaError> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<i64>() {
            return Self::from_seconds(seconds);
        }
        let invalid = || SchemaError::InvalidTime { text: text.to_owned() };
        // A civil time has neither zone nor offset behind its date; jiff's failures are slow.
        let after_date = text.as_bytes().get(10..).unwrap_or_default();
        let time = if after_date.iter().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-' | b'['))
        {
            text.parse::<jiff::Timestamp>().map_err(|_| invalid())?
        } else {
            let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| invalid())?;
            jiff::tz::TimeZone::UTC.to_timestamp(civil).map_err(|_| invalid())?
        };
        Self::from_micros(time.as_microsecond())
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = SchemaError;
    fn try_from(micros: i64) -> Result<Self, SchemaError> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(time: Timestamp) -> i64 {
        time.as_micros()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.as_micros()) {
            Ok(time) => time.fmt(f),
            // Unreachable: jiff's range holds ours.
            Err(_) => write!(f, "{} µs", self.as_micros()),
        }
    }
}
