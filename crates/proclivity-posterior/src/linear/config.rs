//! How a history becomes features, and how far the weights may go from the prior mean.

use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;

/// One block of features: how fast an item of a history is forgotten, and the prior of its weights.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `decay` | 0.8 | weight of each older item of the history | (0, 1] |
/// | `window` | 30 | how many of the newest items count | 1 to 512 |
/// | `ridge` | 200 | prior precision of a weight: events that it takes to move it half the way | above 0 |
/// | `semantic_weight` | 0.1 | prior mean of a weight: this times the kernel of the texts | finite |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct Timescale {
    pub decay: f64,
    pub window: usize,
    pub ridge: f64,
    pub semantic_weight: f64,
}

impl Default for Timescale {
    fn default() -> Self {
        Self { decay: 0.8, window: 30, ridge: 200.0, semantic_weight: 0.1 }
    }
}

impl Timescale {
    fn validate(&self) -> Result<(), PosteriorError> {
        let unit = self.decay > 0.0 && self.decay <= 1.0;
        in_range("decay", self.decay, unit, "in (0, 1]")?;
        let window = self.window;
        in_range("window", window as f64, (1..=512).contains(&window), "a number from 1 to 512")?;
        let positive = self.ridge > 0.0 && self.ridge.is_finite();
        in_range("ridge", self.ridge, positive, "a positive number")?;
        let weight = self.semantic_weight;
        in_range("semantic_weight", weight, weight.is_finite(), "a finite number")
    }

    /// decayᵃ at every age a < window.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.window as i32).map(|age| self.decay.powi(age))
    }
}

/// In which numbers the weights are solved for and kept. The evidence is in fixed point either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 64 bits.
    #[default]
    Double,
    /// 32 bits: half the memory, about half the time.
    Single,
}

/// The features of [`Linear`](crate::Linear) and how it is solved.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `timescales` | one fast, one slow (decay 0.97, window 50, ridge 4000, no semantic weight) | blocks of features | at least one |
/// | `precision` | `double` | numbers of the solution | `double`, `single` |
/// | `temperature` | 0.02 | scores are divided by it for probabilities | above 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct LinearConfig {
    pub timescales: Vec<Timescale>,
    pub precision: Precision,
    pub temperature: f64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        let slow = Timescale { decay: 0.97, window: 50, ridge: 4000.0, semantic_weight: 0.0 };
        Self {
            timescales: vec![Timescale::default(), slow],
            precision: Precision::Double,
            temperature: 0.02,
        }
    }
}

impl LinearConfig {
    /// Checks every range of the tables.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] that names the parameter, [`PosteriorError::Empty`] without a
    /// timescale.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        if self.timescales.is_empty() {
            return Err(PosteriorError::Empty { what: "timescales" });
        }
        self.timescales.iter().try_for_each(Timescale::validate)?;
        let valid = self.temperature > 0.0 && self.temperature.is_finite();
        in_range("temperature", self.temperature, valid, "a positive number")
    }
}
