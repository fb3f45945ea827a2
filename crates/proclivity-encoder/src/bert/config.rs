//! What a BERT checkpoint's own files say about it.

use std::path::Path;

use serde::Deserialize;

use crate::EncoderError;

/// `config.json`, as far as inference needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BertConfig {
    pub(super) model_type: String,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f64,
    pub(super) hidden_act: String,
    #[serde(default = "absolute")]
    pub(super) position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl BertConfig {
    pub(super) fn validate(&self, path: &Path) -> Result<(), EncoderError> {
        let refuse = |field, value: String, expected| {
            Err(EncoderError::Unsupported { path: path.to_owned(), field, value, expected })
        };
        if self.model_type != "bert" {
            return refuse("model_type", self.model_type.clone(), "bert");
        }
        if self.hidden_act != "gelu" {
            return refuse("hidden_act", self.hidden_act.clone(), "gelu");
        }
        if self.position_embedding_type != "absolute" {
            let value = self.position_embedding_type.clone();
            return refuse("position_embedding_type", value, "absolute");
        }
        let heads = self.num_attention_heads;
        if heads == 0 || !self.hidden_size.is_multiple_of(heads) {
            return refuse("num_attention_heads", heads.to_string(), "a divisor of hidden_size");
        }
        if self.type_vocab_size == 0 {
            return refuse("type_vocab_size", "0".to_owned(), "a number from 1");
        }
        if self.max_position_embeddings < 3 {
            let value = self.max_position_embeddings.to_string();
            return refuse("max_position_embeddings", value, "a number from 3");
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps.is_finite()) {
            return refuse("layer_norm_eps", self.layer_norm_eps.to_string(), "a positive number");
        }
        Ok(())
    }
}

/// `sentence_bert_config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SentenceConfig {
    pub(super) max_seq_length: Option<usize>,
}

/// `1_Pooling/config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The vector of the first token.
    Cls,
    /// The mean over all tokens.
    Mean,
}

impl Pooling {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, EncoderError> {
        let config: PoolingConfig = crate::checkpoint::parse_json(path, bytes)?;
        let other = config.pooling_mode_max_tokens
            || config.pooling_mode_mean_sqrt_len_tokens
            || config.pooling_mode_weightedmean_tokens
            || config.pooling_mode_lasttoken;
        match (config.pooling_mode_cls_token, config.pooling_mode_mean_tokens, other) {
            (true, false, false) => Ok(Self::Cls),
            (false, true, false) => Ok(Self::Mean),
            _ => Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "pooling_mode",
                value: format!("{config:?}"),
                expected: "either pooling_mode_cls_token or pooling_mode_mean_tokens",
            }),
        }
    }
}
