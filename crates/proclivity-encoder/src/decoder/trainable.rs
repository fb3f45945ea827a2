//! A decoder with gradients, for token sequences of similar length that are padded to the longest.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Int, Tensor, TensorData};

use super::config::DecoderConfig;
use super::rotary::{Rotary, Rotation, rotate};
use crate::checkpoint::read;
use crate::finetune::{Names, ParameterLoader, activate, attention};
use crate::vectorized::Gate;
use crate::weights::WeightFiles;
use crate::{ComputeDevice, EncoderError};

/// All parameters of a checkpoint.
#[derive(Module, Debug)]
pub(crate) struct TrainableDecoder {
    /// `[vocab, width]`
    tokens: Param<Tensor<2>>,
    /// `[vocab, width]`: `None` where the embeddings are the softmax's weights, too.
    head: Option<Param<Tensor<2>>>,
    norm: Norm,
    blocks: Vec<Block>,
    #[module(skip)]
    settings: Settings,
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    output: Linear,
    feed_forward_norm: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// Division by the root mean square, and a weight for each column.
#[derive(Module, Debug)]
struct Norm {
    weight: Param<Tensor<1>>,
    epsilon: f64,
}

#[derive(Debug, Clone)]
struct Settings {
    heads: usize,
    key_value_heads: usize,
    head_width: usize,
    rotary: Rotary,
    context: usize,
    /// Tensors lie in the host's memory.
    on_host: bool,
}

impl TrainableDecoder {
    /// Reads a directory as [`super::Decoder::load`] does.
    pub(crate) fn open(
        directory: &Path,
        device: &ComputeDevice,
    ) -> Result<(Self, Names), EncoderError> {
        let path = directory.join("config.json");
        let config = DecoderConfig::parse(&path, &read(&path)?)?;
        config.validate(&path)?;
        let weights = WeightFiles::open(directory)?;
        let inner = device.burn().clone().inner();
        let loader = ParameterLoader::new(&weights, &inner);
        let settings = Settings {
            heads: config.num_attention_heads,
            key_value_heads: config.key_value_heads(),
            head_width: config.head_width(),
            rotary: Rotary::new(config.head_width(), config.rope_theta(), &config.scaling(&path)?),
            context: config.max_position_embeddings,
            on_host: device.is_on_host(),
        };
        let network = Self::load(&config, settings, &loader)?;
        Ok((network, loader.finish()))
    }

    fn load(
        config: &DecoderConfig,
        settings: Settings,
        loader: &ParameterLoader<'_>,
    ) -> Result<Self, EncoderError> {
        let (width, feed_forward) = (config.hidden_size, config.intermediate_size);
        let (biases, mlp_bias) = (config.biases(), config.mlp_bias);
        let prefix = if loader.contains("model.embed_tokens.weight") { "model." } else { "" };
        let of_queries = settings.heads * settings.head_width;
        let of_keys = settings.key_value_heads * settings.head_width;
        let norm = |name: &str, width| -> Result<Norm, EncoderError> {
            let weight = loader.take(&format!("{prefix}{name}.weight"), [width])?;
            Ok(Norm { weight, epsilon: config.rms_norm_eps })
        };
        let blocks = (0..config.num_hidden_layers).map(|layer| {
            let at = |part: &str| format!("layers.{layer}.{part}");
            let linear = |part: &str, from, to, bias| {
                loader.linear(&format!("{prefix}{}", at(part)), from, to, bias)
            };
            let head_norm = |part: &str| {
                config.normalizes_heads().then(|| norm(&at(part), settings.head_width)).transpose()
            };
            Ok(Block {
                attention_norm: norm(&at("input_layernorm"), width)?,
                query: linear("self_attn.q_proj", width, of_queries, biases.query_key_value)?,
                key: linear("self_attn.k_proj", width, of_keys, biases.query_key_value)?,
                value: linear("self_attn.v_proj", width, of_keys, biases.query_key_value)?,
                query_norm: head_norm("self_attn.q_norm")?,
                key_norm: head_norm("self_attn.k_norm")?,
                output: linear("self_attn.o_proj", of_queries, width, biases.output)?,
                feed_forward_norm: norm(&at("post_attention_layernorm"), width)?,
                gate: linear("mlp.gate_proj", width, feed_forward, mlp_bias)?,
                up: linear("mlp.up_proj", width, feed_forward, mlp_bias)?,
                down: linear("mlp.down_proj", feed_forward, width, mlp_bias)?,
            })
        });
        let table = [config.vocab_size, width];
        let has_head = loader.contains("lm_head.weight");
        let tied = config.tie_word_embeddings.unwrap_or(!has_head);
        let own_head = !tied && (!prefix.is_empty() || has_head);
        Ok(Self {
            tokens: loader.take(&format!("{prefix}embed_tokens.weight"), table)?,
            head: own_head.then(|| loader.take("lm_head.weight", table)).transpose()?,
            norm: norm("norm", width)?,
            blocks: blocks.collect::<Result<_, EncoderError>>()?,
            settings,
        })
    }

    /// Tokens that it can look back on.
    pub(crate) fn context(&self) -> usize {
        self.settings.context
    }

    /// The hidden states that the softmax takes; those of padding mean nothing.
    ///
    /// # Shapes
    /// → `[sequences · longest, width]`
    pub(crate) fn forward(&self, sequences: &[&[u32]]) -> Tensor<2> {
        let device = self.tokens.val().device().inner();
        let length = sequences.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
        let count = sequences.len();
        let mut ids = vec![0_i64; count * length];
        for (row, tokens) in ids.chunks_exact_mut(length.max(1)).zip(sequences) {
            row.iter_mut().zip(*tokens).for_each(|(to, &id)| *to = id.into());
        }
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count * length]), &device);
        let positions: Vec<usize> = (0..count).flat_map(|_| 0..length).collect();
        // Padding comes last, where no real token looks.
        let visible = (0..length).flat_map(|query| {
            (0..length).map(move |key| if key <= query { 0.0 } else { f32::NEG_INFINITY })
        });
        let visible = TensorData::new(visible.collect::<Vec<_>>(), [1, 1, length, length]);
        let group = Group {
            sequences: count,
            length,
            rotation: self.settings.rotary.rotation(&positions, &device),
            bias: Tensor::from_data(visible, &device),
        };
        let mut hidden = self.tokens.val().select(0, ids);
        for block in &self.blocks {
            hidden = block.forward(hidden, &group, &self.settings);
        }
        self.norm.forward(hidden)
    }

    /// The softmax's weights.
    ///
    /// # Shapes
    /// `[vocab, width]`
    pub(crate) fn table(&self) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.tokens).val()
    }
}

/// Sequences that are read together.
struct Group {
    sequences: usize,
    length: usize,
    rotation: Rotation,
    /// Hides what comes later.
    bias: Tensor<4>,
}

impl Block {
    /// # Shapes
    /// `[sequences · length, width]` → the same
    fn forward(&self, hidden: Tensor<2>, group: &Group, settings: &Settings) -> Tensor<2> {
        let attended = self.attend(self.attention_norm.forward(hidden.clone()), group, settings);
        let hidden = hidden + self.output.forward(attended);
        let input = self.feed_forward_norm.forward(hidden.clone());
        let gate = activate(self.gate.forward(input.clone()), Gate::Silu, settings.on_host);
        hidden + self.down.forward(gate * self.up.forward(input))
    }

    fn attend(&self, input: Tensor<2>, group: &Group, settings: &Settings) -> Tensor<2> {
        let Group { sequences, length, rotation, bias } = group;
        let Settings { heads, key_value_heads, head_width, .. } = *settings;
        let tokens = input.dims()[0];
        let of_heads = |layer: &Linear, heads| -> Tensor<3> {
            layer.forward(input.clone()).reshape([tokens, heads, head_width])
        };
        let normalized = |x: Tensor<3>, norm: &Option<Norm>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let split = |x: Tensor<3>, heads| {
            x.reshape([*sequences, *length, heads, head_width]).swap_dims(1, 2)
        };
        // Queries that share keys and values find a copy each.
        let repeated = |x: Tensor<4>| {
            let groups = heads / key_value_heads;
            let shape = [*sequences, key_value_heads, groups, *length, head_width];
            let copies = x.reshape([*sequences, key_value_heads, 1, *length, head_width]);
            copies.expand(shape).reshape([*sequences, heads, *length, head_width])
        };
        let query = rotate(normalized(of_heads(&self.query, heads), &self.query_norm), rotation);
        let key = of_heads(&self.key, key_value_heads);
        let key = rotate(normalized(key, &self.key_norm), rotation);
        let value = of_heads(&self.value, key_value_heads);
        let query = split(query, heads).mul_scalar(1.0 / (head_width as f64).sqrt());
        let key = repeated(split(key, key_value_heads));
        let scores = query.matmul(key.swap_dims(2, 3)) + bias.clone();
        attention(scores, repeated(split(value, key_value_heads)))
            .swap_dims(1, 2)
            .reshape([tokens, heads * head_width])
    }
}

impl Norm {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mean_square = (x.clone() * x.clone()).mean_dim(D - 1);
        x * (mean_square + self.epsilon).sqrt().recip() * self.weight.val().unsqueeze()
    }
}
