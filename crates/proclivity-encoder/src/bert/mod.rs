//! The BERT family: bidirectional encoders that turn a text into one vector.

mod config;
mod encoder;
mod network;

pub use encoder::BertEncoder;
