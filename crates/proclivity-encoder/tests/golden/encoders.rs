//! The fixtures of the BERT family, and their vectors by sentence-transformers for any device.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use proclivity_encoder::{BertEncoder, ComputeDevice, TextEncoder};
use serde::Deserialize;
use tempfile::TempDir;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    cases: BTreeMap<String, Case>,
}

/// Vectors of all texts, and what to set before they come out.
#[derive(Deserialize)]
struct Case {
    directory: String,
    vectors: Vec<Vec<f32>>,
    modes: Option<Vec<String>>,
    include_prompt: Option<bool>,
    prompt: Option<String>,
    prefix: Option<String>,
    dim: Option<usize>,
}

pub(crate) const VARIANTS: [&str; 4] = ["bert", "roberta", "xlm-roberta", "mpnet"];

pub(crate) fn fixture(variant: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(variant)
}

fn expected() -> Expected {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

pub(crate) fn texts() -> Vec<String> {
    expected().texts
}

pub(crate) fn embed(encoder: &BertEncoder, texts: &[&str]) -> Array2<f32> {
    encoder.embed(texts, &mut |_| {}).unwrap()
}

/// A copy of a variant, to change.
pub(crate) fn copy(variant: &str) -> TempDir {
    fn walk(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = to.join(path.file_name().unwrap());
            if path.is_dir() {
                walk(&path, &to);
            } else {
                fs::copy(&path, to).map(|_| ()).unwrap();
            }
        }
    }
    let copy = TempDir::new().unwrap();
    walk(&fixture(variant), copy.path());
    copy
}

/// Every variant, pooling, prompt and length gives sentence-transformers' vectors.
pub(crate) fn assert_golden(device: &ComputeDevice) {
    let expected = expected();
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    assert!(expected.cases.len() >= 14);
    for (name, case) in &expected.cases {
        let encoder = case.load(device);
        let vectors: Vec<f32> = case.vectors.iter().flatten().copied().collect();
        let shape = (texts.len(), encoder.embedding_dim());
        let vectors = Array2::from_shape_vec(shape, vectors).unwrap();
        let got = embed(&encoder, &texts);
        for (text, (got, vector)) in texts.iter().zip(got.rows().into_iter().zip(vectors.rows())) {
            let difference = (&got - &vector).mapv(f32::abs).fold(0.0_f32, |a, b| a.max(*b));
            assert!(difference < 1e-4, "{device}, {name}, {text:?}: {difference}");
        }
    }
}

impl Case {
    fn load(&self, device: &ComputeDevice) -> BertEncoder {
        let directory = copy(&self.directory);
        if let Some(modes) = &self.modes {
            let all = [
                ("cls", "cls_token"),
                ("mean", "mean_tokens"),
                ("max", "max_tokens"),
                ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
                ("weightedmean", "weightedmean_tokens"),
                ("lasttoken", "lasttoken"),
            ];
            let mut config = serde_json::Map::new();
            for (mode, key) in all {
                let chosen = modes.iter().any(|chosen| chosen == mode);
                config.insert(format!("pooling_mode_{key}"), chosen.into());
            }
            config.insert("include_prompt".to_owned(), self.include_prompt.unwrap_or(true).into());
            let config = serde_json::to_vec(&config).unwrap();
            fs::write(directory.path().join("1_Pooling/config.json"), config).unwrap();
        }
        let mut encoder = BertEncoder::load(directory.path(), device).unwrap();
        if let Some(prompt) = &self.prompt {
            encoder = encoder.with_prompt(prompt).unwrap();
        }
        if let Some(prefix) = &self.prefix {
            encoder = encoder.with_prefix(prefix).unwrap();
        }
        if let Some(dim) = self.dim {
            encoder = encoder.with_embedding_dim(dim).unwrap();
        }
        encoder
    }
}
