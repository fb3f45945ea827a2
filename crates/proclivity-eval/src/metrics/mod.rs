//! The metrics, a file each, with formula and source.
//!
//! # Conventions
//!
//! - **Ranks.** Metrics of accuracy see a user as [`RelevantRanks`]: the rank of each relevant
//!   item, counted from 1. They are the same for a list and for a full ranking.
//! - **Ties** count against us where the ranks come from
//!   [`rank_of`](proclivity_rank::rank_of). `ranx` and `trec_eval` break ties by position or id
//!   instead; without ties all agree.
//! - **Users without relevant items** have no [`RelevantRanks`] and stay out of every mean, as in
//!   `trec_eval`.
//! - **A relevant item that was not ranked** is a miss at every cutoff.
//! - **Short lists.** Precision at k divides by k and NDCG at k discounts up to k, however short
//!   the list: what is not listed is not found.
//! - **k = 0** finds nothing: every metric is 0.

mod calibration;
mod coverage;
mod f1;
mod hit_rate;
mod log_loss;
mod ndcg;
mod novelty;
mod precision;
mod ranks;
mod recall;
mod reciprocal_rank;

pub use calibration::{Calibration, CalibrationBin, CalibrationLine, Forecast};
pub use coverage::catalog_coverage;
pub use f1::f1;
pub use hit_rate::hit_rate;
pub use log_loss::log_loss;
pub use ndcg::ndcg;
pub use novelty::SelfInformation;
pub use precision::precision;
pub use ranks::RelevantRanks;
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;

/// The mean in order, so that it is the same to the last bit wherever it is computed; `None` of
/// nothing.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}
