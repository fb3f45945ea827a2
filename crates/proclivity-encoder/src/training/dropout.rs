//! Dropout from a generator of its own.

use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Inverted dropout with masks from a generator of its own: the backends' generators are shared by
/// the whole process.
pub(crate) struct Dropout {
    rate: f64,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// Nothing for a rate of 0.
    pub(crate) fn new(rate: f64, seed: u64) -> Option<Self> {
        (rate > 0.0).then(|| Self { rate, rng: ChaCha8Rng::seed_from_u64(seed) })
    }

    /// So many factors: 0, or what makes up for the zeros.
    pub(crate) fn mask(&mut self, count: usize) -> Vec<f32> {
        let mut random = vec![0_u8; count];
        self.rng.fill_bytes(&mut random);
        let threshold = (self.rate * 256.0).round().clamp(1.0, 255.0);
        let kept = (1.0 / (1.0 - threshold / 256.0)) as f32;
        let least = threshold as u8;
        random.iter().map(|&byte| if byte < least { 0.0 } else { kept }).collect()
    }

    pub(crate) fn apply(&mut self, x: Tensor<2>) -> Tensor<2> {
        let [rows, width] = x.dims();
        let mask = TensorData::new(self.mask(rows * width), [rows, width]);
        let device = x.device().inner();
        x * Tensor::from_data(mask, &device)
    }
}
