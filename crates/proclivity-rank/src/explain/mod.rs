//! What a recommendation is made of, what moved it, and where it would stand otherwise.

mod aumann_shapley;
mod counterfactual;
mod shares;

pub use aumann_shapley::{Attribution, attribute_log_prob, aumann_shapley};
pub use counterfactual::{CounterfactualRank, counterfactual_ranks};
pub use shares::{Share, shares};
