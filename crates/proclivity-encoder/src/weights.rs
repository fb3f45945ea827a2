//! Weights of a checkpoint, in one file or in the several that an index names, read a tensor at a
//! time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata};
use serde::Deserialize;

use crate::EncoderError;
use crate::checkpoint::{parse_json, read};

/// The tensors of all files as if they were one; what was taken is remembered, so that nothing in
/// the files goes unnoticed.
pub(crate) struct WeightFiles {
    files: Vec<Box<dyn WeightFile>>,
    taken: RefCell<BTreeSet<String>>,
}

/// A file of named tensors.
pub(crate) trait WeightFile {
    fn path(&self) -> &Path;

    /// The names of all its tensors, as the model calls them.
    fn names(&self) -> Vec<String>;

    fn contains(&self, name: &str) -> bool;

    /// A tensor as finite f32 of the expected shape.
    fn read(&self, name: &str, shape: &[usize]) -> Result<TensorData, EncoderError>;
}

struct Safetensors {
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
}

/// `model.safetensors.index.json`
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl WeightFiles {
    /// Opens `model.safetensors` or, where there is none, what `model.safetensors.index.json` names.
    pub(crate) fn open(directory: &Path) -> Result<Self, EncoderError> {
        let single = directory.join("model.safetensors");
        let index_path = directory.join("model.safetensors.index.json");
        let paths = if single.exists() || !index_path.exists() {
            vec![single]
        } else {
            shards(&index_path)?.into_iter().map(|name| directory.join(name)).collect()
        };
        let open = |path| Ok(Box::new(Safetensors::open(path)?) as Box<dyn WeightFile>);
        let files = paths.into_iter().map(open).collect::<Result<_, EncoderError>>()?;
        Ok(Self { files, taken: RefCell::default() })
    }

    /// Of one file in another format.
    #[cfg(feature = "gguf")]
    pub(crate) fn of(file: impl WeightFile + 'static) -> Self {
        Self { files: vec![Box::new(file)], taken: RefCell::default() }
    }

    /// Hashes all files whole.
    pub(crate) fn hash(&self, hash: &mut blake3::Hasher) -> Result<(), EncoderError> {
        for path in self.files.iter().map(|file| file.path()) {
            let hashed = File::open(path).and_then(|file| {
                hash.update(&file.metadata()?.len().to_le_bytes());
                hash.update_reader(file).map(|_| ())
            });
            hashed.map_err(|source| EncoderError::Io { path: path.to_owned(), source })?;
        }
        Ok(())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.contains(name))
    }

    /// A tensor as finite f32 of the expected shape.
    pub(crate) fn take<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, EncoderError> {
        Ok(Tensor::from_data(self.take_data(name, &shape)?, device))
    }

    /// The same, on the host.
    pub(crate) fn take_data(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<TensorData, EncoderError> {
        let holder = self.files.iter().find(|file| file.contains(name));
        // The first file, which hasn't the tensor either, makes the error.
        let data = holder.unwrap_or(&self.files[0]).read(name, shape)?;
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(data)
    }

    /// Refuses tensors that were not taken, unless they are known to be of no use.
    pub(crate) fn finish(self, ignored: impl Fn(&str) -> bool) -> Result<(), EncoderError> {
        let taken = self.taken.into_inner();
        for file in self.files {
            let mut names = file.names();
            names.sort_unstable();
            let unknown = names.into_iter().find(|name| !taken.contains(name) && !ignored(name));
            if let Some(tensor) = unknown {
                return Err(EncoderError::UnknownTensor { path: file.path().to_owned(), tensor });
            }
        }
        Ok(())
    }
}

/// The files that an index names, each beside it.
pub(crate) fn shards(index_path: &Path) -> Result<BTreeSet<String>, EncoderError> {
    let index: Index = parse_json(index_path, &read(index_path)?)?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let beside = |name: &String| {
        let mut parts = Path::new(name).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    if names.is_empty() || !names.iter().all(beside) {
        return Err(EncoderError::Unsupported {
            path: index_path.to_owned(),
            field: "weight_map",
            value: format!("{names:?}"),
            expected: "names of files beside it",
        });
    }
    Ok(names)
}

impl Safetensors {
    fn open(path: PathBuf) -> Result<Self, EncoderError> {
        /// What the format allows at most.
        const HEADER_BYTES: u64 = 100_000_000;
        let io = |source| EncoderError::Io { path: path.clone(), source };
        let invalid = |source| EncoderError::Safetensors { path: path.clone(), source };
        let mut file = File::open(&path).map_err(io)?;
        let total = file.metadata().map_err(io)?.len();
        if total < 8 {
            return Err(invalid(SafeTensorError::HeaderTooSmall));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_BYTES {
            return Err(invalid(SafeTensorError::HeaderTooLarge));
        }
        if length > total - 8 {
            return Err(invalid(SafeTensorError::InvalidHeaderLength));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(io)?;
        let header: Metadata = serde_json::from_slice(&header)
            .map_err(|source| invalid(SafeTensorError::InvalidHeaderDeserialization(source)))?;
        let start = 8 + length;
        if Some(total) != start.checked_add(header.data_len() as u64) {
            return Err(invalid(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self { path, header, start })
    }
}

impl WeightFile for Safetensors {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<TensorData, EncoderError> {
        let info = self.header.info(name).ok_or_else(|| EncoderError::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
        })?;
        check_shape(&self.path, name, shape, &info.shape)?;
        let (from, to) = info.data_offsets;
        let bytes = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start + from as u64))?;
            let mut bytes = vec![0; to - from];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        });
        let bytes = bytes.map_err(|source| EncoderError::Io { path: self.path.clone(), source })?;
        Stored { path: &self.path, name, dtype: info.dtype, shape: &info.shape }.decode(bytes)
    }
}

/// What a file says about a tensor.
struct Stored<'a> {
    path: &'a Path,
    name: &'a str,
    dtype: Dtype,
    shape: &'a [usize],
}

impl Stored<'_> {
    /// The tensor's bytes as finite f32.
    fn decode(&self, bytes: Vec<u8>) -> Result<TensorData, EncoderError> {
        let dtype = match self.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                return Err(EncoderError::TensorType {
                    path: self.path.to_owned(),
                    tensor: self.name.to_owned(),
                    got: format!("{other:?}"),
                });
            }
        };
        let data = TensorData::from_bytes_vec(bytes, self.shape.to_vec(), dtype).convert::<f32>();
        check_finite(self.path, self.name, data.as_slice::<f32>().unwrap_or_default())?;
        Ok(data)
    }
}

pub(crate) fn check_shape(
    path: &Path,
    tensor: &str,
    expected: &[usize],
    got: &[usize],
) -> Result<(), EncoderError> {
    if got == expected {
        return Ok(());
    }
    Err(EncoderError::TensorShape {
        path: path.to_owned(),
        tensor: tensor.to_owned(),
        expected: expected.to_vec(),
        got: got.to_vec(),
    })
}

pub(crate) fn check_finite(path: &Path, tensor: &str, values: &[f32]) -> Result<(), EncoderError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(EncoderError::NonFiniteWeight {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            position,
            value: values[position],
        }),
        None => Ok(()),
    }
}
