//! The transformer on burn: pre-norm blocks with rotary positions, and the tied softmax.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::{relu, softmax};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::CausalConfig;
use super::batch::Batch;
use super::corpus::Targets;
use super::softmax;
use crate::training::Dropout;

/// Token embeddings, which are the softmax's weights too, its bias, and the blocks between.
///
/// The norms have no weights of their own: the matrix behind each would absorb them.
#[derive(Module, Debug)]
pub(crate) struct Network {
    /// `[vocab, width]`
    pub(crate) tokens: Param<Tensor<2>>,
    /// `[vocab]`
    pub(crate) bias: Param<Tensor<1>>,
    pub(crate) blocks: Vec<Block>,
    #[module(skip)]
    pub(crate) heads: usize,
}

/// Attention, then a feed-forward layer with the squared rectifier, each added to its input.
#[derive(Module, Debug)]
pub(crate) struct Block {
    /// `[width, 3 · width]`
    pub(crate) query_key_value: Param<Tensor<2>>,
    /// `[width, width]`
    pub(crate) output: Param<Tensor<2>>,
    /// `[width, feed_forward]`
    pub(crate) up: Param<Tensor<2>>,
    /// `[feed_forward, width]`
    pub(crate) down: Param<Tensor<2>>,
}

impl Network {
    /// Fresh weights; the bias starts at the log of the token frequencies.
    pub(crate) fn new(config: &CausalConfig, unigram: &[f64], seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut matrix = |rows: usize, columns: usize, deviation: f64| {
            let values: Vec<f32> = StandardNormal
                .sample_iter(&mut rng)
                .take(rows * columns)
                .map(|z: f64| (z * deviation) as f32)
                .collect();
            Param::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let (width, feed_forward) = (config.width, config.feed_forward);
        let fan = |inputs: usize| 1.0 / (inputs as f64).sqrt();
        // Branches start small, so that the sum of all stays of the size of the embeddings.
        let branch = 1.0 / (2.0 * config.blocks as f64).sqrt();
        let tokens = matrix(unigram.len(), width, 0.5 * fan(width));
        let blocks = (0..config.blocks)
            .map(|_| Block {
                query_key_value: matrix(width, 3 * width, fan(width)),
                output: matrix(width, width, branch * fan(width)),
                up: matrix(width, feed_forward, fan(width)),
                down: matrix(feed_forward, width, branch * fan(feed_forward)),
            })
            .collect();
        let bias: Vec<f32> = unigram.iter().map(|p| p.ln() as f32).collect();
        Self {
            tokens,
            bias: Param::from_data(TensorData::new(bias, [unigram.len()]), device),
            blocks,
            heads: config.heads,
        }
    }

    /// The final hidden states, each of root mean square 1.
    ///
    /// # Shapes
    /// `[rows · length, width]`
    pub(crate) fn forward(&self, batch: &Batch, mut dropout: Option<Dropout>) -> Tensor<2> {
        let table = self.tokens.val();
        let device = table.device().inner();
        let width = table.dims()[1];
        let head_width = width / self.heads;
        let bias = batch.attention_bias(&device);
        let rotation = batch.rotation(head_width / 2, &device);
        let mut drop = |x| match &mut dropout {
            Some(dropout) => dropout.apply(x),
            None => x,
        };
        let mut x = normalize(table.select(0, batch.tokens(&device)));
        for block in &self.blocks {
            let attended = block.attend(normalize(x.clone()), batch, &bias, &rotation, self.heads);
            x = x + drop(attended);
            let up = relu(normalize(x.clone()).matmul(block.up.val()));
            x = x + drop((up.clone() * up).matmul(block.down.val()));
        }
        normalize(x)
    }

    /// A tensor whose gradients are those of Σ −log P(target), and that sum.
    ///
    /// The softmax and its gradient are computed here and outside of autodiff; the tensor is the
    /// linear function with these gradients.
    pub(crate) fn loss(&self, hidden: Tensor<2>, targets: &Targets) -> (Tensor<1>, f64) {
        let hidden = choose(hidden, targets);
        let (h, table) = (hidden.clone().inner(), self.tokens.val().inner());
        let bias = host(self.bias.val().inner());
        let mut logits = h.clone().matmul(table.clone().transpose()).into_data();
        let (loss, bias_gradient) = match logits.as_mut_slice::<f32>() {
            Ok(logits) => softmax::loss_gradient(logits, &bias, &targets.tokens, 1.0),
            Err(_) => (f64::NAN, vec![0.0; bias.len()]),
        };
        let device = h.device();
        let gradient = Tensor::<2>::from_data(logits, &device);
        let bias_gradient =
            Tensor::<1>::from_data(TensorData::new(bias_gradient, [bias.len()]), &device);
        let of_hidden = gradient.clone().matmul(table);
        let of_table = gradient.transpose().matmul(h);
        let linear = (hidden * of_hidden).sum()
            + (self.tokens.val() * of_table).sum()
            + (self.bias.val() * bias_gradient).sum();
        (linear, loss)
    }

    /// The logits behind some hidden states, with the bias, row by row.
    pub(crate) fn logits(&self, hidden: Tensor<2>) -> Vec<f32> {
        let bias = self.bias.val().unsqueeze();
        host(hidden.matmul(self.tokens.val().transpose()) + bias)
    }

    /// log P(target) at each target's position.
    pub(crate) fn log_probs(&self, hidden: Tensor<2>, targets: &Targets) -> Vec<f64> {
        let mut logits = choose(hidden, targets).matmul(self.tokens.val().transpose()).into_data();
        let bias = host(self.bias.val());
        match logits.as_mut_slice::<f32>() {
            Ok(logits) => softmax::log_probs(logits, &bias, &targets.tokens),
            Err(_) => vec![f64::NAN; targets.len()],
        }
    }
}

impl Block {
    /// # Shapes
    /// `x` and the result `[rows · length, width]`.
    fn attend(
        &self,
        x: Tensor<2>,
        batch: &Batch,
        bias: &Tensor<4>,
        rotation: &(Tensor<4>, Tensor<4>),
        heads: usize,
    ) -> Tensor<2> {
        let [tokens, width] = x.dims();
        let head_width = width / heads;
        let heads_of = x.matmul(self.query_key_value.val()).reshape([
            batch.rows(),
            batch.length(),
            3 * heads,
            head_width,
        ]);
        let value = heads_of.clone().narrow(2, 2 * heads, heads).swap_dims(1, 2);
        let query_key = rotate(heads_of.narrow(2, 0, 2 * heads), rotation).swap_dims(1, 2);
        let query = query_key.clone().narrow(1, 0, heads);
        let key = query_key.narrow(1, heads, heads);
        let scores = query.mul_scalar(1.0 / (head_width as f64).sqrt()).matmul(key.transpose());
        attention(scores + bias.clone(), value)
            .swap_dims(1, 2)
            .reshape([tokens, width])
            .matmul(self.output.val())
    }
}

/// softmax(scores) · value. Under autodiff the largest score is a constant and the division comes
/// behind the product: fewer passes over what grows with the square of the length.
fn attention(scores: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    if !scores.is_autodiff() {
        return softmax(scores, 3).matmul(value);
    }
    let most = scores.clone().inner().max_dim(3);
    let weights = (scores - most).exp();
    let total = weights.clone().sum_dim(3);
    weights.matmul(value) * total.recip()
}

/// Rotary positions, first half against second half.
fn rotate(x: Tensor<4>, (cosine, sine): &(Tensor<4>, Tensor<4>)) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let first = x.clone().narrow(3, 0, half);
    let second = x.narrow(3, half, half);
    Tensor::cat(
        vec![
            first.clone() * cosine.clone() - second.clone() * sine.clone(),
            first * sine.clone() + second * cosine.clone(),
        ],
        3,
    )
}

/// Divides each row by its root mean square.
fn normalize(x: Tensor<2>) -> Tensor<2> {
    let mean_square = (x.clone() * x.clone()).mean_dim(1);
    x * (mean_square + 1e-6).sqrt().recip()
}

/// The rows that have a target.
fn choose(hidden: Tensor<2>, targets: &Targets) -> Tensor<2> {
    // Training predicts at every place, in order: nothing to gather.
    let every = (0..hidden.dims()[0] as i32).eq(targets.positions.iter().copied());
    if every {
        return hidden;
    }
    let device = hidden.device().inner();
    let positions = TensorData::new(targets.positions.clone(), [targets.len()]);
    hidden.select(0, Tensor::<1, Int>::from_data(positions, &device))
}

/// The values on the host. The models here are f32 throughout.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as::<f32>().unwrap_or_default()
}
