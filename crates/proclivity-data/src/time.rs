//! Times in whatever way a log writes them.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use proclivity_schema::{SchemaError, Timestamp};

use crate::{DataError, Reason, TimeFormat, TimeSource};

/// A [`TimeSource`] whose zone was found.
pub(crate) struct TimeParser {
    format: TimeFormat,
    zone: Option<TimeZone>,
}

impl TimeParser {
    pub(crate) fn new(source: &TimeSource) -> Result<Self, DataError> {
        let zone = source.zone.as_ref().map(|name| {
            TimeZone::get(name).map_err(|_| DataError::UnknownZone { name: name.clone() })
        });
        Ok(Self { format: source.format.clone(), zone: zone.transpose()? })
    }

    pub(crate) fn parse(&self, text: &str) -> Result<Timestamp, Reason> {
        match &self.format {
            TimeFormat::Auto => match &self.zone {
                None => text.parse().map_err(reason),
                // What says its own zone is no civil time to jiff.
                Some(_) if has_zone(text) => text.parse().map_err(reason),
                Some(_) => match text.parse::<DateTime>() {
                    Ok(civil) => self.zoned(civil),
                    Err(_) => text.parse().map_err(reason),
                },
            },
            TimeFormat::Seconds => scaled(text, 1_000_000),
            TimeFormat::Milliseconds => scaled(text, 1_000),
            TimeFormat::Microseconds => scaled(text, 1),
            TimeFormat::Pattern(pattern) => {
                let parsed = strtime::parse(pattern, text).map_err(|_| Reason::InvalidTime)?;
                if let Ok(time) = parsed.to_timestamp() {
                    return micros(time.as_microsecond());
                }
                let civil = parsed
                    .to_datetime()
                    .or_else(|_| parsed.to_date().map(DateTime::from))
                    .map_err(|_| Reason::InvalidTime)?;
                self.zoned(civil)
            }
        }
    }

    fn zoned(&self, civil: DateTime) -> Result<Timestamp, Reason> {
        let utc = TimeZone::UTC;
        let time = self
            .zone
            .as_ref()
            .unwrap_or(&utc)
            .to_timestamp(civil)
            .map_err(|_| Reason::InvalidTime)?;
        micros(time.as_microsecond())
    }
}

/// Whether a text of date and time ends in `Z` or an offset.
fn has_zone(text: &str) -> bool {
    let time = text.as_bytes().get(11..).unwrap_or_default();
    time.iter().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-' | b'['))
}

/// A number of units, which may have decimals.
fn scaled(text: &str, micros_per_unit: i64) -> Result<Timestamp, Reason> {
    if let Ok(whole) = text.parse::<i64>() {
        return micros(whole.saturating_mul(micros_per_unit));
    }
    let number: f64 = text.parse().map_err(|_| Reason::InvalidTime)?;
    if number.is_finite() {
        // The conversion saturates, and so stays out of range.
        micros((number * micros_per_unit as f64).round() as i64)
    } else {
        Err(Reason::InvalidTime)
    }
}

fn micros(micros: i64) -> Result<Timestamp, Reason> {
    Timestamp::from_micros(micros).map_err(reason)
}

fn reason(error: SchemaError) -> Reason {
    match error {
        SchemaError::TimeOutOfRange { .. } => Reason::TimeOutOfRange,
        _ => Reason::InvalidTime,
    }
}
