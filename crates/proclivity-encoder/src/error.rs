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
}
