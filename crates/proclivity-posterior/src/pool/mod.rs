//! Pooling of members: a log-linear pool that ranks, and a splice that gives it probabilities.

mod candidates;
mod log_linear;
mod newton;
mod ranking;
mod reliability;
mod splice;
mod splice_loss;
mod temperature;

pub use candidates::{Candidates, SpliceEvent};
pub use log_linear::LogLinearPool;
pub use ranking::{RankRange, RankingCase, WeightSearch, coordinate_search};
pub use reliability::{Reliability, ReliabilityBin, ReliabilityGroups};
pub use splice::{Splice, SpliceConfig};
pub use temperature::inverse_temperature;
