//! What nobody should load or ask for, and the error that says so: encoders, decoders, causal models.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proclivity_encoder::{
    BertEncoder, CausalConfig, CausalModel, ComputeDevice, Decoder, EncoderError, Finish,
    GenerateConfig, LanguageModel, TextEncoder, TrainConfig,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

/// A directory that loads, how it is loaded, and one of its tensors.
struct Kind {
    name: &'static str,
    directory: PathBuf,
    load: fn(&Path) -> Result<(), EncoderError>,
    tensor: &'static str,
    /// What the configuration calls the number of tokens.
    width: &'static str,
}

fn kinds() -> [Kind; 3] {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    [
        Kind {
            name: "encoder",
            directory: fixtures.join("encoders/bert"),
            load: |path| BertEncoder::load(path, &device()).map(|_| ()),
            tensor: "encoder.layer.1.output.dense.weight",
            width: "hidden_size",
        },
        Kind {
            name: "decoder",
            directory: fixtures.join("tiny-decoders/llama"),
            load: |path| Decoder::load(path, &device()).map(|_| ()),
            tensor: "model.layers.1.mlp.down_proj.weight",
            width: "hidden_size",
        },
        Kind {
            name: "causal model",
            directory: causal().path().to_owned(),
            load: |path| CausalModel::load(path, &device()).map(|_| ()),
            tensor: "blocks.0.down",
            width: "width",
        },
    ]
}

/// A causal model that was trained for a moment.
fn causal() -> &'static TempDir {
    static CAUSAL: OnceLock<TempDir> = OnceLock::new();
    CAUSAL.get_or_init(|| {
        let texts = vec!["Viewed the tent and the film. 用户".to_owned(); 20];
        let config = CausalConfig {
            vocab_size: 270,
            width: 16,
            blocks: 1,
            feed_forward: 16,
            context: 32,
            ..Default::default()
        };
        let training = TrainConfig { epochs: 1, tokens_per_batch: 256, ..Default::default() };
        let trained =
            CausalModel::train(&texts, &texts[..2], &config, &training, &device(), &mut |_| {});
        let directory = tempfile::tempdir().unwrap();
        trained.unwrap().0.save(directory.path()).unwrap();
        directory
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The error of a damaged copy.
fn refused(kind: &Kind, damage: impl FnOnce(&Path)) -> EncoderError {
    let directory = tempfile::tempdir().unwrap();
    copy(&kind.directory, directory.path());
    damage(directory.path());
    (kind.load)(directory.path()).err().unwrap()
}

fn edit_json(path: &Path, edit: impl FnOnce(&mut Map<String, Value>)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(value.as_object_mut().unwrap());
    fs::write(path, value.to_string()).unwrap();
}

/// Writes weights anew with another header and the same numbers.
fn edit_header(directory: &Path, edit: impl FnOnce(&mut Map<String, Value>, &mut Vec<u8>)) {
    let path = directory.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    let mut numbers = bytes[end..].to_vec();
    edit(header.as_object_mut().unwrap(), &mut numbers);
    write_weights(&path, header.to_string().as_bytes(), &numbers);
}

fn write_weights(path: &Path, header: &[u8], numbers: &[u8]) {
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length, header, numbers].concat()).unwrap();
}

#[test]
fn untouched_copies_load() {
    for kind in kinds() {
        (kind.load)(&kind.directory).unwrap();
    }
}

#[test]
fn another_architecture_names_the_field() {
    let [encoder, decoder, causal] = kinds();
    for kind in [encoder, decoder] {
        for other in ["gpt2", "t5", ""] {
            let error = refused(&kind, |directory| {
                edit_json(&directory.join("config.json"), |config| {
                    config["model_type"] = json!(other);
                });
            });
            assert!(
                matches!(&error, EncoderError::Unsupported { path, field: "model_type", value, .. } if path.ends_with("config.json") && value == other),
                "{error}"
            );
        }
    }
    let [encoder, decoder, _] = kinds();
    for (kind, other) in [(&encoder, &decoder), (&decoder, &encoder)] {
        let error = (kind.load)(&other.directory).unwrap_err();
        assert!(matches!(error, EncoderError::Unsupported { field: "model_type", .. }), "{error}");
    }
    let error = refused(&causal, |directory| {
        edit_json(&directory.join("config.json"), |config| {
            config.insert("model_type".to_owned(), json!("llama"));
        });
    });
    assert!(matches!(&error, EncoderError::Json { .. }), "{error}");
    assert!(error.to_string().contains("model_type"), "{error}");
}

#[test]
fn tensors_that_are_missing_misshapen_or_of_another_type_are_named() {
    for kind in kinds() {
        let missing = refused(&kind, |directory| {
            edit_header(directory, |header, _| {
                let tensor = header.remove(kind.tensor).unwrap();
                header.insert("another".to_owned(), tensor);
            });
        });
        assert!(
            matches!(&missing, EncoderError::MissingTensor { path, tensor } if tensor == kind.tensor && path.ends_with("model.safetensors")),
            "{missing}"
        );
        let misshapen = refused(&kind, |directory| {
            edit_header(directory, |header, _| {
                let shape = header[kind.tensor]["shape"].as_array_mut().unwrap();
                let (first, last) = (shape[0].as_u64().unwrap(), shape[1].as_u64().unwrap());
                *shape = vec![json!(first * last)];
            });
        });
        assert!(
            matches!(&misshapen, EncoderError::TensorShape { tensor, got, .. } if tensor == kind.tensor && got.len() == 1),
            "{misshapen}"
        );
        let integers = refused(&kind, |directory| {
            edit_header(directory, |header, _| {
                let dtype = &mut header[kind.tensor]["dtype"];
                *dtype = json!(if *dtype == "F32" { "I32" } else { "I16" });
            });
        });
        assert!(
            matches!(&integers, EncoderError::TensorType { tensor, .. } if tensor == kind.tensor),
            "{integers}"
        );
    }
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_position() {
    for kind in kinds() {
        for (value, shown) in
            [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")]
        {
            let error = refused(&kind, |directory| {
                edit_header(directory, |header, numbers| {
                    let tensor = &header[kind.tensor];
                    let at = tensor["data_offsets"][0].as_u64().unwrap() as usize;
                    let bits = value.to_bits();
                    match tensor["dtype"].as_str().unwrap() {
                        "F32" => numbers[at + 12..at + 16].copy_from_slice(&bits.to_le_bytes()),
                        "BF16" => numbers[at + 6..at + 8].copy_from_slice(&bits.to_le_bytes()[2..]),
                        // The exponent of f16 has five bits.
                        _ => {
                            let half = (bits >> 16 & 0x8000 | 0x7c00) as u16
                                | u16::from(value.is_nan()) << 9;
                            numbers[at + 6..at + 8].copy_from_slice(&half.to_le_bytes());
                        }
                    }
                });
            });
            assert!(
                matches!(&error, EncoderError::NonFiniteWeight { tensor, position: 3, .. } if tensor == kind.tensor),
                "{error}"
            );
            assert!(error.to_string().contains(&format!("a {shown} at")), "{error}");
        }
    }
}

#[test]
fn weights_that_are_cut_off_or_lie_about_themselves_are_refused() {
    let end = [0_usize, 0];
    let tensor = |shape: Value, offsets: Value| {
        json!({ "x": { "dtype": "F32", "shape": shape, "data_offsets": offsets } }).to_string()
    };
    let headers = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "{\"x\":1}".to_owned(),
        "[".repeat(100_000),
        format!("{{\"a\":{}", "{\"a\":".repeat(100_000)),
        tensor(json!([u64::MAX, 2]), json!(end)),
        tensor(json!([1_u64 << 62]), json!([0, 1_u64 << 62])),
        tensor(json!([1]), json!([4, 0])),
        tensor(json!([1]), json!([4, 8])),
        tensor(json!([1]), json!([0, u64::MAX])),
        tensor(json!([2]), json!([0, 4])),
        tensor(json!([-1]), json!([0, 4])),
        "\u{fffd}".to_owned(),
    ];
    for kind in kinds() {
        let whole = fs::read(kind.directory.join("model.safetensors")).unwrap();
        let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize + 8;
        for length in [0, 7, 8, 9, header - 1, header, header + 1, whole.len() - 1] {
            let error = refused(&kind, |directory| {
                fs::write(directory.join("model.safetensors"), &whole[..length]).unwrap();
            });
            assert!(
                matches!(&error, EncoderError::Safetensors { path, .. } if path.ends_with("model.safetensors")),
                "{}, {length} bytes: {error}",
                kind.name
            );
        }
        for length in [u64::MAX, 1 << 63, 100_000_001, 100_000_000, whole.len() as u64] {
            let error = refused(&kind, |directory| {
                let bytes = [&length.to_le_bytes(), &whole[8..]].concat();
                fs::write(directory.join("model.safetensors"), bytes).unwrap();
            });
            assert!(matches!(error, EncoderError::Safetensors { .. }), "{length}: {error}");
        }
        for header in &headers {
            let error = refused(&kind, |directory| {
                write_weights(&directory.join("model.safetensors"), header.as_bytes(), &[0; 4]);
            });
            let shown: String = header.chars().take(80).collect();
            assert!(matches!(error, EncoderError::Safetensors { .. }), "{shown}: {error}");
        }
    }
}

#[test]
fn a_configuration_that_asks_for_too_much_allocates_nothing() {
    for kind in kinds() {
        let config: Value =
            serde_json::from_slice(&fs::read(kind.directory.join("config.json")).unwrap()).unwrap();
        for (field, value) in config.as_object().unwrap() {
            if !value.is_u64() || field.ends_with("_id") {
                continue;
            }
            for large in [
                json!(u64::MAX),
                json!(1_u64 << 62),
                json!(1 << 24),
                json!(1 << 20),
                json!(-1),
                json!("x"),
            ] {
                let changed = |directory: &Path| {
                    edit_json(&directory.join("config.json"), |config| {
                        config[field] = large.clone();
                    });
                };
                let directory = tempfile::tempdir().unwrap();
                copy(&kind.directory, directory.path());
                changed(directory.path());
                // A context may be as long as it likes, and not all fields are read.
                if let Err(error) = (kind.load)(directory.path()) {
                    let known = matches!(
                        error,
                        EncoderError::Json { .. }
                            | EncoderError::Unsupported { .. }
                            | EncoderError::InvalidConfig { .. }
                            | EncoderError::TensorShape { .. }
                            | EncoderError::MissingTensor { .. }
                    );
                    assert!(known, "{field} = {large}: {error}");
                }
            }
        }
        let error = refused(&kind, |directory| {
            edit_json(&directory.join("config.json"), |config| {
                config[kind.width] = json!(1 << 12);
            });
        });
        let of_pooling =
            matches!(error, EncoderError::Unsupported { field: "word_embedding_dimension", .. });
        assert!(of_pooling || matches!(error, EncoderError::TensorShape { .. }), "{error}");
    }
}

#[test]
fn files_that_are_no_utf_8_are_refused() {
    for kind in kinds() {
        for (bytes, place) in
            [(&b"{\"a\": \"\xe7\x94"[..], "cut in a character"), (b"\xff\xfe{}", "no UTF-8")]
        {
            let error = refused(&kind, |directory| {
                fs::write(directory.join("config.json"), bytes).unwrap();
            });
            assert!(
                matches!(&error, EncoderError::Json { path, .. } if path.ends_with("config.json")),
                "{place}: {error}"
            );
            let error = refused(&kind, |directory| {
                fs::write(directory.join("tokenizer.json"), bytes).unwrap();
            });
            assert!(
                matches!(&error, EncoderError::Tokenizer { path, .. } if path.ends_with("tokenizer.json")),
                "{place}: {error}"
            );
        }
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            let error = refused(&kind, |directory| fs::remove_file(directory.join(file)).unwrap());
            assert!(
                matches!(&error, EncoderError::Io { path, .. } if path.ends_with(file)),
                "{error}"
            );
        }
    }
}

#[test]
fn a_tokenizer_of_another_vocabulary_is_refused() {
    let [encoder, decoder, causal] = kinds();
    for (kind, other) in [(&encoder, &causal), (&decoder, &encoder), (&causal, &decoder)] {
        let error = refused(kind, |directory| {
            edit_json(&directory.join("tokenizer.json"), |tokenizer| {
                let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
                vocab.insert("one more".to_owned(), json!(70_000));
            });
        });
        assert!(
            matches!(&error, EncoderError::Vocabulary { path, largest_id: 70_000, .. } if path.ends_with("tokenizer.json")),
            "{}: {error}",
            kind.name
        );
        // Another's tokenizer is an error, or fits by chance.
        let directory = tempfile::tempdir().unwrap();
        copy(&kind.directory, directory.path());
        fs::copy(other.directory.join("tokenizer.json"), directory.path().join("tokenizer.json"))
            .unwrap();
        let _ = (kind.load)(directory.path());
    }
    // Tokens around a text that aren't in the vocabulary.
    for kind in [encoder, decoder] {
        let template = |ids: &[u32]| {
            json!({
                "type": "TemplateProcessing",
                "single": [
                    { "SpecialToken": { "id": "x", "type_id": 0 } },
                    { "Sequence": { "id": "A", "type_id": 0 } }
                ],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 0 } }],
                "special_tokens": { "x": { "id": "x", "ids": ids, "tokens": vec!["x"; ids.len()] } }
            })
        };
        let with = |ids: &[u32]| {
            refused(&kind, |directory| {
                edit_json(&directory.join("tokenizer.json"), |tokenizer| {
                    tokenizer.insert("post_processor".to_owned(), template(ids));
                });
            })
        };
        let error = with(&[1_000_000]);
        assert!(matches!(error, EncoderError::Vocabulary { largest_id: 1_000_000, .. }), "{error}");
        if kind.name == "encoder" {
            let error = with(&[0; 200]);
            assert!(
                matches!(error, EncoderError::Unsupported { field: "post_processor", .. }),
                "{error}"
            );
        }
    }
}

#[test]
fn empty_and_very_long_texts_have_embeddings_and_probabilities() {
    let [encoder, decoder, causal] = kinds();
    let encoder = BertEncoder::load(&encoder.directory, &device()).unwrap();
    let decoder = Decoder::load(&decoder.directory, &device()).unwrap();
    let causal = CausalModel::load(&causal.directory, &device()).unwrap();
    let megabyte = "the film 用户 ".repeat((1 << 20) / 16);
    let one_word = "x".repeat(1 << 20);
    let texts = ["", " ", "\0", "\u{feff}", &megabyte, &one_word];
    let embedders: [&dyn TextEncoder; 3] = [&encoder, &decoder, &causal];
    for embedder in embedders {
        let embeddings = embedder.embed(&texts, &mut |_| {}).unwrap();
        assert_eq!(embeddings.dim(), (texts.len(), embedder.embedding_dim()));
        for row in embeddings.rows() {
            let norm = row.dot(&row);
            assert!((norm - 1.0).abs() < 1e-3, "{norm}");
        }
        assert_eq!(embedder.embed(&[], &mut |_| {}).unwrap().nrows(), 0);
    }
    let models: [&dyn LanguageModel; 2] = [&decoder, &causal];
    for model in models {
        for prompt in texts {
            let log_probs = model.log_probs(prompt, &["", "a"]).unwrap();
            assert_eq!(log_probs[0], 0.0);
            assert!(log_probs[1].is_finite() && log_probs[1] < 0.0);
        }
        let error = model.log_probs("a", &["b", &one_word]).unwrap_err();
        assert!(matches!(error, EncoderError::ContinuationTooLong { index: 1, .. }), "{error}");
        assert!(model.log_probs("a", &[]).unwrap().is_empty());
    }
}

#[test]
fn a_request_for_more_than_fits_is_written_in_parts() {
    let [_, decoder, _] = kinds();
    let directory = tempfile::tempdir().unwrap();
    copy(&decoder.directory, directory.path());
    // Keys and values of one text may take more than 2 GiB.
    edit_json(&directory.path().join("config.json"), |config| {
        config["max_position_embeddings"] = json!(1 << 24);
    });
    let huge = Decoder::load(directory.path(), &device()).unwrap();
    let short = GenerateConfig { max_tokens: 6, ..Default::default() };
    let prompts = vec!["The viewer watched a slow"; 40];
    let expected = huge.generate(prompts[0], &short, &mut |_| {}).unwrap();
    let stop = expected.text.chars().last().unwrap().to_string();
    let endless = GenerateConfig { max_tokens: 1 << 23, stop: vec![stop], ..short };
    let written = huge.generate_batch(&prompts, &endless, &mut |_, _| {}).unwrap();
    assert_eq!(written.len(), prompts.len());
    for text in written {
        assert!(matches!(text.finish, Finish::Stop | Finish::End), "{text:?}");
        assert!(expected.text.starts_with(&text.text), "{text:?}");
    }
    assert!(huge.generate_batch(&[], &endless, &mut |_, _| {}).unwrap().is_empty());
}
