//! A changed checkpoint as a directory that a model hub's libraries load.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::parameters::State;
use crate::EncoderError;
use crate::checkpoint::write_whole;
use crate::weights::WeightFiles;

const WEIGHTS: &str = "model.safetensors";

/// Writes `directory` like the checkpoint in `base`, whose weights lie in `transformer`, with other
/// values of some tensors.
///
/// Changed tensors are f32; the others keep type and bytes. All are in one file.
pub(super) fn save(
    base: &Path,
    transformer: &Path,
    state: &State,
    directory: &Path,
) -> Result<(), EncoderError> {
    let inside = transformer.strip_prefix(base).unwrap_or(Path::new(""));
    let weights = WeightFiles::open(transformer)?;
    let path = directory.join(inside).join(WEIGHTS);
    let bytes = serialize(&weights, state, &path)?;
    copy(base, transformer, directory)?;
    write_whole(&path, &bytes)
}

fn serialize(weights: &WeightFiles, state: &State, path: &Path) -> Result<Vec<u8>, EncoderError> {
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for stored in weights.stored() {
        let stored = stored?;
        if !state.contains_key(&stored.0) {
            tensors.push(stored);
        }
    }
    let invalid = |source| EncoderError::Safetensors { path: path.to_owned(), source };
    let kept = tensors.iter().map(|(name, dtype, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
    });
    let changed = state.iter().map(|(name, data)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?;
        Ok((name.as_str(), view))
    });
    let views = kept.chain(changed).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    // What transformers wants to see.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata)).map_err(invalid)
}

/// Copies what belongs to a checkpoint, less the transformer's weights.
fn copy(from: &Path, transformer: &Path, to: &Path) -> Result<(), EncoderError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| EncoderError::Io { path, source }
    };
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let path = entry.map_err(at(from))?.path();
        let (Some(name), Some(file)) = (path.file_name(), path.to_str()) else { continue };
        let target = to.join(name);
        let module = path.join("config.json").exists();
        if path.is_dir() {
            if module {
                copy(&path, transformer, &target)?;
            }
            continue;
        }
        let weights = file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json");
        let of_transformer = weights && path.parent() == Some(transformer);
        let known = ["json", "txt", "model", "jinja", "safetensors"];
        let known = path.extension().is_some_and(|extension| known.iter().any(|e| extension == *e));
        if known && !of_transformer {
            let bytes = crate::checkpoint::read(&path)?;
            write_whole(&target, &bytes)?;
        }
    }
    Ok(())
}
