//! The number of threads changes no bit of what encoders and decoders compute.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use proclivity_encoder::{BertEncoder, Decoder, GenerateConfig, TextEncoder};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name)
}

fn assert_same_with_one_and_three<T: PartialEq + std::fmt::Debug + Send>(
    compute: impl Fn() -> T + Sync,
) {
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&compute)
    };
    assert!(with_threads(1) == with_threads(3), "the number of threads matters");
}

/// Enough of them for several batches, of different lengths.
fn texts() -> Vec<String> {
    (0..200).map(|at| "a white film camera ".repeat(1 + at % 13)).collect()
}

fn assert_encoder(directory: &Path) {
    let encoder = BertEncoder::load(directory, &"flex".parse().unwrap()).unwrap();
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for texts in [&texts[..], &texts[12..13], &texts[1..2], &texts[..4]] {
        assert_same_with_one_and_three(|| {
            let vectors = encoder.embed(texts, &mut |_| {}).unwrap();
            vectors.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        });
    }
}

fn assert_decoder(directory: &Path) {
    let decoder = Decoder::load(directory, &"flex".parse().unwrap()).unwrap();
    let prompt = "The viewer liked a film about a camera ".repeat(4);
    let continuations = [" and a tent", " very much, and then some more", ""];
    assert_same_with_one_and_three(|| {
        let scores = decoder.score(&prompt, &continuations).unwrap();
        scores.iter().flatten().map(|token| token.log_prob.to_bits()).collect::<Vec<_>>()
    });
    assert_same_with_one_and_three(|| {
        let vectors = decoder.embed(&[&prompt, "a film"], &mut |_| {}).unwrap();
        vectors.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    });
    let config = GenerateConfig { max_tokens: 12, temperature: 1.0, ..GenerateConfig::default() };
    assert_same_with_one_and_three(|| {
        decoder.generate_batch(&[&prompt, "A film"], &config, &mut |_, _| {}).unwrap()
    });
}

#[test]
fn encoders_give_the_same_bits() {
    for variant in ["bert", "mpnet"] {
        assert_encoder(&fixture("encoders").join(variant));
    }
}

#[test]
fn decoders_give_the_same_bits() {
    for variant in ["llama", "qwen3"] {
        assert_decoder(&fixture("tiny-decoders").join(variant));
    }
}

#[test]
#[ignore = "needs models/all-MiniLM-L6-v2"]
fn minilm_gives_the_same_bits() {
    assert_encoder(&model("all-MiniLM-L6-v2"));
}

#[test]
#[ignore = "needs models/SmolLM2-135M-Instruct"]
fn smollm2_gives_the_same_bits() {
    assert_decoder(&model("SmolLM2-135M-Instruct"));
}
