//! The linear model: every next item at once by ridge regression around what the texts suggest.

mod accumulate;
mod config;
mod ease;
mod evidence;
mod family;
mod intervals;
mod model;
mod solve;
mod sparse;

pub use config::{LinearConfig, Precision, Timescale};
pub use ease::{Bag, Ease, EaseEvidence, EaseModel};
pub use evidence::LinearEvidence;
pub use family::{Linear, LinearSequence};
pub use intervals::IntervalFactor;
pub use model::{LinearModel, positive_log_scores};
