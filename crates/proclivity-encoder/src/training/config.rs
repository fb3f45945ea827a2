//! How weights are optimised, with ranges that are checked.

use serde::{Deserialize, Serialize};

use crate::EncoderError;

/// How weights are optimised: AdamW with a schedule, and when to stop.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `learning_rate` | 0.001 | AdamW's rate after the warm-up | over 0, to 1 |
/// | `schedule` | constant | how the rate falls after the warm-up | constant, linear, cosine |
/// | `warm_up` | 0 | share of all steps over which the rate rises | 0 to 1 |
/// | `final_share` | 0 | share of the rate that a falling schedule ends with | 0 to 1 |
/// | `weight_decay` | 0.01 | AdamW's decoupled decay | 0 to 1 |
/// | `beta_1` | 0.9 | decay of the gradient's average | 0 to below 1 |
/// | `beta_2` | 0.999 | decay of the squared gradient's average | 0 to below 1 |
/// | `epsilon` | 1e-8 | added to the root of the squared gradient's average | over 0, to 1 |
/// | `gradient_norm` | 1 | the gradient of all weights together is clipped to this norm | over 0 |
/// | `accumulation` | 1 | batches whose gradients make one step | 1 to 10000 |
/// | `averaging` | 0 | decay of the average of weights that is validated and kept; 0: the weights themselves | 0 to below 1 |
/// | `patience` | 3 | stop after this many epochs without a better validation | from 1 |
/// | `checkpoint_steps` | 1000 | steps between two checkpoints within an epoch; there is one behind each epoch, too | from 1 |
/// | `seed` | 0 | of weights, order and dropout | any |
///
/// # Formula
/// The average begins as the mean of what there is: with decay d, step t weighs
/// 1 − min(d, (1 + t) / (10 + t)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct OptimizerConfig {
    pub learning_rate: f64,
    pub schedule: Schedule,
    pub warm_up: f64,
    pub final_share: f64,
    pub weight_decay: f64,
    pub beta_1: f64,
    pub beta_2: f64,
    pub epsilon: f64,
    pub gradient_norm: f64,
    pub accumulation: usize,
    pub averaging: f64,
    pub patience: usize,
    pub checkpoint_steps: usize,
    pub seed: u64,
}

/// How the learning rate falls from the warm-up to the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// In a line.
    Linear,
    /// In half a cosine.
    Cosine,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warm_up: 0.0,
            final_share: 0.0,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            gradient_norm: 1.0,
            accumulation: 1,
            averaging: 0.0,
            patience: 3,
            checkpoint_steps: 1000,
            seed: 0,
        }
    }
}

impl OptimizerConfig {
    pub(crate) fn validate(&self) -> Result<(), EncoderError> {
        let (positive, below_1) = (f64::MIN_POSITIVE, 1.0_f64.next_down());
        real("learning_rate", self.learning_rate, positive..=1.0, "over 0, to 1")?;
        real("warm_up", self.warm_up, 0.0..=1.0, "0 to 1")?;
        real("final_share", self.final_share, 0.0..=1.0, "0 to 1")?;
        real("weight_decay", self.weight_decay, 0.0..=1.0, "0 to 1")?;
        real("beta_1", self.beta_1, 0.0..=below_1, "0 to below 1")?;
        real("beta_2", self.beta_2, 0.0..=below_1, "0 to below 1")?;
        real("epsilon", self.epsilon, positive..=1.0, "over 0, to 1")?;
        real("gradient_norm", self.gradient_norm, positive..=f64::MAX, "over 0")?;
        whole("accumulation", self.accumulation, 1, 10_000, "1 to 10000")?;
        real("averaging", self.averaging, 0.0..=below_1, "0 to below 1")?;
        whole("patience", self.patience, 1, usize::MAX, "from 1")?;
        whole("checkpoint_steps", self.checkpoint_steps, 1, usize::MAX, "from 1")
    }

    /// The learning rate of a step, counted from 0, of so many.
    pub(crate) fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        let warm_up = self.warm_up * steps as f64;
        let done = step as f64 + 1.0;
        if done < warm_up {
            return self.learning_rate * done / warm_up;
        }
        let fallen = (done - warm_up) / (steps as f64 - warm_up).max(1.0);
        let share = match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - fallen,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * fallen).cos()),
        };
        let last = if self.schedule == Schedule::Constant { 0.0 } else { self.final_share };
        self.learning_rate * (last + (1.0 - last) * share)
    }
}

/// Refuses a whole number out of its range.
pub(crate) fn whole(
    field: &'static str,
    value: usize,
    least: usize,
    most: usize,
    expected: &'static str,
) -> Result<(), EncoderError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(EncoderError::InvalidConfig { field, value: value as f64, expected })
    }
}

/// Refuses a real number out of its range.
pub(crate) fn real(
    field: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), EncoderError> {
    if range.contains(&value) {
        Ok(())
    } else {
        Err(EncoderError::InvalidConfig { field, value, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall_as_pytorch_s_schedules_do() {
        let rates = |schedule, warm_up| {
            let config = OptimizerConfig { schedule, warm_up, ..Default::default() };
            (0..10).map(|step| config.learning_rate(step, 10) * 1e3).collect::<Vec<_>>()
        };
        let close = |got: &[f64], expected: &[f64]| {
            assert_eq!(got.len(), expected.len());
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
        };
        close(&rates(Schedule::Constant, 0.5), &[0.2, 0.4, 0.6, 0.8, 1., 1., 1., 1., 1., 1.]);
        close(&rates(Schedule::Linear, 0.0), &[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]);
        // CosineAnnealingLR(T_max=10) of PyTorch after its first step.
        let cosine = rates(Schedule::Cosine, 0.0);
        close(&cosine[..3], &[0.975528258, 0.904508497, 0.793892626]);
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let bad = OptimizerConfig { beta_2: 1.0, ..Default::default() };
        assert!(matches!(bad.validate(), Err(EncoderError::InvalidConfig { field: "beta_2", .. })));
        let bad = OptimizerConfig { gradient_norm: f64::NAN, ..Default::default() };
        assert!(bad.validate().is_err());
        assert!(OptimizerConfig::default().validate().is_ok());
    }
}
