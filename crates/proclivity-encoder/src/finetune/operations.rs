//! Operations with gradients that cost less than what autodiff makes of the plain ones.

use burn::tensor::{Int, Tensor, TensorData, activation};

use crate::causal::{host, log_probs, loss_gradient};
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

/// Logits that are held at once.
const LOGITS: usize = 1 << 24;

/// A tensor whose gradients are those of Σ −log softmax(hidden · tableᵀ + bias)\[target\], and that
/// sum.
///
/// The softmax and its gradient are computed outside of autodiff; the tensor is the linear function
/// with these gradients.
///
/// # Shapes
/// `[targets, width]`, `[vocab, width]`, `[vocab]`
pub(crate) fn cross_entropy(
    hidden: Tensor<2>,
    table: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: &[u32],
) -> (Tensor<1>, f64) {
    let (h, weights) = (hidden.clone().inner(), table.clone().inner());
    let device = h.device();
    let vocab = weights.dims()[0];
    let bias_values =
        bias.as_ref().map_or_else(|| vec![0.0; vocab], |bias| host(bias.clone().inner()));
    let (mut loss, mut bias_gradient) = (0.0, vec![0.0; vocab]);
    let mut of_hidden = Vec::new();
    let mut of_table: Option<Tensor<2>> = None;
    let rows = (LOGITS / vocab).max(1);
    for (first, targets) in (0..).step_by(rows).zip(targets.chunks(rows)) {
        let h = h.clone().narrow(0, first, targets.len());
        let mut logits = h.clone().matmul(weights.clone().transpose()).into_data();
        let (part, gradient) = match logits.as_mut_slice::<f32>() {
            Ok(logits) => loss_gradient(logits, &bias_values, targets, 1.0),
            Err(_) => (f64::NAN, vec![f32::NAN; vocab]),
        };
        loss += part;
        bias_gradient.iter_mut().zip(gradient).for_each(|(sum, part)| *sum += part);
        let gradient = Tensor::<2>::from_data(logits, &device);
        of_hidden.push(gradient.clone().matmul(weights.clone()));
        if table.is_require_grad() {
            let part = gradient.transpose().matmul(h);
            of_table = Some(match of_table {
                Some(sum) => sum + part,
                None => part,
            });
        }
    }
    if of_hidden.is_empty() {
        return (nothing(&hidden), 0.0);
    }
    let mut linear = (hidden * Tensor::cat(of_hidden, 0)).sum();
    if let Some(gradient) = of_table {
        linear = linear + (table * gradient).sum();
    }
    if let Some(bias) = bias {
        let gradient = TensorData::new(bias_gradient, [vocab]);
        linear = linear + (bias * Tensor::from_data(gradient, &device)).sum();
    }
    (linear, loss)
}

/// −log softmax(hidden · tableᵀ + bias)\[target\], summed, without gradients.
pub(crate) fn cross_entropy_sum(
    hidden: Tensor<2>,
    table: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: &[u32],
) -> f64 {
    let vocab = table.dims()[0];
    let bias = bias.map_or_else(|| vec![0.0; vocab], host);
    let rows = (LOGITS / vocab).max(1);
    let parts = (0..).step_by(rows).zip(targets.chunks(rows)).map(|(first, targets)| {
        let hidden = hidden.clone().narrow(0, first, targets.len());
        let mut logits = hidden.matmul(table.clone().transpose()).into_data();
        match logits.as_mut_slice::<f32>() {
            Ok(logits) => -log_probs(logits, &bias, targets).iter().sum::<f64>(),
            Err(_) => f64::NAN,
        }
    });
    parts.sum()
}

/// A loss of 0 whose gradients are 0.
pub(crate) fn nothing(x: &Tensor<2>) -> Tensor<1> {
    x.clone().sum().mul_scalar(0.0)
}

/// Some rows of a tensor.
pub(crate) fn rows(x: Tensor<2>, places: &[usize]) -> Tensor<2> {
    let device = x.device().inner();
    let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let count = places.len();
    x.select(0, Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device))
}
