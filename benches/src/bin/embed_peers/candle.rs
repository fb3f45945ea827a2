//! The same work with candle's own models.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, llama};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

use crate::{Embedder, Result, Seconds};

pub(crate) const NAME: &str = "candle 0.11";

fn weights(directory: &Path) -> Result<VarBuilder<'static>> {
    let bytes = std::fs::read(directory.join("model.safetensors"))?;
    Ok(VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)?)
}

fn tokenizer(directory: &Path) -> Result<Tokenizer> {
    Ok(Tokenizer::from_file(directory.join("tokenizer.json"))?)
}

/// `BertModel` of candle-transformers, mean and norm as its example `bert` has them.
pub(crate) struct Bert<'a> {
    model: bert::BertModel,
    tokenizer: Tokenizer,
    texts: &'a [&'a str],
    query: &'a str,
    batch: usize,
}

impl<'a> Bert<'a> {
    pub(crate) fn load(
        directory: &Path,
        texts: &'a [&'a str],
        query: &'a str,
        batch: usize,
    ) -> Result<Self> {
        let config = std::fs::read(directory.join("config.json"))?;
        let model = bert::BertModel::load(weights(directory)?, &serde_json::from_slice(&config)?)?;
        let mut tokenizer = tokenizer(directory)?;
        tokenizer.with_padding(Some(PaddingParams::default()));
        let truncation = TruncationParams { max_length: 256, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation))?;
        Ok(Self { model, tokenizer, texts, query, batch })
    }

    /// # Shapes
    /// → `[texts, width]`
    fn forward(&self, texts: Vec<&str>) -> Result<Tensor> {
        let encodings = self.tokenizer.encode_batch_fast(texts, true)?;
        let stack = |part: fn(&tokenizers::Encoding) -> &[u32]| {
            let rows = encodings.iter().map(|one| Tensor::new(part(one), &Device::Cpu));
            Tensor::stack(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        let ids = stack(tokenizers::Encoding::get_ids)?;
        let mask = stack(tokenizers::Encoding::get_attention_mask)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        Ok(mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?)
    }

    fn all(&self) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.texts[index].len()));
        let mut vectors = vec![Vec::new(); self.texts.len()];
        for batch in order.chunks(self.batch) {
            let texts = batch.iter().map(|&index| self.texts[index]).collect();
            for (&index, vector) in batch.iter().zip(self.forward(texts)?.to_vec2::<f32>()?) {
                vectors[index] = vector;
            }
        }
        Ok(vectors.concat())
    }
}

impl Embedder for Bert<'_> {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn embed(&mut self) -> Result<Seconds> {
        Seconds::of(|| self.all())
    }

    fn queries(&mut self, count: usize) -> Result<Vec<f64>> {
        let query = |_| {
            let start = Instant::now();
            self.forward(vec![self.query])?.to_vec2::<f32>()?;
            Ok(start.elapsed().as_secs_f64())
        };
        (0..count).map(query).collect()
    }

    fn vectors(&mut self) -> Result<Vec<f32>> {
        self.all()
    }
}

/// Nothing but the matrix products of a BERT, by the `gemm` crate: what can be reached with it.
pub(crate) struct Products {
    /// `[from, to]`
    weights: Vec<Tensor>,
    tokens: usize,
}

impl Products {
    /// Of MiniLM: six blocks of width 384.
    pub(crate) fn new(tokens: usize) -> Result<Self> {
        let shapes = [(384, 1152), (384, 384), (384, 1536), (1536, 384)];
        let weights = (0..24).map(|at| Tensor::rand(-1_f32, 1.0, shapes[at % 4], &Device::Cpu));
        Ok(Self { weights: weights.collect::<candle_core::Result<_>>()?, tokens })
    }

    fn multiply(&self, rows: usize) -> Result<()> {
        for weight in &self.weights {
            let from = weight.dims2()?.0;
            Tensor::ones((rows, from), DType::F32, &Device::Cpu)?.matmul(weight)?;
        }
        Ok(())
    }
}

impl Embedder for Products {
    fn name(&self) -> String {
        "(the products alone, gemm 0.19)".to_owned()
    }

    fn embed(&mut self) -> Result<Seconds> {
        const ROWS: usize = 512;
        Seconds::of(|| {
            for first in (0..self.tokens).step_by(ROWS) {
                self.multiply(ROWS.min(self.tokens - first))?;
            }
            Ok(())
        })
    }

    fn queries(&mut self, count: usize) -> Result<Vec<f64>> {
        let query = |_| Ok(Seconds::of(|| self.multiply(16))?.wall);
        (0..count).map(query).collect()
    }

    fn vectors(&mut self) -> Result<Vec<f32>> {
        Ok(Vec::new())
    }
}

/// `Llama` of candle-transformers with its cache of keys and values.
pub(crate) struct Llama {
    model: llama::Llama,
    config: llama::Config,
    tokenizer: Tokenizer,
}

impl Llama {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let config = std::fs::read(directory.join("config.json"))?;
        let config: llama::LlamaConfig = serde_json::from_slice(&config)?;
        let config = config.into_config(false);
        let model = llama::Llama::load(weights(directory)?, &config)?;
        Ok(Self { model, config, tokenizer: tokenizer(directory)? })
    }

    pub(crate) fn count(&self, text: &str) -> Result<usize> {
        Ok(self.tokenizer.encode_fast(text, true)?.len())
    }

    /// The likeliest token each time.
    pub(crate) fn generate(&self, prompt: &str, count: usize) -> Result<Vec<u32>> {
        let mut cache = llama::Cache::new(true, DType::F32, &self.config, &Device::Cpu)?;
        let mut unread = self.tokenizer.encode_fast(prompt, true)?.get_ids().to_vec();
        let mut position = 0;
        let mut written = Vec::new();
        while written.len() < count {
            let input = Tensor::new(unread.as_slice(), &Device::Cpu)?.unsqueeze(0)?;
            let logits = self.model.forward(&input, position, &mut cache)?;
            let token = logits.squeeze(0)?.argmax(0)?.to_scalar::<u32>()?;
            position += unread.len();
            unread = vec![token];
            written.push(token);
        }
        Ok(written)
    }
}
