#![doc = include_str!("../README.md")]

mod device;
mod error;
mod model;

pub use device::ComputeDevice;
pub use error::EncoderError;
pub use model::{LanguageModel, TextEncoder};
