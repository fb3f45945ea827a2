//! Weights in one safetensors file or in the several that an index names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use serde::Deserialize;

use crate::EncoderError;
use crate::checkpoint::{Weights, parse_json, read};

/// The bytes of each file.
pub(super) struct Files(Vec<(PathBuf, Vec<u8>)>);

/// `model.safetensors.index.json`
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Files {
    /// `model.safetensors`, or where there is none, what `model.safetensors.index.json` names.
    pub(super) fn read(directory: &Path) -> Result<Self, EncoderError> {
        let index_path = directory.join("model.safetensors.index.json");
        let single = directory.join("model.safetensors");
        if single.exists() || !index_path.exists() {
            let bytes = read(&single)?;
            return Ok(Self(vec![(single, bytes)]));
        }
        let index: Index = parse_json(&index_path, &read(&index_path)?)?;
        let names: BTreeSet<String> = index.weight_map.into_values().collect();
        let mut files = Vec::new();
        for name in names {
            // The index may name files beside it and no others.
            if Path::new(&name).components().count() != 1 || name.starts_with('.') {
                return Err(EncoderError::Unsupported {
                    path: index_path,
                    field: "weight_map",
                    value: name,
                    expected: "names of files in the same directory",
                });
            }
            let path = directory.join(name);
            let bytes = read(&path)?;
            files.push((path, bytes));
        }
        if files.is_empty() {
            return Err(EncoderError::Unsupported {
                path: index_path,
                field: "weight_map",
                value: "empty".to_owned(),
                expected: "names of files in the same directory",
            });
        }
        Ok(Self(files))
    }

    pub(super) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, bytes)| bytes.as_slice())
    }

    pub(super) fn weights(&self) -> Result<Shards<'_>, EncoderError> {
        let shards = self.0.iter().map(|(path, bytes)| Weights::new(path, bytes));
        Ok(Shards(shards.collect::<Result<_, _>>()?))
    }
}

/// The tensors of all files as if they were one.
pub(super) struct Shards<'a>(Vec<Weights<'a>>);

impl Shards<'_> {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|shard| shard.contains(name))
    }

    pub(super) fn take<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, EncoderError> {
        let holder = self.0.iter().find(|shard| shard.contains(name));
        // The first file, which hasn't the tensor either, makes the error.
        holder.unwrap_or(&self.0[0]).take(name, shape, device)
    }

    pub(super) fn finish(self, ignored: impl Fn(&str) -> bool) -> Result<(), EncoderError> {
        self.0.into_iter().try_for_each(|shard| shard.finish(&ignored))
    }
}
