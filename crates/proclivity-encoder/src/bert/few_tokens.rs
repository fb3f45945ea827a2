//! The blocks of the BERT family for few tokens, such as a query's, on the host.
//!
//! Here reading the weights takes most of the time, and handing work to sleeping threads would take
//! as much. So threads walk through all blocks side by side, and share the parts of a block's four
//! steps: heads, output projection, up and down projection. What lies between steps is so little that
//! each thread computes it for itself.

use std::ops::Range;

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Tensor, TensorData};

use super::activation::Activation;
use crate::steps::Step;
use crate::vectorized::{
    NormWeights, RelativeBias, add_lane_product, into_lanes, lane_attention, lane_norm, lanes,
    out_of_lanes, panels, stacked,
};

/// Of many more tokens, matrix products are as fast.
pub(super) const FEW_TOKENS: usize = 128;

/// Of a part: threads get equally much to do of most widths.
const OUTPUTS: usize = 48;

/// A block's parameters as slices.
#[derive(Debug, Clone)]
pub(super) struct FewTokensBlock {
    pub(super) query_key_value: Layer,
    pub(super) output: Layer,
    pub(super) attention_norm: Norm,
    pub(super) up: Layer,
    pub(super) down: Layer,
    pub(super) output_norm: Norm,
    pub(super) heads: usize,
    pub(super) activation: Activation,
}

#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// `[to, from]`, in the memory of the layer that it is from.
    weight: TensorData,
    /// `[to]`
    bias: Vec<f32>,
}

#[derive(Debug, Clone)]
pub(super) struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    epsilon: f32,
}

/// The last hidden state of each token.
///
/// # Shapes
/// hidden: `[tokens, width]` → the same
pub(super) fn forward(
    blocks: &[FewTokensBlock],
    hidden: &[f32],
    lengths: &[usize],
    bias: Option<&RelativeBias>,
) -> Vec<f32> {
    let tokens = lengths.iter().sum();
    let walk = Walk {
        blocks,
        steps: blocks.iter().map(FewTokensBlock::steps).collect(),
        embedded: into_lanes(hidden, tokens),
        lanes: lanes(tokens),
        lengths,
        bias,
    };
    // More would find nothing to do.
    let threads = blocks.first().map_or(1, |block| block.output.parts());
    rayon::in_place_scope(|scope| {
        for _ in 1..threads.min(rayon::current_num_threads()) {
            scope.spawn(|_| walk.help());
        }
        out_of_lanes(&walk.hidden(), tokens)
    })
}

/// All blocks one after the other, by any number of threads.
struct Walk<'a> {
    blocks: &'a [FewTokensBlock],
    steps: Vec<[Step; 4]>,
    /// Panels of `[width, lanes]`.
    embedded: Vec<f32>,
    lanes: usize,
    lengths: &'a [usize],
    bias: Option<&'a RelativeBias>,
}

impl Walk<'_> {
    /// For a thread that comes when all is done, there is nothing to do.
    fn help(&self) {
        if self.steps.last().is_some_and(|[.., last]| !last.is_begun()) {
            self.hidden();
        }
    }

    /// Panels of `[width, lanes]`.
    fn hidden(&self) -> Vec<f32> {
        let lanes = self.lanes;
        let mut hidden = self.embedded.clone();
        for (block, [heads, output, up, down]) in self.blocks.iter().zip(&self.steps) {
            let attended = heads.run(|head| self.attend(block, head, &hidden));
            let sums = output.run(|part| block.output.add(part, &attended, &hidden, lanes));
            let attended = block.attention_norm.of(&sums, lanes);
            let expanded = up.run(|part| block.expand(part, &attended, lanes));
            let sums = down.run(|part| block.down.add(part, &expanded, &attended, lanes));
            hidden = block.output_norm.of(&sums, lanes);
        }
        hidden
    }

    fn attend(&self, block: &FewTokensBlock, head: usize, hidden: &[f32]) -> Vec<f32> {
        let layer = &block.query_key_value;
        let width = layer.bias.len() / 3;
        let head_width = width / block.heads;
        let row = |row| row / head_width * width + head * head_width + row % head_width;
        let mut product = vec![0.0; 3 * head_width * self.lanes];
        layer.add_rows(3 * head_width, row, &[hidden], self.lanes, &mut product);
        lane_attention(&product, self.lengths, head, self.bias)
    }
}

impl FewTokensBlock {
    fn steps(&self) -> [Step; 4] {
        [self.heads, self.output.parts(), self.up.parts(), self.down.parts()].map(Step::new)
    }

    fn expand(&self, part: usize, hidden: &[f32], lanes: usize) -> Vec<f32> {
        let outputs = self.up.outputs(part);
        let mut product = vec![0.0; outputs.len() * lanes];
        self.up.add_rows(outputs.len(), |row| outputs.start + row, &[hidden], lanes, &mut product);
        self.activation.apply(&mut product);
        product
    }
}

impl Layer {
    /// Gives the layer's weight a place that is shared from then on.
    pub(super) fn share(layer: &mut Linear) -> Self {
        let weight = layer.weight.val().transpose();
        let device = weight.device();
        let (bytes, shape, dtype) = weight.into_data().into_parts();
        let weight = TensorData::from_bytes(bytes.shared(), shape, dtype);
        let shared = Tensor::<2>::from_data(weight.clone(), &device);
        layer.weight = Param::from_tensor(shared.transpose());
        Self { weight, bias: layer.bias.as_ref().map(numbers).unwrap_or_default() }
    }

    fn parts(&self) -> usize {
        self.bias.len().div_ceil(OUTPUTS)
    }

    fn outputs(&self, part: usize) -> Range<usize> {
        part * OUTPUTS..self.bias.len().min((part + 1) * OUTPUTS)
    }

    /// A part of weight · x + bias + residual.
    fn add(&self, part: usize, x: &[&[f32]], residual: &[f32], lanes: usize) -> Vec<f32> {
        let outputs = self.outputs(part);
        let mut out = Vec::with_capacity(outputs.len() * lanes);
        for panel in panels(lanes) {
            let first = self.bias.len() * panel.start + outputs.start * panel.len();
            out.extend_from_slice(&residual[first..][..outputs.len() * panel.len()]);
        }
        self.add_rows(outputs.len(), |row| outputs.start + row, x, lanes, &mut out);
        out
    }

    /// Adds some rows of weight · x + bias.
    fn add_rows(
        &self,
        rows: usize,
        row: impl Fn(usize) -> usize,
        x: &[&[f32]],
        lanes: usize,
        out: &mut [f32],
    ) {
        let weights = self.weight.as_slice::<f32>().unwrap_or_default();
        let from = weights.len() / self.bias.len();
        let row = |at| (&weights[row(at) * from..][..from], self.bias[row(at)]);
        add_lane_product(rows, row, x, lanes, out);
    }
}

impl Norm {
    pub(super) fn new(norm: &LayerNorm, epsilon: f64) -> Self {
        Self {
            gamma: numbers(&norm.gamma),
            beta: norm.beta.as_ref().map(numbers).unwrap_or_default(),
            epsilon: epsilon as f32,
        }
    }

    /// Of what steps have left.
    fn of(&self, parts: &[&[f32]], lanes: usize) -> Vec<f32> {
        let Self { gamma, beta, epsilon } = self;
        let mut values = stacked(parts, lanes);
        lane_norm(&mut values, lanes, &NormWeights { gamma, beta, epsilon: *epsilon });
        values
    }
}

fn numbers(parameter: &Param<Tensor<1>>) -> Vec<f32> {
    parameter.val().into_data().try_into_vec_as().unwrap_or_default()
}
