//! Several models of what comes next as one: fitted, pooled, chosen on validation, calibrated.

mod calibrate;
mod candidates;
mod config;
mod fitted;
mod hypotheses;
mod member;
mod select;
mod texts;
mod weigh;

pub use calibrate::{CalibratedEnsemble, Calibration};
pub use config::{EnsembleConfig, MemberConfig, WeightedMember};
pub use fitted::Ensemble;
pub use hypotheses::{HypothesisPrompt, score_hypotheses};
pub use member::EnsembleData;
pub use select::{EnsembleSearch, EnsembleSelection, Trial};
pub use texts::ItemTexts;
pub(crate) use texts::normalize_rows;
