#![doc = include_str!("../README.md")]

#[cfg(feature = "approximate")]
mod approximate;
mod best;
mod dot;
mod error;
mod explain;
mod mask;
mod rerank;
mod scan;
mod tie;
mod top_k;

#[cfg(feature = "approximate")]
pub use approximate::{Approximate, ApproximateConfig};
pub use error::RankError;
pub use explain::{Share, shares};
pub use mask::ItemMask;
pub use rerank::{
    CappedLists, CategoryCap, CategoryCapConfig, CosineSimilarity, Determinantal, Dpp, DppConfig,
    ExposureCap, ExposureCapConfig, Freshness, FreshnessConfig, InterestCalibration,
    InterestCalibrationConfig, Mmr, MmrConfig, Reranked,
};
pub use scan::{Filter, Scan, Scored, ScoredList};
pub use tie::TieBreak;
pub use top_k::{Ranked, Ranking, rank_of, top_k};
