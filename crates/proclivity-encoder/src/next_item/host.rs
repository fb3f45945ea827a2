//! The network on the host with its gradient written out: autodiff on the CPU keeps and passes over
//! an array for every elementary operation, which takes as long as the matrix products.

use super::attention::{Heads, attention, attention_backward};
use super::batch::Batch;
use super::network::EPSILON;
use super::product::{add_product, product, rows, rows_mut};
use crate::training::Dropout;
use crate::vectorized::{gelu_with_slopes, layer_norm, layer_norm_backward};

/// All weights, or gradients of all weights, in the order in which burn visits them.
#[derive(Debug, Clone)]
pub(super) struct HostNetwork {
    pub(super) width: usize,
    pub(super) heads: usize,
    /// `[items, width]`
    pub(super) items: Vec<f32>,
    /// `[length, width]`
    pub(super) positions: Vec<f32>,
    /// `[items]`
    pub(super) bias: Vec<f32>,
    blocks: Vec<HostBlock>,
    norm: Layer,
    /// `[width, interests · width]`, empty with one interest.
    pub(super) interests: Vec<f32>,
}

#[derive(Debug, Clone)]
struct HostBlock {
    attention_norm: Layer,
    query_key_value: Layer,
    output: Layer,
    feed_forward_norm: Layer,
    up: Layer,
    down: Layer,
}

/// A matrix `[from, to]` or a scale, and what is added.
#[derive(Debug, Clone, Default)]
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// What the backward pass needs of the forward pass.
pub(super) struct Passed {
    input_mask: Option<Vec<f32>>,
    blocks: Vec<PassedBlock>,
    /// In front of the last norm.
    last: Vec<f32>,
    /// `[places, width]`
    pub(super) hidden: Vec<f32>,
}

struct PassedBlock {
    x: Vec<f32>,
    normed: Vec<f32>,
    query_key_value: Vec<f32>,
    attention_weights: Vec<f32>,
    attended: Vec<f32>,
    attention_mask: Option<Vec<f32>>,
    /// Behind the attention's residual.
    middle: Vec<f32>,
    middle_normed: Vec<f32>,
    activated: Vec<f32>,
    slopes: Vec<f32>,
    feed_forward_mask: Option<Vec<f32>>,
}

impl HostNetwork {
    /// Nothing but shapes; `tensors` come in burn's order.
    pub(super) fn from_tensors(
        (width, heads, blocks): (usize, usize, usize),
        tensors: Vec<Vec<f32>>,
    ) -> Self {
        let layer = Layer::default;
        let block = || HostBlock {
            attention_norm: layer(),
            query_key_value: layer(),
            output: layer(),
            feed_forward_norm: layer(),
            up: layer(),
            down: layer(),
        };
        let mut network = Self {
            width,
            heads,
            items: Vec::new(),
            positions: Vec::new(),
            bias: Vec::new(),
            blocks: (0..blocks).map(|_| block()).collect(),
            norm: layer(),
            interests: Vec::new(),
        };
        for (place, tensor) in network.tensors_mut().into_iter().zip(tensors) {
            *place = tensor;
        }
        network
    }

    /// In burn's order; the last one may be empty.
    pub(super) fn tensors_mut(&mut self) -> Vec<&mut Vec<f32>> {
        let mut tensors = vec![&mut self.items, &mut self.positions, &mut self.bias];
        for block in &mut self.blocks {
            let HostBlock { attention_norm, query_key_value, output, .. } = block;
            for layer in [
                attention_norm,
                query_key_value,
                output,
                &mut block.feed_forward_norm,
                &mut block.up,
                &mut block.down,
            ] {
                tensors.extend([&mut layer.weight, &mut layer.bias]);
            }
        }
        tensors.extend([&mut self.norm.weight, &mut self.norm.bias, &mut self.interests]);
        tensors
    }

    /// Zeros of the same shapes.
    pub(super) fn zeros(&self) -> Self {
        let mut zeros = self.clone();
        zeros.tensors_mut().into_iter().for_each(|tensor| tensor.fill(0.0));
        zeros
    }

    /// The final hidden states of all places, with what the backward pass needs.
    pub(super) fn forward(&self, batch: &Batch, mut dropout: Option<Dropout>) -> Passed {
        let width = self.width;
        let root = (width as f32).sqrt();
        let mut x = Vec::with_capacity(batch.items.len() * width);
        for (&item, position) in batch.items.iter().zip(batch.positions()) {
            let item = &self.items[item as usize * width..][..width];
            let position = &self.positions[position * width..][..width];
            x.extend(item.iter().zip(position).map(|(item, position)| root * item + position));
        }
        let mut mask = |x: &mut [f32]| {
            let mask = dropout.as_mut()?.mask(x.len());
            multiply(x, &mask);
            Some(mask)
        };
        let input_mask = mask(&mut x);
        let heads = Heads { count: self.heads, width };
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let normed = block.attention_norm.norm(&x);
            let query_key_value = block.query_key_value.linear(&normed);
            let (attended, attention_weights) = attention(&query_key_value, &batch.lengths, heads);
            let mut middle = block.output.linear(&attended);
            let attention_mask = mask(&mut middle);
            add(&mut middle, &x);
            let middle_normed = block.feed_forward_norm.norm(&middle);
            let mut activated = block.up.linear(&middle_normed);
            let mut slopes = vec![0.0; activated.len()];
            gelu_with_slopes(&mut activated, &mut slopes);
            let mut out = block.down.linear(&activated);
            let feed_forward_mask = mask(&mut out);
            add(&mut out, &middle);
            blocks.push(PassedBlock {
                x: std::mem::replace(&mut x, out),
                normed,
                query_key_value,
                attention_weights,
                attended,
                attention_mask,
                middle,
                middle_normed,
                activated,
                slopes,
                feed_forward_mask,
            });
        }
        let hidden = self.norm.norm(&x);
        Passed { input_mask, blocks, last: x, hidden }
    }

    /// Adds the gradients, given the hidden states'.
    pub(super) fn backward(
        &self,
        batch: &Batch,
        passed: &Passed,
        hidden_gradient: &[f32],
        gradients: &mut Self,
    ) {
        let width = self.width;
        let heads = Heads { count: self.heads, width };
        let mut x = vec![0.0; hidden_gradient.len()];
        self.norm.norm_backward(&passed.last, hidden_gradient, &mut x, &mut gradients.norm);
        let blocks = self.blocks.iter().zip(&passed.blocks).zip(&mut gradients.blocks);
        for ((block, passed), gradients) in blocks.rev() {
            let branch = masked(&x, passed.feed_forward_mask.as_deref());
            let mut activated =
                block.down.linear_backward(&passed.activated, &branch, &mut gradients.down);
            multiply(&mut activated, &passed.slopes);
            let normed =
                block.up.linear_backward(&passed.middle_normed, &activated, &mut gradients.up);
            let norm = &mut gradients.feed_forward_norm;
            block.feed_forward_norm.norm_backward(&passed.middle, &normed, &mut x, norm);

            let branch = masked(&x, passed.attention_mask.as_deref());
            let attended =
                block.output.linear_backward(&passed.attended, &branch, &mut gradients.output);
            let query_key_value = attention_backward(
                &passed.query_key_value,
                &passed.attention_weights,
                &attended,
                &batch.lengths,
                heads,
            );
            let normed = block.query_key_value.linear_backward(
                &passed.normed,
                &query_key_value,
                &mut gradients.query_key_value,
            );
            let norm = &mut gradients.attention_norm;
            block.attention_norm.norm_backward(&passed.x, &normed, &mut x, norm);
        }
        let x = masked(&x, passed.input_mask.as_deref());
        let root = (width as f32).sqrt();
        let places = batch.items.iter().zip(batch.positions()).zip(x.chunks_exact(width));
        for ((&item, position), x) in places {
            let item = &mut gradients.items[item as usize * width..][..width];
            item.iter_mut().zip(x).for_each(|(item, x)| *item += root * x);
            add(&mut gradients.positions[position * width..][..width], x);
        }
    }
}

impl Layer {
    fn norm(&self, x: &[f32]) -> Vec<f32> {
        layer_norm(x, &self.weight, &self.bias, EPSILON as f32)
    }

    /// Adds to the gradients with respect to x and this layer.
    fn norm_backward(&self, x: &[f32], gradient: &[f32], into: &mut [f32], own: &mut Self) {
        let own = (own.weight.as_mut_slice(), own.bias.as_mut_slice());
        layer_norm_backward(x, &self.weight, EPSILON as f32, gradient, into, own);
    }

    /// # Shapes
    /// `x` `[places, from]`, result `[places, to]`
    fn linear(&self, x: &[f32]) -> Vec<f32> {
        let to = self.bias.len();
        let from = self.weight.len() / to;
        let mut out = self.bias.repeat(x.len() / from);
        add_product(rows_mut(&mut out, to), rows(x, from), rows(&self.weight, to));
        out
    }

    /// Adds to this layer's gradients and returns x's.
    fn linear_backward(&self, x: &[f32], gradient: &[f32], own: &mut Self) -> Vec<f32> {
        let to = self.bias.len();
        let from = self.weight.len() / to;
        let out = rows(gradient, to);
        add_product(rows_mut(&mut own.weight, to), rows(x, from).transpose(), out);
        gradient.chunks_exact(to).for_each(|gradient| add(&mut own.bias, gradient));
        let mut into = vec![0.0; x.len()];
        product(rows_mut(&mut into, from), out, rows(&self.weight, to).transpose());
        into
    }
}

pub(super) fn add(into: &mut [f32], values: &[f32]) {
    into.iter_mut().zip(values).for_each(|(into, value)| *into += value);
}

fn multiply(into: &mut [f32], factors: &[f32]) {
    into.iter_mut().zip(factors).for_each(|(into, factor)| *into *= factor);
}

fn masked(values: &[f32], mask: Option<&[f32]>) -> Vec<f32> {
    let mut values = values.to_vec();
    if let Some(mask) = mask {
        multiply(&mut values, mask);
    }
    values
}
