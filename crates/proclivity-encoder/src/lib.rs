#![doc = include_str!("../README.md")]

mod causal;
mod device;
mod error;
mod model;

pub use causal::{CausalConfig, CausalModel, EpochReport, TrainConfig, TrainProgress, TrainReport};
pub use device::ComputeDevice;
pub use error::EncoderError;
pub use model::{LanguageModel, TextEncoder};
