//! The BERT network in burn (Devlin et al. 2019), post-norm, for texts of one length at a time.

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Int, Tensor};

use super::config::BertConfig;
use crate::EncoderError;
use crate::checkpoint::Weights;

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
    query: Linear,
    key: Linear,
    value: Linear,
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
                    query: linear("attention.self.query", width, width)?,
                    key: linear("attention.self.key", width, width)?,
                    value: linear("attention.self.value", width, width)?,
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
    /// tokens: `[batch, length]` → `[batch, length, width]`
    pub(super) fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [_, length] = tokens.dims();
        let positions = Tensor::arange(0..length as i64, &tokens.device()).unsqueeze_dim(0);
        let embedded = self.words.forward(tokens)
            + self.positions.forward(positions)
            + self.token_type.val().unsqueeze();
        let embedded = self.norm.forward(embedded);
        self.blocks.iter().fold(embedded, |hidden, block| block.forward(hidden))
    }
}

impl Block {
    /// # Shapes
    /// `[batch, length, width]` → the same
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = hidden.dims();
        let split = |x: Tensor<3>| {
            x.reshape([batch, length, self.heads, width / self.heads]).swap_dims(1, 2)
        };
        // No text is padded, so there is nothing to mask.
        let attended = attention(
            split(self.query.forward(hidden.clone())),
            split(self.key.forward(hidden.clone())),
            split(self.value.forward(hidden.clone())),
            None,
            None,
            AttentionModuleOptions::default(),
        );
        let attended = attended.swap_dims(1, 2).reshape([batch, length, width]);
        let hidden = self.attention_norm.forward(hidden + self.output.forward(attended));
        let expanded = gelu(self.up.forward(hidden.clone()));
        self.output_norm.forward(hidden + self.down.forward(expanded))
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
