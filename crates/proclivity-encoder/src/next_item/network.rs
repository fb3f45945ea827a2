//! The network on burn: what any device computes, with autodiff.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::activation::{gelu, log_sigmoid, log_softmax, softmax};
use ndarray::ArrayView2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::NextItemConfig;
use super::batch::Batch;
use super::config::{Combine, NextItemLoss};
use super::head::ROWS;
use super::host::HostNetwork;
use super::negatives::Negatives;
use crate::training::Dropout;

/// Of layer normalisation.
pub(super) const EPSILON: f64 = 1e-5;

/// Item vectors, which are the softmax's weights too, and the blocks between.
#[derive(Module, Debug)]
pub(crate) struct Network {
    /// `[items, width]`
    pub(super) items: Param<Tensor<2>>,
    /// `[length, width]`
    positions: Param<Tensor<2>>,
    /// `[items]`
    bias: Param<Tensor<1>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    /// `[width, interests · width]`
    interests: Option<Param<Tensor<2>>>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    combine: Combine,
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: LayerNorm,
    /// `[width, 3 · width]`
    query_key_value: Linear,
    output: Linear,
    feed_forward_norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Network {
    /// Fresh weights around given item vectors and biases.
    ///
    /// # Shapes
    /// `items` `[items, width]`, `bias` `[items]`
    pub(super) fn new(
        config: &NextItemConfig,
        items: ArrayView2<'_, f32>,
        bias: &[f32],
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut matrix = |rows: usize, columns: usize, deviation: f64| -> Param<Tensor<2>> {
            let values = StandardNormal.sample_iter(&mut rng).take(rows * columns);
            let values: Vec<f32> = values.map(|z: f64| (z * deviation) as f32).collect();
            Param::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let mut linear = |from: usize, to: usize, share: f64| Linear {
            weight: matrix(from, to, share / (from as f64).sqrt()),
            bias: Some(Param::from_tensor(Tensor::zeros([to], device))),
        };
        let NextItemConfig { width, feed_forward, .. } = *config;
        let norm = || LayerNormConfig::new(width).with_epsilon(EPSILON).init(device);
        // Branches start small, so that the sum of all stays of the size of the input.
        let branch = 1.0 / (2.0 * config.blocks as f64).sqrt();
        let blocks = (0..config.blocks)
            .map(|_| Block {
                attention_norm: norm(),
                query_key_value: linear(width, 3 * width, 1.0),
                output: linear(width, width, branch),
                feed_forward_norm: norm(),
                up: linear(width, feed_forward, 1.0),
                down: linear(feed_forward, width, branch),
            })
            .collect();
        let positions = matrix(config.length, width, 0.1);
        let interests = (config.interests > 1)
            .then(|| matrix(width, config.interests * width, 1.0 / (width as f64).sqrt()));
        let table: Vec<f32> = items.iter().copied().collect();
        Self {
            items: Param::from_data(TensorData::new(table, [items.nrows(), width]), device),
            positions,
            bias: Param::from_data(TensorData::new(bias.to_vec(), [bias.len()]), device),
            blocks,
            norm: norm(),
            interests,
            heads: config.heads,
            combine: config.combine,
        }
    }

    /// The same weights on the host.
    pub(super) fn to_host(&self) -> HostNetwork {
        struct Values(Vec<Vec<f32>>);
        impl ModuleVisitor for Values {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let values = param.val().into_data().try_into_vec_as::<f32>();
                self.0.push(values.unwrap_or_default());
            }
        }
        let mut values = Values(Vec::new());
        self.visit(&mut values);
        let width = self.items.dims()[1];
        HostNetwork::from_tensors((width, self.heads, self.blocks.len()), values.0)
    }

    /// Gradients that were computed on the host.
    pub(super) fn gradients(&self, mut host: HostNetwork) -> GradientsParams {
        struct Register<I> {
            tensors: I,
            gradients: GradientsParams,
        }
        impl<I: Iterator<Item = Vec<f32>>> ModuleVisitor for Register<I> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(values) = self.tensors.next() {
                    let (shape, device) = (param.dims(), param.device());
                    let tensor = Tensor::<D>::from_data(TensorData::new(values, shape), &device);
                    self.gradients.register(param.id, tensor);
                }
            }
        }
        let tensors = host.tensors_mut().into_iter().map(std::mem::take);
        let mut register = Register { tensors, gradients: GradientsParams::new() };
        self.visit(&mut register);
        register.gradients
    }

    /// The final hidden states of all places.
    ///
    /// # Shapes
    /// `[places, width]`
    pub(super) fn forward(&self, batch: &Batch, mut dropout: Option<Dropout>) -> Tensor<2> {
        let table = self.items.val();
        let device = table.device().inner();
        let width = table.dims()[1];
        let rows = batch.lengths.len();
        let length = batch.lengths.iter().copied().max().unwrap_or(0);
        // Windows are left-aligned rows: the padding behind a window is seen by none of its places.
        let places: Vec<i32> = batch
            .lengths
            .iter()
            .enumerate()
            .flat_map(|(row, &own)| (0..own).map(move |at| (row * length + at) as i32))
            .collect();
        let mut items = vec![0; rows * length];
        for (&place, &item) in places.iter().zip(&batch.items) {
            items[place as usize] = item as i32;
        }
        let ints = |values| Self::indices(values, &device);
        let positions: Vec<i32> = (0..rows).flat_map(|_| 0..length as i32).collect();
        let mut drop = |x| match &mut dropout {
            Some(dropout) => dropout.apply(x),
            None => x,
        };
        let x = table.select(0, ints(items)).mul_scalar((width as f64).sqrt());
        let mut x = drop(x + self.positions.val().select(0, ints(positions)));
        let hidden: Vec<f32> = (0..length * length)
            .map(|at| if at % length > at / length { f32::NEG_INFINITY } else { 0.0 })
            .collect();
        let hidden =
            Tensor::<4>::from_data(TensorData::new(hidden, [1, 1, length, length]), &device);
        for block in &self.blocks {
            let query_key_value = block
                .query_key_value
                .forward(block.attention_norm.forward(x.clone()))
                .reshape([rows, length, 3 * self.heads, width / self.heads])
                .swap_dims(1, 2);
            let part = |part| query_key_value.clone().narrow(1, part * self.heads, self.heads);
            let scale = 1.0 / ((width / self.heads) as f64).sqrt();
            let scores = part(0).matmul(part(1).transpose()).mul_scalar(scale) + hidden.clone();
            let attended = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2);
            x = x + drop(block.output.forward(attended.reshape([rows * length, width])));
            let up = block.up.forward(block.feed_forward_norm.forward(x.clone()));
            x = x + drop(block.down.forward(gelu(up)));
        }
        self.norm.forward(x).select(0, ints(places))
    }

    /// The scores of some items for each hidden state.
    ///
    /// # Shapes
    /// `hidden` `[places, width]`, `table` `[items, width]`, result `[places, items]`
    fn scores(&self, hidden: Tensor<2>, table: Tensor<2>) -> Tensor<2> {
        let Some(interests) = &self.interests else { return hidden.matmul(table.transpose()) };
        let ([places, width], [items, _]) = (hidden.dims(), table.dims());
        let vectors = hidden.matmul(interests.val());
        let count = vectors.dims()[1] / width;
        let scores = vectors.reshape([places * count, width]).matmul(table.transpose());
        let scores = scores.reshape([places, count, items]);
        let combined = match self.combine {
            Combine::Max => scores.max_dim(1),
            Combine::LogSumExp => {
                let most = scores.clone().detach().max_dim(1);
                (scores - most.clone()).exp().sum_dim(1).log() + most
            }
        };
        combined.squeeze_dim(1)
    }

    /// The scores of all items for each hidden state, before normalisation.
    pub(super) fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.scores(hidden, self.items.val()) + self.bias.val().unsqueeze()
    }

    /// `[1, items]`
    pub(super) fn bias_row(&self) -> Tensor<2> {
        self.bias.val().unsqueeze()
    }

    pub(super) fn indices(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), device)
    }

    /// The sum of losses.
    pub(super) fn loss(
        &self,
        hidden: Tensor<2>,
        targets: &[u32],
        negatives: &Negatives,
        rng: &mut ChaCha8Rng,
    ) -> Tensor<1> {
        let (table, device) = (self.items.val(), hidden.device().inner());
        let ints = |values: &[u32]| {
            Self::indices(values.iter().map(|&value| value as i32).collect(), &device)
        };
        let mut loss: Option<Tensor<1>> = None;
        for (place, targets) in targets.chunks(ROWS).enumerate() {
            let hidden = hidden.clone().narrow(0, place * ROWS, targets.len());
            let own = ints(targets);
            let part = if negatives.loss == NextItemLoss::Softmax {
                log_softmax(self.logits(hidden), 1).gather(1, own.unsqueeze_dim(1)).sum().neg()
            } else {
                let drawn = negatives.draw(rng);
                let shift: Vec<f32> = targets
                    .iter()
                    .flat_map(|target| drawn.iter().map(move |negative| (target, negative)))
                    .map(|(target, &negative)| match *target == negative {
                        // Far enough to vanish, and finite, for the losses' gradients.
                        true => -1e9,
                        false => -negatives.log_expected(negative),
                    })
                    .collect();
                let shift = TensorData::new(shift, [targets.len(), drawn.len()]);
                let bias = self.bias.val();
                let indices = ints(&drawn);
                let scores = self.scores(hidden.clone(), table.clone().select(0, indices.clone()))
                    + bias.clone().select(0, indices).unsqueeze()
                    + Tensor::from_data(shift, &device);
                // Each target's score against its own place: a product of one column each.
                let own_table = table.clone().select(0, own.clone());
                let own_scores: Vec<Tensor<2>> = (0..targets.len())
                    .map(|row| {
                        let vector = own_table.clone().narrow(0, row, 1);
                        self.scores(hidden.clone().narrow(0, row, 1), vector)
                    })
                    .collect();
                let own_scores = Tensor::cat(own_scores, 0) + bias.select(0, own).unsqueeze_dim(1);
                match negatives.loss {
                    NextItemLoss::Gbce { .. } => {
                        log_sigmoid(own_scores).sum().mul_scalar(-negatives.beta())
                            - log_sigmoid(scores.neg()).sum()
                    }
                    _ => {
                        let all = Tensor::cat(vec![own_scores, scores], 1);
                        log_softmax(all, 1).narrow(1, 0, 1).sum().neg()
                    }
                }
            };
            loss = Some(match loss {
                Some(loss) => loss + part,
                None => part,
            });
        }
        loss.unwrap_or_else(|| Tensor::zeros([1], &hidden.device()))
    }
}
