#![doc = include_str!("../README.md")]

mod baselines;
mod bootstrap;
mod error;
pub mod metrics;
mod off_policy;
mod paired;
mod predictions;
mod protocol;
mod randomization;
#[cfg(feature = "report")]
pub mod report;
mod resumable;
mod search;
mod splits;
mod summary;

pub use baselines::{EaseBaseline, ItemKnn, ItemKnnConfig, Popularity, Random, Recency};
pub use bootstrap::{PairedBootstrap, paired_bootstrap};
pub use error::EvalError;
pub use off_policy::{
    Interaction, LoggedItem, OffPolicyConfig, OffPolicyEstimate, Predicted, RankingLog,
    WeightSummary,
};
pub use predictions::write_predictions;
pub use protocol::{Case, Evaluation, FullRanking, FullRankingConfig, UserResult};
pub use randomization::{PairedRandomization, paired_randomization};
pub use resumable::{data_fingerprint, resumable_search};
pub use search::{Axis, Search, Trial, coordinate_search};
pub use splits::{Split, Targets};
pub use summary::Summary;
