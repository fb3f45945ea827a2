//! The shape of a Dirichlet network and how it is trained, with ranges that are checked.

use serde::{Deserialize, Serialize};

use crate::EncoderError;
use crate::training::{OptimizerConfig, Schedule, whole};

/// The shape of a Dirichlet network and how it is trained.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `width` | 64 | units of each hidden layer | 1 to 4096 |
/// | `components` | 4 | of each mixture | 1 to 256 |
/// | `epochs` | 20 | epochs at most | 1 to 10000 |
/// | `steps_per_epoch` | 200 | optimiser steps between two validations | from 1 |
/// | `users_per_step` | 256 | users drawn for a step | from 1 |
/// | `validation_users` | 4000 | users drawn once for all validations | from 1 |
/// | `optimizer` | rate 0.003, cosine, warm-up 0.05, averaging 0.99, no weight decay | | [`OptimizerConfig`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct DirichletNetworkConfig {
    pub width: usize,
    pub components: usize,
    pub epochs: usize,
    pub steps_per_epoch: usize,
    pub users_per_step: usize,
    pub validation_users: usize,
    pub optimizer: OptimizerConfig,
}

impl Default for DirichletNetworkConfig {
    fn default() -> Self {
        Self {
            width: 64,
            components: 4,
            epochs: 20,
            steps_per_epoch: 200,
            users_per_step: 256,
            validation_users: 4000,
            optimizer: OptimizerConfig {
                learning_rate: 3e-3,
                schedule: Schedule::Cosine,
                warm_up: 0.05,
                averaging: 0.99,
                weight_decay: 0.0,
                patience: usize::MAX,
                ..OptimizerConfig::default()
            },
        }
    }
}

impl DirichletNetworkConfig {
    pub(super) fn validate(&self) -> Result<(), EncoderError> {
        whole("width", self.width, 1, 4096, "1 to 4096")?;
        whole("components", self.components, 1, 256, "1 to 256")?;
        whole("epochs", self.epochs, 1, 10_000, "1 to 10000")?;
        whole("steps_per_epoch", self.steps_per_epoch, 1, usize::MAX, "from 1")?;
        whole("users_per_step", self.users_per_step, 1, usize::MAX, "from 1")?;
        whole("validation_users", self.validation_users, 1, usize::MAX, "from 1")
    }
}
