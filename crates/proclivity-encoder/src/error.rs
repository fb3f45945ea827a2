//! What can go wrong between a directory of weights and a vector.

use std::path::PathBuf;

/// An error of the encoder; file and tensor are named where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A backend name that is none.
    #[error(
        "{name:?} is no backend: expected one of flex, ndarray, tch, wgpu, vulkan, metal, cuda, rocm, optionally with a device number as in cuda:0"
    )]
    UnknownBackend {
        /// The name as it came.
        name: String,
    },
    /// A backend that this build doesn't have.
    #[error("backend {name} is not compiled in: build with `--features {name}`")]
    BackendNotCompiled {
        /// The backend, which is also the feature's name.
        name: &'static str,
    },
    /// A device number that the backend has no device for.
    #[error("backend {name} has no device {index}")]
    NoSuchDevice {
        /// The backend.
        name: &'static str,
        /// The device number.
        index: usize,
    },
    /// A file that can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A setting out of its range.
    #[error("{field} is {value}, expected {expected}")]
    InvalidConfig {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// Nothing to train on or to validate with.
    #[error("no {role} text with anything in it")]
    EmptyCorpus {
        /// `training` or `validation`.
        role: &'static str,
    },
    /// A tokenizer that can't be trained, written or read back.
    #[error("the tokenizer failed: {source}")]
    TrainTokenizer {
        /// What `tokenizers` found.
        source: tokenizers::Error,
    },
    /// A loss that is no finite number.
    #[error("the loss is not finite at step {step}: lower the learning rate")]
    Diverged {
        /// The optimiser step, from 1.
        step: usize,
    },
    /// A text to score that alone is longer than the context.
    #[error("continuation {index} (from 0) has {tokens} tokens, but the context holds {context}")]
    ContinuationTooLong {
        /// Position of the text among those given.
        index: usize,
        /// Its tokens.
        tokens: usize,
        /// Tokens that the context holds.
        context: usize,
    },
    /// A choice without candidates, or with an empty one.
    #[error("segment {segment} (from 0) is a choice with no candidate or an empty one")]
    EmptyChoice {
        /// Position of the segment.
        segment: usize,
    },
    /// A text that can't be tokenized.
    #[error("text {index} (from 0) can't be tokenized: {source}")]
    Tokenize {
        /// Position of the text among those given.
        index: usize,
        /// What `tokenizers` found.
        source: tokenizers::Error,
    },
}
