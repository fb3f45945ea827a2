//! The causal model as a user of the crate meets it: training, scoring, embedding, writing, files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shop;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use proclivity_encoder::{
    CausalConfig, CausalModel, ComputeDevice, EncoderError, LanguageModel, Segment, TextEncoder,
    TrainConfig, TrainProgress, TrainReport,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn config() -> CausalConfig {
    CausalConfig {
        vocab_size: 700,
        width: 32,
        heads: 2,
        feed_forward: 64,
        context: 96,
        ..CausalConfig::default()
    }
}

fn training() -> TrainConfig {
    TrainConfig {
        epochs: 3,
        tokens_per_epoch: 40_000,
        validation_tokens: 5_000,
        tokens_per_batch: 1_536,
        ..TrainConfig::default()
    }
}

fn train(seed: u64) -> (CausalModel, TrainReport) {
    let (texts, validation) = (shop::histories(400, 12, 1), shop::histories(60, 12, 2));
    let training = TrainConfig { seed, ..training() };
    CausalModel::train(&texts, &validation, &config(), &training, &device(), &mut |_| {}).unwrap()
}

/// One model for all tests that only look at it.
fn shared() -> &'static (CausalModel, TrainReport) {
    static MODEL: OnceLock<(CausalModel, TrainReport)> = OnceLock::new();
    MODEL.get_or_init(|| train(0))
}

#[test]
fn training_beats_a_unigram_model_and_the_same_seed_gives_the_same_model() {
    let (model, report) = shared();
    assert!(report.unigram_loss < report.uniform_loss);
    assert!(report.validation_loss < 0.6 * report.unigram_loss, "{report:?}");
    assert!(report.epochs[1].train_loss < report.epochs[0].train_loss);
    let (again, other) = (train(0).0, train(1).0);
    assert_eq!(model.fingerprint(), again.fingerprint());
    assert_ne!(model.fingerprint(), other.fingerprint());
}

#[test]
fn killed_training_goes_on_to_the_same_model() {
    let (texts, validation) = (shop::histories(400, 12, 1), shop::histories(60, 12, 2));
    let directory = TempDir::new().unwrap();
    let training = TrainConfig { directory: Some(directory.path().to_owned()), ..training() };
    let train = |progress: &mut dyn FnMut(TrainProgress<'_>)| {
        CausalModel::train(&texts, &validation, &config(), &training, &device(), progress)
    };
    let killed = catch_unwind(AssertUnwindSafe(|| {
        train(&mut |progress| match progress {
            TrainProgress::Epoch(epoch) if epoch.epoch == 2 => panic!("killed"),
            _ => {}
        })
    }));
    assert!(killed.is_err());
    let mut resumed = false;
    let (model, report) = train(&mut |progress| {
        resumed |= matches!(progress, TrainProgress::Resumed { .. });
    })
    .unwrap();
    let (whole, whole_report) = shared();
    assert!(resumed);
    assert_eq!(model.fingerprint(), whole.fingerprint());
    assert_eq!(report.validation_loss, whole_report.validation_loss);
}

#[test]
fn a_continuation_s_probability_is_that_of_its_parts() {
    let (model, _) = shared();
    let (prompt, first, second) = ("Viewed \"", "50mm prime lens\".", " Viewed \"Camera bag\".");
    let whole = model.log_probs(prompt, &[&format!("{first}{second}")]).unwrap()[0];
    let parts = model.log_probs(prompt, &[first]).unwrap()[0]
        + model.log_probs(&format!("{prompt}{first}"), &[second]).unwrap()[0];
    assert!((whole - parts).abs() < 1e-3, "{whole} and {parts}");
    let alone = model.log_probs(prompt, &[first]).unwrap()[0];
    let together = model.log_probs(prompt, &["x", first, second]).unwrap()[1];
    assert!((alone - together).abs() < 1e-4, "{alone} alone, {together} together");
    let too_long = "film ".repeat(500);
    assert!(matches!(
        model.log_probs("", &[&too_long]),
        Err(EncoderError::ContinuationTooLong { index: 0, .. })
    ));
    assert!(model.log_probs(&too_long, &["film"]).is_ok(), "a long prompt loses its beginning");
}

#[test]
fn texts_about_the_same_are_close_and_an_embedding_is_its_text_s_alone() {
    let mut model = shared().0.clone();
    let texts: Vec<&str> = shop::SHOP.iter().flat_map(|(_, english, _)| *english).collect();
    model.center_on(&texts).unwrap();
    let embeddings = model.embed(&texts, &mut |_| {}).unwrap();
    // Neither title has ever been read; what they share is words, and what these go with.
    let pair = ["35mm colour film for cameras", "35mm black-and-white film for cameras"];
    let pair = model.embed(&pair, &mut |_| {}).unwrap();
    let close = pair.row(0).dot(&pair.row(1));
    for row in embeddings.rows() {
        assert!((row.dot(&row) - 1.0).abs() < 1e-4);
    }
    let closer = embeddings.rows().into_iter().skip(6).filter(|row| pair.row(0).dot(row) > close);
    assert_eq!(closer.count(), 0, "a title of another interest is closer than {close}");
    let alone = model.embed(&texts[3..4], &mut |_| {}).unwrap();
    let difference = (&alone.row(0) - &embeddings.row(3)).mapv(f32::abs);
    assert!(difference.iter().all(|&d| d < 1e-5));
    let odd = model.embed(&["", "\u{1F3D5}", &"film ".repeat(500)], &mut |_| {}).unwrap();
    assert!(odd.iter().all(|x| x.is_finite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_is_allowed(
        choices in prop::collection::vec(
            prop::collection::vec("[a-c 胶卷]{1,6}", 1..5), 1..4),
        temperature in prop_oneof![Just(0.0), 0.2..2.0_f64],
        seed in 0_u64..1_000,
    ) {
        let (model, _) = shared();
        let mut segments = vec![Segment::Fixed("For you: ".to_owned())];
        for allowed in &choices {
            segments.push(Segment::Choice(allowed.clone()));
            segments.push(Segment::Fixed("|".to_owned()));
        }
        let written = model.write("Viewed \"", &segments, temperature, seed).unwrap();
        let parts: Vec<&str> = written.strip_prefix("For you: ").unwrap().split('|').collect();
        prop_assert_eq!(parts.len(), choices.len() + 1);
        for (part, allowed) in parts.iter().zip(&choices) {
            prop_assert!(allowed.iter().any(|a| a == part), "{} not in {:?}", part, allowed);
        }
    }
}

#[test]
fn writing_follows_the_probabilities_and_refuses_what_it_can_t_do() {
    let (model, _) = shared();
    let choice = |allowed: &[&str]| {
        vec![Segment::Choice(allowed.iter().map(|&text| text.to_owned()).collect())]
    };
    let written = model.write("", &choice(&["Viewed \"", "zqx"]), 0.0, 0).unwrap();
    assert_eq!(written, "Viewed \"", "what the model has read before what it hasn't");
    for allowed in [&[][..], &[""][..]] {
        assert!(matches!(
            model.write("", &choice(allowed), 0.0, 0),
            Err(EncoderError::EmptyChoice { segment: 0 })
        ));
    }
    assert!(model.write("", &[], f64::NAN, 0).is_err());
    let free = model.generate("Viewed \"", 20, 0.7, 3).unwrap();
    assert_eq!(free, model.generate("Viewed \"", 20, 0.7, 3).unwrap());
}

#[test]
fn a_saved_model_is_the_same_and_a_damaged_one_is_named() {
    let (model, _) = shared();
    let directory = TempDir::new().unwrap();
    model.save(directory.path()).unwrap();
    let loaded = CausalModel::load(directory.path(), &device()).unwrap();
    let texts = ["50mm prime lens", "35毫米彩色胶卷，36张"];
    let difference =
        model.embed(&texts, &mut |_| {}).unwrap() - loaded.embed(&texts, &mut |_| {}).unwrap();
    assert!(difference.iter().all(|d| d.abs() < 1e-6));
    assert_eq!(
        model.log_probs("Viewed \"", &texts).unwrap(),
        loaded.log_probs("Viewed \"", &texts).unwrap()
    );
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let path = directory.path().join(file);
        let sound = fs::read(&path).unwrap();
        fs::write(&path, &sound[..sound.len() / 2]).unwrap();
        let error = CausalModel::load(directory.path(), &device()).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
        fs::write(&path, sound).unwrap();
    }
}

#[test]
fn bad_settings_and_empty_corpora_are_refused() {
    let texts = shop::histories(5, 4, 1);
    let train = |texts: &[String], config: &CausalConfig, training: &TrainConfig| {
        CausalModel::train(texts, texts, config, training, &device(), &mut |_| {}).map(|_| ())
    };
    let bad = [
        CausalConfig { heads: 3, ..config() },
        CausalConfig { width: 0, ..config() },
        CausalConfig { context: 0, ..config() },
        CausalConfig { dropout: 1.5, ..config() },
    ];
    for bad in bad {
        let error = train(&texts, &bad, &training()).unwrap_err();
        assert!(matches!(error, EncoderError::InvalidConfig { .. }), "{bad:?}: {error}");
    }
    let bad = TrainConfig { peak_learning_rate: f64::NAN, ..training() };
    assert!(matches!(train(&texts, &config(), &bad), Err(EncoderError::InvalidConfig { .. })));
    assert!(matches!(train(&[], &config(), &training()), Err(EncoderError::EmptyCorpus { .. })));
}

#[test]
fn a_tokenizer_with_gaps_between_its_ids_is_refused() {
    let (model, _) = shared();
    let directory = TempDir::new().unwrap();
    model.save(directory.path()).unwrap();
    let path = directory.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    // The letter f moves behind the last token: an id as large as there are tokens.
    let most = vocab.values().filter_map(serde_json::Value::as_u64).max().unwrap();
    vocab.insert("f".to_owned(), (most + 1).into());
    fs::write(&path, serde_json::to_vec(&tokenizer).unwrap()).unwrap();
    let config = directory.path().join("config.json");
    let larger = fs::read_to_string(&config).unwrap().replace("700", "900");
    fs::write(&config, larger).unwrap();
    assert!(CausalModel::load(directory.path(), &device()).is_err());
}
