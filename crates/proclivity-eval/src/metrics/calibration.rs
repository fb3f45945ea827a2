//! Calibration: whether what is said to happen with probability p happens in p of all cases.

use serde::Serialize;

use crate::EvalError;

/// One stated probability and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The stated probability that it happens.
    pub probability: f64,
    /// Whether it happened.
    pub happened: bool,
}

/// Predictions of similar probability, as a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// How many predictions.
    pub count: usize,
    /// The lowest stated probability.
    pub lowest: f64,
    /// The highest stated probability.
    pub highest: f64,
    /// How many were expected to happen: the sum of the probabilities.
    pub expected: f64,
    /// How many happened.
    pub observed: usize,
}

impl CalibrationBin {
    /// Expected over observed: 1 if calibrated, above 1 if the probabilities are too high; `None`
    /// where nothing happened.
    pub fn ratio(&self) -> Option<f64> {
        (self.observed > 0).then(|| self.expected / self.observed as f64)
    }
}

/// The line logit P(happened) = intercept + slope · logit(probability).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationLine {
    /// 0 if calibrated.
    pub intercept: f64,
    /// 1 if calibrated, below 1 if the probabilities are too extreme.
    pub slope: f64,
}

/// How far stated probabilities hold.
///
/// # Formula
/// ECE = Σ over bins b of |expected_b − observed_b| / n
///
/// The bins are deciles: the predictions, sorted by probability, in ten groups of the same size
/// (give or take one; fewer groups where there are fewer predictions). The line is fitted by
/// maximum likelihood, with probabilities kept 10⁻¹² away from 0 and 1.
///
/// # Source
/// M. P. Naeini, G. F. Cooper and M. Hauskrecht. *Obtaining well calibrated probabilities using
/// Bayesian binning.* AAAI 2015 (ECE); D. R. Cox. *Two further applications of a model for binary
/// regression.* Biometrika 45, 1958 (line).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// How many predictions.
    pub count: usize,
    /// How many were expected to happen.
    pub expected: f64,
    /// How many happened.
    pub observed: usize,
    /// The expected calibration error.
    pub ece: f64,
    /// The fitted line; `None` where the data have none: all or nothing happened, every
    /// probability is the same, or a threshold on them separates what happened perfectly.
    pub line: Option<CalibrationLine>,
    /// The deciles, by ascending probability.
    pub deciles: Vec<CalibrationBin>,
}

impl Calibration {
    /// Measures these predictions, in any order.
    ///
    /// # Errors
    /// [`EvalError::InvalidProbability`] outside of 0 to 1.
    pub fn measure(mut predictions: Vec<Forecast>) -> Result<Self, EvalError> {
        for (position, prediction) in predictions.iter().enumerate() {
            if !(0.0..=1.0).contains(&prediction.probability) {
                return Err(EvalError::InvalidProbability {
                    position,
                    value: prediction.probability,
                });
            }
        }
        // Stable, so that what happened plays no part in which bin a prediction falls into.
        predictions.sort_by(|a, b| a.probability.total_cmp(&b.probability));
        let count = predictions.len();
        let deciles: Vec<CalibrationBin> = (0..10)
            .filter_map(|decile| bin(&predictions[count * decile / 10..count * (decile + 1) / 10]))
            .collect();
        let gap = |bin: &CalibrationBin| (bin.expected - bin.observed as f64).abs();
        Ok(Self {
            count,
            expected: deciles.iter().map(|bin| bin.expected).sum(),
            observed: deciles.iter().map(|bin| bin.observed).sum(),
            ece: deciles.iter().map(gap).sum::<f64>() / count.max(1) as f64,
            line: fit_line(&predictions),
            deciles,
        })
    }
}

fn bin(predictions: &[Forecast]) -> Option<CalibrationBin> {
    let (first, last) = (predictions.first()?, predictions.last()?);
    Some(CalibrationBin {
        count: predictions.len(),
        lowest: first.probability,
        highest: last.probability,
        expected: predictions.iter().map(|p| p.probability).sum(),
        observed: predictions.iter().filter(|p| p.happened).count(),
    })
}

/// Newton's method from the calibrated line, halving steps that lose likelihood.
fn fit_line(predictions: &[Forecast]) -> Option<CalibrationLine> {
    const EDGE: f64 = 1e-12;
    let points: Vec<(f64, f64)> = predictions
        .iter()
        .map(|prediction| {
            let p = prediction.probability.clamp(EDGE, 1.0 - EDGE);
            ((p / (1.0 - p)).ln(), f64::from(u8::from(prediction.happened)))
        })
        .collect();
    let overlap = {
        let of = |happened: f64| {
            let logits = points.iter().filter(move |point| point.1 == happened);
            logits.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &(x, _)| {
                (low.min(x), high.max(x))
            })
        };
        let ((low_0, high_0), (low_1, high_1)) = (of(0.0), of(1.0));
        low_0 < high_1 && low_1 < high_0
    };
    if !overlap {
        return None;
    }
    let log_likelihood = |[intercept, slope]: [f64; 2]| -> f64 {
        let terms = points.iter().map(|&(x, y)| {
            let logit = intercept + slope * x;
            // ln(1 + e^logit) without overflow.
            y * logit - (logit.max(0.0) + (-logit.abs()).exp().ln_1p())
        });
        terms.sum()
    };
    let mut line = [0.0, 1.0];
    let mut best = log_likelihood(line);
    for _ in 0..100 {
        let (mut gradient, mut information) = ([0.0; 2], [0.0; 3]);
        for &(x, y) in &points {
            let p = 1.0 / (1.0 + (-(line[0] + line[1] * x)).exp());
            let weight = p * (1.0 - p);
            gradient[0] += y - p;
            gradient[1] += (y - p) * x;
            information[0] += weight;
            information[1] += weight * x;
            information[2] += weight * x * x;
        }
        let determinant = information[0] * information[2] - information[1] * information[1];
        let mut step = [
            (information[2] * gradient[0] - information[1] * gradient[1]) / determinant,
            (information[0] * gradient[1] - information[1] * gradient[0]) / determinant,
        ];
        if !step.iter().all(|step| step.is_finite()) {
            return None;
        }
        let (next, likelihood) = loop {
            let next = [line[0] + step[0], line[1] + step[1]];
            let likelihood = log_likelihood(next);
            // Close to the maximum a good step's gain drowns in rounding: let that pass.
            if likelihood >= best - 1e-9 * best.abs() || step.iter().all(|step| step.abs() < 1e-12)
            {
                break (next, likelihood);
            }
            step = step.map(|step| step / 2.0);
        };
        (line, best) = (next, likelihood);
        if step.iter().all(|step| step.abs() < 1e-10) {
            break;
        }
    }
    Some(CalibrationLine { intercept: line[0], slope: line[1] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `hits` of `count` predictions of this probability happened.
    fn group(probability: f64, hits: usize, count: usize) -> impl Iterator<Item = Forecast> {
        (0..count).map(move |i| Forecast { probability, happened: i < hits })
    }

    #[test]
    fn a_calibrated_forecast_is_measured_as_such() {
        let predictions: Vec<_> = (1..10)
            .flat_map(|tenth| group(f64::from(tenth) / 10.0, 10 * tenth as usize, 100))
            .collect();
        let calibration = Calibration::measure(predictions).unwrap();
        let line = calibration.line.unwrap();
        assert!(line.intercept.abs() < 1e-9 && (line.slope - 1.0).abs() < 1e-9);
        assert_eq!(calibration.observed, 450);
        assert!((calibration.expected - 450.0).abs() < 1e-9);
    }

    #[test]
    fn two_groups_worked_by_hand() {
        // Stated .1 and .9, true .2 and .8: the line goes through both points, so that
        // slope = logit(.8)/logit(.9) and intercept = 0 by symmetry.
        let predictions = group(0.1, 2, 10).chain(group(0.9, 8, 10)).collect();
        let calibration = Calibration::measure(predictions).unwrap();
        let line = calibration.line.unwrap();
        assert!((line.slope - 4.0_f64.ln() / 9.0_f64.ln()).abs() < 1e-9);
        assert!(line.intercept.abs() < 1e-9);
        assert_eq!(calibration.deciles.len(), 10);
        assert_eq!(calibration.deciles[0].count, 2);
        // Bins of two: .1·2 − 2 once, .1·2 − 0 four times, and the same mirrored.
        assert!((calibration.ece - 2.0 * (1.8 + 4.0 * 0.2) / 20.0).abs() < 1e-12);
        assert_eq!(calibration.deciles[1].ratio(), None);
    }

    #[test]
    fn where_there_is_no_line_none_is_claimed() {
        let measure = |predictions: Vec<Forecast>| Calibration::measure(predictions).unwrap();
        assert_eq!(measure(vec![]).line, None);
        assert_eq!(measure(vec![]).ece, 0.0);
        assert_eq!(measure(group(0.3, 1, 10).collect()).line, None);
        assert_eq!(measure(group(0.3, 0, 5).chain(group(0.4, 0, 5)).collect()).line, None);
        assert_eq!(measure(group(0.3, 0, 5).chain(group(0.4, 5, 5)).collect()).line, None);
        for value in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(
                Calibration::measure(group(value, 0, 1).collect()),
                Err(EvalError::InvalidProbability { position: 0, .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn the_line_is_stationary_and_the_error_in_range(
            cases in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 0..200)
        ) {
            let predictions = cases.iter().map(|&(probability, happened)| Forecast { probability, happened });
            let calibration = Calibration::measure(predictions.collect()).unwrap();
            prop_assert!((0.0..=1.0).contains(&calibration.ece));
            prop_assert_eq!(calibration.deciles.iter().map(|bin| bin.count).sum::<usize>(), cases.len());
            if let Some(line) = calibration.line {
                // The score equations of the maximum: residuals sum to zero, also weighted by x.
                let (mut sum, mut weighted) = (0.0, 0.0);
                for (p, happened) in cases {
                    let p = p.clamp(1e-12, 1.0 - 1e-12);
                    let x = (p / (1.0 - p)).ln();
                    let residual = f64::from(u8::from(happened))
                        - 1.0 / (1.0 + (-line.intercept - line.slope * x).exp());
                    sum += residual;
                    weighted += residual * x;
                }
                prop_assert!(sum.abs() < 1e-6 && weighted.abs() < 1e-5, "{sum} {weighted}");
            }
        }
    }
}
