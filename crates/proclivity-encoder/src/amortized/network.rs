//! The network in burn: a set of events to the logarithms of weights and concentrations.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView2;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::DirichletNetworkConfig;
use crate::causal::host;

#[derive(Module, Debug)]
pub(super) struct Network {
    /// `[features, width]` and `[width, width]`, an event at a time.
    pub(super) event: Layer,
    pub(super) deeper: Layer,
    /// `[width + 1, width]`: the sum over events, and how many there are.
    pub(super) set: Layer,
    /// `[width, components · (1 + interests)]`: of weights, then of each component's concentrations.
    pub(super) output: Layer,
    #[module(skip)]
    pub(super) components: usize,
}

#[derive(Module, Debug)]
pub(super) struct Layer {
    pub(super) weight: Param<Tensor<2>>,
    pub(super) bias: Param<Tensor<1>>,
}

impl Layer {
    fn random(from: usize, to: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self::of_deviation((2.0 / from as f64).sqrt(), from, to, rng, device)
    }

    fn of_deviation(
        deviation: f64,
        from: usize,
        to: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
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
    /// Fresh weights, with components around the prior for everyone.
    pub(super) fn new(
        features: usize,
        config: &DirichletNetworkConfig,
        prior: &[f64],
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let (width, components) = (config.width, config.components);
        let outputs = components * (1 + prior.len());
        let mut output = Layer::of_deviation(0.01, width, outputs, rng, device);
        // Apart from each other, as equal components would stay equal.
        let log_prior = prior.iter().cycle().take(components * prior.len()).map(|a| {
            let apart: f64 = StandardNormal.sample(rng);
            a.ln() + if components > 1 { 0.5 * apart } else { 0.0 }
        });
        let bias: Vec<f32> =
            std::iter::repeat_n(0.0, components).chain(log_prior).map(|x| x as f32).collect();
        output.bias = Param::from_data(TensorData::new(bias, [outputs]), device);
        Self {
            event: Layer::random(features, width, rng, device),
            deeper: Layer::random(width, width, rng, device),
            set: Layer::random(width + 1, width, rng, device),
            output,
            components,
        }
    }

    pub(super) fn interests(&self) -> usize {
        self.output.bias.dims()[0] / self.components - 1
    }

    /// # Shapes
    /// `[kinds of events, features]` and histories → `[histories, components · (1 + interests)]`
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

    pub(super) fn outputs(
        &self,
        event_vectors: ArrayView2<'_, f32>,
        histories: &[&[u32]],
    ) -> Vec<f32> {
        host(self.forward(event_vectors, histories))
    }
}
