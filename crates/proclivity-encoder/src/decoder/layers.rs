//! The layers of a block: projections, norms and the gate.

use burn::tensor::{Tensor, TensorData, activation};

use crate::product::product;
use crate::vectorized::gated;

/// A linear layer in PyTorch's layout.
pub(super) struct Projection {
    /// `[to, from]`
    pub(super) weight: Tensor<2>,
    pub(super) bias: Option<Tensor<1>>,
}

impl Projection {
    /// # Shapes
    /// `[tokens, from]` → `[tokens, to]`
    pub(super) fn forward(&self, x: Tensor<2>, on_host: bool) -> Tensor<2> {
        let y = product(x, &self.weight, on_host);
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }
}

/// Division by the root mean square, and a weight for each column.
pub(super) struct Norm {
    pub(super) weight: Tensor<1>,
    pub(super) epsilon: f64,
}

impl Norm {
    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mean_square = (x.clone() * x.clone()).mean_dim(D - 1);
        x * (mean_square + self.epsilon).sqrt().recip() * self.weight.clone().unsqueeze()
    }
}

/// # Shapes
/// `[tokens, 2 · width]`, gates before ups → `[tokens, width]`
pub(super) fn swish_gate(gate_up: Tensor<2>, on_host: bool) -> Tensor<2> {
    let [tokens, columns] = gate_up.dims();
    let width = columns / 2;
    if on_host {
        let device = gate_up.device();
        let expanded = gated(&host(gate_up), width);
        return Tensor::from_data(TensorData::new(expanded, [tokens, width]), &device);
    }
    let gate = activation::silu(gate_up.clone().narrow(1, 0, width));
    gate * gate_up.narrow(1, width, width)
}

/// The values on the host. The models here are f32 throughout.
pub(super) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as::<f32>().unwrap_or_default()
}
