//! Losses and gradients against PyTorch's, and what adapters and files do to weights.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::Deserialize;

use super::contrastive::Contrastive;
use super::masked::{Masked, masked_loss};
use super::parameters::Names;
use super::*;
use crate::training::{BatchGradients, OptimizerConfig, Task as _, TrainProgress};
use crate::{
    BertEncoder, ComputeDevice, Decoder, EncoderError, LanguageModel as _, TextEncoder as _,
};

#[derive(Deserialize)]
struct Expected {
    masked: BTreeMap<String, MaskedCase>,
    causal: BTreeMap<String, CausalCase>,
    info_nce: BTreeMap<String, InfoNceCase>,
}

#[derive(Deserialize)]
struct MaskedCase {
    texts: Vec<Vec<u32>>,
    targets: Vec<Vec<(usize, u32)>>,
    loss: f64,
    gradients: Sizes,
}

#[derive(Deserialize)]
struct CausalCase {
    texts: Vec<Vec<u32>>,
    loss: f64,
    gradients: Sizes,
}

#[derive(Deserialize)]
struct InfoNceCase {
    texts: Vec<Vec<u32>>,
    windows: Vec<Vec<usize>>,
    temperature: f64,
    decay: f64,
    loss: f64,
    gradients: Sizes,
}

/// Norm and sum of each tensor's gradient.
type Sizes = BTreeMap<String, (f64, f64)>;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn expected() -> Expected {
    let bytes = fs::read(fixtures().join("tuning/expected.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn flex() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn sizes<M: Module>(module: &M, names: &Names, gradients: &GradientsParams) -> Sizes {
    struct Collect<'a>(&'a Names, &'a GradientsParams, Sizes);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let Some(gradient) = self.1.get::<D>(param.id) else { return };
            let values = gradient.into_data().try_into_vec::<f32>().unwrap();
            let sum = values.iter().map(|&x| f64::from(x)).sum();
            let norm = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            self.2.insert(self.0.get(param.id).unwrap().tensor.clone(), (norm, sum));
        }
    }
    let mut collect = Collect(names, gradients, Sizes::new());
    module.visit(&mut collect);
    collect.2
}

fn assert_same(case: &str, got: &Sizes, expected: &Sizes) {
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{case}");
    for (name, &(norm, sum)) in expected {
        let (got_norm, got_sum) = got[name];
        // A key's bias moves all scores alike: its gradient is 0 but for rounding.
        let bound = 1e-4 * norm.max(0.1);
        assert!((got_norm - norm).abs() < bound, "{case} {name}: norm {got_norm} for {norm}");
        assert!((got_sum - sum).abs() < 10.0 * bound, "{case} {name}: sum {got_sum} for {sum}");
    }
}

#[test]
fn the_masked_loss_and_its_gradients_are_transformers() {
    for (name, case) in expected().masked {
        let tunable = TunableEncoder::load_masked(&fixtures().join(&name), &flex(), 0).unwrap();
        let network = tunable.checkpoint.network.clone().train();
        let texts = case.texts.into_iter().zip(case.targets);
        let texts: Vec<Masked> = texts.map(|(ids, targets)| Masked { ids, targets }).collect();
        let texts: Vec<&Masked> = texts.iter().filter(|text| !text.targets.is_empty()).collect();
        let (tensor, loss, _) = masked_loss(&network, &texts);
        assert!((loss - case.loss).abs() < 1e-4, "{name}: {loss} for {}", case.loss);
        let gradients = GradientsParams::from_grads(tensor.unwrap().backward(), &network);
        let got = sizes(&network, &tunable.checkpoint.names, &gradients);
        assert_same(&name, &got, &case.gradients);
    }
}

#[test]
fn the_causal_loss_and_its_gradients_are_transformers() {
    for (name, case) in expected().causal {
        let directory = fixtures().join("tiny-decoders").join(&name);
        let tunable = TunableDecoder::load(&directory, &flex()).unwrap();
        let BatchGradients { gradients, loss_sum, targets } =
            decoder::gradients(&tunable.checkpoint.network, &case.texts).unwrap();
        assert_eq!(targets, case.texts.iter().map(|text| text.len() - 1).sum::<usize>());
        assert!((loss_sum - case.loss).abs() < 2e-4, "{name}: {loss_sum} for {}", case.loss);
        let network = &tunable.checkpoint.network;
        let got = sizes(network, &tunable.checkpoint.names, &gradients);
        assert_same(&name, &got, &case.gradients);
    }
}

#[test]
fn the_contrastive_loss_and_its_gradients_are_pytorch_s() {
    for (name, case) in expected().info_nce {
        let tunable = TunableEncoder::load(&fixtures().join(&name), &flex()).unwrap();
        let config = ContrastiveConfig {
            temperature: case.temperature,
            decay: case.decay,
            ..ContrastiveConfig::default()
        };
        let task =
            Contrastive::new(&tunable, case.texts, &case.windows, &case.windows, &config, None);
        let task = task.unwrap();
        let windows = case.windows.iter().map(Vec::as_slice).collect();
        let network = &tunable.checkpoint.network;
        let found = task.gradients(network, &windows, 0).unwrap();
        assert!((found.loss_sum - case.loss).abs() < 1e-4, "{} for {}", found.loss_sum, case.loss);
        let got = sizes(network, &tunable.checkpoint.names, &found.gradients);
        assert_same(&name, &got, &case.gradients);
    }
}

/// The embeddings of a network as it stands, adapters beside the weights.
fn embed(tunable: &TunableEncoder, texts: &[&str]) -> Vec<f32> {
    let ids = tunable.base.token_ids(texts).unwrap();
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let embedded = tunable.base.embed_with(&tunable.checkpoint.network, &ids);
    embedded.into_data().try_into_vec().unwrap()
}

fn largest_difference<'a>(a: &[f32], b: impl IntoIterator<Item = &'a f32>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

const TEXTS: [&str; 5] = [
    "a film",
    "",
    "film camera roll",
    "the colour film, 35mm",
    "a white roll a white roll film film",
];

#[test]
fn with_gradients_a_text_is_embedded_as_without() {
    for variant in ["bert", "roberta", "xlm-roberta", "mpnet"] {
        let directory = fixtures().join("encoders").join(variant);
        let tunable = TunableEncoder::load(&directory, &flex()).unwrap();
        let expected = tunable.base.embed(&TEXTS, &mut |_| {}).unwrap();
        let got = embed(&tunable, &TEXTS);
        assert!(largest_difference(&got, &expected) < 1e-5, "{variant}");
        let trained = TunableEncoder {
            checkpoint: checkpoint::Checkpoint {
                network: tunable.checkpoint.network.clone().train(),
                ..tunable.checkpoint.clone()
            },
            ..tunable
        };
        assert!(largest_difference(&embed(&trained, &TEXTS), &expected) < 1e-5, "{variant}");
    }
}

#[test]
fn every_parameter_of_mpnet_has_the_gradient_of_its_difference_quotient() {
    /// Moves one parameter along its gradient by so much in all.
    struct Move<'a> {
        gradients: &'a GradientsParams,
        by: f64,
        only: usize,
        place: usize,
        norm: f64,
    }
    impl burn::module::ModuleMapper for Move<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.place += 1;
            let gradient = self.gradients.get::<D>(param.id);
            let Some(gradient) = gradient.filter(|_| self.place == self.only) else { return param };
            let values = gradient.clone().into_data().try_into_vec::<f32>().unwrap();
            self.norm = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let by = self.by / self.norm.max(1e-12);
            param.map(|value| value + gradient.mul_scalar(by))
        }
    }
    const STEP: f64 = 2e-3;
    let tunable = TunableEncoder::load(&fixtures().join("encoders/mpnet"), &flex()).unwrap();
    let ids = tunable.base.token_ids(&TEXTS).unwrap();
    let windows = [vec![0, 2, 3], vec![4, 3]];
    let config = ContrastiveConfig { temperature: 0.5, ..ContrastiveConfig::default() };
    let task = Contrastive::new(&tunable, ids, &windows, &windows, &config, None).unwrap();
    let batch: Vec<&[usize]> = windows.iter().map(Vec::as_slice).collect();
    let network = &tunable.checkpoint.network;
    let found = task.gradients(network, &batch, 0).unwrap();
    let moved = |only: usize, by: f64| {
        let mut to = Move { gradients: &found.gradients, by, only, place: 0, norm: 0.0 };
        let network = network.clone().map(&mut to);
        (task.gradients(&network, &batch, 0).unwrap().loss_sum, to.norm, to.place)
    };
    let (_, _, parameters) = moved(0, 0.0);
    let mut tested = 0;
    for only in 1..=parameters {
        let (up, slope, _) = moved(only, STEP);
        if slope > 0.05 {
            let quotient = (up - moved(only, -STEP).0) / (2.0 * STEP);
            assert!((quotient / slope - 1.0).abs() < 0.03, "{only}: {quotient} for {slope}");
            tested += 1;
        }
    }
    assert!(tested > 30, "{tested}");
}

fn sentences() -> (Vec<String>, Vec<Vec<usize>>) {
    let words = ["film", "camera", "roll", "colour", "white", "black"];
    let texts: Vec<String> = (0..24)
        .map(|n| format!("a {} {} {}", words[n % 6], words[n / 6], words[(n * 5 + n / 7) % 6]))
        .collect();
    let sequences = (0..30).map(|n| (0..4).map(|at| (n * 7 + at * (1 + n % 3)) % 24).collect());
    (texts, sequences.collect())
}

fn few_steps() -> ContrastiveConfig {
    ContrastiveConfig {
        batch: 6,
        batches_per_epoch: 4,
        epochs: 2,
        optimizer: OptimizerConfig {
            learning_rate: 1e-3,
            checkpoint_steps: 1,
            ..Default::default()
        },
        ..ContrastiveConfig::default()
    }
}

fn data<'a>(texts: &'a [String], sequences: &'a [Vec<usize>]) -> ContrastiveData<'a> {
    ContrastiveData { texts, sequences, validation: &sequences[..8] }
}

fn train(tunable: TunableEncoder, directory: Option<&Path>) -> (TunableEncoder, TuneReport) {
    let (texts, sequences) = sentences();
    let config = few_steps();
    tunable
        .train_contrastive(data(&texts, &sequences), &config, None, directory, &mut |_| {})
        .unwrap()
}

#[test]
fn adapters_merged_are_adapters_beside_the_weights() {
    for variant in ["bert", "mpnet"] {
        let directory = fixtures().join("encoders").join(variant);
        let plain = TunableEncoder::load(&directory, &flex()).unwrap();
        let lora = LoraConfig { rank: 3, ..LoraConfig::default() };
        let fresh = plain.clone().with_lora(&lora).unwrap();
        assert_eq!(plain.checkpoint.state(), fresh.checkpoint.state(), "B begins at 0");
        let (tuned, report) = train(fresh, None);
        assert!(report.epochs[1].train_loss < report.epochs[0].train_loss, "{report:?}");
        let changed: Vec<bool> = plain
            .checkpoint
            .state()
            .into_iter()
            .map(|(name, values)| {
                let changed = values != tuned.checkpoint.state()[&name];
                let in_block = name.contains("layer.") && name.ends_with(".weight");
                assert!(!changed || in_block && !name.contains("LayerNorm"), "{name}");
                changed
            })
            .collect();
        assert_eq!(changed.iter().filter(|changed| **changed).count(), 12, "two blocks of six");

        let merged = tuned.encoder().unwrap().embed(&TEXTS, &mut |_| {}).unwrap();
        let beside = embed(&tuned, &TEXTS);
        assert!(largest_difference(&beside, &merged) < 1e-5);

        let saved = tempfile::tempdir().unwrap();
        tuned.save_lora(saved.path()).unwrap();
        let again = plain.clone().with_lora_from(saved.path()).unwrap();
        assert_eq!(again.checkpoint.state(), tuned.checkpoint.state(), "to the bit");
        let bytes = fs::read(saved.path().join("adapter_model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.len(), 24);
        if variant == "bert" {
            let name = "base_model.model.encoder.layer.1.intermediate.dense.lora_A.weight";
            assert_eq!(file.tensor(name).unwrap().shape(), [3, 32]);
        }
        assert!(matches!(tuned.with_lora(&lora), Err(EncoderError::SecondAdapter)));
    }
}

#[test]
fn adapters_go_to_the_layers_that_are_named() {
    let directory = fixtures().join("tiny-decoders/qwen3");
    let load = || TunableDecoder::load(&directory, &flex()).unwrap();
    let targets = vec!["q_proj".to_owned(), "mlp.down_proj".to_owned()];
    let lora = LoraConfig { targets, ..LoraConfig::default() };
    let decoder = load().with_lora(&lora).unwrap();
    let saved = tempfile::tempdir().unwrap();
    decoder.save_lora(saved.path()).unwrap();
    let bytes = fs::read(saved.path().join("adapter_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 8, "two matrices of two layers in two blocks");
    let name = "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight";
    assert_eq!(file.tensor(name).unwrap().shape(), [32, 8]);
    let unknown = LoraConfig { targets: vec!["proj".to_owned()], ..LoraConfig::default() };
    assert!(matches!(load().with_lora(&unknown), Err(EncoderError::UnknownLayer { .. })));
    assert!(matches!(load().save_lora(saved.path()), Err(EncoderError::NoAdapter)));
}

#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let load = |lora: bool| {
            let encoder = TunableEncoder::load(&fixtures().join("encoders/bert"), &flex()).unwrap();
            if lora {
                encoder.with_lora(&LoraConfig::default()).unwrap()
            } else {
                encoder.with_frozen(1)
            }
        };
        for lora in [false, true] {
            let (whole, report) = train(load(lora), None);
            let directory = tempfile::tempdir().unwrap();
            let (texts, sequences) = sentences();
            let mut killed_at_5 = |progress: TrainProgress<'_>| {
                assert!(!matches!(progress, TrainProgress::Step { step: 6, .. }), "killed");
            };
            let config = few_steps();
            let killed = catch_unwind(AssertUnwindSafe(|| {
                let directory = Some(directory.path());
                load(lora).train_contrastive(
                    data(&texts, &sequences),
                    &config,
                    None,
                    directory,
                    &mut killed_at_5,
                )
            }));
            assert!(killed.is_err());
            let (resumed, resumed_report) = train(load(lora), Some(directory.path()));
            assert_eq!(resumed.checkpoint.state(), whole.checkpoint.state(), "to the bit");
            assert_eq!(resumed_report.best_epoch, report.best_epoch);
            // Other data are another run.
            let error = load(lora).train_contrastive(
                data(&texts, &sequences[1..]),
                &config,
                None,
                Some(directory.path()),
                &mut |_| {},
            );
            assert!(matches!(error, Err(EncoderError::OtherRun { .. })));
        }
    });
}

#[test]
fn frozen_parts_keep_their_weights() {
    let plain = TunableEncoder::load(&fixtures().join("encoders/bert"), &flex()).unwrap();
    let (tuned, _) = train(plain.clone().with_frozen(1), None);
    for (name, values) in plain.checkpoint.state() {
        let changed = tuned.checkpoint.state()[&name] != values;
        // The key's bias has no gradient but rounding.
        let trained = name.contains("layer.1.");
        assert_eq!(changed, trained, "{name}");
    }
}

#[test]
fn what_is_saved_is_what_was_trained_to_the_bit() {
    for variant in ["bert", "roberta", "xlm-roberta", "mpnet"] {
        let plain =
            TunableEncoder::load(&fixtures().join("encoders").join(variant), &flex()).unwrap();
        let (tuned, _) = train(plain, None);
        let saved = tempfile::tempdir().unwrap();
        tuned.save(saved.path()).unwrap();
        let loaded = BertEncoder::load(saved.path(), &flex()).unwrap();
        let expected = tuned.encoder().unwrap().embed(&TEXTS, &mut |_| {}).unwrap();
        assert_eq!(loaded.embed(&TEXTS, &mut |_| {}).unwrap(), expected, "{variant}");
        let again = TunableEncoder::load(saved.path(), &flex()).unwrap();
        assert_eq!(again.checkpoint.state(), tuned.checkpoint.state(), "{variant}");
    }
}

#[test]
fn a_decoder_trained_on_is_saved_to_the_bit_and_adapters_merge() {
    let texts: Vec<String> =
        (0..12).map(|n| format!("The viewer watched film {} and the camera.", n % 5)).collect();
    let config = ContinuedConfig {
        context: 12,
        tokens_per_batch: 64,
        epochs: 2,
        optimizer: OptimizerConfig { learning_rate: 3e-3, ..Default::default() },
    };
    for (variant, lora) in [("llama", false), ("qwen2", true), ("qwen3", true)] {
        let directory = fixtures().join("tiny-decoders").join(variant);
        let mut tunable = TunableDecoder::load(&directory, &flex()).unwrap();
        if lora {
            tunable = tunable.with_lora(&LoraConfig::default()).unwrap();
        }
        let before = tunable.loss(&texts, 12).unwrap();
        let (tuned, report) =
            tunable.train(&texts, &texts[..4], &config, None, &mut |_| {}).unwrap();
        let after = tuned.loss(&texts, 12).unwrap();
        assert!(after < before - 0.1, "{variant}: {after} after {before}");
        assert_eq!(report.best_epoch, 2);
        let saved = tempfile::tempdir().unwrap();
        tuned.save(saved.path()).unwrap();
        let again = TunableDecoder::load(saved.path(), &flex()).unwrap();
        assert_eq!(again.checkpoint.state(), tuned.checkpoint.state(), "{variant}");
        let merged = again.loss(&texts, 12).unwrap();
        assert!((merged - after).abs() < 1e-5, "{variant}: {merged} merged, {after} beside");
        let continuations = [" film", " a camera", "!"];
        let of = |decoder: Decoder| decoder.log_probs("The viewer", &continuations).unwrap();
        let loaded = of(Decoder::load(saved.path(), &flex()).unwrap());
        assert_eq!(loaded, of(tuned.decoder().unwrap()), "{variant}");
    }
}

#[test]
fn masked_tokens_are_learned_and_hidden_as_the_share_says() {
    let (texts, _) = sentences();
    let tunable = TunableEncoder::load_masked(&fixtures().join("tuning/bert"), &flex(), 3).unwrap();
    let config = MaskedConfig {
        share: 0.3,
        tokens_per_batch: 64,
        epochs: 4,
        optimizer: OptimizerConfig { learning_rate: 3e-3, ..Default::default() },
    };
    let (_, report) =
        tunable.train_masked(&texts, &texts[..8], &config, None, &mut |_| {}).unwrap();
    let losses: Vec<f64> = report.epochs.iter().map(|epoch| epoch.validation_loss).collect();
    assert!(losses[3] < losses[0] - 0.2, "{losses:?}");
    let without = TunableEncoder::load(&fixtures().join("tuning/bert"), &flex()).unwrap();
    let error = without.train_masked(&texts, &texts, &config, None, &mut |_| {});
    assert!(matches!(error, Err(EncoderError::NoMaskedHead)));
    // A head of its own where the checkpoint has none, the same from the same seed.
    let bare =
        |seed| TunableEncoder::load_masked(&fixtures().join("tiny-bert"), &flex(), seed).unwrap();
    assert_eq!(bare(1).checkpoint.state(), bare(1).checkpoint.state());
    assert_ne!(bare(1).checkpoint.state(), bare(2).checkpoint.state());
}
