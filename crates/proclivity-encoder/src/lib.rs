#![doc = include_str!("../README.md")]

mod bert;
mod cache;
mod causal;
mod checkpoint;
mod decoder;
mod device;
mod error;
mod model;
mod product;
mod vectorized;
mod weights;

pub use bert::BertEncoder;
pub use cache::embed_cached;
pub use causal::{
    CausalConfig, CausalModel, EpochReport, Segment, TrainConfig, TrainProgress, TrainReport,
};
pub use decoder::{Decoder, Finish, GenerateConfig, Generated, TokenScore};
pub use device::ComputeDevice;
pub use error::EncoderError;
pub use model::{LanguageModel, TextEncoder};
