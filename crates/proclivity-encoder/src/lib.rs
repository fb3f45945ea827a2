#![doc = include_str!("../README.md")]

mod bert;
mod cache;
mod causal;
mod checkpoint;
mod decoder;
mod device;
mod error;
#[cfg(feature = "gguf")]
mod gguf;
#[cfg(feature = "hub")]
mod hub;
mod model;
mod vectorized;
mod weights;

pub use bert::BertEncoder;
pub use cache::embed_cached;
pub use causal::{
    CausalConfig, CausalModel, EpochReport, Segment, TrainConfig, TrainProgress, TrainReport,
};
pub use decoder::{Constraint, Decoder, Finish, GenerateConfig, Generated, TokenScore};
pub use device::ComputeDevice;
pub use error::EncoderError;
#[cfg(feature = "hub")]
pub use hub::HubConfig;
pub use model::{LanguageModel, TextEncoder};
