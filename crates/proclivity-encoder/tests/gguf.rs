//! Decoders from GGUF files against the same weights from safetensors, and damaged files.
#![cfg(feature = "gguf")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use proclivity_encoder::{ComputeDevice, Decoder, EncoderError, GenerateConfig, TextEncoder};
use serde::Deserialize;

const VARIANTS: [&str; 5] = ["llama", "llama3", "linear", "qwen2", "qwen3"];

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/gguf").join(name).with_extension("gguf")
}

fn scores(model: &Decoder, prompt: &str, texts: &[&str]) -> (Vec<u32>, Vec<f64>) {
    let scores = model.score(prompt, texts).unwrap();
    scores.iter().flatten().map(|token| (token.id, token.log_prob)).unzip()
}

fn assert_twins(gguf: &Path, directory: &Path, tolerance: f64) {
    let file = Decoder::load(gguf, &device()).unwrap();
    let twin = Decoder::load(directory, &device()).unwrap();
    let texts = [" a slow film", " coffee.", " 胶卷 and the camera, and then the lens", "!", " 🏕"];
    for prompt in ["The viewer watched", "", "用户", "A customer viewed the tent, the tent and the"]
    {
        let ((ids, got), (expected_ids, expected)) =
            (scores(&file, prompt, &texts), scores(&twin, prompt, &texts));
        assert_eq!(ids, expected_ids, "{}: {prompt}", gguf.display());
        let difference = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(difference < tolerance, "{}: {difference}", gguf.display());
        let config = GenerateConfig { max_tokens: 32, ..Default::default() };
        assert_eq!(
            file.generate(prompt, &config, &mut |_| {}).unwrap(),
            twin.generate(prompt, &config, &mut |_| {}).unwrap()
        );
    }
    assert_ne!(file.fingerprint(), twin.fingerprint());
    assert_eq!(file.context(), twin.context());
}

#[test]
fn a_file_gives_the_log_probabilities_of_its_safetensors_twin() {
    for name in VARIANTS {
        let directory = root().join("tests/fixtures/tiny-decoders").join(name);
        assert_twins(&fixture(name), &directory, 1e-5);
    }
}

/// A copy of a fixture with some bytes changed.
fn damaged(name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> EncoderError {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    let mut bytes = fs::read(fixture(name)).unwrap();
    damage(&mut bytes);
    fs::write(&path, bytes).unwrap();
    Decoder::load(&path, &device()).err().unwrap()
}

/// Where a text stands in a file.
fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

/// Replaces the name of a field or tensor by one of the same length.
fn rename<'a>(from: &'a str, to: &'a str) -> impl FnOnce(&mut Vec<u8>) + 'a {
    assert_eq!(from.len(), to.len());
    move |bytes| {
        let at = find(bytes, from);
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
}

#[test]
fn damaged_files_are_refused_with_what_is_wrong() {
    let absent = Decoder::load(Path::new("no/such.gguf"), &device()).err().unwrap();
    assert!(matches!(absent, EncoderError::Io { .. }), "{absent}");

    for length in [0, 3, 20, 200, 5_000] {
        let error = damaged("llama", |bytes| bytes.truncate(length));
        assert!(matches!(error, EncoderError::Gguf { .. }), "{length}: {error}");
    }
    let no_weights = damaged("llama", |bytes| bytes.truncate(bytes.len() - 3_000));
    assert!(matches!(no_weights, EncoderError::Gguf { .. }), "{no_weights}");
    // Numbers of tensors, of fields, of a text's bytes that the file can't hold.
    for at in [8, 16, 24] {
        let error = damaged("llama", |bytes| bytes[at..at + 8].copy_from_slice(&[0x7f; 8]));
        assert!(matches!(error, EncoderError::Gguf { .. }), "{at}: {error}");
    }
    let magic = damaged("llama", |bytes| bytes[0] = b'X');
    assert!(magic.to_string().contains("magic"), "{magic}");

    let architecture = damaged("qwen3", |bytes| {
        let at = find(bytes, "general.architecture") + 20 + 4 + 8;
        bytes[at..at + 5].copy_from_slice(b"gpt-2");
    });
    assert!(matches!(architecture, EncoderError::GgufField { .. }), "{architecture}");
    let field = damaged("llama", rename("llama.block_count", "llama.block_cound"));
    assert!(
        matches!(&field, EncoderError::GgufField { field, .. } if field == "llama.block_count"),
        "{field}"
    );
    let tensor = damaged("llama", rename("blk.1.ffn_up.weight", "blk.1.ffn_ux.weight"));
    assert!(
        matches!(&tensor, EncoderError::MissingTensor { tensor, .. } if tensor == "model.layers.1.mlp.up_proj.weight"),
        "{tensor}"
    );
    let one_more = damaged("llama", |bytes| {
        let at = find(bytes, "llama.block_count") + 17 + 4;
        bytes[at] = 1;
    });
    assert!(
        matches!(&one_more, EncoderError::UnknownTensor { tensor, .. } if tensor.starts_with("model.layers.1.")),
        "{one_more}"
    );
    let shape = damaged("llama", |bytes| {
        // The name, the number of dimensions, then the dimensions.
        let at = find(bytes, "blk.0.ffn_down.weight") + 21 + 4;
        bytes[at] = 64;
    });
    assert!(
        matches!(&shape, EncoderError::TensorShape { tensor, got, .. } if tensor == "blk.0.ffn_down.weight" && got == &[32, 64]),
        "{shape}"
    );
    let not_a_number = damaged("linear", |bytes| {
        let end = bytes.len();
        bytes[end - 64..].fill(0xff);
    });
    assert!(matches!(not_a_number, EncoderError::NonFiniteWeight { .. }), "{not_a_number}");
    let cut = damaged("llama", |bytes| {
        let at = find(bytes, "tokenizer.ggml.pre") + 18 + 4 + 8;
        bytes[at..at + 5].copy_from_slice(b"other");
    });
    assert!(
        matches!(&cut, EncoderError::Unsupported { field: "tokenizer.ggml.pre", value, .. } if value.starts_with("other")),
        "{cut}"
    );
    let vocabulary = damaged("llama", |bytes| {
        let at = find(bytes, "token_embd.weight") + 17 + 4 + 8;
        bytes[at..at + 2].copy_from_slice(&287_u16.to_le_bytes());
    });
    assert!(
        matches!(vocabulary, EncoderError::Vocabulary { largest_id: 287, rows: 287, .. }),
        "{vocabulary}"
    );
}

#[test]
fn an_alignment_of_zero_is_refused() {
    let error = damaged("llama", |bytes| {
        let field = [
            &17_u64.to_le_bytes()[..],
            b"general.alignment",
            &4_u32.to_le_bytes(),
            &0_u32.to_le_bytes(),
        ];
        bytes[16] += 1;
        bytes.splice(24..24, field.concat());
    });
    assert!(error.to_string().contains("general.alignment"), "{error}");
}

#[test]
fn a_tokenizer_beside_the_file_stands_in_for_one_that_is_not_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    let mut bytes = fs::read(fixture("llama")).unwrap();
    rename("gpt-2", "other")(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let twin = root().join("tests/fixtures/tiny-decoders/llama");
    fs::copy(twin.join("tokenizer.json"), directory.path().join("tokenizer.json")).unwrap();
    assert_twins(&path, &twin, 1e-5);
}

#[derive(Deserialize)]
struct Expected {
    continuations: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    scores: Vec<Score>,
    #[serde(default)]
    greedy: Vec<u32>,
}

#[derive(Deserialize)]
struct Score {
    tokens: Vec<u32>,
    log_probs: Vec<f64>,
}

#[test]
#[ignore = "needs models/SmolLM2-135M-Instruct-GGUF"]
fn smollm2_scores_and_writes_as_transformers_does() {
    let gguf = "../../models/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf";
    let file = Decoder::load(&root().join(gguf), &device()).unwrap();
    // Of weights that the reference dequantised to f32.
    let expected = fs::read(root().join("tests/fixtures/smollm2_gguf.json")).unwrap();
    let expected: Expected = serde_json::from_slice(&expected).unwrap();
    let continuations: Vec<&str> = expected.continuations.iter().map(String::as_str).collect();
    for case in &expected.cases {
        let (ids, log_probs) = scores(&file, &case.prompt, &continuations);
        let expected = || case.scores.iter();
        assert_eq!(ids, expected().flat_map(|score| score.tokens.clone()).collect::<Vec<_>>());
        let expected = expected().flat_map(|score| &score.log_probs);
        let differences =
            log_probs.iter().zip(expected).map(|(got, expected)| (got - expected).abs());
        let largest = differences.fold(0.0, f64::max);
        assert!(largest < 1e-4, "{}: {largest}", case.prompt);
        if !case.greedy.is_empty() {
            let config = GenerateConfig { max_tokens: 16, ..Default::default() };
            let written = file.generate(&case.prompt, &config, &mut |_| {}).unwrap();
            assert_eq!(written.tokens, case.greedy[..16]);
        }
    }
}
