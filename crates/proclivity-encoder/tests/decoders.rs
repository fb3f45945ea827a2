//! Decoders against transformers: log-probabilities, greedy texts, embeddings; and what no reference
//! is needed for: independence of the batch, constraints, streaming, damaged checkpoints.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden {
    pub(crate) mod decoders;
}

use std::fs;
use std::path::Path;

use golden::decoders::{self, Expected, VARIANTS, copy, fixture, replace};
use proclivity_encoder::{
    ComputeDevice, Decoder, EncoderError, Finish, GenerateConfig, LanguageModel, score_cached,
};

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn load(name: &str) -> Decoder {
    decoders::load(name, &device())
}

fn endless(name: &str) -> Decoder {
    decoders::endless(name, &device())
}

#[test]
fn log_probabilities_are_those_of_transformers() {
    decoders::assert_golden_scores(&device());
}

#[test]
fn greedy_texts_are_those_of_transformers_alone_and_in_a_batch() {
    decoders::assert_golden_texts(&device());
}

#[test]
fn prompts_that_begin_alike_are_written_as_if_each_were_alone() {
    let config = GenerateConfig { max_tokens: 40, ..GenerateConfig::default() };
    let shared = "A customer viewed the camera, the lens and the film roll";
    for name in ["llama3", "qwen3"] {
        let model = endless(name);
        let prompts = [
            format!("{shared}, and bought the tent"),
            shared.to_owned(),
            format!("{shared} 用户"),
            shared.to_owned(),
        ];
        let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let together = model.generate_batch(&prompts, &config, &mut |_, _| {}).unwrap();
        for (prompt, together) in prompts.iter().zip(together) {
            assert_eq!(model.generate(prompt, &config, &mut |_| {}).unwrap(), together, "{name}");
        }
    }
}

#[test]
fn kept_scores_are_those_of_the_model_a_file_a_prompt() {
    let model = load("llama3");
    let (prompts, texts) =
        (["A customer viewed", "用户"], [" the camera", " the lens and the film"]);
    let cache = tempfile::tempdir().unwrap();
    let files = || -> Vec<std::path::PathBuf> {
        let files = fs::read_dir(cache.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    };
    let mut told = Vec::new();
    let first = score_cached(&model, &prompts[..1], &texts, cache.path(), &mut |_| {}).unwrap();
    let both = score_cached(&model, &prompts, &texts, cache.path(), &mut |done| told.push(done));
    let both = both.unwrap();
    assert_eq!((both.dim(), files().len(), told.last()), ((2, 2), 2, Some(&4)));
    assert_eq!(both.row(0), first.row(0));
    for (prompt, row) in prompts.iter().zip(both.rows()) {
        let scores = model.log_probs(prompt, &texts).unwrap();
        assert!(row.iter().zip(scores).all(|(&kept, score)| kept == score as f32));
    }
    for file in files() {
        let mut damaged = fs::read(&file).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(file, damaged).unwrap();
    }
    assert_eq!(score_cached(&model, &prompts, &texts, cache.path(), &mut |_| {}).unwrap(), both);
    score_cached(&model, &prompts, &texts[..1], cache.path(), &mut |_| {}).unwrap();
    assert_eq!(files().len(), 4, "other texts, other files");
}

#[test]
fn embeddings_are_the_last_hidden_states() {
    decoders::assert_golden_embeddings(&device());
}

#[test]
fn a_score_does_not_depend_on_the_other_continuations() {
    let model = load("qwen3");
    let texts: Vec<String> = (0..60).map(|i| format!(" film {i} {}", "tent ".repeat(i))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = model.score("The viewer", &texts).unwrap();
    for (text, together) in texts.iter().zip(together) {
        let alone = model.score("The viewer", &[text]).unwrap();
        for (alone, together) in alone[0].iter().zip(together) {
            assert!((alone.log_prob - together.log_prob).abs() < 1e-4);
        }
    }
}

#[test]
fn a_long_prompt_loses_its_beginning_and_a_long_continuation_is_refused() {
    let model = load("llama");
    let long = "The tent and the film. ".repeat(100);
    let [score] = model.score(&long, &[" coffee"]).unwrap().try_into().unwrap();
    assert!(score.iter().all(|token| token.log_prob.is_finite()));
    let error = model.score("a", &["b", &long]).unwrap_err();
    assert!(matches!(error, EncoderError::ContinuationTooLong { index: 1, context: 256, .. }));
    let config = GenerateConfig { max_tokens: 10_000, ..GenerateConfig::default() };
    let written = endless("llama").generate(&long, &config, &mut |_| {}).unwrap();
    assert_eq!((written.tokens.len(), written.finish), (256, Finish::Length));
}

#[test]
fn a_constrained_text_is_always_one_of_the_strings() {
    let strings =
        ["a tent", "a tent for two", "", "the film", "用户浏览了", "a tent 🏕", "the film"];
    for name in VARIANTS {
        let model = load(name);
        for seed in 0..20 {
            let config =
                GenerateConfig { temperature: 3.0, seed, max_tokens: 1, ..Default::default() };
            let mut streamed = String::new();
            let written = model
                .generate("Viewed", &config.only(&strings), &mut |text| streamed.push_str(text))
                .unwrap();
            let Finish::Only(index) = written.finish else { panic!("{written:?}") };
            assert_eq!(
                (written.text.as_str(), streamed.as_str()),
                (strings[index], strings[index])
            );
        }
        let greedy = GenerateConfig::default().only(&["a long film about the tent"]);
        let written = model.generate("", &greedy, &mut |_| {}).unwrap();
        assert_eq!(written.finish, Finish::Only(0));
    }
}

#[test]
fn constrained_draws_have_the_probabilities_of_their_tokens() {
    let model = load("llama");
    // One token each, none the beginning of another.
    let strings = ["!", "a", "x"];
    let log_probs = model.log_probs("The viewer", &strings).unwrap();
    let total: f64 = log_probs.iter().map(|log_prob| log_prob.exp()).sum();
    let mut counts = [0; 3];
    for seed in 0..600 {
        let config = GenerateConfig { temperature: 1.0, seed, ..Default::default() }.only(&strings);
        let written = model.generate("The viewer", &config, &mut |_| {}).unwrap();
        let Finish::Only(index) = written.finish else { panic!("{written:?}") };
        counts[index] += 1;
    }
    for (count, log_prob) in counts.into_iter().zip(log_probs) {
        let share = f64::from(count) / 600.0;
        assert!((share - log_prob.exp() / total).abs() < 0.07, "{counts:?}");
    }
}

#[test]
fn a_seed_fixes_a_text_and_a_stop_string_ends_it() {
    let model = endless("qwen2");
    let config = GenerateConfig {
        temperature: 1.0,
        top_p: 0.9,
        seed: 7,
        max_tokens: 40,
        ..Default::default()
    };
    let first = model.generate("The", &config, &mut |_| {}).unwrap();
    let again = model.generate_batch(&["A film", "The"], &config, &mut |_, _| {}).unwrap();
    assert_eq!(first, again[1]);
    let other = GenerateConfig { seed: 8, ..config.clone() };
    assert_ne!(model.generate("The", &other, &mut |_| {}).unwrap().tokens, first.tokens);

    let middle = first.text.char_indices().nth(first.text.chars().count() / 2).unwrap().0;
    let stop = first.text[middle..].chars().take(3).collect::<String>();
    let stopping = GenerateConfig { stop: vec![stop.clone()], ..config };
    let mut streamed = String::new();
    let stopped = model.generate("The", &stopping, &mut |text| streamed.push_str(text)).unwrap();
    assert_eq!(stopped.finish, Finish::Stop);
    assert_eq!(stopped.text, first.text[..first.text.find(&stop).unwrap()]);
    assert_eq!(stopped.text, streamed);
}

#[test]
fn settings_out_of_range_are_refused() {
    let model = load("llama");
    let plain = GenerateConfig::default();
    for (field, config) in [
        ("max_tokens", GenerateConfig { max_tokens: 0, ..plain.clone() }),
        ("temperature", GenerateConfig { temperature: f64::NAN, ..plain.clone() }),
        ("top_k", GenerateConfig { top_k: Some(0), ..plain.clone() }),
        ("top_p", GenerateConfig { top_p: 1.5, ..plain.clone() }),
        ("repetition_penalty", GenerateConfig { repetition_penalty: 0.0, ..plain }),
    ] {
        let error = model.generate("a", &config, &mut |_| {}).unwrap_err();
        assert!(matches!(error, EncoderError::InvalidConfig { field: it, .. } if it == field));
    }
}

#[test]
fn damaged_checkpoints_are_refused_with_the_file_and_the_field() {
    let refused = |name: &str, damage: &dyn Fn(&Path)| {
        let copy = copy(&fixture(name));
        damage(copy.path());
        Decoder::load(copy.path(), &device()).err().unwrap()
    };
    let config = |old: &'static str, new: &'static str| {
        refused("llama3", &|directory| replace(directory, "config.json", old, new)).to_string()
    };
    assert!(config("\"llama\"", "\"gpt2\"").contains("model_type"));
    assert!(config("\"silu\"", "\"gelu\"").contains("hidden_act"));
    assert!(config("\"llama3\"", "\"yarn\"").contains("rope_scaling.rope_type"));
    assert!(config("\"factor\": 8.0", "\"factor\": 0.0").contains("rope_scaling.factor"));
    let heads = config("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3");
    assert!(heads.contains("num_key_value_heads"));
    let wide = config("\"intermediate_size\": 32", "\"intermediate_size\": 33");
    assert!(wide.contains("mlp.gate_proj.weight") && wide.contains("model.safetensors"), "{wide}");
    let deep = config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert!(deep.contains("model.layers.2."), "{deep}");
    let shallow = config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    assert!(shallow.contains("model.layers.1."), "{shallow}");

    let index = "model.safetensors.index.json";
    let outside = refused("qwen3", &|directory| {
        replace(directory, index, "model-00001-of", "../model-00001-of");
    });
    assert!(outside.to_string().contains("weight_map"), "{outside}");
    let shard = fs::read_dir(fixture("qwen3")).unwrap().map(|entry| entry.unwrap().file_name());
    let shard = shard.filter_map(|name| name.into_string().ok());
    let shard = shard
        .filter(|name| name.ends_with("of-00002.safetensors") || name.contains("-00002-of"))
        .min()
        .unwrap();
    let missing = refused("qwen3", &|directory| fs::remove_file(directory.join(&shard)).unwrap());
    assert!(matches!(missing, EncoderError::Io { .. }));
    let truncated = refused("qwen3", &|directory| {
        let path = directory.join(&shard);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert!(matches!(truncated, EncoderError::Safetensors { .. }));
}

#[test]
#[ignore = "needs models/SmolLM2-135M-Instruct"]
fn smollm2_scores_and_writes_as_transformers_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = Decoder::load(&root.join("../../models/SmolLM2-135M-Instruct"), &device()).unwrap();
    let expected = Expected::read(&root.join("tests/fixtures/smollm2.json"));
    expected.assert_scores(&model, "SmolLM2");
    let config = GenerateConfig { max_tokens: 64, ..GenerateConfig::default() };
    for case in expected.cases.iter().filter(|case| !case.greedy.is_empty()) {
        let written = model.generate(&case.prompt, &config, &mut |_| {}).unwrap();
        // The reference goes on behind an end.
        assert_eq!(written.tokens, case.greedy[..written.tokens.len()]);
        assert!(written.tokens.len() == 64 || written.finish == Finish::End);
    }
}
