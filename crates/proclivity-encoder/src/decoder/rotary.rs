//! Rotary positions (Su et al. 2021), first half of a head against its second half.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::Scaling;

/// The angle that one position turns each pair by.
#[derive(Debug, Clone)]
pub(super) struct Rotary(Vec<f32>);

/// Cosines and sines of some positions, `[tokens, 1, head_width / 2]` each.
pub(super) type Rotation = (Tensor<3>, Tensor<3>);

impl Rotary {
    /// # Formula
    /// base^(−2i / head width), divided by the scaling's factor where it says so: everywhere (linear),
    /// or for long wavelengths, with a ramp from short ones (llama3), or each by its own.
    pub(super) fn new(head_width: usize, base: f64, scaling: &Scaling) -> Self {
        let plain = (0..head_width / 2).map(|i| base.powf(-2.0 * i as f64 / head_width as f64));
        let scaled = plain.enumerate().map(|(pair, frequency)| match *scaling {
            Scaling::None => frequency,
            Scaling::Factors(ref factors) => frequency / f64::from(factors[pair]),
            Scaling::Linear { factor } => frequency / factor,
            Scaling::Llama3 { factor, low, high, original_context } => {
                let turns = original_context * frequency / std::f64::consts::TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                kept * frequency + (1.0 - kept) * frequency / factor
            }
        });
        Self(scaled.map(|frequency| frequency as f32).collect())
    }

    pub(super) fn rotation(&self, positions: &[usize], device: &Device) -> Rotation {
        let angles = || positions.iter().flat_map(|&at| self.0.iter().map(move |f| at as f32 * f));
        let shape = [positions.len(), 1, self.0.len()];
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
        (tensor(angles().map(f32::cos).collect()), tensor(angles().map(f32::sin).collect()))
    }
}

/// # Shapes
/// `[tokens, heads, head_width]` → the same
pub(super) fn rotate(x: Tensor<3>, (cosine, sine): &Rotation) -> Tensor<3> {
    let half = x.dims()[2] / 2;
    let first = x.clone().narrow(2, 0, half);
    let second = x.narrow(2, half, half);
    let turned = vec![
        first.clone() * cosine.clone() - second.clone() * sine.clone(),
        first * sine.clone() + second * cosine.clone(),
    ];
    Tensor::cat(turned, 2)
}
