//! What the rich form says, and in which order.

use proclivity_schema::{Rating, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TextError;

/// What the rich form says, and in which order.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `with_category` | `false` | say the leaf of an item's category after its title | |
/// | `max_events` | 50 | keep the newest events only | any; 0 says nothing |
/// | `grouping` | `None` | what stands together | [`Grouping`] |
/// | `order` | `OldestFirst` | of events and of groups | [`Order`] |
/// | `with_counts` | `false` | say repeats within a group once, with their number | |
/// | `now` | `None` | say how long ago things happened, from then on | any; later events say no time |
/// | `rating_scale` | `None` | say ratings in words | [`RatingScale`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RichOptions {
    /// Whether the leaf of an item's category follows its title.
    pub with_category: bool,
    /// How many events are said at most: the newest are kept.
    pub max_events: usize,
    /// What stands together.
    pub grouping: Grouping,
    /// The order of events, and of groups by their first event in it.
    pub order: Order,
    /// Whether what was done several times within a group is said once, with the number of times,
    /// where it stands first; the time said is the newest.
    pub with_counts: bool,
    /// The time from which back others are said: `3 days ago`.
    pub now: Option<Timestamp>,
    /// The scale on which ratings are said in words: `loved it`.
    pub rating_scale: Option<RatingScale>,
}

impl Default for RichOptions {
    fn default() -> Self {
        Self {
            with_category: false,
            max_events: 50,
            grouping: Grouping::None,
            order: Order::OldestFirst,
            with_counts: false,
            now: None,
            rating_scale: None,
        }
    }
}

/// What stands together in the rich form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Nothing: a clause for each event.
    #[default]
    None,
    /// Deeds of the same kind, merged into one clause: `浏览「…」「…」。`
    Kind,
    /// Days (UTC), under their date: `1 月 3 日：…`
    Day,
    /// Sessions as the log names them, under their number: `会话 2：…`
    Session,
}

/// The order in which events are said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As in a history.
    #[default]
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// A scale of ratings, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f32, f32)", into = "(f32, f32)")]
pub struct RatingScale {
    worst: f32,
    best: f32,
}

impl RatingScale {
    /// Checks and wraps the ends of a scale.
    ///
    /// # Errors
    /// [`TextError::RatingScale`] unless both are finite and the best is more than the worst.
    pub fn new(worst: f32, best: f32) -> Result<Self, TextError> {
        if worst < best && worst.is_finite() && best.is_finite() {
            Ok(Self { worst, best })
        } else {
            Err(TextError::RatingScale { worst, best })
        }
    }

    /// The position among `count` words, the worst first, that is nearest to a rating.
    pub(crate) fn nearest(self, rating: Rating, count: usize) -> usize {
        let (worst, best) = (f64::from(self.worst), f64::from(self.best));
        let place = ((f64::from(rating.get()) - worst) / (best - worst)).clamp(0.0, 1.0);
        (place * count.saturating_sub(1) as f64).round() as usize
    }
}

impl TryFrom<(f32, f32)> for RatingScale {
    type Error = TextError;
    fn try_from((worst, best): (f32, f32)) -> Result<Self, TextError> {
        Self::new(worst, best)
    }
}

impl From<RatingScale> for (f32, f32) {
    fn from(scale: RatingScale) -> Self {
        (scale.worst, scale.best)
    }
}
