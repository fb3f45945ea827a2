//! What another policy would have earned, from the log of a random one.

mod estimate;
mod log;
mod weights;

pub use estimate::{OffPolicyConfig, OffPolicyEstimate, Predicted};
pub use log::{LoggedItem, RankingLog};
pub use weights::{Interaction, WeightSummary};
