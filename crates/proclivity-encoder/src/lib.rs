#![doc = include_str!("../README.md")]

/// Runs the code of the pages.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../docs/encoders.md")]
    struct Encoders;
    #[doc = include_str!("../docs/fine-tuning.md")]
    struct FineTuning;
    #[doc = include_str!("../docs/next-item.md")]
    struct NextItem;
}

mod amortized;
mod bert;
mod cache;
mod causal;
mod checkpoint;
mod decoder;
mod device;
mod error;
mod finetune;
#[cfg(feature = "gguf")]
mod gguf;
#[cfg(feature = "hub")]
mod hub;
mod model;
mod next_item;
mod parameters;
mod product;
mod steps;
mod training;
mod vectorized;
mod weights;

pub use amortized::{DirichletNetwork, DirichletNetworkConfig, ShareSimulator, SimulatedUser};
pub use bert::BertEncoder;
pub use cache::{embed_cached, score_cached};
pub use causal::{CausalConfig, CausalModel, Segment, TrainConfig, TrainReport};
pub use decoder::{Constraint, Decoder, Finish, GenerateConfig, Generated, TokenScore};
pub use device::ComputeDevice;
pub use error::EncoderError;
pub use finetune::{
    ContinuedConfig, ContrastiveConfig, ContrastiveData, Judge, LoraConfig, MaskedConfig,
    TunableDecoder, TunableEncoder, TuneReport,
};
#[cfg(feature = "hub")]
pub use hub::HubConfig;
pub use model::{LanguageModel, TextEncoder};
pub use next_item::{
    Combine, NextItemConfig, NextItemData, NextItemLoss, NextItemModel, NextItemRanking,
    NextItemReport, NextItemTraining,
};
pub use training::{EpochReport, OptimizerConfig, Schedule, TrainProgress};
