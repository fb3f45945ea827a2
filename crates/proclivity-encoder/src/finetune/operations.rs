//! Operations with gradients that cost less than what autodiff makes of the plain ones.

use burn::tensor::{Tensor, TensorData, activation};

use crate::vectorized::{Gate, tangents};

/// softmax(scores) · value. Under autodiff the largest score is a constant and the division comes
/// behind the product: fewer passes over what grows with the square of the length.
///
/// # Shapes
/// `[texts, heads, length, length]`, `[texts, heads, length, head_width]` → like the latter
pub(crate) fn attention(scores: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    if !scores.is_autodiff() {
        return activation::softmax(scores, 3).matmul(value);
    }
    let most = scores.clone().inner().max_dim(3);
    let weights = (scores - most).exp();
    let total = weights.clone().sum_dim(3);
    weights.matmul(value) * total.recip()
}

/// An activation function: on the host by its tangent, which has its value and its derivative,
/// elsewhere by the backend's own.
pub(crate) fn activate(x: Tensor<2>, gate: Gate, on_host: bool) -> Tensor<2> {
    if !on_host {
        return match gate {
            Gate::Gelu => activation::gelu(x),
            Gate::GeluTanh => activation::gelu_approximate(x),
            Gate::Silu => activation::silu(x),
        };
    }
    let values = x.clone().inner();
    let (shape, device) = (values.dims(), values.device());
    let values = values.into_data();
    let (slopes, intercepts) =
        values.as_slice::<f32>().map(|values| tangents(gate, values)).unwrap_or_default();
    let constant = |values| Tensor::from_data(TensorData::new(values, shape), &device);
    x * constant(slopes) + constant(intercepts)
}
