//! A checkpoint's `config.json`.

use std::path::Path;

use serde::Deserialize;

use super::activation::Activation;
use crate::EncoderError;
use crate::checkpoint::parse_config;

/// As far as inference needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BertConfig {
    pub(super) model_type: String,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    #[serde(default)]
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f64,
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    pad_token_id: Option<u32>,
    #[serde(default = "buckets")]
    pub(super) relative_attention_num_buckets: usize,
}

fn absolute() -> String {
    "absolute".to_owned()
}

fn buckets() -> usize {
    32
}

/// What sets the members of the BERT family apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Devlin et al. 2019.
    Bert,
    /// Liu et al. 2019, and XLM-RoBERTa: positions begin after the padding token's id.
    Roberta,
    /// Song et al. 2020: so they do, no token types, and a bias of attention by distance.
    Mpnet,
}

/// What a [`BertConfig`] means.
pub(super) struct Architecture {
    pub(super) variant: Variant,
    pub(super) activation: Activation,
    pub(super) positions: Positions,
}

/// Which position each token of a text has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Positions {
    first: usize,
    /// A token that stands at its own id and that the others don't count.
    padding: Option<u32>,
}

impl Positions {
    pub(super) fn of<'a>(self, text: &'a [u32]) -> impl Iterator<Item = i64> + 'a {
        text.iter().scan(self.first as i64, move |next, &id| {
            if self.padding == Some(id) {
                return Some(id.into());
            }
            *next += 1;
            Some(*next - 1)
        })
    }

    /// How many tokens a text can have.
    pub(super) fn room(self, config: &BertConfig) -> usize {
        config.max_position_embeddings - self.first
    }
}

impl BertConfig {
    const FAMILIES: &str = "bert, roberta, xlm-roberta or mpnet";

    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, EncoderError> {
        let families = ["bert", "roberta", "xlm-roberta", "mpnet"];
        parse_config(path, bytes, &families, Self::FAMILIES)
    }

    pub(super) fn architecture(&self, path: &Path) -> Result<Architecture, EncoderError> {
        let refuse = |field, value: String, expected| {
            Err(EncoderError::Unsupported { path: path.to_owned(), field, value, expected })
        };
        let variant = match self.model_type.as_str() {
            "bert" => Variant::Bert,
            "roberta" | "xlm-roberta" => Variant::Roberta,
            "mpnet" => Variant::Mpnet,
            other => return refuse("model_type", other.to_owned(), Self::FAMILIES),
        };
        let Some(activation) = Activation::of_config(&self.hidden_act) else {
            return refuse("hidden_act", self.hidden_act.clone(), Activation::IN_CONFIG);
        };
        if self.position_embedding_type != "absolute" {
            let value = self.position_embedding_type.clone();
            return refuse("position_embedding_type", value, "absolute");
        }
        for (field, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            // Products of two stay far from overflow.
            if !(1..=1 << 24).contains(&value) {
                return refuse(field, value.to_string(), "a number from 1 to 2^24");
            }
        }
        let heads = self.num_attention_heads;
        if heads == 0 || !self.hidden_size.is_multiple_of(heads) {
            return refuse("num_attention_heads", heads.to_string(), "a divisor of hidden_size");
        }
        if self.type_vocab_size == 0 && variant != Variant::Mpnet {
            return refuse("type_vocab_size", "0".to_owned(), "a number from 1");
        }
        let padding = match variant {
            Variant::Bert => None,
            Variant::Roberta => Some(self.pad_token_id.unwrap_or(1)),
            // Whatever the configuration says.
            Variant::Mpnet => Some(1),
        };
        let first = padding.map_or(0, |id| id as usize + 1);
        if self.max_position_embeddings < first + 3 {
            let value = self.max_position_embeddings.to_string();
            let expected = "room for three tokens after the padding token's position";
            return refuse("max_position_embeddings", value, expected);
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps.is_finite()) {
            return refuse("layer_norm_eps", self.layer_norm_eps.to_string(), "a positive number");
        }
        let buckets = self.relative_attention_num_buckets;
        if variant == Variant::Mpnet && (buckets < 4 || !buckets.is_multiple_of(4)) {
            let expected = "a multiple of 4";
            return refuse("relative_attention_num_buckets", buckets.to_string(), expected);
        }
        Ok(Architecture { variant, activation, positions: Positions { first, padding } })
    }
}
