//! What a decoder checkpoint's own files say about it.

use std::path::Path;

use serde::Deserialize;

use crate::EncoderError;
use crate::checkpoint::parse_config;

/// `config.json`, as far as inference needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DecoderConfig {
    pub(super) model_type: String,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    pub(super) max_position_embeddings: usize,
    pub(super) rms_norm_eps: f64,
    #[serde(default = "silu")]
    hidden_act: String,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeScaling>,
    /// Where newer files keep what `rope_theta` and `rope_scaling` said.
    rope_parameters: Option<RopeScaling>,
    /// What a GGUF file divides the frequencies of a head by.
    #[serde(skip)]
    pub(super) rotary_factors: Option<Vec<f32>>,
    /// `None`: tied where the weights have no `lm_head`.
    pub(super) tie_word_embeddings: Option<bool>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    pub(super) mlp_bias: bool,
    #[serde(default)]
    use_sliding_window: bool,
    bos_token_id: Option<TokenIds>,
    eos_token_id: Option<TokenIds>,
}

fn silu() -> String {
    "silu".to_owned()
}

/// One token or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum TokenIds {
    One(u32),
    Several(Vec<u32>),
}

impl TokenIds {
    fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(token) => vec![token],
            Self::Several(tokens) => tokens,
        }
    }
}

/// `generation_config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GenerationFile {
    bos_token_id: Option<TokenIds>,
    eos_token_id: Option<TokenIds>,
}

/// `rope_scaling` or `rope_parameters` of `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct RopeScaling {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

/// How rotary frequencies are stretched for longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scaling {
    None,
    /// Of each pair of a head.
    Factors(Vec<f32>),
    Linear {
        factor: f64,
    },
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original_context: f64,
    },
}

/// Which projections add a bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Biases {
    pub(super) query_key_value: bool,
    pub(super) output: bool,
}

impl DecoderConfig {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, EncoderError> {
        parse_config(path, bytes, &["llama", "qwen2", "qwen3"], "llama, qwen2 or qwen3")
    }

    pub(super) fn validate(&self, path: &Path) -> Result<(), EncoderError> {
        let refuse = |field, value: String, expected| {
            Err(EncoderError::Unsupported { path: path.to_owned(), field, value, expected })
        };
        if self.hidden_act != "silu" {
            return refuse("hidden_act", self.hidden_act.clone(), "silu");
        }
        if self.use_sliding_window {
            return refuse("use_sliding_window", "true".to_owned(), "false");
        }
        for (field, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            // Products of two stay far from overflow.
            if !(1..=1 << 24).contains(&value) {
                return refuse(field, value.to_string(), "a number from 1 to 2^24");
            }
        }
        let heads = self.num_attention_heads;
        if self.head_dim.is_none() && !self.hidden_size.is_multiple_of(heads) {
            return refuse("num_attention_heads", heads.to_string(), "a divisor of hidden_size");
        }
        let key_value_heads = self.key_value_heads();
        if key_value_heads == 0 || !heads.is_multiple_of(key_value_heads) {
            let value = key_value_heads.to_string();
            return refuse("num_key_value_heads", value, "a divisor of num_attention_heads");
        }
        let head_width = self.head_width();
        if head_width == 0 || !head_width.is_multiple_of(2) || head_width > 1 << 16 {
            return refuse("head_dim", head_width.to_string(), "an even number from 2");
        }
        if self.max_position_embeddings < 2 {
            let value = self.max_position_embeddings.to_string();
            return refuse("max_position_embeddings", value, "a number from 2");
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps.is_finite()) {
            return refuse("rms_norm_eps", self.rms_norm_eps.to_string(), "a positive number");
        }
        if !(self.rope_theta() > 0.0 && self.rope_theta().is_finite()) {
            return refuse("rope_theta", self.rope_theta().to_string(), "a positive number");
        }
        self.scaling(path).map(|_| ())
    }

    pub(super) fn key_value_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    pub(super) fn head_width(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    pub(super) fn rope_theta(&self) -> f64 {
        let newer = self.rope_parameters.as_ref().and_then(|rope| rope.rope_theta);
        self.rope_theta.or(newer).unwrap_or(10_000.0)
    }

    pub(super) fn scaling(&self, path: &Path) -> Result<Scaling, EncoderError> {
        if let Some(factors) = &self.rotary_factors {
            let pairs = self.head_width() / 2;
            if factors.len() != pairs || !factors.iter().all(|&factor| factor > 0.0) {
                return Err(EncoderError::Unsupported {
                    path: path.to_owned(),
                    field: "rope_freqs.weight",
                    value: format!("{factors:?}"),
                    expected: "a positive number for each pair of a head",
                });
            }
            return Ok(Scaling::Factors(factors.clone()));
        }
        let Some(rope) = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref()) else {
            return Ok(Scaling::None);
        };
        let positive = |field, value: Option<f64>| match value {
            Some(value) if value > 0.0 && value.is_finite() => Ok(value),
            other => Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field,
                value: format!("{other:?}"),
                expected: "a positive number",
            }),
        };
        match rope.rope_type.as_deref() {
            None | Some("default") => Ok(Scaling::None),
            Some("linear") => {
                Ok(Scaling::Linear { factor: positive("rope_scaling.factor", rope.factor)? })
            }
            Some("llama3") => Ok(Scaling::Llama3 {
                factor: positive("rope_scaling.factor", rope.factor)?,
                low: positive("rope_scaling.low_freq_factor", rope.low_freq_factor)?,
                high: positive("rope_scaling.high_freq_factor", rope.high_freq_factor)?,
                original_context: positive(
                    "rope_scaling.original_max_position_embeddings",
                    rope.original_max_position_embeddings,
                )?,
            }),
            Some(other) => Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "rope_scaling.rope_type",
                value: other.to_owned(),
                expected: "default, linear or llama3",
            }),
        }
    }

    pub(super) fn biases(&self) -> Biases {
        match self.model_type.as_str() {
            "qwen2" => Biases { query_key_value: true, output: false },
            _ => Biases { query_key_value: self.attention_bias, output: self.attention_bias },
        }
    }

    /// Whether each head's queries and keys are normalized.
    pub(super) fn normalizes_heads(&self) -> bool {
        self.model_type == "qwen3"
    }

    /// The tokens that end a text, and the one that stands before an empty prompt.
    pub(super) fn special_tokens(&self, generation: GenerationFile) -> (Vec<u32>, Option<u32>) {
        let tokens = |of_generation: Option<TokenIds>, of_config: &Option<TokenIds>| {
            of_generation.or(of_config.clone()).map(TokenIds::into_vec).unwrap_or_default()
        };
        let mut ends = tokens(generation.eos_token_id, &self.eos_token_id);
        ends.retain(|&token| (token as usize) < self.vocab_size);
        let begin = tokens(generation.bos_token_id, &self.bos_token_id);
        let in_vocabulary = |token: &u32| (*token as usize) < self.vocab_size;
        let begin = begin.into_iter().find(in_vocabulary).or(ends.first().copied());
        (ends, begin)
    }
}
