//! The network in burn: a set of events to the logarithm of concentrations.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView2;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::causal::host;

#[derive(Module, Debug)]
pub(super) struct Network {
    /// `[features, width]` and `[width, width]`, an event at a time.
    pub(super) event: Layer,
    pub(super) deeper: Layer,
    /// `[width + 1, width]`: the sum over events, and how many there are.
    pub(super) set: Layer,
    /// `[width, interests]`
    pub(super) output: Layer,
}

#[derive(Module, Debug)]
pub(super) struct Layer {
    pub(super) weight: Param<Tensor<2>>,
    pub(super) bias: Param<Tensor<1>>,
}

impl Layer {
    fn random(from: usize, to: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let deviation = (2.0 / from as f64).sqrt();
        let values = StandardNormal.sample_iter(rng).take(from * to);
        let values: Vec<f32> = values.map(|z: f64| (z * deviation) as f32).collect();
        Self {
            weight: Param::from_data(TensorData::new(values, [from, to]), device),
            bias: Param::from_data(TensorData::zeros::<f32, _>([to]), device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }
}

impl Network {
    /// Fresh weights, with the prior as the result for everyone.
    pub(super) fn new(
        features: usize,
        width: usize,
        prior: &[f64],
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let interests = prior.len();
        let log_prior: Vec<f32> = prior.iter().map(|a| a.ln() as f32).collect();
        Self {
            event: Layer::random(features, width, rng, device),
            deeper: Layer::random(width, width, rng, device),
            set: Layer::random(width + 1, width, rng, device),
            output: Layer {
                weight: Param::from_data(TensorData::zeros::<f32, _>([width, interests]), device),
                bias: Param::from_data(TensorData::new(log_prior, [interests]), device),
            },
        }
    }

    pub(super) fn interests(&self) -> usize {
        self.output.bias.dims()[0]
    }

    /// # Shapes
    /// `[kinds of events, features]` and histories → `[histories, interests]`
    pub(super) fn forward(
        &self,
        event_vectors: ArrayView2<'_, f32>,
        histories: &[&[u32]],
    ) -> Tensor<2> {
        let device = self.event.weight.val().device().inner();
        let (users, features) = (histories.len(), event_vectors.ncols());
        let length = histories.iter().map(|history| history.len()).max().unwrap_or(0).max(1);
        let mut inputs = vec![0.0_f32; users * length * features];
        let mut present = vec![0.0_f32; users * length];
        let mut counts = Vec::with_capacity(users);
        for (user, history) in histories.iter().enumerate() {
            for (place, &event) in (user * length..).zip(*history) {
                let vector = event_vectors.row(event as usize);
                let input = &mut inputs[place * features..][..features];
                input.iter_mut().zip(vector).for_each(|(to, &from)| *to = from);
                present[place] = 1.0;
            }
            counts.push((history.len() as f32).ln_1p());
        }
        let tensor = |values, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), &device)
        };
        let events = tensor(inputs, [users * length, features]);
        let hidden = relu(self.deeper.forward(relu(self.event.forward(events))));
        let width = hidden.dims()[1];
        let hidden = hidden * tensor(present, [users * length, 1]);
        let sums = hidden.reshape([users, length, width]).sum_dim(1).reshape([users, width]);
        let set = Tensor::cat(vec![sums, tensor(counts, [users, 1])], 1);
        self.output.forward(relu(self.set.forward(set)))
    }

    pub(super) fn log_concentrations(
        &self,
        event_vectors: ArrayView2<'_, f32>,
        histories: &[&[u32]],
    ) -> Vec<f32> {
        host(self.forward(event_vectors, histories))
    }
}
