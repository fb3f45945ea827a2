//! What a GGUF file says about its model, as `config.json` says it.

use candle_core::quantized::gguf_file::Value;
use serde_json::json;

use super::{EMBEDDINGS, GgufFile, ROTARY_FACTORS};
use crate::EncoderError;
use crate::weights::check_finite;

impl GgufFile {
    /// What `config.json` would say.
    pub(crate) fn config(&self) -> Result<serde_json::Value, EncoderError> {
        let architecture = self.string("general.architecture")?.unwrap_or_default();
        let of = |name: &str| format!("{architecture}.{name}");
        let heads = self.needed(&of("attention.head_count"))?;
        let width = self.needed(&of("embedding_length"))?;
        let embeddings = self.shape(EMBEDDINGS).ok_or_else(|| EncoderError::MissingTensor {
            path: self.path.clone(),
            tensor: EMBEDDINGS.to_owned(),
        })?;
        let head_width = self.number(&of("attention.key_length"))?;
        let head_width = head_width.or(width.checked_div(heads)).unwrap_or(0);
        for field in ["attention.value_length", "rope.dimension_count"] {
            if let Some(other) = self.number(&of(field))?
                && other != head_width
            {
                return Err(EncoderError::Unsupported {
                    path: self.path.clone(),
                    field,
                    value: other.to_string(),
                    expected: "the width of a head",
                });
            }
        }
        let mut ends = Vec::new();
        for token in ["eos", "eot"] {
            ends.extend(self.number(&format!("tokenizer.ggml.{token}_token_id"))?);
        }
        let mut config = json!({
            "model_type": architecture,
            "vocab_size": embeddings.first(),
            "hidden_size": width,
            "intermediate_size": self.needed(&of("feed_forward_length"))?,
            "num_hidden_layers": self.needed(&of("block_count"))?,
            "num_attention_heads": heads,
            "num_key_value_heads": self.number(&of("attention.head_count_kv"))?.unwrap_or(heads),
            "head_dim": head_width,
            "max_position_embeddings": self.needed(&of("context_length"))?,
            "rms_norm_eps": self.float(&of("attention.layer_norm_rms_epsilon"))?,
            "rope_theta": self.float(&of("rope.freq_base"))?,
            "attention_bias": self.shape("blk.0.attn_q.bias").is_some(),
            "mlp_bias": self.shape("blk.0.ffn_gate.bias").is_some(),
            "use_sliding_window": self.number(&of("attention.sliding_window"))?.unwrap_or(0) > 0,
            "bos_token_id": self.number("tokenizer.ggml.bos_token_id")?,
            "eos_token_id": ends,
        });
        let linear = self.float(&of("rope.scale_linear"))?.filter(|&factor| factor != 1.0);
        let scaling = match self.string(&of("rope.scaling.type"))? {
            None => linear.map(|factor| ("linear", Some(factor))),
            Some("none") => None,
            Some(kind) => Some((kind, self.float(&of("rope.scaling.factor"))?)),
        };
        if let Some((kind, factor)) = scaling {
            config["rope_scaling"] = json!({ "rope_type": kind, "factor": factor });
        }
        Ok(config)
    }

    /// What the rotary frequencies of a head are divided by.
    pub(crate) fn rotary_factors(&self) -> Result<Option<Vec<f32>>, EncoderError> {
        if self.shape(ROTARY_FACTORS).is_none() {
            return Ok(None);
        }
        let factors = self.values(ROTARY_FACTORS)?;
        check_finite(&self.path, ROTARY_FACTORS, &factors)?;
        Ok(Some(factors))
    }

    /// Heads of queries and keys, where their rows need turning back.
    pub(super) fn turned_heads(&self) -> Result<Option<[usize; 2]>, EncoderError> {
        if self.string("general.architecture")? != Some("llama") {
            return Ok(None);
        }
        let queries = self.needed("llama.attention.head_count")?;
        let keys = self.number("llama.attention.head_count_kv")?.unwrap_or(queries);
        // Zero heads are refused with the rest of the configuration.
        Ok(Some([queries, keys].map(|heads| heads.max(1) as usize)))
    }

    pub(super) fn string(&self, field: &str) -> Result<Option<&str>, EncoderError> {
        match self.content.metadata.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.no_such(field, "a text")),
        }
    }

    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>, EncoderError> {
        match self.content.metadata.get(field) {
            None => Ok(None),
            Some(&Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.no_such(field, "true or false")),
        }
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<u64>, EncoderError> {
        let number = match self.content.metadata.get(field) {
            None => return Ok(None),
            Some(&Value::I32(number)) => u64::try_from(number).ok(),
            Some(&Value::I64(number)) => u64::try_from(number).ok(),
            Some(value) => value.to_u64().ok(),
        };
        number.map(Some).ok_or_else(|| self.no_such(field, "a number from 0"))
    }

    fn needed(&self, field: &str) -> Result<u64, EncoderError> {
        self.number(field)?.ok_or_else(|| self.no_such(field, "a number from 0"))
    }

    fn float(&self, field: &str) -> Result<Option<f64>, EncoderError> {
        match self.content.metadata.get(field) {
            None => Ok(None),
            // Its shortest decimal form is what stood in `config.json`: 1e-5, say.
            Some(Value::F32(number)) => Ok(number.to_string().parse().ok()),
            Some(&Value::F64(number)) => Ok(Some(number)),
            Some(_) => Err(self.no_such(field, "a float")),
        }
    }

    pub(super) fn list(&self, field: &str) -> Result<Option<&[Value]>, EncoderError> {
        match self.content.metadata.get(field) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(self.no_such(field, "a list")),
        }
    }

    pub(super) fn no_such(&self, field: &str, expected: &'static str) -> EncoderError {
        EncoderError::GgufField { path: self.path.clone(), field: field.to_owned(), expected }
    }
}
