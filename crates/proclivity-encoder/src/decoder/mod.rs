//! The Llama family and Qwen2 and Qwen3: decoders that score, write and embed texts.

mod cache;
mod choices;
mod config;
mod constraint;
mod embed;
mod files;
mod generate;
#[cfg(feature = "grammar")]
mod grammar;
mod layers;
mod model;
mod network;
mod rotary;
mod sample;
mod score;
mod stream;
mod trainable;

pub use constraint::Constraint;
pub use generate::{Finish, GenerateConfig, Generated};
pub use model::Decoder;
pub use score::TokenScore;
pub(crate) use trainable::TrainableDecoder;
