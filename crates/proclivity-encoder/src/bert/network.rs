//! The BERT network in burn (Devlin et al. 2019), post-norm, for packed texts: no token is padding.

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Int, Tensor, TensorData, activation, module};

use super::config::BertConfig;
use crate::EncoderError;
use crate::checkpoint::Weights;
use crate::vectorized::{attention, gelu};

#[derive(Module, Debug)]
pub(super) struct Bert {
    words: Embedding,
    positions: Embedding,
    /// The embedding of token type 0, the only one that single texts have.
    token_type: Param<Tensor<1>>,
    norm: LayerNorm,
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    /// `[width, 3 · width]`
    query_key_value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

impl Bert {
    /// Takes the parameters from a file in PyTorch's names and layout.
    pub(super) fn load(
        config: &BertConfig,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let width = config.hidden_size;
        let prefix =
            if weights.contains("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        let embedding = |name: &str, rows| {
            let name = format!("{prefix}embeddings.{name}.weight");
            weights.take(&name, [rows, width], device)
        };
        let types: Tensor<2> = embedding("token_type_embeddings", config.type_vocab_size)?;
        let blocks = (0..config.num_hidden_layers)
            .map(|layer| {
                let at = |part: &str| format!("{prefix}encoder.layer.{layer}.{part}");
                let linear = |part: &str, from, to| linear(weights, &at(part), from, to, device);
                let norm =
                    |part: &str| norm(weights, &at(part), width, config.layer_norm_eps, device);
                Ok(Block {
                    query_key_value: side_by_side([
                        linear("attention.self.query", width, width)?,
                        linear("attention.self.key", width, width)?,
                        linear("attention.self.value", width, width)?,
                    ]),
                    output: linear("attention.output.dense", width, width)?,
                    attention_norm: norm("attention.output.LayerNorm")?,
                    up: linear("intermediate.dense", width, config.intermediate_size)?,
                    down: linear("output.dense", config.intermediate_size, width)?,
                    output_norm: norm("output.LayerNorm")?,
                    heads: config.num_attention_heads,
                })
            })
            .collect::<Result<_, EncoderError>>()?;
        Ok(Self {
            words: Embedding {
                weight: Param::from_tensor(embedding("word_embeddings", config.vocab_size)?),
            },
            positions: Embedding {
                weight: Param::from_tensor(embedding(
                    "position_embeddings",
                    config.max_position_embeddings,
                )?),
            },
            token_type: Param::from_tensor(types.narrow(0, 0, 1).squeeze_dim(0)),
            norm: norm(
                weights,
                &format!("{prefix}embeddings.LayerNorm"),
                width,
                config.layer_norm_eps,
                device,
            )?,
            blocks,
        })
    }

    /// The last hidden state of each token.
    ///
    /// # Shapes
    /// tokens: `[tokens]`, the texts one after the other → `[tokens, width]`
    pub(super) fn forward(&self, tokens: &[u32], texts: &Texts, device: &Device) -> Tensor<2> {
        let ids = |ids: Vec<i64>| {
            let count = ids.len();
            Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), device)
        };
        let positions = texts.lengths.iter().flat_map(|&length| 0..length as i64).collect();
        let embedded =
            self.words.weight.val().select(0, ids(tokens.iter().map(|&id| id.into()).collect()))
                + self.positions.weight.val().select(0, ids(positions))
                + self.token_type.val().unsqueeze();
        let embedded = self.norm.forward(embedded);
        self.blocks.iter().fold(embedded, |hidden, block| block.forward(hidden, texts))
    }
}

/// The texts of a batch.
pub(super) struct Texts {
    /// Tokens of each; all the same unless `on_host`.
    pub(super) lengths: Vec<usize>,
    /// Tensors lie in the host's memory, where texts of any length go together.
    pub(super) on_host: bool,
}

impl Block {
    /// # Shapes
    /// `[tokens, width]` → the same
    fn forward(&self, hidden: Tensor<2>, texts: &Texts) -> Tensor<2> {
        let attended = self.attend(self.query_key_value.forward(hidden.clone()), texts);
        let hidden = self.attention_norm.forward(hidden + self.output.forward(attended));
        let expanded = self.up.forward(hidden.clone());
        let expanded =
            if texts.on_host { on_host(expanded, gelu) } else { activation::gelu(expanded) };
        self.output_norm.forward(hidden + self.down.forward(expanded))
    }

    /// # Shapes
    /// `[tokens, 3 · width]` → `[tokens, width]`
    fn attend(&self, query_key_value: Tensor<2>, texts: &Texts) -> Tensor<2> {
        let [tokens, columns] = query_key_value.dims();
        let width = columns / 3;
        if texts.on_host {
            let device = query_key_value.device();
            let data = query_key_value.into_data();
            let attended =
                data.as_slice::<f32>().map(|input| attention(input, &texts.lengths, self.heads));
            let attended = TensorData::new(attended.unwrap_or_default(), [tokens, width]);
            return Tensor::from_data(attended, &device);
        }
        let batch = texts.lengths.len();
        let split = |part: usize| {
            let of_head = [batch, tokens / batch, self.heads, width / self.heads];
            let part = query_key_value.clone().narrow(1, part * width, width);
            part.reshape(of_head).swap_dims(1, 2)
        };
        // No text is padded, so there is nothing to mask.
        let options = AttentionModuleOptions::default();
        let attended = module::attention(split(0), split(1), split(2), None, None, options);
        attended.swap_dims(1, 2).reshape([tokens, width])
    }
}

/// Changes numbers in place where they lie in the host's memory.
fn on_host(x: Tensor<2>, change: impl Fn(&mut [f32])) -> Tensor<2> {
    let device = x.device();
    let mut data = x.into_data();
    if let Ok(values) = data.as_mut_slice() {
        change(values);
    }
    Tensor::from_data(data, &device)
}

/// One layer that does what several do on the same input.
fn side_by_side(layers: [Linear; 3]) -> Linear {
    let biases = layers.iter().filter_map(|layer| layer.bias.as_ref().map(Param::val)).collect();
    let weights = layers.iter().map(|layer| layer.weight.val()).collect();
    Linear {
        weight: Param::from_tensor(Tensor::cat(weights, 1)),
        bias: Some(Param::from_tensor(Tensor::cat(biases, 0))),
    }
}

fn linear(
    weights: &Weights<'_>,
    name: &str,
    from: usize,
    to: usize,
    device: &Device,
) -> Result<Linear, EncoderError> {
    // PyTorch keeps [to, from], burn [from, to].
    let weight: Tensor<2> = weights.take(&format!("{name}.weight"), [to, from], device)?;
    let bias = weights.take(&format!("{name}.bias"), [to], device)?;
    Ok(Linear {
        weight: Param::from_tensor(weight.transpose()),
        bias: Some(Param::from_tensor(bias)),
    })
}

fn norm(
    weights: &Weights<'_>,
    name: &str,
    width: usize,
    epsilon: f64,
    device: &Device,
) -> Result<LayerNorm, EncoderError> {
    let mut norm = LayerNormConfig::new(width).with_epsilon(epsilon).init(device);
    norm.gamma = Param::from_tensor(weights.take(&format!("{name}.weight"), [width], device)?);
    norm.beta = Some(Param::from_tensor(weights.take(&format!("{name}.bias"), [width], device)?));
    Ok(norm)
}
