//! Several models of what comes next as one: fitted, pooled, chosen on validation, calibrated.

mod calibrate;
mod config;
mod fitted;
mod hypotheses;
mod member;
mod select;
mod weigh;

pub use calibrate::{CalibratedEnsemble, Calibration};
pub use config::{EnsembleConfig, MemberConfig, WeightedMember};
pub use fitted::Ensemble;
pub use hypotheses::{HypothesisPrompt, score_hypotheses};
pub(crate) use member::normalize_rows;
pub use member::{EnsembleData, ItemTexts};
pub use select::{EnsembleSearch, EnsembleSelection, Trial};
