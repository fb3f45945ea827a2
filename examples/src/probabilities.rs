//! Whether a predictive's probabilities hold, over everything that could have come next.

use proclivity::eval::Evaluation;
use proclivity::posterior::{Reliability, ReliabilityGroups};
use serde::Serialize;
use serde_json::{Map, Value};

/// A tenth of the expected hits, by rising probability.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Decile {
    /// How many predictions.
    pub predictions: u64,
    /// The sum of their probabilities.
    pub expected: f64,
    /// How many came true.
    pub observed: u64,
    /// Expected over observed.
    pub ratio: Option<f64>,
    /// Its 95 % interval, from the count's standard error.
    pub interval: Option<[f64; 2]>,
}

/// What one variant has shown.
pub struct Evaluated {
    /// `train_only` or `refit`.
    pub name: &'static str,
    /// Every user's list.
    pub evaluation: Evaluation,
    /// What is printed as JSON.
    pub json: Map<String, Value>,
    /// Over all candidates.
    pub deciles: Vec<Decile>,
    /// The same on validation, each half under a calibration that was learned on the other.
    pub validation_deciles: Vec<Decile>,
}

/// The deciles of what was counted: each has a tenth of the expected hits.
pub fn deciles(counted: &Reliability) -> Vec<Decile> {
    let groups = counted.groups(10, ReliabilityGroups::Expected);
    groups
        .iter()
        .map(|group| {
            let spread = 1.96 * (group.observed as f64).sqrt() / group.expected;
            let observed = group.observed as f64 / group.expected;
            Decile {
                predictions: group.predictions,
                expected: group.expected,
                observed: group.observed,
                ratio: group.ratio(),
                interval: (observed > spread)
                    .then(|| [1.0 / (observed + spread), 1.0 / (observed - spread)]),
            }
        })
        .collect()
}
