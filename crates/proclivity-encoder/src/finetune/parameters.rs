//! A checkpoint's parameters with gradients: each is known by the name that the checkpoint has for
//! it, and so is the same in every run.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use crate::EncoderError;
use crate::weights::WeightFiles;

/// Takes parameters from files in PyTorch's names and layout.
pub(crate) struct ParameterLoader<'a> {
    weights: &'a WeightFiles,
    device: &'a Device,
    names: RefCell<Names>,
}

/// The checkpoint's name of each parameter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<ParamId, Name>);

/// A tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) tensor: String,
    /// The weights of a linear layer: PyTorch keeps `[to, from]`, burn `[from, to]`.
    pub(crate) linear: bool,
}

/// Tensors in a checkpoint's names and layout.
pub(crate) type State = BTreeMap<String, TensorData>;

/// The same for the same name, in every run.
pub(crate) fn parameter_id(name: &str) -> ParamId {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(first).into()
}

impl<'a> ParameterLoader<'a> {
    pub(crate) fn new(weights: &'a WeightFiles, device: &'a Device) -> Self {
        Self { weights, device, names: RefCell::default() }
    }

    pub(crate) fn finish(self) -> Names {
        self.names.into_inner()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.weights.contains(name)
    }

    pub(crate) fn take<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Param<Tensor<D>>, EncoderError> {
        let tensor = self.weights.take(name, shape, self.device)?;
        Ok(self.parameter(name, tensor, false))
    }

    pub(crate) fn linear(
        &self,
        name: &str,
        from: usize,
        to: usize,
        bias: bool,
    ) -> Result<Linear, EncoderError> {
        let weight = format!("{name}.weight");
        let values: Tensor<2> = self.weights.take(&weight, [to, from], self.device)?;
        let bias = bias.then(|| self.take(&format!("{name}.bias"), [to])).transpose()?;
        Ok(Linear { weight: self.parameter(&weight, values.transpose(), true), bias })
    }

    /// A parameter that the checkpoint doesn't have, and will have when it is saved.
    pub(crate) fn fresh<const D: usize>(
        &self,
        name: &str,
        values: Vec<f32>,
        shape: [usize; D],
    ) -> Param<Tensor<D>> {
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        self.parameter(name, tensor, false)
    }

    /// The same of a linear layer, whose bias begins at 0.
    ///
    /// # Shapes
    /// weight: `[from, to]`
    pub(crate) fn fresh_linear(&self, name: &str, weight: Vec<f32>, shape: [usize; 2]) -> Linear {
        let values = Tensor::from_data(TensorData::new(weight, shape), self.device);
        let bias = self.fresh(&format!("{name}.bias"), vec![0.0; shape[1]], [shape[1]]);
        Linear { weight: self.parameter(&format!("{name}.weight"), values, true), bias: Some(bias) }
    }

    fn parameter<const D: usize>(
        &self,
        tensor: &str,
        values: Tensor<D>,
        linear: bool,
    ) -> Param<Tensor<D>> {
        let id = parameter_id(tensor);
        self.names.borrow_mut().0.insert(id, Name { tensor: tensor.to_owned(), linear });
        Param::initialized(id, values).set_require_grad(true)
    }
}

impl Names {
    pub(crate) fn get(&self, id: ParamId) -> Option<&Name> {
        self.0.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ParamId, &Name)> {
        self.0.iter().map(|(id, name)| (*id, name))
    }

    /// The module's tensors, adapters merged into them.
    pub(crate) fn state<M: Module>(&self, module: &M) -> State {
        struct Collect<'a> {
            names: &'a Names,
            state: State,
        }
        impl ModuleVisitor for Collect<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(Name { tensor, linear }) = self.names.get(param.id) {
                    let values = param.val().inner();
                    let values = if *linear { values.transpose() } else { values };
                    self.state.insert(tensor.clone(), values.into_data().convert::<f32>());
                }
            }
        }
        let mut collect = Collect { names: self, state: State::new() };
        module.clone().valid().materialize().visit(&mut collect);
        collect.state
    }
}
