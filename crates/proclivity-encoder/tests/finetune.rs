//! Fine-tuning from the outside: what is written, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use proclivity_encoder::{
    BertEncoder, ComputeDevice, ContinuedConfig, ContrastiveConfig, ContrastiveData, EncoderError,
    LoraConfig, MaskedConfig, OptimizerConfig, TextEncoder as _, TrainProgress, TunableDecoder,
    TunableEncoder,
};
use serde_json::json;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn flex() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn encoder() -> TunableEncoder {
    TunableEncoder::load(&fixture("encoders/bert"), &flex()).unwrap()
}

fn texts() -> Vec<String> {
    ["a film", "film camera roll", "the colour film, 35mm", "a white roll", "user viewed cameras"]
        .map(str::to_owned)
        .to_vec()
}

fn contrastive() -> ContrastiveConfig {
    ContrastiveConfig {
        batch: 2,
        batches_per_epoch: 3,
        epochs: 2,
        optimizer: OptimizerConfig { learning_rate: 1e-3, ..Default::default() },
        ..Default::default()
    }
}

fn data<'a>(texts: &'a [String], sequences: &'a [Vec<usize>]) -> ContrastiveData<'a> {
    ContrastiveData { texts, sequences, validation: sequences }
}

const SEQUENCES: [&[usize]; 4] = [&[0, 1, 2], &[3, 4], &[1, 2, 4], &[2]];

fn sequences() -> Vec<Vec<usize>> {
    SEQUENCES.map(<[_]>::to_vec).to_vec()
}

/// With the environment variable TUNED naming a directory, everything is left there for
/// `reference/finetune.py check`.
#[test]
fn what_is_saved_loads_elsewhere() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("TUNED").map(PathBuf::from);
    let out = kept.as_deref().unwrap_or(temporary.path());
    let tuned = encoder().with_lora(&LoraConfig::default()).unwrap();
    let (texts, sequences) = (texts(), sequences());
    let (tuned, report) = tuned
        .train_contrastive(data(&texts, &sequences), &contrastive(), None, None, &mut |_| {})
        .unwrap();
    assert_eq!(report.epochs.len(), 2);
    let directory = out.join("encoder");
    tuned.save(&directory).unwrap();
    for file in ["config.json", "modules.json", "tokenizer.json", "1_Pooling/config.json"] {
        let before = fs::read(fixture("encoders/bert").join(file)).unwrap();
        assert_eq!(fs::read(directory.join(file)).unwrap(), before, "{file}");
    }
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let loaded = BertEncoder::load(&directory, &flex()).unwrap();
    let vectors = loaded.embed(&borrowed, &mut |_| {}).unwrap();
    let before = BertEncoder::load(&fixture("encoders/bert"), &flex()).unwrap();
    assert_ne!(before.fingerprint(), loaded.fingerprint());
    assert_ne!(before.embed(&borrowed, &mut |_| {}).unwrap(), vectors);
    let rows: Vec<Vec<f32>> = vectors.rows().into_iter().map(|row| row.to_vec()).collect();
    let wanted = json!({ "texts": texts, "vectors": rows });
    fs::write(out.join("encoder.json"), wanted.to_string()).unwrap();

    let decoder = TunableDecoder::load(&fixture("tiny-decoders/llama"), &flex()).unwrap();
    let config = ContinuedConfig { context: 16, epochs: 1, ..Default::default() };
    let (tuned, _) = decoder.train(&texts, &texts, &config, None, &mut |_| {}).unwrap();
    let directory = out.join("decoder");
    tuned.save(&directory).unwrap();
    let losses: Vec<f64> =
        texts.iter().map(|text| tuned.loss(std::slice::from_ref(text), 128).unwrap()).collect();
    let wanted = json!({ "texts": texts, "losses": losses, "end": 1 });
    fs::write(out.join("decoder.json"), wanted.to_string()).unwrap();
}

#[test]
fn settings_and_data_out_of_range_are_refused_by_name() {
    let refused = |config: ContrastiveConfig, sequences: &[Vec<usize>]| {
        let (texts, validation) = (texts(), self::sequences());
        let data = ContrastiveData { texts: &texts, sequences, validation: &validation };
        let run = encoder().train_contrastive(data, &config, None, None, &mut |_| {});
        run.err().unwrap()
    };
    let error = refused(ContrastiveConfig { temperature: 0.0, ..contrastive() }, &sequences());
    assert!(matches!(error, EncoderError::InvalidConfig { field: "temperature", .. }), "{error}");
    let error = refused(contrastive(), &[vec![0, 5]]);
    assert!(matches!(error, EncoderError::InvalidConfig { field: "sequences", .. }), "{error}");
    let error = refused(contrastive(), &[vec![0], vec![]]);
    assert!(matches!(error, EncoderError::EmptyCorpus { role: "training" }), "{error}");
    let mut config = contrastive();
    config.optimizer.learning_rate = -1.0;
    let error = refused(config, &sequences());
    assert!(matches!(error, EncoderError::InvalidConfig { field: "learning_rate", .. }), "{error}");

    let bad = LoraConfig { rank: 0, ..Default::default() };
    let error = encoder().with_lora(&bad).err().unwrap();
    assert!(matches!(error, EncoderError::InvalidConfig { field: "rank", .. }), "{error}");
    let bad = LoraConfig { targets: vec!["q_proj".into()], ..Default::default() };
    let error = encoder().with_lora(&bad).err().unwrap();
    assert!(matches!(error, EncoderError::UnknownLayer { .. }), "{error}");

    let error =
        encoder().train_masked(&texts(), &texts(), &MaskedConfig::default(), None, &mut |_| {});
    assert!(matches!(error.err().unwrap(), EncoderError::NoMaskedHead));

    let decoder = || TunableDecoder::load(&fixture("tiny-decoders/llama"), &flex()).unwrap();
    let config = ContinuedConfig { context: 100_000, ..Default::default() };
    let error = decoder().train(&texts(), &texts(), &config, None, &mut |_| {}).err().unwrap();
    assert!(matches!(error, EncoderError::InvalidConfig { field: "context", .. }), "{error}");
    let error =
        decoder().train(&[], &texts(), &Default::default(), None, &mut |_| {}).err().unwrap();
    assert!(matches!(error, EncoderError::EmptyCorpus { role: "training" }), "{error}");
}

#[test]
fn adapters_of_another_checkpoint_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let lora = LoraConfig { rank: 2, targets: vec!["query".into()], ..Default::default() };
    encoder().with_lora(&lora).unwrap().save_lora(directory.path()).unwrap();
    let tiny = || TunableEncoder::load(&fixture("tiny-bert"), &flex()).unwrap();
    let error = tiny().with_lora_from(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::TensorShape { .. }), "{error}");
    let decoder = TunableDecoder::load(&fixture("tiny-decoders/llama"), &flex()).unwrap();
    let error = decoder.with_lora_from(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::UnknownLayer { .. }), "{error}");
    let path = directory.path().join("adapter_model.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    let error = encoder().with_lora_from(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::Safetensors { .. }), "{error}");
    fs::write(directory.path().join("adapter_config.json"), "{\"peft_type\": \"IA3\"}").unwrap();
    let error = encoder().with_lora_from(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::Json { .. }), "{error}");
}

#[test]
#[ignore = "needs models/all-MiniLM-L6-v2"]
fn minilm_learns_in_a_few_steps_and_loads_elsewhere() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/all-MiniLM-L6-v2");
    let encoder = TunableEncoder::load(&model, &flex()).unwrap().with_frozen(3);
    let names = ["tripod", "colour film", "tent", "sleeping bag", "espresso cup", "coffee mill"];
    let texts: Vec<String> = (0..24).map(|n| format!("{} no. {}", names[n % 6], n / 6)).collect();
    let sequences: Vec<Vec<usize>> = (0..24).map(|n| vec![n, (n + 3) % 24, (n + 6) % 24]).collect();
    let config = ContrastiveConfig {
        batch: 8,
        batches_per_epoch: 8,
        epochs: 1,
        ..ContrastiveConfig::default()
    };
    let mut losses = Vec::new();
    let mut told = |progress: TrainProgress<'_>| {
        if let TrainProgress::Step { loss, .. } = progress {
            losses.push(loss);
        }
    };
    let (tuned, _) = encoder
        .train_contrastive(data(&texts, &sequences), &config, None, None, &mut told)
        .unwrap();
    assert!(losses[7] < 0.8 * losses[0], "{losses:?}");
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("TUNED").map(PathBuf::from);
    let out = kept.as_deref().unwrap_or(temporary.path());
    tuned.save(&out.join("minilm")).unwrap();
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let loaded = BertEncoder::load(&out.join("minilm"), &flex()).unwrap();
    let vectors = loaded.embed(&borrowed, &mut |_| {}).unwrap();
    assert_eq!(tuned.encoder().unwrap().embed(&borrowed, &mut |_| {}).unwrap(), vectors);
    let rows: Vec<Vec<f32>> = vectors.rows().into_iter().map(|row| row.to_vec()).collect();
    let wanted = json!({ "texts": texts, "vectors": rows });
    fs::write(out.join("minilm.json"), wanted.to_string()).unwrap();
}
