//! A training run in one safetensors file, written whole or not at all.
//!
//! What was trained stands under its path in the module: `model/…`, `average/…`, `best/…` and the
//! optimiser's `moment_1/…` and `moment_2/…`. The rest is JSON in the file's metadata.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::EpochReport;
use super::optimizer::AdamWOverModule;
use crate::EncoderError;
use crate::checkpoint::write_whole;
use crate::parameters::{filled, mapped, named_among};
use crate::weights::{WeightFiles, safetensors};

const FILE: &str = "checkpoint.safetensors";
/// The key of the metadata.
const RUN: &str = "run";
const VERSION: u32 = 1;

/// Where a run stands, beside its tensors. Random numbers come from generators that the seed and
/// the number of the step or epoch alone determine, so that they have no state of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Steps that are done.
    pub(super) step: usize,
    /// Epochs that are done.
    pub(super) epochs: Vec<EpochReport>,
    /// Steps of the epoch after these that are done, and what they did.
    pub(super) steps_of_epoch: usize,
    pub(super) loss_sum: f64,
    pub(super) targets: usize,
    pub(super) seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    version: u32,
    fingerprint: String,
    position: Position,
}

/// The models of a run.
pub(super) struct Models<M> {
    pub(super) model: M,
    pub(super) average: Option<M>,
    /// Of the best epoch so far.
    pub(super) best: Option<M>,
}

pub(super) fn save<M: Module>(
    directory: &Path,
    fingerprint: &str,
    position: &Position,
    models: &Models<M>,
    optimizer: &AdamWOverModule,
) -> Result<(), EncoderError> {
    let path = directory.join(FILE);
    let trained = &optimizer.moments_1;
    let Models { model, average, best } = models;
    let mut tensors = named_among(model, "model/", trained, None);
    for (set, model) in [("average/", average), ("best/", best)] {
        tensors.extend(model.iter().flat_map(|model| named_among(model, set, trained, None)));
    }
    for (set, map) in [("moment_1/", trained), ("moment_2/", &optimizer.moments_2)] {
        tensors.extend(named_among(model, set, trained, Some(map)));
    }
    let metadata = Metadata {
        version: VERSION,
        fingerprint: fingerprint.to_owned(),
        position: position.clone(),
    };
    let metadata = serde_json::to_string(&metadata)
        .map_err(|source| EncoderError::Json { path: path.clone(), source })?;
    let metadata = HashMap::from([(RUN.to_owned(), metadata)]);
    let bytes = safetensors(tensors, Some(metadata), &path)?;
    write_whole(&path, &bytes)
}

/// What [`save`] wrote, over a fresh model; nothing where there is no checkpoint.
///
/// # Errors
/// When the file is damaged, doesn't fit the model or is of a run with another fingerprint.
pub(super) fn resume<M: Module>(
    directory: &Path,
    fingerprint: &str,
    models: &mut Models<M>,
    optimizer: &mut AdamWOverModule,
) -> Result<Option<Position>, EncoderError> {
    let path = directory.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let files = WeightFiles::open_file(path.clone())?;
    let text = files.metadata(RUN).unwrap_or_default();
    let metadata: Metadata = serde_json::from_str(text)
        .map_err(|source| EncoderError::Json { path: path.clone(), source })?;
    if metadata.version != VERSION {
        return Err(EncoderError::Unsupported {
            path,
            field: "version",
            value: metadata.version.to_string(),
            expected: "1",
        });
    }
    if metadata.fingerprint != fingerprint {
        return Err(EncoderError::OtherRun { path });
    }
    optimizer.moments_1 = mapped(&models.model, "moment_1/", &files)?;
    optimizer.moments_2 = mapped(&models.model, "moment_2/", &files)?;
    let restored = |set| filled(models.model.clone(), set, &files, true);
    let average = models.average.is_some().then(|| restored("average/")).transpose()?;
    let best = (!metadata.position.epochs.is_empty()).then(|| restored("best/")).transpose()?;
    *models = Models { model: restored("model/")?, average, best };
    files.finish(|_| false)?;
    Ok(Some(metadata.position))
}

/// Writes the epochs so far as `log.csv`.
pub(super) fn write_log(directory: &Path, epochs: &[EpochReport]) -> Result<(), EncoderError> {
    let path: PathBuf = directory.join("log.csv");
    write_whole(&path, super::report::csv(epochs).as_bytes())
}
