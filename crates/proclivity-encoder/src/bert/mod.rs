//! The BERT family: bidirectional encoders that turn a text into one vector.

mod activation;
mod config;
mod encoder;
mod few_tokens;
mod network;
mod pooling;
mod sentence;
mod trainable;

pub use encoder::BertEncoder;
#[cfg(feature = "hub")]
pub(crate) use sentence::Modules;
pub(crate) use trainable::TrainableBert;
