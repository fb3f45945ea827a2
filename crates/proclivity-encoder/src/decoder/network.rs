//! The network in burn: pre-norm blocks of grouped-query attention and a gated feed-forward layer.

use std::path::Path;

use burn::tensor::{Int, Tensor, TensorData, activation};
use rayon::prelude::*;

use super::cache::{Buffers, Cache, Layer};
use super::config::DecoderConfig;
use super::layers::{Norm, Projection, host, swish_gate};
use super::rotary::{Rotary, Rotation, rotate};
use crate::product::product;
use crate::vectorized::cached_attention;
use crate::weights::WeightFiles;
use crate::{ComputeDevice, EncoderError};

/// Sequences are read in pieces of so many tokens, which bounds the memory of what lies between.
const TOKENS_AT_ONCE: usize = 512;

pub(super) struct Network {
    /// `[vocab, width]`
    tokens: Tensor<2>,
    /// `[vocab, width]`: `None` where the embeddings are the softmax's weights, too.
    head: Option<Tensor<2>>,
    norm: Norm,
    blocks: Vec<Block>,
    rotary: Rotary,
    heads: Heads,
    device: ComputeDevice,
}

struct Block {
    attention_norm: Norm,
    /// `[(heads + 2 · key_value_heads) · head_width, width]`
    query_key_value: Projection,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    output: Projection,
    feed_forward_norm: Norm,
    /// `[2 · feed_forward, width]`, gates before ups.
    gate_up: Projection,
    down: Projection,
}

#[derive(Clone, Copy)]
struct Heads {
    queries: usize,
    keys: usize,
    width: usize,
}

/// Some new tokens of a sequence and what it has read before them.
pub(super) struct Part<'a> {
    pub(super) tokens: &'a [u32],
    pub(super) cache: &'a mut Cache,
}

impl Network {
    pub(super) fn load(
        path: &Path,
        config: &DecoderConfig,
        weights: &WeightFiles,
        device: &ComputeDevice,
    ) -> Result<Self, EncoderError> {
        let (width, feed_forward) = (config.hidden_size, config.intermediate_size);
        let prefix = if weights.contains("model.embed_tokens.weight") { "model." } else { "" };
        let heads = Heads {
            queries: config.num_attention_heads,
            keys: config.key_value_heads(),
            width: config.head_width(),
        };
        let norm = |name: &str, width| -> Result<Norm, EncoderError> {
            let name = format!("{prefix}{name}.weight");
            let weight = weights.take(&name, [width], device.burn())?;
            Ok(Norm { weight, epsilon: config.rms_norm_eps })
        };
        let projection = |names: &[(&str, usize)], from, bias: bool| {
            let mut parts = Vec::new();
            let mut biases = Vec::new();
            for &(name, to) in names {
                let weight = format!("{prefix}{name}.weight");
                parts.push(weights.take::<2>(&weight, [to, from], device.burn())?);
                if bias {
                    let bias = format!("{prefix}{name}.bias");
                    biases.push(weights.take::<1>(&bias, [to], device.burn())?);
                }
            }
            let bias = bias.then(|| Tensor::cat(biases, 0));
            Ok::<_, EncoderError>(Projection { weight: Tensor::cat(parts, 0), bias })
        };
        let of_queries = heads.queries * heads.width;
        let of_keys = heads.keys * heads.width;
        let biases = config.biases();
        let blocks = (0..config.num_hidden_layers).map(|layer| {
            let at = |part: &str| format!("layers.{layer}.{part}");
            let (q, k) = (at("self_attn.q_proj"), at("self_attn.k_proj"));
            let (v, o) = (at("self_attn.v_proj"), at("self_attn.o_proj"));
            let (gate, up, down) = (at("mlp.gate_proj"), at("mlp.up_proj"), at("mlp.down_proj"));
            let query_key_value = [(q.as_str(), of_queries), (&k, of_keys), (&v, of_keys)];
            let head_norm = |name: &str| {
                config.normalizes_heads().then(|| norm(&at(name), heads.width)).transpose()
            };
            Ok(Block {
                attention_norm: norm(&at("input_layernorm"), width)?,
                query_key_value: projection(&query_key_value, width, biases.query_key_value)?,
                query_norm: head_norm("self_attn.q_norm")?,
                key_norm: head_norm("self_attn.k_norm")?,
                output: projection(&[(&o, width)], of_queries, biases.output)?,
                feed_forward_norm: norm(&at("post_attention_layernorm"), width)?,
                gate_up: projection(
                    &[(&gate, feed_forward), (&up, feed_forward)],
                    width,
                    config.mlp_bias,
                )?,
                down: projection(&[(&down, width)], feed_forward, config.mlp_bias)?,
            })
        });
        let blocks = blocks.collect::<Result<_, EncoderError>>()?;
        let table = [config.vocab_size, width];
        let tied = config.tie_word_embeddings.unwrap_or(!weights.contains("lm_head.weight"));
        // A model that only embeds was saved without the layer that predicts.
        let has_head = !tied && (!prefix.is_empty() || weights.contains("lm_head.weight"));
        let head = has_head.then(|| weights.take("lm_head.weight", table, device.burn()));
        Ok(Self {
            tokens: weights.take(&format!("{prefix}embed_tokens.weight"), table, device.burn())?,
            head: head.transpose()?,
            norm: norm("norm", width)?,
            blocks,
            rotary: Rotary::new(heads.width, config.rope_theta(), &config.scaling(path)?),
            heads,
            device: device.clone(),
        })
    }

    /// Of a sequence that will have some tokens.
    pub(super) fn cache(&self, tokens: usize) -> Cache {
        let layers = self.blocks.len();
        if self.device.is_on_host() {
            Cache::on_host(layers, self.heads.keys, self.heads.width, tokens)
        } else {
            Cache::on_device(layers)
        }
    }

    /// Of the keys and values of some tokens.
    pub(super) fn cache_bytes(&self, tokens: usize) -> usize {
        let of_token = 2 * self.blocks.len() * self.heads.keys * self.heads.width;
        of_token.saturating_mul(size_of::<f32>()).saturating_mul(tokens)
    }

    /// Reads a sequence's new tokens, at least one, and returns the last one's hidden state.
    ///
    /// # Shapes
    /// `[1, width]`
    pub(super) fn read(&self, tokens: &[u32], cache: &mut Cache) -> Tensor<2> {
        let mut last = None;
        for tokens in tokens.chunks(TOKENS_AT_ONCE) {
            let hidden = self.forward(&mut [Part { tokens, cache: &mut *cache }]);
            last = Some(hidden.narrow(0, tokens.len() - 1, 1));
        }
        last.unwrap_or_else(|| self.tokens.clone().narrow(0, 0, 1))
    }

    /// The hidden states of all new tokens, normalized, and their keys and values in the caches.
    ///
    /// # Shapes
    /// `[tokens, width]`, the parts one after the other
    pub(super) fn forward(&self, parts: &mut [Part<'_>]) -> Tensor<2> {
        let device = self.device.burn();
        let ids: Vec<i64> =
            parts.iter().flat_map(|part| part.tokens).map(|&id| i64::from(id)).collect();
        let positions: Vec<usize> = parts
            .iter()
            .flat_map(|part| part.cache.len()..part.cache.len() + part.tokens.len())
            .collect();
        let rotation = self.rotary.rotation(&positions, device);
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), device);
        let mut hidden = self.tokens.clone().select(0, ids);
        let on_host = self.device.is_on_host();
        let mut biases = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            let input = block.attention_norm.forward(hidden.clone());
            let input = block.query_key_value.forward(input, on_host);
            let attended = self.attend(layer, block, input, parts, &rotation, &mut biases);
            hidden = hidden + block.output.forward(attended, on_host);
            let input = block.feed_forward_norm.forward(hidden.clone());
            let expanded = swish_gate(block.gate_up.forward(input, on_host), on_host);
            hidden = hidden + block.down.forward(expanded, on_host);
        }
        for part in parts {
            part.cache.advance(part.tokens.len());
        }
        self.norm.forward(hidden)
    }

    /// # Shapes
    /// hidden: `[rows, width]` → `[rows · vocab]`
    pub(super) fn logits(&self, hidden: Tensor<2>) -> Vec<f32> {
        let head = self.head.as_ref().unwrap_or(&self.tokens);
        host(product(hidden, head, self.device.is_on_host()))
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.tokens.dims()[0]
    }

    pub(super) fn width(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// # Shapes
    /// query_key_value: `[tokens, (heads + 2 · key_value_heads) · head_width]` →
    /// `[tokens, heads · head_width]`
    fn attend(
        &self,
        layer: usize,
        block: &Block,
        query_key_value: Tensor<2>,
        parts: &mut [Part<'_>],
        rotation: &Rotation,
        biases: &mut Vec<Tensor<4>>,
    ) -> Tensor<2> {
        let Heads { queries, keys, width } = self.heads;
        let tokens = query_key_value.dims()[0];
        let of_heads = query_key_value.reshape([tokens, queries + 2 * keys, width]);
        let split = |first, heads| of_heads.clone().narrow(1, first, heads);
        let normalized = |x: Tensor<3>, norm: &Option<Norm>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let query = rotate(normalized(split(0, queries), &block.query_norm), rotation);
        let key = rotate(normalized(split(queries, keys), &block.key_norm), rotation);
        let value = split(queries + keys, keys);
        if self.device.is_on_host() {
            let attended = self.attend_on_host(layer, host(query), [host(key), host(value)], parts);
            let attended = TensorData::new(attended, [tokens, queries * width]);
            return Tensor::from_data(attended, self.device.burn());
        }
        let mut first = 0;
        let attended = parts.iter_mut().enumerate().map(|(index, part)| {
            let new = part.tokens.len();
            let of_part = |x: &Tensor<3>| x.clone().narrow(0, first, new).swap_dims(0, 1);
            let buffers = Buffers { keys: of_part(&key), values: of_part(&value) };
            part.cache.push(layer, buffers);
            // All layers have the same room.
            if biases.len() == index {
                let bias = part.cache.bias(new);
                let shape = [1, 1, new, bias.len() / new];
                biases.push(Tensor::from_data(TensorData::new(bias, shape), self.device.burn()));
            }
            let query = of_part(&query);
            first += new;
            self.attend_on_device(query, &part.cache.buffers(layer), biases[index].clone())
        });
        Tensor::cat(attended.collect(), 0)
    }

    fn attend_on_host(
        &self,
        layer: usize,
        query: Vec<f32>,
        [key, value]: [Vec<f32>; 2],
        parts: &mut [Part<'_>],
    ) -> Vec<f32> {
        let Heads { queries, keys: key_heads, width } = self.heads;
        let mut rows =
            key.chunks_exact(width * key_heads).zip(value.chunks_exact(width * key_heads));
        for part in parts.iter_mut() {
            let count = part.tokens.len();
            if let Layer::Host { keys, values } = part.cache.layer_mut(layer) {
                for (key, value) in rows.by_ref().take(count) {
                    let heads = keys.iter_mut().zip(values.iter_mut());
                    let new = key.chunks_exact(width).zip(value.chunks_exact(width));
                    for ((keys, values), (key, value)) in heads.zip(new) {
                        keys.extend_from_slice(key);
                        values.extend_from_slice(value);
                    }
                }
            }
        }
        let mut tasks = Vec::new();
        let mut first = 0;
        for part in parts.iter() {
            for head in 0..key_heads {
                tasks.push((first, part.tokens.len(), head, part.cache.spans(layer, head)));
            }
            first += part.tokens.len();
        }
        let (row, group) = (queries * width, queries / key_heads * width);
        let attended: Vec<Vec<f32>> = tasks
            .par_iter()
            .map(|(first, count, head, spans)| {
                let query: Vec<f32> = query[first * row..(first + count) * row]
                    .chunks_exact(row)
                    .flat_map(|token| &token[head * group..(head + 1) * group])
                    .copied()
                    .collect();
                cached_attention(&query, queries / key_heads, width, spans)
            })
            .collect();
        let mut out = vec![0.0; query.len()];
        for ((first, _, head, _), attended) in tasks.iter().zip(attended) {
            for (token, values) in (*first..).zip(attended.chunks_exact(group)) {
                out[token * row + head * group..][..group].copy_from_slice(values);
            }
        }
        out
    }

    /// # Shapes
    /// query: `[heads, tokens, head_width]`, bias: `[1, 1, tokens, room]` →
    /// `[tokens, heads · head_width]`
    fn attend_on_device(
        &self,
        query: Tensor<3>,
        buffers: &[&Buffers],
        bias: Tensor<4>,
    ) -> Tensor<2> {
        let Heads { queries, keys: key_heads, width } = self.heads;
        let (new, groups) = (query.dims()[1], queries / key_heads);
        // The queries that share a key head go one below the other.
        let query = query.reshape([key_heads, groups * new, width]);
        let query = query.mul_scalar(1.0 / (width as f64).sqrt());
        let scores = buffers.iter().map(|it| query.clone().matmul(it.keys.clone().transpose()));
        let scores = Tensor::cat(scores.collect(), 2);
        let room = scores.dims()[2];
        let scores = scores.reshape([key_heads, groups, new, room]) + bias;
        let shares = activation::softmax(scores, 3).reshape([key_heads, groups * new, room]);
        let mut first = 0;
        let attended = buffers.iter().map(|it| {
            let room = it.values.dims()[1];
            let shares = shares.clone().narrow(2, first, room);
            first += room;
            shares.matmul(it.values.clone())
        });
        let attended = attended.reduce(|sum, part| sum + part);
        let attended = attended.unwrap_or_else(|| query.zeros_like());
        attended.reshape([queries, new, width]).swap_dims(0, 1).reshape([new, queries * width])
    }
}
