#![doc = include_str!("../README.md")]

mod error;
mod explain;
mod explore;
mod log_sum_exp;
mod tie;
mod top_k;

pub use error::RankError;
pub use explain::{
    Attribution, CounterfactualRank, Share, attribute_log_prob, aumann_shapley,
    counterfactual_ranks, shares,
};
pub use explore::{
    PlackettLuce, Propensities, Propensity, PropensityConfig, Scored, ScoredList, rank_by_scores,
    thompson_list, upper_confidence_list,
};
pub use tie::TieBreak;
pub use top_k::{Ranked, Ranking, rank_of, top_k};
