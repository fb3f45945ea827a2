//! The network of the BERT family in burn, post-norm, for packed texts: no token is padding.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Int, Tensor, TensorData, module};

use super::activation::Activation;
use super::config::{Architecture, BertConfig, Positions, Variant};
use super::few_tokens::{self, FEW_TOKENS, FewTokensBlock, Layer, Norm};
use crate::EncoderError;
use crate::product::product;
use crate::vectorized::{NormWeights, RelativeBias, add_norm, attention};
use crate::weights::WeightFiles;

#[derive(Module, Debug)]
pub(super) struct Bert {
    words: Embedding,
    positions: Embedding,
    /// The embedding of token type 0, the only one that single texts have.
    token_type: Option<Param<Tensor<1>>>,
    norm: LayerNorm,
    blocks: Vec<Block>,
    #[module(skip)]
    numbering: Positions,
    /// Added to the scores of each block's attention.
    #[module(skip)]
    bias: Option<RelativeBias>,
    /// The blocks once more, where they lie on the host.
    #[module(skip)]
    for_few_tokens: Option<Arc<[FewTokensBlock]>>,
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
    epsilon: f64,
    heads: usize,
    #[module(skip)]
    activation: Activation,
}

/// What checkpoints call the parts of a block's attention.
pub(super) struct AttentionNames {
    pub(super) query_key_value: [&'static str; 3],
    pub(super) output: &'static str,
    pub(super) norm: &'static str,
}

impl Variant {
    /// What precedes all names where the checkpoint is of a model with a head.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta => "roberta.",
            Self::Mpnet => "mpnet.",
        }
    }

    pub(super) fn attention_names(self) -> AttentionNames {
        match self {
            Self::Bert | Self::Roberta => AttentionNames {
                query_key_value: [
                    "attention.self.query",
                    "attention.self.key",
                    "attention.self.value",
                ],
                output: "attention.output.dense",
                norm: "attention.output.LayerNorm",
            },
            Self::Mpnet => AttentionNames {
                query_key_value: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
                output: "attention.attn.o",
                norm: "attention.LayerNorm",
            },
        }
    }
}

impl Bert {
    /// Takes the parameters from files in PyTorch's names and layout.
    pub(super) fn load(
        config: &BertConfig,
        architecture: &Architecture,
        weights: &WeightFiles,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let Architecture { variant, activation, positions } = *architecture;
        let width = config.hidden_size;
        let prefix = variant.prefix();
        let with_prefix = format!("{prefix}embeddings.word_embeddings.weight");
        let prefix = if weights.contains(&with_prefix) { prefix } else { "" };
        let embedding = |name: &str, rows| -> Result<Tensor<2>, EncoderError> {
            let name = format!("{prefix}embeddings.{name}.weight");
            weights.take(&name, [rows, width], device)
        };
        let token_type = match variant {
            Variant::Mpnet => None,
            Variant::Bert | Variant::Roberta => {
                let types = embedding("token_type_embeddings", config.type_vocab_size)?;
                Some(Param::from_tensor(types.narrow(0, 0, 1).squeeze_dim(0)))
            }
        };
        // Before what grows with their number.
        let places = embedding("position_embeddings", config.max_position_embeddings)?;
        let bias = match variant {
            Variant::Mpnet => Some(relative_bias(config, positions.room(config), prefix, weights)?),
            Variant::Bert | Variant::Roberta => None,
        };
        let names = variant.attention_names();
        let blocks = (0..config.num_hidden_layers)
            .map(|layer| {
                let at = |part: &str| format!("{prefix}encoder.layer.{layer}.{part}");
                let linear = |part: &str, from, to| linear(weights, &at(part), from, to, device);
                let norm =
                    |part: &str| norm(weights, &at(part), width, config.layer_norm_eps, device);
                let [query, key, value] = names.query_key_value;
                Ok(Block {
                    query_key_value: side_by_side([
                        linear(query, width, width)?,
                        linear(key, width, width)?,
                        linear(value, width, width)?,
                    ]),
                    output: linear(names.output, width, width)?,
                    attention_norm: norm(names.norm)?,
                    up: linear("intermediate.dense", width, config.intermediate_size)?,
                    down: linear("output.dense", config.intermediate_size, width)?,
                    output_norm: norm("output.LayerNorm")?,
                    epsilon: config.layer_norm_eps,
                    heads: config.num_attention_heads,
                    activation,
                })
            })
            .collect::<Result<_, EncoderError>>()?;
        let words = embedding("word_embeddings", config.vocab_size)?;
        let norm_name = format!("{prefix}embeddings.LayerNorm");
        Ok(Self {
            words: Embedding { weight: Param::from_tensor(words) },
            positions: Embedding { weight: Param::from_tensor(places) },
            token_type,
            norm: norm(weights, &norm_name, width, config.layer_norm_eps, device)?,
            blocks,
            numbering: positions,
            bias,
            for_few_tokens: None,
        })
    }

    /// Prepares for few tokens on the host.
    pub(super) fn for_few_tokens(mut self) -> Self {
        self.for_few_tokens = Some(self.blocks.iter_mut().map(Block::for_few_tokens).collect());
        self
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
        let mut rest = tokens;
        let mut positions = Vec::with_capacity(tokens.len());
        for &length in &texts.lengths {
            let (text, after) = rest.split_at(length);
            positions.extend(self.numbering.of(text));
            rest = after;
        }
        let words = tokens.iter().map(|&id| id.into()).collect();
        let embedded = self.words.weight.val().select(0, ids(words))
            + self.positions.weight.val().select(0, ids(positions));
        let embedded = match &self.token_type {
            Some(token_type) => embedded + token_type.val().unsqueeze(),
            None => embedded,
        };
        let embedded = self.norm.forward(embedded);
        let packed = self.bias.as_ref().filter(|_| texts.on_host);
        let few = texts.on_host && (1..=FEW_TOKENS).contains(&tokens.len());
        if let Some(blocks) = self.for_few_tokens.as_ref().filter(|_| few) {
            let (shape, data) = (embedded.dims(), embedded.into_data());
            let hidden = data.as_slice().unwrap_or_default();
            let hidden = few_tokens::forward(blocks, hidden, &texts.lengths, packed);
            return Tensor::from_data(TensorData::new(hidden, shape), device);
        }
        let dense = self.bias.as_ref().filter(|_| !texts.on_host);
        let dense = dense.map(|bias| dense_bias(bias, texts, self.heads(), device));
        let bias = Bias { packed, dense };
        self.blocks.iter().fold(embedded, |hidden, block| block.forward(hidden, texts, &bias))
    }

    fn heads(&self) -> usize {
        self.blocks.first().map_or(0, |block| block.heads)
    }
}

/// What is added to the scores of attention, if anything.
struct Bias<'a> {
    /// For texts that are packed.
    packed: Option<&'a RelativeBias>,
    /// For texts of the same length: `[texts, heads, length, length]`.
    dense: Option<Tensor<4>>,
}

fn dense_bias(bias: &RelativeBias, texts: &Texts, heads: usize, device: &Device) -> Tensor<4> {
    let (count, length) = (texts.lengths.len(), texts.lengths.first().copied().unwrap_or(0));
    let queries = (0..heads).flat_map(|head| (0..length).map(move |query| (head, query)));
    let values: Vec<f32> =
        queries.flat_map(|(head, query)| bias.row(head, query, length)).copied().collect();
    let one = Tensor::<4>::from_data(TensorData::new(values, [1, heads, length, length]), device);
    one.expand([count, heads, length, length])
}

/// The texts of a batch.
pub(super) struct Texts {
    /// Tokens of each; all the same unless `on_host`.
    pub(super) lengths: Vec<usize>,
    /// Tensors lie in the host's memory, where texts of any length go together.
    pub(super) on_host: bool,
}

impl Block {
    fn for_few_tokens(&mut self) -> FewTokensBlock {
        FewTokensBlock {
            query_key_value: Layer::share(&mut self.query_key_value),
            output: Layer::share(&mut self.output),
            attention_norm: Norm::new(&self.attention_norm, self.epsilon),
            up: Layer::share(&mut self.up),
            down: Layer::share(&mut self.down),
            output_norm: Norm::new(&self.output_norm, self.epsilon),
            heads: self.heads,
            activation: self.activation,
        }
    }

    /// # Shapes
    /// `[tokens, width]` → the same
    fn forward(&self, hidden: Tensor<2>, texts: &Texts, bias: &Bias<'_>) -> Tensor<2> {
        let query_key_value = forward(&self.query_key_value, hidden.clone(), texts.on_host);
        let attended = self.attend(query_key_value, texts, bias);
        if texts.on_host {
            let hidden = self.add_norm(attended, &self.output, hidden, &self.attention_norm);
            let expanded = forward(&self.up, hidden.clone(), true);
            let expanded = on_host(expanded, |values| self.activation.apply(values));
            return self.add_norm(expanded, &self.down, hidden, &self.output_norm);
        }
        let hidden = self.attention_norm.forward(hidden + self.output.forward(attended));
        let expanded = self.activation.forward(self.up.forward(hidden.clone()));
        self.output_norm.forward(hidden + self.down.forward(expanded))
    }

    /// norm(layer(x) + residual) on the host, with the sums and the norm in one go.
    fn add_norm(
        &self,
        x: Tensor<2>,
        layer: &Linear,
        residual: Tensor<2>,
        norm: &LayerNorm,
    ) -> Tensor<2> {
        let product = product(x, &layer.weight.val().transpose(), true);
        let [bias, beta] = [&layer.bias, &norm.beta].map(|it| it.as_ref().map(on_host_copy));
        let (gamma, residual) = (on_host_copy(&norm.gamma), residual.into_data());
        let (bias, beta) = (bias.unwrap_or_default(), beta.unwrap_or_default());
        let weights = NormWeights { gamma: &gamma, beta: &beta, epsilon: self.epsilon as f32 };
        on_host(product, |x| {
            if let Ok(residual) = residual.as_slice() {
                add_norm(x, &bias, residual, &weights);
            }
        })
    }

    /// # Shapes
    /// `[tokens, 3 · width]` → `[tokens, width]`
    fn attend(&self, query_key_value: Tensor<2>, texts: &Texts, bias: &Bias<'_>) -> Tensor<2> {
        let [tokens, columns] = query_key_value.dims();
        let width = columns / 3;
        if texts.on_host {
            let device = query_key_value.device();
            let data = query_key_value.into_data();
            let attended = data
                .as_slice::<f32>()
                .map(|input| attention(input, &texts.lengths, self.heads, bias.packed));
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
        let bias = bias.dense.clone();
        let attended = module::attention(split(0), split(1), split(2), None, bias, options);
        attended.swap_dims(1, 2).reshape([tokens, width])
    }
}

fn forward(layer: &Linear, x: Tensor<2>, on_host: bool) -> Tensor<2> {
    let y = product(x, &layer.weight.val().transpose(), on_host);
    match &layer.bias {
        Some(bias) => y + bias.val().unsqueeze(),
        None => y,
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

fn on_host_copy(parameter: &Param<Tensor<1>>) -> Vec<f32> {
    parameter.val().into_data().try_into_vec_as().unwrap_or_default()
}

/// One layer that does what several do on the same input.
fn side_by_side(layers: [Linear; 3]) -> Linear {
    let biases = layers.iter().filter_map(|layer| layer.bias.as_ref().map(Param::val)).collect();
    let weights = layers.iter().map(|layer| layer.weight.val().transpose()).collect();
    Linear {
        weight: Param::from_tensor(Tensor::cat(weights, 0).transpose()),
        bias: Some(Param::from_tensor(Tensor::cat(biases, 0))),
    }
}

fn linear(
    weights: &WeightFiles,
    name: &str,
    from: usize,
    to: usize,
    device: &Device,
) -> Result<Linear, EncoderError> {
    // PyTorch keeps [to, from], burn [from, to]: a view, so that `product` can have the former.
    let weight: Tensor<2> = weights.take(&format!("{name}.weight"), [to, from], device)?;
    let bias = weights.take(&format!("{name}.bias"), [to], device)?;
    Ok(Linear {
        weight: Param::from_tensor(weight.transpose()),
        bias: Some(Param::from_tensor(bias)),
    })
}

fn norm(
    weights: &WeightFiles,
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

/// MPNet's bias, which all blocks share: near keys have one each, farther ones share buckets whose
/// widths grow.
fn relative_bias(
    config: &BertConfig,
    reach: usize,
    prefix: &str,
    weights: &WeightFiles,
) -> Result<RelativeBias, EncoderError> {
    let (heads, buckets) = (config.num_attention_heads, config.relative_attention_num_buckets);
    let name = format!("{prefix}encoder.relative_attention_bias.weight");
    let values = weights.take_data(&name, &[buckets, heads])?;
    let values = values.try_into_vec::<f32>().unwrap_or_default();
    Ok(RelativeBias::new(heads, reach, |head, distance| {
        values[relative_bucket(distance, buckets) * heads + head]
    }))
}

/// The bucket of a key's distance from its query.
///
/// # Source
/// Raffel et al. 2020, Exploring the Limits of Transfer Learning, section 2.1; 128 is MPNet's
/// farthest distance.
pub(super) fn relative_bucket(distance: isize, buckets: usize) -> usize {
    const FARTHEST: f32 = 128.0;
    let half = buckets / 2;
    let side = if distance > 0 { half } else { 0 };
    let (far, exact) = (distance.unsigned_abs(), half / 2);
    if far < exact {
        return side + far;
    }
    let ratio = (far as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln();
    side + (exact + (ratio * (half - exact) as f32) as usize).min(half - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Blocks of any widths, with weights that look random.
    fn blocks(heads: usize, width: usize, middle: usize, activation: Activation) -> Vec<Block> {
        let device = Device::flex();
        let numbers = |salt: usize, count: usize| -> Vec<f32> {
            (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 1000.0 - 0.5).collect()
        };
        let vector = |salt, count| {
            let data = TensorData::new(numbers(salt, count), [count]);
            Param::from_tensor(Tensor::<1>::from_data(data, &device))
        };
        let linear = |salt, from: usize, to: usize| {
            let data = TensorData::new(numbers(salt, from * to), [to, from]);
            let weight = Tensor::<2>::from_data(data, &device).transpose();
            Linear { weight: Param::from_tensor(weight), bias: Some(vector(salt + 1, to)) }
        };
        let norm = |salt| {
            let mut norm = LayerNormConfig::new(width).init(&device);
            norm.gamma = vector(salt, width);
            norm.beta = Some(vector(salt + 1, width));
            norm
        };
        let block = |salt| Block {
            query_key_value: linear(salt, width, 3 * width),
            output: linear(salt + 20, width, width),
            attention_norm: norm(salt + 40),
            up: linear(salt + 60, width, middle),
            down: linear(salt + 80, middle, width),
            output_norm: norm(salt + 100),
            epsilon: 1e-5,
            heads,
            activation,
        };
        [0, 500].map(block).into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn few_tokens_are_computed_as_many_are_by_any_number_of_threads(
            lengths in prop::collection::vec(1..=64_usize, 1..=4),
            (heads, head_width, middle) in (1..=4_usize, 1..=20_usize, 1..=120_usize),
            activation in prop::sample::select(vec![
                Activation::Gelu, Activation::GeluTanh, Activation::Relu,
            ]),
            bias in any::<bool>(),
        ) {
            let mut left = FEW_TOKENS;
            let lengths: Vec<usize> = lengths
                .into_iter()
                .map(|length| {
                    let length = length.min(left);
                    left -= length;
                    length
                })
                .filter(|&length| length > 0)
                .collect();
            let (tokens, width) = (lengths.iter().sum::<usize>(), heads * head_width);
            let mut blocks = blocks(heads, width, middle, activation);
            let bias = bias.then(|| RelativeBias::new(heads, FEW_TOKENS, |head, distance| {
                (head as f32 + 0.3) * distance as f32 / 20.0
            }));
            let hidden: Vec<f32> =
                (0..tokens * width).map(|at| ((at * 7919) % 1013) as f32 / 500.0 - 1.0).collect();
            let texts = Texts { lengths, on_host: true };
            let embedded = Tensor::<2>::from_data(
                TensorData::new(hidden.clone(), [tokens, width]),
                &Device::flex(),
            );
            let packed = Bias { packed: bias.as_ref(), dense: None };
            let expected =
                blocks.iter().fold(embedded, |hidden, block| block.forward(hidden, &texts, &packed));
            let expected = expected.into_data().try_into_vec::<f32>().unwrap();
            let few: Vec<FewTokensBlock> = blocks.iter_mut().map(Block::for_few_tokens).collect();
            let by_threads = [1, 2, 3].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let compute =
                    || few_tokens::forward(&few, &hidden, &texts.lengths, bias.as_ref());
                pool.install(compute)
            });
            for got in &by_threads {
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(got), bits(&by_threads[0]));
            }
            for (got, expected) in by_threads[0].iter().zip(&expected) {
                prop_assert!((got - expected).abs() < 1e-4, "{} for {}", got, expected);
            }
            prop_assert_eq!(by_threads[0].len(), expected.len());
        }
    }
}
