//! What next-step can be told: how to count, smooth and mix.

use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;

/// How [`NextStep`](crate::NextStep) counts, smooths and mixes.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `window` | 30 | how many steps ahead an event still counts | from 1 |
/// | `step_decay` | 0.8 | weight of each further step | (0, 1] |
/// | `symmetric_share` | 0.5 | weight of what came before beside what came after | \[0, 1\] |
/// | `kernel_smoothing` | 0.5 | weight of the counts of items with close texts | from 0 |
/// | `prior_strength` | 20 | events that the prior of a row is worth | above 0 |
/// | `popularity_share` | 0.1 | popularity's share of a row's prior, the kernel has the rest; all of it for an item without neighbours | (0, 1] |
/// | `popularity_strength` | 100 | events spread evenly over the catalog in popularity | above 0 |
/// | `history_decay` | 0.5 | weight of each older item of the history | (0, 1] |
/// | `slow_history_decay` | 0.9 | the same on a second, slower timescale: lasting taste beside the moment | (0, 1] |
/// | `slow_share` | 0 | the slow timescale's share of the predictive | \[0, 1\] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct NextStepConfig {
    pub window: usize,
    pub step_decay: f64,
    pub symmetric_share: f64,
    pub kernel_smoothing: f64,
    pub prior_strength: f64,
    pub popularity_share: f64,
    pub popularity_strength: f64,
    pub history_decay: f64,
    pub slow_history_decay: f64,
    pub slow_share: f64,
}

impl Default for NextStepConfig {
    fn default() -> Self {
        Self {
            window: 30,
            step_decay: 0.8,
            symmetric_share: 0.5,
            kernel_smoothing: 0.5,
            prior_strength: 20.0,
            popularity_share: 0.1,
            popularity_strength: 100.0,
            history_decay: 0.5,
            slow_history_decay: 0.9,
            slow_share: 0.0,
        }
    }
}

impl NextStepConfig {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        in_range("window", self.window as f64, self.window > 0, "a number from 1")?;
        for (name, share) in [
            ("step_decay", self.step_decay),
            ("popularity_share", self.popularity_share),
            ("history_decay", self.history_decay),
            ("slow_history_decay", self.slow_history_decay),
        ] {
            in_range(name, share, share > 0.0 && share <= 1.0, "in (0, 1]")?;
        }
        for (name, share) in
            [("symmetric_share", self.symmetric_share), ("slow_share", self.slow_share)]
        {
            in_range(name, share, (0.0..=1.0).contains(&share), "in [0, 1]")?;
        }
        for (name, strength) in [
            ("prior_strength", self.prior_strength),
            ("popularity_strength", self.popularity_strength),
        ] {
            in_range(name, strength, positive(strength), "a positive number")?;
        }
        let smoothing = self.kernel_smoothing;
        let valid = smoothing >= 0.0 && smoothing.is_finite();
        in_range("kernel_smoothing", smoothing, valid, "a finite number from 0")
    }

    /// Every parameter, for a fingerprint.
    pub(super) fn parameters(&self) -> [f64; 10] {
        [
            self.window as f64,
            self.step_decay,
            self.symmetric_share,
            self.kernel_smoothing,
            self.prior_strength,
            self.popularity_share,
            self.popularity_strength,
            self.history_decay,
            self.slow_history_decay,
            self.slow_share,
        ]
    }
}
