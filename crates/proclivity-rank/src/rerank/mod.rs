//! Re-ranking of a list of candidates by more than their probabilities.

mod candidates;
mod category_cap;
mod dpp;
mod exposure;
mod freshness;
mod interest_calibration;
mod mmr;
mod similarity;

pub use candidates::Reranked;
pub use category_cap::{CategoryCap, CategoryCapConfig};
pub use dpp::{Determinantal, Dpp, DppConfig};
pub use exposure::{CappedLists, ExposureCap, ExposureCapConfig};
pub use freshness::{Freshness, FreshnessConfig};
pub use interest_calibration::{InterestCalibration, InterestCalibrationConfig};
pub use mmr::{Mmr, MmrConfig};
pub use similarity::CosineSimilarity;
