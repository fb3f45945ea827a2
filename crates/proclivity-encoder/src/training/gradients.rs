//! Gradients of a batch: computed in shards side by side, added up, clipped by their norm.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::EncoderError;

/// The gradients of a sum of losses, and how many targets it sums over.
pub(crate) struct BatchGradients {
    /// Of the sum, not of the mean.
    pub(crate) gradients: GradientsParams,
    pub(crate) loss_sum: f64,
    pub(crate) targets: usize,
}

/// The gradients of all shards of a batch, computed side by side. How many shards there are must
/// not depend on the number of cores, since sums depend on it.
///
/// `loss` gives a tensor whose gradient is the loss's, the sum of losses, and how many targets
/// there are. It gets parameter nodes of its own, so that graphs don't share a lock.
pub(crate) fn in_shards<M: Module + Send + Sync, S: Send>(
    model: &M,
    shards: Vec<S>,
    loss: impl Fn(&M, usize, S) -> Result<(Tensor<1>, f64, usize), EncoderError> + Sync,
) -> Result<BatchGradients, EncoderError> {
    let shards: Vec<(M, S)> = shards.into_iter().map(|s| (model.clone().train(), s)).collect();
    let parts = shards
        .into_par_iter()
        .enumerate()
        .map(|(place, (model, shard))| {
            let (tensor, loss_sum, targets) = loss(&model, place, shard)?;
            let gradients = GradientsParams::from_grads(tensor.backward(), &model);
            Ok(BatchGradients { gradients, loss_sum, targets })
        })
        .collect::<Result<Vec<_>, EncoderError>>()?;
    Ok(BatchGradients::sum(parts, model))
}

impl BatchGradients {
    pub(crate) fn sum<M: Module>(parts: Vec<Self>, model: &M) -> Self {
        let (mut loss_sum, mut targets) = (0.0, 0);
        let mut gradients = Vec::with_capacity(parts.len());
        for part in parts {
            loss_sum += part.loss_sum;
            targets += part.targets;
            gradients.push(part.gradients);
        }
        let mut add = Add { parts: gradients, sum: GradientsParams::new() };
        model.visit(&mut add);
        Self { gradients: add.sum, loss_sum, targets }
    }

    /// The gradients of the mean loss, scaled so that the norm of all of them is at most `norm`.
    pub(crate) fn clip<M: Module>(self, model: &M, norm: f64) -> GradientsParams {
        let mut squares = Squares { gradients: &self.gradients, sum: 0.0 };
        model.visit(&mut squares);
        let mean = 1.0 / self.targets.max(1) as f64;
        let total = squares.sum.sqrt() * mean;
        let factor = if total <= norm { mean } else { mean * norm / total };
        let mut scale = Scale { gradients: self.gradients, factor };
        model.visit(&mut scale);
        scale.gradients
    }
}

struct Add {
    parts: Vec<GradientsParams>,
    sum: GradientsParams,
}

impl ModuleVisitor for Add {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parts = self.parts.iter_mut().filter_map(|part| part.remove::<D>(param.id));
        if let Some(sum) = parts.reduce(|sum, part| sum + part) {
            self.sum.register(param.id, sum);
        }
    }
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = (gradient.clone() * gradient).sum().into_scalar::<f32>();
            self.sum += f64::from(square);
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
