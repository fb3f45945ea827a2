//! Weights of a checkpoint, in one file or in the several that an index names, read a tensor at a
//! time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use serde::Deserialize;

use crate::EncoderError;
use crate::checkpoint::{parse_json, read};
use crate::finetune::State;

/// The tensors of all files as if they were one; what was taken is remembered, so that nothing in
/// the files goes unnoticed.
pub(crate) struct WeightFiles {
    files: Vec<Box<dyn WeightFile>>,
    /// Other values than the files have.
    replaced: State,
    taken: RefCell<BTreeSet<String>>,
}

/// A file of named tensors.
pub(crate) trait WeightFile {
    fn path(&self) -> &Path;

    /// The names of all its tensors, as the model calls them.
    fn names(&self) -> Vec<String>;

    /// Refuses a tensor that is missing or has another shape.
    fn check(&self, name: &str, shape: &[usize]) -> Result<(), EncoderError>;

    /// A tensor as finite f32 of the expected shape.
    fn read(&self, name: &str, shape: &[usize]) -> Result<TensorData, EncoderError>;

    fn contains(&self, name: &str) -> bool;

    fn as_safetensors(&self) -> Option<&Safetensors> {
        None
    }
}

pub(crate) struct Safetensors {
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
        let files = paths.into_iter().map(Safetensors::boxed).collect::<Result<_, _>>()?;
        Ok(Self { files, replaced: State::new(), taken: RefCell::default() })
    }

    /// Of one file in another format.
    #[cfg(feature = "gguf")]
    pub(crate) fn of(file: impl WeightFile + 'static) -> Self {
        let files: Vec<Box<dyn WeightFile>> = vec![Box::new(file)];
        Self { files, replaced: State::new(), taken: RefCell::default() }
    }

    /// Gives other values for some tensors.
    pub(crate) fn replace(mut self, state: &State) -> Self {
        self.replaced = state.clone();
        self
    }

    /// Every tensor's name, type, shape and bytes, as safetensors files store them.
    pub(crate) fn stored(
        &self,
    ) -> impl Iterator<Item = Result<(String, Dtype, Vec<usize>, Vec<u8>), EncoderError>> {
        self.files.iter().filter_map(|file| file.as_safetensors()).flat_map(|file| {
            let mut names = file.names();
            names.sort_unstable();
            names.into_iter().map(move |name| {
                let info = file.info(&name)?;
                let (dtype, shape) = (info.dtype, info.shape.clone());
                let bytes = file.bytes(info)?;
                Ok((name, dtype, shape, bytes))
            })
        })
    }

    /// Opens one file.
    pub(crate) fn open_file(path: PathBuf) -> Result<Self, EncoderError> {
        let files = vec![Safetensors::boxed(path)?];
        Ok(Self { files, replaced: State::new(), taken: RefCell::default() })
    }

    /// An entry of the first file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.files[0].as_safetensors()?.header.metadata().as_ref()?.get(key).map(String::as_str)
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
        for (name, values) in &self.replaced {
            hash.update(&(name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update(values.as_bytes());
        }
        Ok(())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.contains(name))
    }

    /// Refuses a tensor that is missing or has another shape.
    pub(crate) fn check(&self, name: &str, shape: &[usize]) -> Result<(), EncoderError> {
        let holder = self.files.iter().find(|file| file.contains(name));
        holder.unwrap_or(&self.files[0]).check(name, shape)
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
        if let Some(values) =
            self.replaced.get(name).filter(|values| values.shape().as_slice() == shape)
        {
            self.taken.borrow_mut().insert(name.to_owned());
            return Ok(values.clone());
        }
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
    fn boxed(path: PathBuf) -> Result<Box<dyn WeightFile>, EncoderError> {
        Ok(Box::new(Self::open(path)?))
    }

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

    fn info(&self, name: &str) -> Result<&TensorInfo, EncoderError> {
        self.header.info(name).ok_or_else(|| EncoderError::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
        })
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>, EncoderError> {
        let (from, to) = info.data_offsets;
        let bytes = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start + from as u64))?;
            let mut bytes = vec![0; to - from];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        });
        bytes.map_err(|source| EncoderError::Io { path: self.path.clone(), source })
    }
}

impl WeightFile for Safetensors {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn check(&self, name: &str, shape: &[usize]) -> Result<(), EncoderError> {
        check_shape(&self.path, name, shape, &self.info(name)?.shape)
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<TensorData, EncoderError> {
        self.check(name, shape)?;
        let info = self.info(name)?;
        let stored = Stored { path: &self.path, name, dtype: info.dtype, shape: &info.shape };
        stored.decode(self.bytes(info)?)
    }

    fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    fn as_safetensors(&self) -> Option<&Safetensors> {
        Some(self)
    }
}

/// Tensors of f32 as the bytes of a safetensors file, which errors name.
pub(crate) fn safetensors(
    tensors: Vec<(String, TensorData)>,
    metadata: Option<HashMap<String, String>>,
    path: &Path,
) -> Result<Vec<u8>, EncoderError> {
    let invalid = |source| EncoderError::Safetensors { path: path.to_owned(), source };
    let tensors: Vec<(String, TensorData)> =
        tensors.into_iter().map(|(name, data)| (name, data.convert::<f32>())).collect();
    let views = tensors
        .iter()
        .map(|(name, data)| {
            let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    safetensors::serialize(views, metadata).map_err(invalid)
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
