//! Whether a predictive's probabilities hold, over everything that could have come next.

use std::error::Error;

use ndarray::Array2;
use proclivity::eval::{Case, Evaluation};
use proclivity::posterior::{PosteriorError, Predictive, Reliability, ReliabilityGroups};
use rayon::prelude::*;
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
}

/// The deciles over all candidates of all cases: each has a tenth of the expected hits.
///
/// # Errors
/// When a probability is none.
pub fn deciles(
    predictive: &dyn Predictive,
    cases: &[Case<'_>],
) -> Result<Vec<Decile>, Box<dyn Error>> {
    let totals: Result<Vec<Reliability>, PosteriorError> = cases
        .par_chunks(32)
        .map(|cases| {
            let histories: Vec<&[u32]> = cases.iter().map(|case| case.history).collect();
            let mut log_probs = Array2::zeros((cases.len(), predictive.item_count()));
            predictive.log_probs_batch(&histories, log_probs.view_mut());
            let mut total = Reliability::new();
            for (case, mut log_probs) in cases.iter().zip(log_probs.rows_mut()) {
                case.history.iter().for_each(|&x| log_probs[x as usize] = f64::NEG_INFINITY);
                let highest = log_probs.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                let mass = log_probs.iter().map(|p| (p - highest).exp()).sum::<f64>();
                let log_mass = highest + mass.ln();
                for (item, &log_prob) in log_probs.iter().enumerate() {
                    if log_prob > f64::NEG_INFINITY {
                        let happened = item == case.target as usize;
                        total.add((log_prob - log_mass).min(0.0), happened)?;
                    }
                }
            }
            Ok(total)
        })
        .collect();
    let mut total = Reliability::new();
    totals?.iter().for_each(|part| total.merge(part));
    let groups = total.groups(10, ReliabilityGroups::Expected);
    Ok(groups
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
        .collect())
}
