//! The fixtures of decoders, and what transformers makes of them, for any device.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proclivity_encoder::{
    ComputeDevice, Decoder, Finish, GenerateConfig, LanguageModel, TextEncoder,
};
use serde::Deserialize;

pub(crate) const VARIANTS: [&str; 5] = ["llama", "llama3", "linear", "qwen2", "qwen3"];

#[derive(Deserialize)]
pub(crate) struct Expected {
    continuations: Vec<String>,
    pub(crate) cases: Vec<Case>,
    #[serde(default)]
    embeddings: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) prompt: String,
    scores: Vec<Score>,
    #[serde(default)]
    pub(crate) greedy: Vec<u32>,
}

#[derive(Deserialize)]
struct Score {
    tokens: Vec<u32>,
    log_probs: Vec<f64>,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-decoders").join(name)
}

pub(crate) fn load(name: &str, device: &ComputeDevice) -> Decoder {
    Decoder::load(&fixture(name), device).unwrap()
}

/// Without tokens that end a text, so that it has its full length.
pub(crate) fn endless(name: &str, device: &ComputeDevice) -> Decoder {
    let copy = copy(&fixture(name));
    replace(copy.path(), "config.json", "\"eos_token_id\": 1,", "");
    replace(copy.path(), "generation_config.json", "\"eos_token_id\": 1,", "");
    Decoder::load(copy.path(), device).unwrap()
}

pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

pub(crate) fn replace(directory: &Path, file: &str, old: &str, new: &str) {
    let text = fs::read_to_string(directory.join(file)).unwrap();
    assert!(text.contains(old), "{file} has no {old}");
    fs::write(directory.join(file), text.replace(old, new)).unwrap();
}

fn expected(name: &str) -> Expected {
    Expected::read(&fixture(name).join("expected.json"))
}

impl Expected {
    pub(crate) fn read(path: &Path) -> Self {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Log-probabilities of all continuations are those of transformers.
    pub(crate) fn assert_scores(&self, model: &Decoder, name: &str) {
        let continuations: Vec<&str> = self.continuations.iter().map(String::as_str).collect();
        for case in &self.cases {
            let scores = model.score(&case.prompt, &continuations).unwrap();
            for (got, score) in scores.iter().zip(&case.scores) {
                let ids: Vec<u32> = got.iter().map(|token| token.id).collect();
                assert_eq!(ids, score.tokens, "{name} {:?}", case.prompt);
                for (got, expected) in got.iter().zip(&score.log_probs) {
                    let got = got.log_prob;
                    assert!((got - expected).abs() < 1e-4, "{name}: {got} for {expected}");
                }
            }
            let sums = model.log_probs(&case.prompt, &continuations).unwrap();
            for (sum, score) in sums.iter().zip(&case.scores) {
                let expected: f64 = score.log_probs.iter().sum();
                assert!((sum - expected).abs() < 1e-3, "{name}: {sum} for {expected}");
            }
        }
    }
}

pub(crate) fn assert_golden_scores(device: &ComputeDevice) {
    for name in VARIANTS {
        expected(name).assert_scores(&load(name, device), &format!("{device}, {name}"));
    }
}

/// Greedy texts are those of transformers, alone and in a batch.
pub(crate) fn assert_golden_texts(device: &ComputeDevice) {
    let config = GenerateConfig { max_tokens: 64, ..GenerateConfig::default() };
    for name in VARIANTS {
        let model = endless(name, device);
        let expected = expected(name);
        // Without an end, nothing begins an empty prompt but the begin token, which is there.
        let prompts: Vec<&str> = expected.cases.iter().map(|case| case.prompt.as_str()).collect();
        let together = model.generate_batch(&prompts, &config, &mut |_, _| {}).unwrap();
        for (case, together) in expected.cases.iter().zip(together) {
            let mut streamed = String::new();
            let alone =
                model.generate(&case.prompt, &config, &mut |text| streamed.push_str(text)).unwrap();
            assert_eq!(alone.tokens, case.greedy, "{device}, {name} {:?}", case.prompt);
            assert_eq!(alone, together, "{device}, {name}");
            assert_eq!(alone.text, streamed);
            assert_eq!(alone.finish, Finish::Length);
        }
    }
}

/// Embeddings are the last hidden states.
pub(crate) fn assert_golden_embeddings(device: &ComputeDevice) {
    for name in VARIANTS {
        let model = load(name, device);
        let expected = expected(name);
        let texts: Vec<&str> = expected.embeddings.keys().map(String::as_str).collect();
        let got = model.embed(&texts, &mut |_| {}).unwrap();
        assert_eq!(got.dim(), (texts.len(), model.embedding_dim()));
        for (got, expected) in got.rows().into_iter().zip(expected.embeddings.values()) {
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-4, "{device}, {name}: {got} for {expected}");
            }
        }
    }
}
