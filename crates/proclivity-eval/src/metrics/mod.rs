//! The metrics, a file each, with formula and source.
//!
//! # Conventions
//!
//! - **Ranks.** Metrics of accuracy see a user as [`RelevantRanks`], or as [`GradedRanks`] where
//!   items are relevant to different degrees: the rank of each relevant item, counted from 1. They
//!   are the same for a list and for a full ranking.
//! - **Ties** count against us where the ranks come from
//!   [`rank_of`](proclivity_rank::rank_of). `ranx` and `trec_eval` break ties by position or id
//!   instead; without ties all agree. In [`auc`](auc()) ties count half, which is its definition;
//!   in [`Pit`] they share their interval.
//! - **Users without relevant items** have no [`RelevantRanks`] and stay out of every mean, as in
//!   `trec_eval`. Values that a user lacks (`None`: the AUC of a user without other candidates, the
//!   diversity of a list of one) stay out of it too; in [`by_group`] they are NaN and counted.
//! - **A relevant item that was not ranked** is a miss at every cutoff.
//! - **Short lists.** Precision and serendipity at k divide by k and NDCG at k discounts up to k,
//!   however short the list: what is not listed is not found. Means over the list itself (novelty,
//!   diversity, calibration to the user) are over what is in it.
//! - **k = 0** finds nothing: every metric is 0.
//! - **Items outside of the catalog** count neither as covered, nor as exposed, nor as novel.
//!
//! # Where others differ
//!
//! | metric | we agree with | and differ from |
//! |---|---|---|
//! | precision, recall, HR, MRR | `ranx`, `trec_eval`, RecBole | RecBole's MRR@k is cut at k |
//! | F1 | `ranx` | |
//! | NDCG | `ranx`, `trec_eval`, RecBole; graded `ranx` with both gains, `trec_eval` and `scikit-learn` with the linear one | |
//! | MAP | `ranx`, `trec_eval` | RecBole divides by min(k, relevant items) |
//! | AUC | `scikit-learn` and RecBole's GAUC, of one user | RecBole weights users, or pools them |
//! | RBP | `ranx`, of grades 0 and 1 | `ranx` multiplies by higher grades |
//! | coverage, Gini | RecBole | |
//! | entropy of exposure | RecBole before its division by the number of items shown | RecBole |
//! | diversity, calibration to the user, PIT test | SciPy's cosine distances, relative entropy, Kolmogorov–Smirnov test | |
//! | means by group | pandas | |
//!
//! Serendipity, novelty and log loss have no counterpart in these; their tests have values worked
//! by hand and their laws.

mod auc;
mod average_precision;
mod calibration;
mod coverage;
mod diversity;
mod exposure;
mod f1;
mod graded_ndcg;
mod graded_ranks;
mod group;
mod hit_rate;
mod list_calibration;
mod log_loss;
mod ndcg;
mod novelty;
mod pit;
mod precision;
mod rank_biased_precision;
mod ranks;
mod recall;
mod reciprocal_rank;
mod serendipity;

pub use auc::auc;
pub use average_precision::average_precision;
pub use calibration::{Calibration, CalibrationBin, CalibrationLine, Forecast};
pub use coverage::catalog_coverage;
pub use diversity::intra_list_diversity;
pub use exposure::Exposure;
pub use f1::f1;
pub use graded_ndcg::{Gain, graded_ndcg};
pub use graded_ranks::GradedRanks;
pub use group::{GroupMean, by_group};
pub use hit_rate::hit_rate;
pub use list_calibration::calibration_divergence;
pub use log_loss::log_loss;
pub use ndcg::ndcg;
pub use novelty::SelfInformation;
pub use pit::{Pit, PitInterval, UniformityTest};
pub use precision::precision;
pub use rank_biased_precision::{Persistence, rank_biased_precision};
pub use ranks::RelevantRanks;
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;
pub use serendipity::serendipity;

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
