#![doc = include_str!("../README.md")]

mod error;
mod explain;
mod rerank;
mod tie;
mod top_k;

pub use error::RankError;
pub use explain::{Share, shares};
pub use rerank::{
    CappedLists, CategoryCap, CategoryCapConfig, CosineSimilarity, Determinantal, Dpp, DppConfig,
    ExposureCap, ExposureCapConfig, Freshness, FreshnessConfig, InterestCalibration,
    InterestCalibrationConfig, Mmr, MmrConfig, Reranked,
};
pub use tie::TieBreak;
pub use top_k::{Ranked, Ranking, rank_of, top_k};
