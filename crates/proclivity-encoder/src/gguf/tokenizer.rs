//! The tokenizer that a GGUF file carries, as `tokenizer.json` says it.

use candle_core::quantized::gguf_file::Value;
use serde_json::{Map, json};

use super::GgufFile;
use crate::EncoderError;

/// `token_type` of a token that is no text.
const CONTROL: i64 = 3;
/// Of one that is cut out of a text before anything else.
const USER_DEFINED: i64 = 4;

/// How texts are cut before the pairs of bytes are merged.
///
/// # Source
/// The regular expressions are those of the checkpoints' own `tokenizer.json`.
fn cut(kind: &str) -> Option<serde_json::Value> {
    let byte_level = |regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    let split = |digits: &str| {
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
    };
    let steps = match kind {
        "gpt-2" => return Some(byte_level(true)),
        "smollm" => [json!({ "type": "Digits", "individual_digits": true }), byte_level(true)],
        "qwen2" => [split(r"\p{N}"), byte_level(false)],
        "llama-bpe" | "llama-v3" | "llama3" => [split(r"\p{N}{1,3}"), byte_level(false)],
        _ => return None,
    };
    Some(json!({ "type": "Sequence", "pretokenizers": steps }))
}

impl GgufFile {
    /// What `tokenizer.json` would say, or nothing where the tokenizer is of another kind than
    /// byte-pair encoding with a cut that is known.
    pub(crate) fn tokenizer(&self) -> Result<Option<Vec<u8>>, EncoderError> {
        let kind = self.string("tokenizer.ggml.pre")?.unwrap_or_default();
        let Some(cut) = cut(kind).filter(|_| self.is_byte_pair_encoding()) else {
            return Ok(None);
        };
        let tokens = self.texts("tokenizer.ggml.tokens")?;
        let merges = self.texts("tokenizer.ggml.merges")?;
        let kinds = self.list("tokenizer.ggml.token_type")?.unwrap_or_default();
        let mut vocab = Map::new();
        let mut added = Vec::new();
        for (id, &token) in tokens.iter().enumerate() {
            vocab.insert(token.to_owned(), json!(id));
            let kind = match kinds.get(id) {
                Some(&Value::I32(kind)) => i64::from(kind),
                Some(&Value::U32(kind)) => i64::from(kind),
                _ => 0,
            };
            if kind == CONTROL || kind == USER_DEFINED {
                added.push(json!({
                    "id": id, "content": token, "special": kind == CONTROL, "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false,
                }));
            }
        }
        let of_llama_3 = kind.starts_with("llama");
        let tokenizer = json!({
            "version": "1.0",
            "added_tokens": added,
            "normalizer": if kind == "qwen2" { json!({ "type": "NFC" }) } else { json!(null) },
            "pre_tokenizer": cut,
            "post_processor": self.template(&tokens, of_llama_3)?,
            "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
            "model": { "type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": of_llama_3 },
        });
        Ok(Some(tokenizer.to_string().into_bytes()))
    }

    /// The kind of tokenizer, for an error that says which isn't known.
    pub(crate) fn tokenizer_kind(&self) -> String {
        let of = |field| self.string(field).ok().flatten().unwrap_or("nothing");
        format!("{} of {}", of("tokenizer.ggml.pre"), of("tokenizer.ggml.model"))
    }

    fn is_byte_pair_encoding(&self) -> bool {
        matches!(self.string("tokenizer.ggml.model"), Ok(Some("gpt2")))
    }

    /// What the tokenizer puts around a text.
    fn template(&self, tokens: &[&str], begins: bool) -> Result<serde_json::Value, EncoderError> {
        let around = |name: &str, otherwise: bool| {
            let wanted = self.flag(&format!("tokenizer.ggml.add_{name}_token"))?;
            let id = self.number(&format!("tokenizer.ggml.{name}_token_id"))?;
            let token = id.and_then(|id| Some((id, *tokens.get(usize::try_from(id).ok()?)?)));
            Ok::<_, EncoderError>(token.filter(|_| wanted.unwrap_or(otherwise)))
        };
        let (begin, end) = (around("bos", begins)?, around("eos", false)?);
        if begin.is_none() && end.is_none() {
            return Ok(json!(null));
        }
        let special = |token: Option<(u64, &str)>| {
            token.map(|(_, token)| json!({ "SpecialToken": { "id": token, "type_id": 0 } }))
        };
        let sequence = |name| json!({ "Sequence": { "id": name, "type_id": 0 } });
        let single = special(begin).into_iter().chain([sequence("A")]).chain(special(end));
        let described = [begin, end].into_iter().flatten().map(|(id, token)| {
            (token.to_owned(), json!({ "id": token, "ids": [id], "tokens": [token] }))
        });
        Ok(json!({
            "type": "TemplateProcessing",
            "single": single.collect::<Vec<_>>(),
            "pair": [sequence("A"), sequence("B")],
            "special_tokens": described.collect::<Map<_, _>>(),
        }))
    }

    fn texts(&self, field: &str) -> Result<Vec<&str>, EncoderError> {
        let texts = self.list(field)?.and_then(|values| {
            values
                .iter()
                .map(|value| match value {
                    Value::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect()
        });
        texts.ok_or_else(|| self.no_such(field, "a list of texts"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::path::Path;

    use tokenizers::Tokenizer;

    use super::*;

    const PARTS: [&str; 11] = [
        "用户浏览了彩色胶卷。",
        "Viewed 35mm film",
        "🏕️👩‍🚀",
        "1234567890",
        "don't WE'LL",
        "\n\n\t x",
        "Zürich — l'ombre",
        "<|im_start|>user",
        "…",
        "٣٤½",
        "   ",
    ];

    fn assert_same_tokens(gguf: &Path, tokenizer: &Path) {
        let bytes = GgufFile::open(gguf).unwrap().tokenizer().unwrap().unwrap();
        let (got, expected) =
            (Tokenizer::from_bytes(bytes).unwrap(), Tokenizer::from_file(tokenizer).unwrap());
        for line in 0..440_usize {
            let part = |at: usize| PARTS[(line * 7 + at * (line / 11 + 3)) % PARTS.len()];
            let text = [0, 1, 2, 3, 4].map(part).join(if line % 2 == 0 { " " } else { "" });
            for special in [false, true] {
                let ids = |tokenizer: &Tokenizer| {
                    tokenizer.encode_fast(text.as_str(), special).unwrap().get_ids().to_vec()
                };
                assert_eq!(ids(&got), ids(&expected), "{text:?}");
                let text = |tokenizer: &Tokenizer| tokenizer.decode(&ids(&got), true).unwrap();
                assert_eq!(text(&got), text(&expected));
            }
        }
    }

    #[test]
    fn a_file_s_tokenizer_is_that_of_its_twin() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        assert_same_tokens(
            &fixtures.join("gguf/qwen3.gguf"),
            &fixtures.join("tiny-decoders/qwen3/tokenizer.json"),
        );
    }

    #[test]
    #[ignore = "needs models/SmolLM2-135M-Instruct and models/SmolLM2-135M-Instruct-GGUF"]
    fn smollm2_s_tokenizer_is_that_of_its_twin() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        assert_same_tokens(
            &models.join("SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf"),
            &models.join("SmolLM2-135M-Instruct/tokenizer.json"),
        );
    }
}
