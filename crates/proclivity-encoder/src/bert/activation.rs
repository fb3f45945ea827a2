//! Activation functions by the names that checkpoints have for them.

use burn::tensor::{Tensor, activation};

use crate::vectorized::{gelu, gelu_tanh, tanh};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    Identity,
    Gelu,
    /// Its approximation by the hyperbolic tangent.
    GeluTanh,
    Relu,
    Tanh,
}

impl Activation {
    /// What is expected where [`Self::of_config`] finds nothing.
    pub(super) const IN_CONFIG: &str = "gelu, gelu_new, gelu_pytorch_tanh or relu";
    /// What is expected where [`Self::of_class`] finds nothing.
    pub(super) const CLASSES: &str = "torch.nn's Identity, Tanh, ReLU or GELU";

    /// By the name in a `config.json`.
    pub(super) fn of_config(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "relu" => Self::Relu,
            _ => return None,
        })
    }

    /// By PyTorch's class, as in `torch.nn.modules.activation.Tanh`.
    pub(super) fn of_class(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("torch.nn.modules.")? {
            "linear.Identity" => Self::Identity,
            "activation.Tanh" => Self::Tanh,
            "activation.ReLU" => Self::Relu,
            "activation.GELU" => Self::Gelu,
            _ => return None,
        })
    }

    /// In place, on the host.
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Gelu => gelu(values),
            Self::GeluTanh => gelu_tanh(values),
            // NaN stays NaN.
            Self::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Self::Tanh => tanh(values),
        }
    }

    /// On any device.
    pub(super) fn forward(self, values: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Identity => values,
            Self::Gelu => activation::gelu(values),
            Self::GeluTanh => activation::gelu_approximate(values),
            Self::Relu => activation::relu(values),
            Self::Tanh => activation::tanh(values),
        }
    }
}
