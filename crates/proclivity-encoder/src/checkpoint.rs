//! Files of a checkpoint directory: JSON, and safetensors checked before they become parameters.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::de::DeserializeOwned;
use tokenizers::Tokenizer;

use crate::EncoderError;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, EncoderError> {
    fs::read(path).map_err(|source| EncoderError::Io { path: path.to_owned(), source })
}

/// The bytes of a file, or nothing where there is none.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, EncoderError> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

pub(crate) fn parse_json<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, EncoderError> {
    serde_json::from_slice(bytes)
        .map_err(|source| EncoderError::Json { path: path.to_owned(), source })
}

/// A tokenizer all of whose ids have a row in an embedding table.
pub(crate) fn parse_tokenizer(
    path: &Path,
    bytes: &[u8],
    rows: usize,
) -> Result<Tokenizer, EncoderError> {
    let tokenizer = Tokenizer::from_bytes(bytes)
        .map_err(|source| EncoderError::Tokenizer { path: path.to_owned(), source })?;
    let largest_id = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
    if largest_id as usize >= rows {
        return Err(EncoderError::Vocabulary { path: path.to_owned(), largest_id, rows });
    }
    Ok(tokenizer)
}

/// The tensors of one safetensors file; what was taken is remembered, so that nothing in the file
/// goes unnoticed.
pub(crate) struct Weights<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    taken: RefCell<BTreeSet<String>>,
}

impl<'a> Weights<'a> {
    pub(crate) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, EncoderError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|source| EncoderError::Safetensors { path: path.to_owned(), source })?;
        Ok(Self { path, tensors, taken: RefCell::default() })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// A tensor as finite f32 of the expected shape.
    pub(crate) fn take<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, EncoderError> {
        let path = || self.path.to_owned();
        let tensor = || name.to_owned();
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| EncoderError::MissingTensor { path: path(), tensor: tensor() })?;
        if view.shape() != shape {
            return Err(EncoderError::TensorShape {
                path: path(),
                tensor: tensor(),
                expected: shape.to_vec(),
                got: view.shape().to_vec(),
            });
        }
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let got = format!("{other:?}");
                return Err(EncoderError::TensorType { path: path(), tensor: tensor(), got });
            }
        };
        let data = TensorData::from_bytes_vec(view.data().to_vec(), shape.to_vec(), dtype)
            .convert::<f32>();
        if let Ok(values) = data.as_slice::<f32>()
            && let Some(position) = values.iter().position(|value| !value.is_finite())
        {
            let value = values[position];
            return Err(EncoderError::NonFiniteWeight {
                path: path(),
                tensor: tensor(),
                position,
                value,
            });
        }
        self.taken.borrow_mut().insert(tensor());
        Ok(Tensor::from_data(data, device))
    }

    /// Refuses tensors that were not taken, unless they are known to be of no use.
    pub(crate) fn finish(self, ignored: impl Fn(&str) -> bool) -> Result<(), EncoderError> {
        let taken = self.taken.into_inner();
        let mut names: Vec<&str> = self.tensors.names();
        names.sort_unstable();
        match names.into_iter().find(|name| !taken.contains(*name) && !ignored(name)) {
            Some(tensor) => Err(EncoderError::UnknownTensor {
                path: self.path.to_owned(),
                tensor: tensor.to_owned(),
            }),
            None => Ok(()),
        }
    }
}
