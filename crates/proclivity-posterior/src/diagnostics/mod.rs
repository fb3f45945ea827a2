//! What tells whether a belief can be trusted: calibration, coverage, contraction, identifiability, checks.

mod contraction;
mod coverage;
mod identifiability;
mod predictive_check;
mod sbc;
mod uniformity;

pub use contraction::{Moments, contraction, dirichlet_divergence};
pub use coverage::{Coverage, CoverageConfig, Credible};
pub use identifiability::Identifiability;
pub use predictive_check::{
    PredictiveCheck, PredictiveCheckConfig, category_entropy, mean_log_popularity, repeat_rate,
};
pub use sbc::{Replicate, SbcConfig, SbcQuantity, SbcReport};
pub use uniformity::{Uniformity, UniformityBand};
