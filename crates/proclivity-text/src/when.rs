//! Times in words: how long ago, and the date of a day.

use std::fmt::Write;

use proclivity_schema::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::words::{Affix, Piece, pieces};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MICROS: i64 = 1_000_000;

/// The words of times.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeWords {
    /// Where a clause says how long ago it was.
    pub(crate) clause: Place,
    /// How long ago, after an object or heading that shares its clause with others.
    pub(crate) object: Affix,
    /// Less than a minute ago.
    now: String,
    minute: Counted,
    hour: Counted,
    day: Counted,
    month: Counted,
    year: Counted,
    months: [String; 12],
    date: DateForm,
    date_with_year: DateForm,
}

/// Where something stands in a clause.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Start(Affix),
    End(Affix),
}

/// Words for one and for several, written `["1 day ago", "{} days ago"]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Counted(String, Affix);

impl TimeWords {
    /// Appends how long ago a time was, and says whether it could: the future isn't said.
    pub(crate) fn ago_into(&self, out: &mut String, time: Timestamp, now: Timestamp) -> bool {
        let seconds = (now.as_micros() - time.as_micros()).div_euclid(MICROS);
        let days = seconds / DAY;
        let (count, words) = match seconds {
            ..0 => return false,
            0..MINUTE => {
                out.push_str(&self.now);
                return true;
            }
            MINUTE..HOUR => (seconds / MINUTE, &self.minute),
            HOUR..DAY => (seconds / HOUR, &self.hour),
            _ if days < 30 => (days, &self.day),
            // The mean month and year of the calendar.
            _ if days < 365 => (((days as f64 / 30.436_875) as i64).max(1), &self.month),
            _ => (((days as f64 / 365.2425) as i64).max(1), &self.year),
        };
        if count == 1 {
            out.push_str(&words.0);
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(out, "{}{count}{}", words.1.before, words.1.after);
        }
        true
    }

    /// Appends the date of a day, with its year unless that is `known_year`.
    pub(crate) fn date_into(&self, out: &mut String, day: Day, known_year: i16) {
        let Some(date) = day.date() else { return };
        let form = if date.year() == known_year { &self.date } else { &self.date_with_year };
        for piece in &form.0 {
            // Writing to a `String` can't fail.
            let _ = match piece {
                Piece::Fixed(words) => write!(out, "{words}"),
                Piece::Slot(DateSlot::Year) => write!(out, "{}", date.year()),
                Piece::Slot(DateSlot::Month) => {
                    write!(out, "{}", self.months[usize::from(date.month().unsigned_abs()) - 1])
                }
                Piece::Slot(DateSlot::Day) => write!(out, "{}", date.day()),
            };
        }
    }
}

/// A day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Day(i64);

impl Day {
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.as_micros().div_euclid(DAY * MICROS))
    }

    fn date(self) -> Option<jiff::civil::Date> {
        let midnight = jiff::Timestamp::from_second(self.0 * DAY).ok()?;
        Some(jiff::tz::Offset::UTC.to_datetime(midnight).date())
    }

    pub(crate) fn year(self) -> Option<i16> {
        Some(self.date()?.year())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum DateSlot {
    Year,
    Month,
    Day,
}

/// Written `{month} {day}, {year}`.
#[derive(Debug, Clone, PartialEq)]
struct DateForm(Vec<Piece<DateSlot>>);

impl<'de> Deserialize<'de> for DateForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let slot = |name: &str| match name {
            "year" => Some(DateSlot::Year),
            "month" => Some(DateSlot::Month),
            "day" => Some(DateSlot::Day),
            _ => None,
        };
        pieces(&text, slot).map(Self).ok_or_else(|| {
            D::Error::custom(format_args!("{text:?} needs year, month or day in its `{{}}`"))
        })
    }
}
