//! One suite for every backend, against committed goldens and against flex.
//!
//! ```text
//! PROCLIVITY_BACKENDS=flex,ndarray,tch,vulkan:cpu \
//!     cargo test --release -p proclivity-encoder --features ndarray,tch,vulkan --test backends
//! ```
//!
//! Without the variable it is flex alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden {
    pub(crate) mod decoders;
    pub(crate) mod encoders;
}
mod shop;

use std::process::Command;

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor, TensorData, module};
use golden::{decoders, encoders};
use ndarray::Array2;
use proclivity_encoder::{
    BertEncoder, CausalConfig, CausalModel, ComputeDevice, EncoderError, Finish, GenerateConfig,
    LanguageModel, TextEncoder, TrainConfig, TrainProgress,
};

fn flex() -> ComputeDevice {
    "flex".parse().unwrap()
}

/// Those named in the environment.
fn devices() -> Vec<ComputeDevice> {
    let names = std::env::var("PROCLIVITY_BACKENDS").unwrap_or_else(|_| "flex".to_owned());
    names.split(',').map(|name| name.trim().parse().unwrap()).collect()
}

fn difference(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn encoders_give_sentence_transformers_vectors() {
    for device in devices() {
        encoders::assert_golden(&device);
    }
}

#[test]
fn neither_the_batch_nor_threads_nor_the_backend_changes_a_vector() {
    let mut all = encoders::texts();
    all.push("a white roll ".repeat(60));
    let texts: Vec<&str> = all.iter().map(String::as_str).cycle().take(40).collect();
    for device in devices() {
        for variant in encoders::VARIANTS {
            let load = |device| BertEncoder::load(&encoders::fixture(variant), device).unwrap();
            let reference = flex();
            let expected = encoders::embed(&load(&reference), &texts);
            let encoder = load(&device);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let got = pool.install(|| encoders::embed(&encoder, &texts));
                let off = difference(&got, &expected);
                assert!(off < 1e-5, "{device}, {variant}, {threads} threads: {off} from flex");
            }
            let apart = encoders::embed(&encoder.clone().with_batch_size(1), &texts);
            let off = difference(&apart, &expected);
            assert!(off < 1e-5, "{device}, {variant}, one by one: {off} from flex");
        }
    }
}

#[test]
fn decoders_give_transformers_log_probabilities() {
    for device in devices() {
        decoders::assert_golden_scores(&device);
    }
}

#[test]
fn decoders_write_transformers_texts() {
    for device in devices() {
        decoders::assert_golden_texts(&device);
    }
}

#[test]
fn decoders_embed_as_transformers_does() {
    for device in devices() {
        decoders::assert_golden_embeddings(&device);
    }
}

/// Prompts and texts so long that what is cached outgrows its room more than once, and continuations
/// behind a prefix that they share.
#[test]
fn long_texts_and_held_texts_are_flex_s() {
    let prompt = "The viewer and the tent. ".repeat(4);
    let texts: Vec<String> = (0..12).map(|i| format!(" film {i}{}", " tent".repeat(i))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let config = GenerateConfig { max_tokens: 180, ..GenerateConfig::default() };
    for device in devices() {
        for name in decoders::VARIANTS {
            let (model, other) =
                (decoders::endless(name, &device), decoders::endless(name, &flex()));
            let write = |model: &proclivity_encoder::Decoder| {
                model.generate_batch(&["A", &prompt], &config, &mut |_, _| {}).unwrap()
            };
            let (got, expected) = (write(&model), write(&other));
            assert_eq!(got, expected, "{device}, {name}");
            let got = model.log_probs(&prompt, &texts).unwrap();
            let expected = other.log_probs(&prompt, &texts).unwrap();
            for (got, expected) in got.iter().zip(&expected) {
                assert!((got - expected).abs() < 1e-3, "{device}, {name}: {got} for {expected}");
            }
            let only = GenerateConfig::default().only(&texts);
            let held = model.generate(&prompt, &only, &mut |_| {}).unwrap();
            assert_eq!(held, other.generate(&prompt, &only, &mut |_| {}).unwrap());
            assert!(matches!(held.finish, Finish::Only(_)));
        }
    }
}

fn train(device: &ComputeDevice) -> (CausalModel, Vec<f64>) {
    let (texts, validation) = (shop::histories(60, 8, 1), shop::histories(8, 8, 2));
    let config = CausalConfig {
        vocab_size: 300,
        width: 16,
        feed_forward: 32,
        context: 64,
        dropout: 0.1,
        ..CausalConfig::default()
    };
    let training = TrainConfig {
        epochs: 2,
        tokens_per_epoch: 4_000,
        validation_tokens: 500,
        tokens_per_batch: 512,
        ..TrainConfig::default()
    };
    let mut losses = Vec::new();
    let mut keep = |progress: TrainProgress<'_>| match progress {
        TrainProgress::Step { loss, .. } => losses.push(loss),
        TrainProgress::Epoch(report) => losses.push(report.validation_loss),
        _ => {}
    };
    let (model, _) =
        CausalModel::train(&texts, &validation, &config, &training, device, &mut keep).unwrap();
    (model, losses)
}

#[test]
fn training_goes_flex_s_way_and_a_model_moves_between_backends() {
    let (of_flex, expected) = train(&flex());
    assert!(expected.len() > 12 && expected.last() < expected.first());
    let texts = ["50mm prime lens", "35毫米彩色胶卷，36张", ""];
    let scores = |model: &CausalModel| model.log_probs("Viewed \"", &texts[..2]).unwrap();
    let vectors = |model: &CausalModel| model.embed(&texts, &mut |_| {}).unwrap();
    for device in devices() {
        let (model, losses) = train(&device);
        assert_eq!(losses.len(), expected.len());
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            let off = (loss - expected).abs();
            assert!(off < 1e-3, "{device}, step {step}: {loss} for {expected}");
        }
        for (from, to) in [(&model, flex()), (&of_flex, device.clone())] {
            let directory = tempfile::tempdir().unwrap();
            from.save(directory.path()).unwrap();
            let moved = CausalModel::load(directory.path(), &to).unwrap();
            assert_eq!(moved.fingerprint(), from.fingerprint(), "{device} to {to}");
            for (got, expected) in scores(&moved).iter().zip(scores(from)) {
                assert!((got - expected).abs() < 1e-3, "{device} to {to}: {got} for {expected}");
            }
            let off = difference(&vectors(&moved), &vectors(from));
            assert!(off < 1e-4, "{device} to {to}: {off}");
        }
    }
}

/// Attention of two texts with three heads.
struct Attention {
    shape: [usize; 4],
    parts: [Vec<f32>; 3],
}

impl Attention {
    fn new(length: usize, width: usize) -> Self {
        let shape = [2, 3, length, width];
        let count = shape.iter().product();
        let numbers = |salt: usize| {
            let number = |at: usize| (((at + salt) * 7919) % 1013) as f32 / 250.0 - 2.0;
            (0..count).map(number).collect()
        };
        Self { shape, parts: [numbers(1), numbers(2), numbers(3)] }
    }

    /// softmax(Q Kᵀ / √width) V over the keys that a query sees.
    fn plain(&self, sees: impl Fn(usize, usize) -> bool) -> Vec<f32> {
        let [texts, heads, length, width] = self.shape;
        let row = |part: usize, head: usize, at: usize| {
            &self.parts[part][(head * length + at) * width..][..width]
        };
        let mut out = Vec::new();
        for (head, query) in (0..texts * heads).flat_map(|h| (0..length).map(move |q| (h, q))) {
            let weight = |key: usize| -> f64 {
                let pairs = row(0, head, query).iter().zip(row(1, head, key));
                let dot: f64 = pairs.map(|(a, b)| f64::from(a * b)).sum();
                if sees(query, key) { (dot / (width as f64).sqrt()).exp() } else { 0.0 }
            };
            let weights: Vec<f64> = (0..length).map(weight).collect();
            let total: f64 = weights.iter().sum();
            out.extend((0..width).map(|at| {
                let keys = weights.iter().enumerate();
                let sum: f64 = keys.map(|(key, w)| w * f64::from(row(2, head, key)[at])).sum();
                (sum / total) as f32
            }));
        }
        out
    }

    /// Burn's, with a mask whose true entries are hidden, or a bias.
    fn burn(
        &self,
        device: &Device,
        hidden: Option<&dyn Fn(usize, usize) -> bool>,
        bias: Option<&dyn Fn(usize, usize) -> bool>,
        is_causal: bool,
    ) -> Vec<f32> {
        let [texts, heads, length, _] = self.shape;
        let pairs = || (0..length).flat_map(|query| (0..length).map(move |key| (query, key)));
        let tensor = |part: usize| {
            Tensor::<4>::from_data(TensorData::new(self.parts[part].clone(), self.shape), device)
        };
        let mask = hidden.map(|hidden| {
            let hidden: Vec<bool> = pairs().map(|(query, key)| hidden(query, key)).collect();
            let data = TensorData::new(hidden, [1, 1, length, length]);
            let mask = Tensor::<4, Bool>::from_data(data, device);
            mask.expand([texts, heads, length, length])
        });
        let bias = bias.map(|hidden| {
            let value = |(query, key)| if hidden(query, key) { f32::NEG_INFINITY } else { 0.0 };
            let data = TensorData::new(pairs().map(value).collect(), [1, 1, length, length]);
            Tensor::<4>::from_data(data, device).expand([texts, heads, length, length])
        });
        let options = AttentionModuleOptions { is_causal, ..Default::default() };
        let out = module::attention(tensor(0), tensor(1), tensor(2), mask, bias, options);
        out.into_data().convert::<f32>().try_into_vec().unwrap()
    }
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn attention_is_the_softmax_whatever_hides_its_keys() {
    let later = |query: usize, key: usize| key > query;
    for device in devices() {
        for (length, width) in [(5, 8), (37, 20), (64, 32), (130, 64)] {
            let attention = Attention::new(length, width);
            let causal = attention.plain(|query, key| key <= query);
            let burn = device.burn();
            let (none, flag) =
                (attention.burn(burn, None, None, false), attention.burn(burn, None, None, true));
            let bias = attention.burn(burn, None, Some(&later), false);
            for (name, got, expected) in [
                ("nothing hidden", &none, &attention.plain(|_, _| true)),
                ("causal", &flag, &causal),
                ("bias", &bias, &causal),
            ] {
                let far = far(got, expected);
                assert!(far < 1e-4, "{device}, {name}, {length} × {width}: {far}");
            }
        }
    }
}

/// burn-tch 0.22.1 hands burn's mask, where true hides, to libtorch, where true shows: nothing in this
/// crate gives masks to `module::attention`. If this fails, upstream has mended it.
#[test]
fn a_mask_hides_its_true_entries_except_on_tch_where_it_shows_them() {
    // Each query has keys that are hidden and keys that aren't, whichever way it is read.
    let hidden = |query: usize, key: usize| (query + key).is_multiple_of(3);
    let attention = Attention::new(9, 8);
    for device in devices() {
        let got = attention.burn(device.burn(), Some(&hidden), None, false);
        let right = far(&got, &attention.plain(|query, key| !hidden(query, key)));
        let inverted = far(&got, &attention.plain(hidden));
        if device.to_string() == "tch" {
            assert!(inverted < 1e-4 && right > 0.1, "burn-tch reads masks rightly now: {right}");
        } else {
            assert!(right < 1e-4, "{device}: {right}");
        }
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_says_what_is() {
    let error = |name: &str| name.parse::<ComputeDevice>().unwrap_err();
    for name in ["abacus", "", ":", "abacus:0"] {
        assert!(matches!(error(name), EncoderError::UnknownBackend { .. }), "{name}");
    }
    for name in ["flex:0", "flex:cpu", "flex:"] {
        let error = error(name);
        assert!(
            matches!(&error, EncoderError::NoSuchDevice { found, .. } if *found == ["flex"]),
            "{error}"
        );
    }
    for name in ["ndarray", "tch", "wgpu", "vulkan", "metal", "cuda", "rocm"] {
        match format!("{name}:4095").parse::<ComputeDevice>() {
            Err(EncoderError::BackendNotCompiled { name: feature }) => assert_eq!(feature, name),
            Err(EncoderError::NoSuchDevice { found, .. }) => {
                assert!(found.iter().all(|found| found.starts_with(name)), "{found:?}");
                for found in found {
                    assert_eq!(found.parse::<ComputeDevice>().unwrap().to_string(), found);
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// In a process of its own, which is told of no driver.
#[test]
fn without_a_driver_there_is_no_device_and_no_panic() {
    const CHILD: &str = "PROCLIVITY_TEST_WITHOUT_DRIVER";
    if std::env::var_os(CHILD).is_some() {
        for name in ["vulkan", "vulkan:0", "vulkan:cpu"] {
            match name.parse::<ComputeDevice>() {
                Err(EncoderError::BackendNotCompiled { .. }) => {}
                Err(EncoderError::NoSuchDevice { found, .. }) => assert!(found.is_empty()),
                other => panic!("{other:?}"),
            }
        }
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_a_driver_there_is_no_device_and_no_panic"])
        .env(CHILD, "1")
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
