//! Each variant of the BERT family, read from sentence-transformers' files, against sentence-transformers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden {
    pub(crate) mod encoders;
}

use std::fs;
use std::path::Path;

use golden::encoders::{VARIANTS, assert_golden, copy, embed, fixture, texts};
use ndarray::Array2;
use proclivity_encoder::{BertEncoder, EncoderError, TextEncoder};

fn load(directory: &Path) -> Result<BertEncoder, EncoderError> {
    BertEncoder::load(directory, &"flex".parse().unwrap())
}

fn edit(directory: &Path, file: &str, from: &str, to: &str) {
    let path = directory.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn difference(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_variant_pooling_and_prompt_agrees_with_sentence_transformers() {
    assert_golden(&"flex".parse().unwrap());
}

#[test]
fn neither_the_batch_nor_the_number_of_threads_matters() {
    let all = texts();
    let texts: Vec<&str> = all.iter().map(String::as_str).cycle().take(50).collect();
    for variant in VARIANTS {
        let encoder = load(&fixture(variant)).unwrap();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| embed(&encoder, &texts))
        };
        let together = with_threads(1);
        assert_eq!(together, with_threads(3), "{variant}: threads matter");
        let batched = embed(&encoder.clone().with_batch_size(3), &texts);
        assert!(difference(&together, &batched) < 1e-6, "{variant}: the batch size matters");
        for (row, text) in texts.iter().enumerate().take(all.len()) {
            let alone = embed(&encoder, &[text]);
            let together = together.slice(ndarray::s![row..=row, ..]).to_owned();
            assert!(difference(&alone, &together) < 1e-6, "{variant}: {text:?}'s batch matters");
            assert!((alone.row(0).dot(&alone.row(0)) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn prompts_are_the_checkpoints_and_part_of_the_fingerprint() {
    let encoder = load(&fixture("roberta")).unwrap();
    let names: Vec<&str> = encoder.prompts().map(|(name, _)| name).collect();
    assert_eq!(names, ["document", "passage", "query"]);
    let query = encoder.clone().with_prompt("query").unwrap();
    let prefix = encoder.clone().with_prefix("query: ").unwrap();
    assert_ne!(query.fingerprint(), encoder.fingerprint());
    assert_eq!(query.fingerprint(), prefix.fingerprint());
    assert_eq!(embed(&query, &["a film"]), embed(&prefix, &["a film"]));
    let bare = encoder.clone().with_prefix("").unwrap();
    assert_eq!(embed(&bare, &["Query: a film "]), embed(&query, &["a film"]));
    assert!(query.count_tokens(&["a film"]).unwrap() > bare.count_tokens(&["a film"]).unwrap());
    let error = encoder.clone().with_prompt("nonsense").err().unwrap();
    assert!(matches!(&error, EncoderError::UnknownPrompt { name, .. } if name == "nonsense"));
    assert!(error.to_string().contains("config_sentence_transformers.json"), "{error}");

    assert_eq!(encoder.embedding_dim(), 16);
    let short = encoder.clone().with_embedding_dim(5).unwrap();
    assert_ne!(short.fingerprint(), encoder.fingerprint());
    assert_eq!(embed(&short, &["a"]).dim(), (1, 5));
    for dim in [0, 17] {
        let error = encoder.clone().with_embedding_dim(dim).err().unwrap();
        assert!(matches!(error, EncoderError::InvalidConfig { field: "embedding_dim", .. }));
    }
}

#[test]
fn what_a_file_says_and_cannot_be_honoured_is_named() {
    let prompts = "config_sentence_transformers.json";
    for (variant, file, from, to, field) in [
        ("bert", "modules.json", "models.Pooling", "models.CLIPModel", "type"),
        ("bert", "modules.json", "models.Pooling", "models.Normalize", "type"),
        ("bert", "modules.json", "sentence_transformers.models.Pooling", "Pooling", "type"),
        ("bert", "modules.json", "1_Pooling", "../1_Pooling", "path"),
        ("bert", "1_Pooling/config.json", "n\": 32", "n\": 31", "word_embedding_dimension"),
        ("bert", "1_Pooling/config.json", "true", "false", "pooling_mode"),
        ("bert", "config.json", "\"bert\"", "\"t5\"", "model_type"),
        ("mpnet", "config.json", "gelu_pytorch_tanh", "silu", "hidden_act"),
        ("mpnet", "config.json", "buckets\": 32", "buckets\": 2", "relative_attention_num_buckets"),
        (
            "roberta",
            "config.json",
            "embeddings\": 66",
            "embeddings\": 4",
            "max_position_embeddings",
        ),
        (
            "roberta",
            "2_Dense/config.json",
            "activation.Tanh",
            "activation.SiLU",
            "activation_function",
        ),
        ("roberta", "2_Dense/config.json", "features\": 32", "features\": 31", "in_features"),
        (
            "xlm-roberta",
            "model.safetensors.index.json",
            "model-00001",
            "../model-00001",
            "weight_map",
        ),
    ] {
        let directory = copy(variant);
        edit(directory.path(), file, from, to);
        let error = load(directory.path()).err().unwrap();
        let named = matches!(&error, EncoderError::Unsupported { field: f, .. } if *f == field);
        assert!(named && error.to_string().contains(file), "{file}, {field}: {error}");
    }
    let directory = copy("roberta");
    edit(
        directory.path(),
        prompts,
        "\"default_prompt_name\": \"passage\"",
        "\"default_prompt_name\": \"x\"",
    );
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::UnknownPrompt { .. }), "{error}");
    let directory = copy("bert");
    fs::write(directory.path().join("modules.json"), "[]").unwrap();
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::Unsupported { field: "modules", .. }), "{error}");
    fs::write(directory.path().join("modules.json"), "{").unwrap();
    assert!(matches!(load(directory.path()).err().unwrap(), EncoderError::Json { .. }));
}

#[test]
fn a_missing_shard_tensor_or_file_is_named() {
    let shard = "model-00002-of-00002.safetensors";
    let directory = copy("xlm-roberta");
    fs::remove_file(directory.path().join(shard)).unwrap();
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(&error, EncoderError::Io { path, .. } if path.ends_with(shard)), "{error}");

    // Both names lead to the first file, so that the second one's tensors are nowhere.
    let directory = copy("xlm-roberta");
    edit(directory.path(), "model.safetensors.index.json", "model-00002", "model-00001");
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::MissingTensor { .. }), "{error}");

    for file in ["1_Pooling/config.json", "2_Dense/config.json", "4_Dense/model.safetensors"] {
        let directory = copy("roberta");
        fs::remove_file(directory.path().join(file)).unwrap();
        let error = load(directory.path()).err().unwrap();
        assert!(matches!(&error, EncoderError::Io { path, .. } if path.ends_with(file)), "{error}");
    }
    let directory = copy("roberta");
    edit(directory.path(), "4_Dense/config.json", "features\": 16", "features\": 17");
    let error = load(directory.path()).err().unwrap();
    assert!(matches!(error, EncoderError::TensorShape { .. }), "{error}");
}

#[test]
fn damaged_weights_are_told_whatever_is_damaged() {
    for (variant, file) in [
        ("mpnet", "model.safetensors"),
        ("roberta", "2_Dense/model.safetensors"),
        ("xlm-roberta", "model-00002-of-00002.safetensors"),
    ] {
        let directory = copy(variant);
        let path = directory.path().join(file);
        let sound = fs::read(&path).unwrap();
        let error = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            load(directory.path()).err().unwrap()
        };
        // The last number of the last tensor becomes f16's NaN.
        let mut bytes = sound.clone();
        let end = bytes.len();
        bytes[end - 2..].copy_from_slice(&0x7e00_u16.to_le_bytes());
        let nan = error(&bytes);
        assert!(
            matches!(&nan, EncoderError::NonFiniteWeight { path: p, .. } if *p == path),
            "{nan}"
        );
        let mut header = sound.clone();
        header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let more = [&sound[..], b"more"].concat();
        for bytes in [&sound[..7], &sound[..100], &sound[..end - 1], &header[..], &more[..], b""] {
            let damaged = error(bytes);
            let named = matches!(&damaged, EncoderError::Safetensors { path: p, .. } if *p == path);
            assert!(named, "{damaged}");
        }
    }
}
