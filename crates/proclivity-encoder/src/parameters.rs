//! A module's parameters by their path, to files and back.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use crate::EncoderError;
use crate::weights::WeightFiles;

/// The parameters by prefix and path.
pub(crate) fn named<M: Module>(model: &M, prefix: &str) -> Vec<(String, TensorData)> {
    collect(model, prefix, None, None)
}

/// What stands in a map for those parameters that `among` has something for: their own values
/// where there is no such map.
pub(crate) fn named_among<M: Module>(
    model: &M,
    prefix: &str,
    among: &GradientsParams,
    map: Option<&GradientsParams>,
) -> Vec<(String, TensorData)> {
    collect(model, prefix, Some(among), map)
}

/// The model with the values that files have under its parameters' names.
///
/// # Errors
/// When a tensor is missing, unless the files may be `partial`, or damaged or of another shape.
pub(crate) fn filled<M: Module>(
    model: M,
    prefix: &str,
    files: &WeightFiles,
    partial: bool,
) -> Result<M, EncoderError> {
    let mut fill = Fill { place: Place::new(prefix), files, partial, error: None };
    let model = model.map(&mut fill);
    fill.error.map_or(Ok(model), Err)
}

/// A map from a model's parameters to what files have under their names.
///
/// # Errors
/// When a tensor is damaged or of another shape.
pub(crate) fn mapped<M: Module>(
    model: &M,
    prefix: &str,
    files: &WeightFiles,
) -> Result<GradientsParams, EncoderError> {
    let fill = Fill { place: Place::new(prefix), files, partial: true, error: None };
    let mut take = Take { fill, map: GradientsParams::new() };
    model.visit(&mut take);
    take.fill.error.map_or(Ok(take.map), Err)
}

/// Where a traversal stands.
struct Place<'a> {
    prefix: &'a str,
    path: Vec<String>,
}

impl<'a> Place<'a> {
    fn new(prefix: &'a str) -> Self {
        Self { prefix, path: Vec::new() }
    }

    fn name(&self) -> String {
        format!("{}{}", self.prefix, self.path.join("."))
    }
}

fn collect<M: Module>(
    model: &M,
    prefix: &str,
    among: Option<&GradientsParams>,
    map: Option<&GradientsParams>,
) -> Vec<(String, TensorData)> {
    let mut collect = Collect { place: Place::new(prefix), among, map, tensors: Vec::new() };
    model.visit(&mut collect);
    collect.tensors
}

struct Collect<'a> {
    place: Place<'a>,
    among: Option<&'a GradientsParams>,
    map: Option<&'a GradientsParams>,
    tensors: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.place.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.place.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.among.is_some_and(|among| among.get::<D>(param.id).is_none()) {
            return;
        }
        let tensor = match self.map {
            None => Some(param.base()),
            Some(map) => map.get::<D>(param.id),
        };
        self.tensors.extend(tensor.map(|tensor| (self.place.name(), tensor.into_data())));
    }
}

struct Fill<'a> {
    place: Place<'a>,
    files: &'a WeightFiles,
    partial: bool,
    error: Option<EncoderError>,
}

impl Fill<'_> {
    fn take<const D: usize>(&mut self, like: &Tensor<D>) -> Option<Tensor<D>> {
        let name = self.place.name();
        if self.error.is_some() || (self.partial && !self.files.contains(&name)) {
            return None;
        }
        let taken = self.files.take(&name, like.dims(), &like.device());
        taken.map_err(|error| self.error = Some(error)).ok()
    }
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.place.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.place.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| self.take(&value).unwrap_or(value))
    }
}

struct Take<'a> {
    fill: Fill<'a>,
    map: GradientsParams,
}

impl ModuleVisitor for Take<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.fill.place.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.fill.place.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(tensor) = self.fill.take(&param.base()) {
            self.map.register(param.id, tensor);
        }
    }
}
