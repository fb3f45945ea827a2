#![doc = include_str!("../README.md")]

mod bert;
mod cache;
mod causal;
mod checkpoint;
mod device;
mod error;
mod model;
mod vectorized;

pub use bert::BertEncoder;
pub use cache::embed_cached;
pub use causal::{
    CausalConfig, CausalModel, EpochReport, Segment, TrainConfig, TrainProgress, TrainReport,
};
pub use device::ComputeDevice;
pub use error::EncoderError;
pub use model::{LanguageModel, TextEncoder};
