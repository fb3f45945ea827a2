//! Logged rankings with how probable they were, and would have been.

use crate::EvalError;

/// What was shown at one place of a ranking.
///
/// Which probabilities are meant depends on the [`Interaction`](crate::Interaction): marginal ones
/// of the place for the item–position model, else those given the items before it. At the first
/// place, and so for single items, these are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggedItem {
    /// π₀: how probable the logging policy was to show the item there, in (0, 1].
    pub propensity: f64,
    /// π: how probable the target policy is to show it there, in \[0, 1\].
    pub target: f64,
    /// What showing it earned, such as 1 for a click.
    pub reward: f64,
}

/// Rankings of a logging policy, all with the same number of places.
///
/// A place that stayed empty, which it has to under both policies, has probability 1 under both and
/// reward 0.
#[derive(Debug, Clone, PartialEq)]
pub struct RankingLog {
    places: usize,
    items: Vec<LoggedItem>,
}

impl RankingLog {
    /// A log of rankings with so many places; 1 for single items.
    ///
    /// # Shapes
    /// `items`: `[rankings, places]`, ranking after ranking
    ///
    /// # Errors
    /// [`EvalError::Empty`] without places, [`EvalError::Length`] for a ranking that isn't whole,
    /// [`EvalError::OutOfRange`] for fewer than 2 rankings, which have no standard error,
    /// [`EvalError::InvalidPropensity`] for a propensity that isn't above 0, for a probability
    /// above 1 or below 0 and for NaN, [`EvalError::NotFinite`] for a reward that isn't finite.
    pub fn new(places: usize, items: Vec<LoggedItem>) -> Result<Self, EvalError> {
        if places == 0 {
            return Err(EvalError::Empty { what: "places of a ranking" });
        }
        let rankings = items.len() / places;
        if items.len() != rankings * places {
            return Err(EvalError::Length {
                what: "items of whole rankings",
                expected: (rankings + 1) * places,
                got: items.len(),
            });
        }
        if rankings < 2 {
            return Err(EvalError::OutOfRange {
                name: "number of rankings",
                value: rankings as f64,
                expected: "2 or more",
            });
        }
        for (index, item) in items.iter().enumerate() {
            let (ranking, place) = (index / places, index % places);
            let logging = item.propensity > 0.0 && item.propensity <= 1.0;
            for (valid, policy, value) in [
                (logging, "logging", item.propensity),
                ((0.0..=1.0).contains(&item.target), "target", item.target),
            ] {
                if !valid {
                    return Err(EvalError::InvalidPropensity { policy, ranking, place, value });
                }
            }
            if !item.reward.is_finite() {
                let (what, position) = ("reward", index);
                return Err(EvalError::NotFinite { what, position, value: item.reward });
            }
        }
        Ok(Self { places, items })
    }

    /// How many places a ranking has.
    pub fn places(&self) -> usize {
        self.places
    }

    /// How many rankings there are.
    pub fn rankings(&self) -> usize {
        self.items.len() / self.places
    }

    /// What was shown, ranking after ranking.
    pub fn items(&self) -> &[LoggedItem] {
        &self.items
    }
}
