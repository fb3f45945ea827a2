//! Whether a predictive's probabilities hold, over everything that could have come next.

use std::error::Error;
use std::fmt;

use proclivity::Ensemble;
use proclivity::eval::{Case, Evaluation, FullRanking};
use proclivity::posterior::{Reliability, ReliabilityGroups};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cold::mean;

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

/// A line for the model, one for popularity, and one for each row of an ablation.
impl fmt::Display for Evaluated {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let line = |of: &dyn Fn(&str) -> f64| {
            let [hr, ndcg, mrr, loss] = ["hr@10", "ndcg@10", "mrr", "log_loss"].map(of);
            format!("HR@10 {hr:.4}  NDCG@10 {ndcg:.4}  MRR {mrr:.4}  log loss {loss:.3}")
        };
        let (ours, theirs) = (&self.json, &self.json["popularity"]);
        writeln!(to, "{:<26} {}", self.name, line(&|metric| number(&ours[metric])))?;
        write!(to, "{:<26} {}", "  popularity", line(&|metric| number(&theirs[metric])))?;
        for row in ours.get("ablation").and_then(Value::as_array).into_iter().flatten() {
            let [hr, ndcg] = ["hr@10", "ndcg@10"].map(|metric| number(&row[metric]));
            let [mean, low, high] = ["mean", "low", "high"].map(|part| number(&row["loss"][part]));
            write!(
                to,
                "\n  {:<24} HR@10 {hr:.4}  NDCG@10 {ndcg:.4}  the ensemble has {mean:+.4} ({low:+.4} to {high:+.4})",
                row["ensemble"].as_str().unwrap_or_default()
            )?;
        }
        Ok(())
    }
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

/// Log loss and deciles on validation, each half under a calibration that was learned on the other:
/// what differs on the test has drifted. Nothing of a single case.
///
/// # Errors
/// What calibrating or ranking refuses.
pub fn cross_fit(
    mut ensemble: Ensemble<'_>,
    validation: &[Case<'_>],
    ranking: &FullRanking<'_>,
) -> Result<(f64, Vec<Decile>), Box<dyn Error>> {
    if validation.len() < 2 {
        return Ok((f64::NAN, Vec::new()));
    }
    let halves = [0, 1]
        .map(|half| validation.iter().skip(half).step_by(2).copied().collect::<Vec<Case<'_>>>());
    let (mut counted, mut losses) = (Reliability::new(), Vec::new());
    for (learned_on, half) in [(&halves[0], &halves[1]), (&halves[1], &halves[0])] {
        let calibration = ensemble.calibration(learned_on)?;
        let model = ensemble.calibrated(calibration)?;
        let evaluation = ranking.evaluate(&model, half, &|_| {})?;
        evaluation.reliability().into_iter().for_each(|part| counted.merge(part));
        losses.extend(evaluation.per_user().iter().filter_map(|user| user.log_prob));
        ensemble = model.into_ensemble();
    }
    Ok((-mean(&losses), deciles(&counted)))
}
