//! A training run in one safetensors file, written whole or not at all.
//!
//! What was trained stands under its path in the module: `model/…`, `average/…`, `best/…` and the
//! optimiser's `moment_1/…` and `moment_2/…`. The rest is JSON in the file's metadata.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::EpochReport;
use super::optimizer::AdamWOverModule;
use crate::EncoderError;
use crate::checkpoint::write_whole;
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
    let mut collector = Collector::new(&optimizer.moments_1);
    for (set, model) in sets(models) {
        collector.begin(set, None);
        model.visit(&mut collector);
    }
    for (set, moments) in [("moment_1", &optimizer.moments_1), ("moment_2", &optimizer.moments_2)] {
        collector.begin(set, Some(moments));
        models.model.visit(&mut collector);
    }
    let metadata = Metadata {
        version: VERSION,
        fingerprint: fingerprint.to_owned(),
        position: position.clone(),
    };
    let metadata = serde_json::to_string(&metadata)
        .map_err(|source| EncoderError::Json { path: path.clone(), source })?;
    let metadata = HashMap::from([(RUN.to_owned(), metadata)]);
    let bytes = safetensors(collector.tensors, Some(metadata), &path)?;
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
    let mut restorer = Restorer { files: &files, set: "", path: Vec::new(), error: None };
    let moments = Moments { restorer: &mut restorer, into: &mut optimizer.moments_1 };
    moments.restore("moment_1", &models.model);
    let moments = Moments { restorer: &mut restorer, into: &mut optimizer.moments_2 };
    moments.restore("moment_2", &models.model);
    let fresh = models.model.clone();
    let mut restored = |set| {
        restorer.set = set;
        fresh.clone().map(&mut restorer)
    };
    models.model = restored("model");
    if models.average.is_some() {
        models.average = Some(restored("average"));
    }
    if !metadata.position.epochs.is_empty() {
        models.best = Some(restored("best"));
    }
    if let Some(error) = restorer.error {
        return Err(error);
    }
    files.finish(|_| false)?;
    Ok(Some(metadata.position))
}

fn sets<M>(models: &Models<M>) -> impl Iterator<Item = (&'static str, &M)> {
    let average = models.average.as_ref().map(|model| ("average", model));
    let best = models.best.as_ref().map(|model| ("best", model));
    [("model", &models.model)].into_iter().chain(average).chain(best)
}

/// Names tensors by set and path, where the model is trained.
struct Collector<'a> {
    trained: &'a GradientsParams,
    set: &'static str,
    /// Where the tensors are, if not in the module.
    from: Option<&'a GradientsParams>,
    path: Vec<String>,
    tensors: Vec<(String, TensorData)>,
}

impl<'a> Collector<'a> {
    fn new(trained: &'a GradientsParams) -> Self {
        Self { trained, set: "", from: None, path: Vec::new(), tensors: Vec::new() }
    }

    fn begin(&mut self, set: &'static str, from: Option<&'a GradientsParams>) {
        (self.set, self.from) = (set, from);
    }
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.trained.get::<D>(param.id).is_none() {
            return;
        }
        let tensor = match self.from {
            None => Some(param.base()),
            Some(map) => map.get::<D>(param.id),
        };
        if let Some(tensor) = tensor {
            let name = format!("{}/{}", self.set, self.path.join("."));
            self.tensors.push((name, tensor.into_data()));
        }
    }
}

/// Puts a file's tensors in the place of a module's.
struct Restorer<'a> {
    files: &'a WeightFiles,
    set: &'static str,
    path: Vec<String>,
    error: Option<EncoderError>,
}

impl Restorer<'_> {
    fn take<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Option<Tensor<D>> {
        let name = format!("{}/{}", self.set, self.path.join("."));
        if !self.files.contains(&name) {
            return None;
        }
        match self.files.take(&name, shape, device) {
            Ok(tensor) => Some(tensor),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }
}

impl ModuleMapper for Restorer<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| self.take(value.dims(), &value.device()).unwrap_or(value))
    }
}

/// Takes an optimiser's moments for a module's parameters.
struct Moments<'a, 'b> {
    restorer: &'a mut Restorer<'b>,
    into: &'a mut GradientsParams,
}

impl Moments<'_, '_> {
    fn restore<M: Module>(mut self, set: &'static str, model: &M) {
        self.restorer.set = set;
        model.visit(&mut self);
    }

    fn register<const D: usize>(&mut self, id: ParamId, value: &Tensor<D>) {
        if let Some(moment) = self.restorer.take(value.dims(), &value.device()) {
            self.into.register(id, moment);
        }
    }
}

impl ModuleVisitor for Moments<'_, '_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.restorer.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.restorer.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.register(param.id, &param.base());
    }
}

/// Writes the epochs so far as `log.csv`.
pub(super) fn write_log(directory: &Path, epochs: &[EpochReport]) -> Result<(), EncoderError> {
    let path: PathBuf = directory.join("log.csv");
    write_whole(&path, super::report::csv(epochs).as_bytes())
}
