//! What can go wrong between a directory of weights and a vector.

use std::path::PathBuf;

/// An error of the encoder; file and tensor are named where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A backend name that is none.
    #[error(
        "{name:?} is no backend: expected one of flex, ndarray, tch, wgpu, vulkan, metal, cuda, rocm, optionally with a device as in cuda:0 or vulkan:cpu"
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
    /// A part of this crate that this build doesn't have.
    #[error("{what} needs a build with `--features {feature}`")]
    FeatureNotCompiled {
        /// What was asked for.
        what: &'static str,
        /// The feature.
        feature: &'static str,
    },
    /// A device that this machine, or the driver of the backend, doesn't have.
    #[error("there is no device {name} here; those of its backend: {found:?}")]
    NoSuchDevice {
        /// The name as it came.
        name: String,
        /// The names of the backend's devices; none where its driver is missing.
        found: Vec<String>,
    },
    /// A JSON file that doesn't parse or lacks a field.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What serde found.
        source: serde_json::Error,
    },
    /// A setting of a checkpoint or a configuration that this crate can't honour.
    #[error("{path}: {field} is {value}, expected {expected}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is supported.
        expected: &'static str,
    },
    /// A prompt that the checkpoint doesn't have.
    #[error("{path} has no prompt {name:?}, only {known:?}")]
    UnknownPrompt {
        /// The file of the prompts.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A file that is no valid safetensors file: truncated, or with a damaged header.
    #[error("{path} is no valid safetensors file: {source}")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: safetensors::SafeTensorError,
    },
    /// A tensor that the model needs and the file doesn't have.
    #[error("{path}: tensor {tensor} is missing")]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor that the file has and the model doesn't know.
    #[error("{path}: tensor {tensor} belongs to no part of the model")]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor with another shape than the configuration says.
    #[error("{path}: tensor {tensor} has shape {got:?}, expected {expected:?}")]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape it has to have.
        expected: Vec<usize>,
        /// The shape it has.
        got: Vec<usize>,
    },
    /// A tensor of numbers that are no floats.
    #[error("{path}: tensor {tensor} holds {got}, expected F32, F16 or BF16")]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type it has.
        got: String,
    },
    /// A weight that is NaN or infinite.
    #[error("{path}: tensor {tensor} has a {value} at position {position}")]
    NonFiniteWeight {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Position in row-major order, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A tokenizer file that doesn't load.
    #[error("{path} is no valid tokenizer: {source}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What `tokenizers` found.
        source: tokenizers::Error,
    },
    /// A tokenizer whose ids the embedding table doesn't have.
    #[error(
        "{path} has token ids up to {largest_id}, but the model embeds {rows} tokens: are they from the same checkpoint?"
    )]
    Vocabulary {
        /// The tokenizer's file.
        path: PathBuf,
        /// The largest token id.
        largest_id: u32,
        /// Rows of the embedding table.
        rows: usize,
    },
    /// A text that can't be tokenized.
    #[error("text {index} (from 0) can't be tokenized: {source}")]
    Tokenize {
        /// Position of the text among those given.
        index: usize,
        /// What `tokenizers` found.
        source: tokenizers::Error,
    },
    /// A computation that gave no finite number.
    #[error("the embedding of text {index} (from 0) is not finite")]
    NonFiniteEmbedding {
        /// Position of the text among those given.
        index: usize,
    },
    /// A tokenizer that isn't the one that a trained causal model was saved with.
    #[error("{path} doesn't begin with the special tokens of a causal model of this crate")]
    SpecialTokens {
        /// The tokenizer's file.
        path: PathBuf,
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
    /// An event that a network has no vector for.
    #[error(
        "history {user} has event {event}, but there are vectors for {kinds} kinds of events only"
    )]
    UnknownEvent {
        /// Which of the histories.
        user: usize,
        /// The event.
        event: u32,
        /// How many kinds of events there are.
        kinds: usize,
    },
    /// What a simulation gave and nothing can be learned from.
    #[error(
        "{what} {index} of the simulation is empty, of the wrong length, not finite or out of range"
    )]
    InvalidSimulation {
        /// The prior, an event vector or a simulated user.
        what: &'static str,
        /// Which of them.
        index: usize,
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
    /// An item that a next-item model doesn't know.
    #[error("history {index} (from 0) has item {item}, but there are {items} items")]
    UnknownItem {
        /// Position of the history among those given.
        index: usize,
        /// The item.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// A checkpoint of training with other settings, data or initial weights.
    #[error("{path} is a checkpoint of another run: take another directory or delete it")]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A name of layers to adapt that no layer ends with.
    #[error("no linear layer's name ends with {target:?}")]
    UnknownLayer {
        /// The name.
        target: String,
    },
    /// Adapters for a model that has some.
    #[error("the model has adapters already: save it with them merged, and load that")]
    SecondAdapter,
    /// Adapters to save of a model that has none.
    #[error("the model has no adapters")]
    NoAdapter,
    /// Masked tokens to predict with a model that can't.
    #[error(
        "the model was loaded without the head that predicts masked tokens, or its tokenizer has no token that masks"
    )]
    NoMaskedHead,
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
    /// An empty prompt, and a model without a token that begins a text.
    #[error("the prompt is empty, and the model has no token that begins a text")]
    EmptyPrompt,
    /// A model whose prediction is not finite.
    #[error("the model's logits are not finite")]
    NonFiniteLogits,
    /// What is neither a directory nor can be a repository of a hub.
    #[error("{name:?} is neither a directory nor a repository's name such as owner/model")]
    RepositoryName {
        /// The name as it came.
        name: String,
    },
    /// A hub's address or a revision that can't be one.
    #[error("the hub's {field} is {value:?}, expected {expected}")]
    HubSetting {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A hub that doesn't answer.
    #[error(
        "{url} can't be reached: {source}; give the directory of an earlier download, or a hub's address that can be reached"
    )]
    HubUnreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A hub that wants another token: 401 or 403.
    #[error(
        "{url} answered {status}: set the token of an account that may read it; a name that doesn't exist gives the same answer"
    )]
    HubDenied {
        /// What was asked for.
        url: String,
        /// The answer.
        status: u16,
    },
    /// A repository, revision or file that a hub doesn't have.
    #[error("{url} doesn't exist: check name and revision, and that the repository has this file")]
    HubMissing {
        /// What was asked for.
        url: String,
    },
    /// A download that broke off, or an answer that isn't a hub's.
    #[error("{url} can't be downloaded: {source}")]
    HubDownload {
        /// What was asked for.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file that is no valid GGUF file.
    #[error("{path} is no valid GGUF file: {source}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A field that a GGUF file needs and doesn't have, or has with another type.
    #[error("{path}: the metadata have no {field} that is {expected}")]
    GgufField {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its type.
        expected: &'static str,
    },
    /// A constraint that is no valid JSON schema, regular expression or grammar.
    #[error("the constraint can't be used: {source}")]
    Constraint {
        /// What `llguidance` found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A constraint that no token of the vocabulary can meet.
    #[error(
        "after {tokens} tokens, no token of the vocabulary leads on as the constraint wants it"
    )]
    ConstraintDeadEnd {
        /// Tokens written by then.
        tokens: usize,
    },
    /// A token that can't be turned into text.
    #[error("token {token} can't be turned into text: {source}")]
    Detokenize {
        /// The token's number.
        token: u32,
        /// What `tokenizers` found.
        source: tokenizers::Error,
    },
}
