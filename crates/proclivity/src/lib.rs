#![doc = include_str!("../README.md")]

mod config;
mod ensemble;
mod error;
mod language;
mod learn;
mod recommender;
mod select;
mod user;
mod views;

pub use config::{EvidenceWeights, RecommenderConfig};
pub use ensemble::{
    CalibratedEnsemble, Calibration, Ensemble, EnsembleConfig, EnsembleData, EnsembleSearch,
    EnsembleSelection, HypothesisPrompt, ItemTexts, MemberConfig, Trial, WeightedMember,
    score_hypotheses,
};
pub use error::ProclivityError;
pub use language::first_item_distribution;
pub use learn::{LearnConfig, Learned, LearningData, behaviour_text, first_occurrences, learn};
pub use recommender::{FitReport, Recommender, Source, TrainingData};
pub use select::{item_counts, select_next_step};
pub use user::UserState;
pub use views::{ViewWeights, fuse_item_views};

pub use proclivity_data as data;
pub use proclivity_encoder as encoder;
pub use proclivity_eval as eval;
pub use proclivity_posterior as posterior;
pub use proclivity_rank as rank;
pub use proclivity_schema as schema;
pub use proclivity_text as text;
