//! The BERT family against the reference implementation, and against damaged checkpoints.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use proclivity_encoder::{BertEncoder, ComputeDevice, EncoderError, TextEncoder, embed_cached};
use serde::Deserialize;
use tempfile::TempDir;

#[derive(Deserialize)]
struct Expected<V> {
    texts: Vec<String>,
    vectors: V,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn expected<V: for<'de> Deserialize<'de>>(file: &str) -> Expected<V> {
    serde_json::from_slice(&fs::read(fixtures().join(file)).unwrap()).unwrap()
}

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn embed(encoder: &BertEncoder, texts: &[&str]) -> Array2<f32> {
    encoder.embed(texts, &mut |_| {}).unwrap()
}

fn agree(got: &Array2<f32>, expected: &[Vec<f32>]) {
    assert_eq!(got.nrows(), expected.len());
    for (row, (got, expected)) in got.rows().into_iter().zip(expected).enumerate() {
        let dot: f64 = got.iter().zip(expected).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let norm = expected.iter().map(|b| f64::from(*b).powi(2)).sum::<f64>().sqrt();
        let difference = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(dot / norm >= 0.99999, "text {row}: cosine {}", dot / norm);
        assert!(difference <= 1e-4, "text {row}: difference {difference}");
    }
}

/// A copy of the tiny checkpoint to damage.
fn tiny() -> TempDir {
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join("1_Pooling")).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(fixtures().join("tiny-bert").join(file), copy.path().join(file)).unwrap();
    }
    copy
}

fn load(directory: &Path) -> Result<BertEncoder, EncoderError> {
    BertEncoder::load(directory, &device())
}

fn edit_config(directory: &Path, from: &str, to: &str) {
    let path = directory.join("config.json");
    let config = fs::read_to_string(&path).unwrap();
    assert!(config.contains(from), "{from} not in {config}");
    fs::write(path, config.replace(from, to)).unwrap();
}

#[test]
fn the_tiny_checkpoint_agrees_with_transformers() {
    let expected: Expected<HashMap<String, Vec<Vec<f32>>>> = expected("tiny-bert/expected.json");
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    for mode in ["mean", "cls"] {
        let directory = tiny();
        let pooling = format!(
            "{{\"pooling_mode_cls_token\": {}, \"pooling_mode_mean_tokens\": {}}}",
            mode == "cls",
            mode == "mean"
        );
        fs::write(directory.path().join("1_Pooling/config.json"), pooling).unwrap();
        let encoder = load(directory.path()).unwrap();
        agree(&embed(&encoder, &texts), &expected.vectors[mode]);
    }
}

#[test]
#[ignore = "needs the real weights: scripts/models.sh all-MiniLM-L6-v2"]
fn minilm_agrees_with_sentence_transformers() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/all-MiniLM-L6-v2");
    let encoder = load(&directory).unwrap();
    let expected: Expected<Vec<Vec<f32>>> = expected("minilm.json");
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    let together = embed(&encoder, &texts);
    agree(&together, &expected.vectors);
    for (row, text) in texts.iter().enumerate() {
        let alone = embed(&encoder, &[text]);
        let difference = (&alone.row(0) - &together.row(row)).mapv(f32::abs);
        assert!(difference.iter().all(|&d| d < 1e-6), "text {row} depends on its batch");
    }
}

#[test]
fn a_text_does_not_depend_on_its_batch() {
    let encoder = load(tiny().path()).unwrap();
    let texts = ["a film", "the colour film roll", "", "black and white", "a film", "user viewed"];
    let together = embed(&encoder, &texts);
    for (row, text) in texts.iter().enumerate() {
        let alone = embed(&encoder, &[text]);
        let difference = (&alone.row(0) - &together.row(row)).mapv(f32::abs);
        assert!(difference.iter().all(|&d| d < 1e-6), "text {row} depends on its batch");
        assert!((alone.row(0).dot(&alone.row(0)) - 1.0).abs() < 1e-5);
    }
    assert_eq!(together.slice(s![0, ..]), together.slice(s![4, ..]));
    assert_eq!(embed(&encoder, &[]).dim(), (0, 16));
}

#[test]
fn missing_and_damaged_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let directory = tiny();
        let path = directory.path().join(file);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = load(directory.path()).err().unwrap();
        assert!(matches!(&error, EncoderError::Io { path: p, .. } if *p == path), "{error}");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = load(directory.path()).err().unwrap();
        assert!(error.to_string().contains(file), "{error}");
        fs::write(&path, b"").unwrap();
        assert!(load(directory.path()).is_err());
    }
}

#[test]
fn a_header_that_claims_too_much_is_refused() {
    let directory = tiny();
    let path = directory.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    for length in [u64::MAX, 1 << 60, 99_000_000] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = load(directory.path()).err().unwrap();
        assert!(matches!(error, EncoderError::Safetensors { .. }), "{error}");
    }
}

#[test]
fn other_architectures_and_shapes_are_refused() {
    for (from, to, field) in [
        ("\"model_type\": \"bert\"", "\"model_type\": \"llama\"", "model_type"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"silu\"", "hidden_act"),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 3", "num_attention_heads"),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "num_attention_heads"),
        ("\"type_vocab_size\": 2", "\"type_vocab_size\": 0", "type_vocab_size"),
    ] {
        let directory = tiny();
        edit_config(directory.path(), from, to);
        let error = load(directory.path()).err().unwrap();
        assert!(matches!(error, EncoderError::Unsupported { field: f, .. } if f == field));
    }
    let directory = tiny();
    edit_config(directory.path(), "\"intermediate_size\": 32", "\"intermediate_size\": 33");
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::TensorShape { .. }), "{error}");
    let directory = tiny();
    edit_config(directory.path(), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    let error = load(directory.path()).err().unwrap();
    assert!(error.to_string().contains("encoder.layer.2"), "{error}");
    let directory = tiny();
    edit_config(directory.path(), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::UnknownTensor { .. }), "{error}");
}

#[test]
fn a_tokenizer_of_another_checkpoint_is_refused() {
    let directory = tiny();
    let path = directory.path().join("tokenizer.json");
    let tokenizer = fs::read_to_string(&path).unwrap();
    fs::write(&path, tokenizer.replace("\"w23\":", "\"w23\":900,\"unused\":")).unwrap();
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::Vocabulary { largest_id: 900, .. }), "{error}");
}

#[test]
fn a_weight_that_is_not_a_number_is_named() {
    let directory = tiny();
    let path = directory.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::NonFiniteWeight { .. }), "{error}");
}

#[test]
fn the_cache_gives_the_same_and_survives_damage() {
    let encoder = load(tiny().path()).unwrap();
    let cache = TempDir::new().unwrap();
    let texts = ["a film", "the colour"];
    let cached = || embed_cached(&encoder, &texts, cache.path(), &mut |_| {}).unwrap();
    let first = cached();
    assert_eq!(first, embed(&encoder, &texts));
    let files: Vec<PathBuf> =
        fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "one file and nothing temporary");
    assert_eq!(cached(), first);
    let sound = fs::read(&files[0]).unwrap();
    let mut flipped = sound.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&flipped[..], &sound[..sound.len() / 2], b""] {
        fs::write(&files[0], damaged).unwrap();
        assert_eq!(cached(), first);
        assert_eq!(fs::read(&files[0]).unwrap(), sound, "made anew");
    }
    embed_cached(&encoder, &["a film"], cache.path(), &mut |_| {}).unwrap();
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 2, "other texts, another file");
}
