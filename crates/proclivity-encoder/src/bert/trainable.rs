//! The BERT family with gradients, for texts of similar length that are padded to the longest.

use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::activation::Activation;
use super::config::{Architecture, BertConfig, Positions, Variant};
use super::network::relative_bucket;
use super::sentence::Modules;
use crate::checkpoint::read;
use crate::finetune::{self, Names, ParameterLoader, attention};
use crate::vectorized::Gate;
use crate::weights::WeightFiles;
use crate::{ComputeDevice, EncoderError};

/// All parameters of a checkpoint that a text's tokens go through.
#[derive(Module, Debug)]
pub(crate) struct TrainableBert {
    words: Param<Tensor<2>>,
    positions: Param<Tensor<2>>,
    token_types: Option<Param<Tensor<2>>>,
    norm: LayerNorm,
    /// MPNet's, `[buckets, heads]`.
    distance_bias: Option<Param<Tensor<2>>>,
    blocks: Vec<Block>,
    head: Option<Head>,
    #[module(skip)]
    settings: Settings,
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
}

/// What predicts masked tokens, with the word embeddings.
#[derive(Module, Debug)]
struct Head {
    dense: Linear,
    norm: LayerNorm,
    bias: Param<Tensor<1>>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    heads: usize,
    activation: Activation,
    numbering: Positions,
    /// Tensors lie in the host's memory.
    on_host: bool,
}

impl TrainableBert {
    /// Reads a directory as [`super::BertEncoder::load`] does. `head`: also what predicts masked
    /// tokens, which is made anew from this seed where the checkpoint hasn't any. Returns also where
    /// the weights lie.
    pub(crate) fn open(
        directory: &Path,
        device: &ComputeDevice,
        head: Option<u64>,
    ) -> Result<(Self, Names, PathBuf), EncoderError> {
        let transformer = Modules::read(directory)?.transformer();
        let path = transformer.join("config.json");
        let config = BertConfig::parse(&path, &read(&path)?)?;
        let architecture = config.architecture(&path)?;
        let weights = WeightFiles::open(&transformer)?;
        let inner = device.burn().clone().inner();
        let loader = ParameterLoader::new(&weights, &inner);
        let network = Self::load(&config, &architecture, &loader, device.is_on_host(), head)?;
        Ok((network, loader.finish(), transformer))
    }

    fn load(
        config: &BertConfig,
        architecture: &Architecture,
        loader: &ParameterLoader<'_>,
        on_host: bool,
        head: Option<u64>,
    ) -> Result<Self, EncoderError> {
        let Architecture { variant, activation, positions } = *architecture;
        let (width, heads) = (config.hidden_size, config.num_attention_heads);
        let prefix = variant.prefix();
        let prefixed = loader.contains(&format!("{prefix}embeddings.word_embeddings.weight"));
        let prefix = if prefixed { prefix } else { "" };
        let embedding = |name: &str, rows| {
            loader.take(&format!("{prefix}embeddings.{name}.weight"), [rows, width])
        };
        let norm = |name: &str| norm(loader, name, width, config.layer_norm_eps);
        let names = variant.attention_names();
        let blocks = (0..config.num_hidden_layers).map(|layer| {
            let at = |part: &str| format!("{prefix}encoder.layer.{layer}.{part}");
            let linear = |part: &str, from, to| loader.linear(&at(part), from, to, true);
            let [query, key, value] = names.query_key_value;
            Ok(Block {
                query: linear(query, width, width)?,
                key: linear(key, width, width)?,
                value: linear(value, width, width)?,
                output: linear(names.output, width, width)?,
                attention_norm: norm(&at(names.norm))?,
                up: linear("intermediate.dense", width, config.intermediate_size)?,
                down: linear("output.dense", config.intermediate_size, width)?,
                output_norm: norm(&at("output.LayerNorm"))?,
            })
        });
        let buckets = [config.relative_attention_num_buckets, heads];
        let bias = format!("{prefix}encoder.relative_attention_bias.weight");
        let mpnet = variant == Variant::Mpnet;
        let types = (!mpnet).then(|| embedding("token_type_embeddings", config.type_vocab_size));
        Ok(Self {
            words: embedding("word_embeddings", config.vocab_size)?,
            positions: embedding("position_embeddings", config.max_position_embeddings)?,
            token_types: types.transpose()?,
            norm: norm(&format!("{prefix}embeddings.LayerNorm"))?,
            distance_bias: mpnet.then(|| loader.take(&bias, buckets)).transpose()?,
            blocks: blocks.collect::<Result<_, EncoderError>>()?,
            head: head.map(|seed| Head::load(config, variant, loader, seed)).transpose()?,
            settings: Settings { heads, activation, numbering: positions, on_host },
        })
    }

    /// The last hidden state of each token; those of padding mean nothing.
    ///
    /// # Shapes
    /// → `[texts, longest text, width]`
    pub(crate) fn forward(&self, texts: &[&[u32]]) -> Tensor<3> {
        let device = self.words.val().device().inner();
        let length = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let shape = Shape { texts: texts.len(), length, heads: self.settings.heads };
        let padded = |of: &dyn Fn(&[u32]) -> Vec<i64>| {
            let mut ids = vec![0; texts.len() * length];
            for (row, text) in ids.chunks_exact_mut(length.max(1)).zip(texts) {
                row[..text.len()].copy_from_slice(&of(text));
            }
            Tensor::<1, Int>::from_data(TensorData::new(ids, [texts.len() * length]), &device)
        };
        let words = padded(&|text| text.iter().map(|&id| id.into()).collect());
        let positions = padded(&|text| self.settings.numbering.of(text).collect());
        let mut embedded =
            self.words.val().select(0, words) + self.positions.val().select(0, positions);
        if let Some(types) = &self.token_types {
            // Single texts have type 0 alone.
            embedded = embedded + types.val().narrow(0, 0, 1);
        }
        let bias = self.attention_bias(texts, shape, &device);
        let mut hidden = self.norm.forward(embedded);
        for block in &self.blocks {
            hidden = block.forward(hidden, shape, bias.as_ref(), &self.settings);
        }
        let width = hidden.dims()[1];
        hidden.reshape([texts.len(), length, width])
    }

    /// Embeddings and the first blocks keep their weights.
    pub(crate) fn freeze_below(mut self, blocks: usize) -> Self {
        self.words = self.words.set_require_grad(false);
        self.positions = self.positions.set_require_grad(false);
        self.token_types = self.token_types.map(|types| types.set_require_grad(false));
        self.norm = self.norm.set_require_grad(false);
        let numbered = self.blocks.into_iter().enumerate();
        let frozen = |(number, block): (usize, Block)| {
            if number < blocks { block.set_require_grad(false) } else { block }
        };
        self.blocks = numbered.map(frozen).collect();
        self
    }

    /// What is added to the scores of attention: hides padding, and MPNet's bias by distance.
    ///
    /// # Shapes
    /// Broadcasts to `[texts, heads, length, length]`.
    fn attention_bias(&self, texts: &[&[u32]], shape: Shape, device: &Device) -> Option<Tensor<4>> {
        let Shape { texts: count, length, heads } = shape;
        let hidden = texts.iter().any(|text| text.len() < length).then(|| {
            let of_text = |text: &&[u32]| {
                let real = text.len();
                (0..length).map(move |at| if at < real { 0.0 } else { -1e30_f32 })
            };
            let values: Vec<f32> = texts.iter().flat_map(of_text).collect();
            Tensor::from_data(TensorData::new(values, [count, 1, 1, length]), device)
        });
        let Some(table) = &self.distance_bias else { return hidden };
        let table = table.val();
        let buckets = table.dims()[0];
        let places = (0..length as isize).flat_map(|query| {
            (0..length as isize).map(move |key| relative_bucket(key - query, buckets) as i64)
        });
        let places = TensorData::new(places.collect::<Vec<i64>>(), [length * length]);
        let bias = table
            .select(0, Tensor::<1, Int>::from_data(places, device))
            .reshape([1, length, length, heads])
            .permute([0, 3, 1, 2]);
        Some(match hidden {
            Some(hidden) => bias + hidden,
            None => bias,
        })
    }

    pub(crate) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.words.dims()[0]
    }

    /// Also the weights of the softmax over the vocabulary.
    ///
    /// # Shapes
    /// `[vocab, width]`
    pub(crate) fn word_embeddings(&self) -> Tensor<2> {
        self.words.val()
    }

    /// What the softmax over the vocabulary takes of some hidden states, and its bias; `None` without
    /// a head.
    ///
    /// # Shapes
    /// `[rows, width]` → `[rows, width]`, `[vocab]`
    pub(crate) fn before_softmax(&self, hidden: Tensor<2>) -> Option<(Tensor<2>, Tensor<1>)> {
        let Head { dense, norm, bias } = self.head.as_ref()?;
        let Settings { activation, on_host, .. } = self.settings;
        let hidden = norm.forward(activate(dense.forward(hidden), activation, on_host));
        Some((hidden, bias.val()))
    }
}

/// Of a group's attention.
#[derive(Clone, Copy)]
struct Shape {
    texts: usize,
    length: usize,
    heads: usize,
}

impl Block {
    /// # Shapes
    /// `[texts · length, width]` → the same
    fn forward(
        &self,
        hidden: Tensor<2>,
        shape: Shape,
        bias: Option<&Tensor<4>>,
        settings: &Settings,
    ) -> Tensor<2> {
        let attended = self.attend(hidden.clone(), shape, bias);
        let hidden = self.attention_norm.forward(hidden + self.output.forward(attended));
        let expanded = self.up.forward(hidden.clone());
        let expanded = activate(expanded, settings.activation, settings.on_host);
        self.output_norm.forward(hidden + self.down.forward(expanded))
    }

    fn attend(&self, hidden: Tensor<2>, shape: Shape, bias: Option<&Tensor<4>>) -> Tensor<2> {
        let Shape { texts, length, heads } = shape;
        let [tokens, width] = hidden.dims();
        let head_width = width / heads;
        let split = |layer: &Linear| {
            let of_heads =
                layer.forward(hidden.clone()).reshape([texts, length, heads, head_width]);
            of_heads.swap_dims(1, 2)
        };
        let query = split(&self.query).mul_scalar(1.0 / (head_width as f64).sqrt());
        let scores = query.matmul(split(&self.key).swap_dims(2, 3));
        let scores = match bias {
            Some(bias) => scores + bias.clone(),
            None => scores,
        };
        attention(scores, split(&self.value)).swap_dims(1, 2).reshape([tokens, width])
    }
}

impl Head {
    fn load(
        config: &BertConfig,
        variant: Variant,
        loader: &ParameterLoader<'_>,
        seed: u64,
    ) -> Result<Self, EncoderError> {
        let (dense, norm_name, bias) = match variant {
            Variant::Bert => (
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                "cls.predictions.bias",
            ),
            Variant::Roberta | Variant::Mpnet => {
                ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias")
            }
        };
        let (width, vocab, epsilon) =
            (config.hidden_size, config.vocab_size, config.layer_norm_eps);
        if loader.contains(&format!("{dense}.weight")) {
            return Ok(Self {
                dense: loader.linear(dense, width, width, true)?,
                norm: norm(loader, norm_name, width, epsilon)?,
                bias: loader.take(bias, [vocab])?,
            });
        }
        /// As the family's `initializer_range` says.
        const DEVIATION: f32 = 0.02;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let weight = (0..width * width).map(|_| {
            let z: f32 = StandardNormal.sample(&mut rng);
            z * DEVIATION
        });
        let weight = weight.collect();
        Ok(Self {
            dense: loader.fresh_linear(dense, weight, [width, width]),
            norm: layer_norm(
                loader.fresh(&format!("{norm_name}.weight"), vec![1.0; width], [width]),
                loader.fresh(&format!("{norm_name}.bias"), vec![0.0; width], [width]),
                epsilon,
            ),
            bias: loader.fresh(bias, vec![0.0; vocab], [vocab]),
        })
    }
}

fn norm(
    loader: &ParameterLoader<'_>,
    name: &str,
    width: usize,
    epsilon: f64,
) -> Result<LayerNorm, EncoderError> {
    let weight = loader.take(&format!("{name}.weight"), [width])?;
    let bias = loader.take(&format!("{name}.bias"), [width])?;
    Ok(layer_norm(weight, bias, epsilon))
}

fn layer_norm(weight: Param<Tensor<1>>, bias: Param<Tensor<1>>, epsilon: f64) -> LayerNorm {
    let [width] = weight.dims();
    let mut norm = LayerNormConfig::new(width).with_epsilon(epsilon).init(&weight.device());
    norm.gamma = weight;
    norm.beta = Some(bias);
    norm
}

fn activate(x: Tensor<2>, function: Activation, on_host: bool) -> Tensor<2> {
    match function {
        Activation::Gelu if on_host => finetune::activate(x, Gate::Gelu, on_host),
        Activation::GeluTanh if on_host => finetune::activate(x, Gate::GeluTanh, on_host),
        _ => function.forward(x),
    }
}
