//! The next-item model as a user of the crate meets it: training, resuming, scoring, files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use ndarray::Array2;
use proclivity_encoder::{
    Combine, ComputeDevice, EncoderError, NextItemConfig, NextItemData, NextItemLoss,
    NextItemModel, NextItemReport, NextItemTraining, OptimizerConfig, TrainProgress,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

const ITEMS: usize = 40;

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

/// Walks over a ring of items, with a vector of each item's place on it.
struct Ring {
    sequences: Vec<Vec<u32>>,
    vectors: Array2<f32>,
}

impl Ring {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut walk = |steps: usize| -> Vec<u32> {
            let mut at = rng.random_range(0..ITEMS);
            (0..steps)
                .map(|_| {
                    at = (at + [1, 2][rng.random_range(0..2)]) % ITEMS;
                    at as u32
                })
                .collect()
        };
        let sequences = (0..90).map(|user| walk(2 + user % 30)).collect();
        let vectors = Array2::from_shape_fn((ITEMS, 6), |(item, dimension)| {
            let angle = item as f32 / ITEMS as f32 * std::f32::consts::TAU;
            ((dimension / 2 + 1) as f32 * angle + (dimension % 2) as f32 * 1.57).sin()
        });
        Self { sequences, vectors }
    }

    /// Trains on all but the last item of each walk, which validates.
    fn train(
        &self,
        config: &NextItemConfig,
        training: &NextItemTraining,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(NextItemModel, NextItemReport), EncoderError> {
        let cases: Vec<(&[u32], u32)> = self.cases();
        let sequences: Vec<&[u32]> = cases.iter().map(|(history, _)| *history).collect();
        let item_vectors = self.vectors.view();
        let data = NextItemData { sequences: &sequences, validation: &cases, item_vectors };
        NextItemModel::train(&data, config, training, &device(), directory, progress)
    }

    fn cases(&self) -> Vec<(&[u32], u32)> {
        let split = |walk: &'_ Vec<u32>| walk.len() - 1;
        self.sequences.iter().map(|walk| (&walk[..split(walk)], walk[split(walk)])).collect()
    }
}

fn config() -> NextItemConfig {
    NextItemConfig { width: 16, feed_forward: 32, length: 12, dropout: 0.1, ..Default::default() }
}

fn training() -> NextItemTraining {
    NextItemTraining {
        epochs: 12,
        items_per_batch: 200,
        optimizer: OptimizerConfig {
            learning_rate: 0.01,
            averaging: 0.9,
            checkpoint_steps: 2,
            ..NextItemTraining::default().optimizer
        },
        ..NextItemTraining::default()
    }
}

/// One model for all tests that only look at it.
fn shared() -> &'static (NextItemModel, NextItemReport) {
    static MODEL: OnceLock<(NextItemModel, NextItemReport)> = OnceLock::new();
    MODEL.get_or_init(|| Ring::new().train(&config(), &training(), None, &mut |_| {}).unwrap())
}

#[test]
fn every_loss_and_several_interests_learn_where_walks_go() {
    let ring = Ring::new();
    let uniform = (ITEMS as f64).ln();
    let (model, report) = shared();
    let ranking = model.rank(&ring.cases()).unwrap();
    let best = &report.epochs[report.best_epoch - 1];
    assert_eq!((ranking.ndcg, ranking.hit_rate), (best.score, best.metrics["hr@10"]));
    assert!(ranking.log_loss < 0.6 * uniform && ranking.hit_rate > 0.8, "{ranking:?}");
    let several = NextItemConfig { interests: 2, ..config() };
    let sum = NextItemConfig { combine: Combine::LogSumExp, ..several.clone() };
    for (config, loss) in [
        (config(), NextItemLoss::SampledSoftmax { negatives: 12, popularity: 0.5 }),
        (config(), NextItemLoss::Gbce { negatives: 12, calibration: 0.75 }),
        (several, NextItemLoss::Softmax),
        (sum, NextItemLoss::SampledSoftmax { negatives: 12, popularity: 0.0 }),
    ] {
        let training = NextItemTraining { loss, ..training() };
        let (model, _) = ring.train(&config, &training, None, &mut |_| {}).unwrap();
        let ranking = model.rank(&ring.cases()).unwrap();
        assert!(ranking.hit_rate > 0.7, "{loss:?}: {ranking:?}");
    }
}

#[test]
fn a_history_s_probabilities_sum_to_one_and_are_its_own() {
    let (model, _) = shared();
    let ring = Ring::new();
    let mut histories: Vec<&[u32]> = ring.sequences.iter().map(Vec::as_slice).collect();
    histories.push(&[]);
    let all = |histories: &[&[u32]]| {
        let rows = Mutex::new(vec![Vec::new(); histories.len()]);
        let tell = |index: usize, row: &[f32]| rows.lock().unwrap()[index] = row.to_vec();
        model.for_each_log_probs(histories, &tell).unwrap();
        rows.into_inner().unwrap()
    };
    let rows = all(&histories);
    for (history, row) in histories.iter().zip(&rows) {
        assert!((row.iter().map(|&p| f64::from(p).exp()).sum::<f64>() - 1.0).abs() < 1e-5);
        let alone = model.log_probs(history).unwrap();
        assert!(row.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    histories.reverse();
    for (row, reversed) in rows.iter().zip(all(&histories).iter().rev()) {
        assert!(row.iter().zip(reversed).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    // Only the newest items are seen.
    let long = [&[7; 30], histories[3]].concat();
    let short = &long[long.len() - model.config().length..];
    assert_eq!(model.log_probs(&long).unwrap(), model.log_probs(short).unwrap());
}

#[test]
fn any_number_of_threads_trains_the_same_bits() {
    let ring = Ring::new();
    let training = NextItemTraining { epochs: 2, ..training() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (model, _) =
            pool.install(|| ring.train(&config(), &training, None, &mut |_| {})).unwrap();
        model.log_probs(&ring.sequences[20]).unwrap()
    };
    let one = with(1);
    assert_eq!(one, with(3));
    let other_seed = OptimizerConfig { seed: 1, ..training.optimizer.clone() };
    let other_seed = NextItemTraining { optimizer: other_seed, ..training.clone() };
    let (other, _) = ring.train(&config(), &other_seed, None, &mut |_| {}).unwrap();
    assert_ne!(one, other.log_probs(&ring.sequences[20]).unwrap());
}

#[test]
fn killed_within_an_epoch_it_goes_on_to_the_same_bits() {
    let ring = Ring::new();
    let directory = TempDir::new().unwrap();
    let killed = catch_unwind(AssertUnwindSafe(|| {
        ring.train(&config(), &training(), Some(directory.path()), &mut |progress| {
            if let TrainProgress::Step { step: 25, .. } = progress {
                panic!("killed");
            }
        })
    }));
    assert!(killed.is_err());
    let mut resumed = 0;
    let (model, report) = ring
        .train(&config(), &training(), Some(directory.path()), &mut |progress| {
            if let TrainProgress::Resumed { step, .. } = progress {
                resumed = step;
            }
        })
        .unwrap();
    assert!((20..25).contains(&resumed), "{resumed}");
    let (whole, whole_report) = shared();
    for history in &ring.sequences {
        assert_eq!(model.log_probs(history).unwrap(), whole.log_probs(history).unwrap());
    }
    assert_eq!(report.best_epoch, whole_report.best_epoch);
    let log = fs::read_to_string(directory.path().join("log.csv")).unwrap();
    assert!(log.starts_with("epoch,train_loss,validation_loss,hr@10,ndcg@10,targets"), "{log}");
    assert_eq!(log.lines().count(), 1 + report.epochs.len());

    let other = NextItemTraining { items_per_batch: 201, ..training() };
    let error = ring.train(&config(), &other, Some(directory.path()), &mut |_| {}).unwrap_err();
    assert!(matches!(error, EncoderError::OtherRun { .. }), "{error}");
}

#[test]
fn without_validation_the_last_epoch_is_kept_and_without_vectors_items_begin_anywhere() {
    let ring = Ring { vectors: Array2::zeros((ITEMS, 0)), ..Ring::new() };
    let sequences: Vec<&[u32]> = ring.sequences.iter().map(Vec::as_slice).collect();
    let item_vectors = ring.vectors.view();
    let data = NextItemData { sequences: &sequences, validation: &[], item_vectors };
    let (_, report) =
        NextItemModel::train(&data, &config(), &training(), &device(), None, &mut |_| {}).unwrap();
    assert_eq!((report.epochs.len(), report.best_epoch), (12, 12));
}

#[test]
fn a_saved_model_is_the_same_and_a_damaged_one_is_named() {
    let (model, _) = shared();
    let directory = TempDir::new().unwrap();
    model.save(directory.path()).unwrap();
    let load = || NextItemModel::load(directory.path(), &device());
    let history = [3, 5, 6, 8];
    let loaded = load().unwrap();
    assert_eq!(model.log_probs(&history).unwrap(), loaded.log_probs(&history).unwrap());
    for file in ["config.json", "model.safetensors"] {
        let path = directory.path().join(file);
        let sound = fs::read(&path).unwrap();
        fs::write(&path, &sound[..sound.len() / 2]).unwrap();
        let error = load().unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
        fs::write(&path, sound).unwrap();
    }
    let path = directory.path().join("config.json");
    let sound = fs::read_to_string(&path).unwrap();
    for (from, to, part) in [
        ("\"items\": 40", "\"items\": 2000000000", "items"),
        ("\"version\": 1", "\"version\": 2", "version"),
        ("proclivity-next-item", "bert", "model_type"),
        ("\"width\": 16", "\"width\": 8", "items"),
        ("\"blocks\": 2", "\"blocks\": 3", "blocks.2"),
        ("\"blocks\": 2", "\"blocks\": 1", "blocks.1"),
    ] {
        assert!(sound.contains(from));
        fs::write(&path, sound.replace(from, to)).unwrap();
        let error = load().unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn what_can_t_be_trained_on_or_scored_is_refused() {
    let ring = Ring::new();
    for bad in [
        NextItemConfig { heads: 3, ..config() },
        NextItemConfig { length: 0, ..config() },
        NextItemConfig { dropout: 1.0, ..config() },
        NextItemConfig { interests: 0, ..config() },
    ] {
        let error = ring.train(&bad, &training(), None, &mut |_| {}).unwrap_err();
        assert!(matches!(error, EncoderError::InvalidConfig { .. }), "{bad:?}: {error}");
    }
    let loss = NextItemLoss::Gbce { negatives: 0, calibration: 0.5 };
    let bad = NextItemTraining { loss, ..training() };
    assert!(ring.train(&config(), &bad, None, &mut |_| {}).is_err());
    let steep = OptimizerConfig { learning_rate: f64::INFINITY, ..training().optimizer };
    let bad = NextItemTraining { optimizer: steep, ..training() };
    assert!(ring.train(&config(), &bad, None, &mut |_| {}).is_err());

    let unknown = Ring { sequences: vec![vec![1, 2, 40, 3]], ..Ring::new() };
    let error = unknown.train(&config(), &training(), None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, EncoderError::UnknownItem { index: 0, item: 40, items: 40 }));
    let short = Ring { sequences: vec![vec![1, 2]], ..Ring::new() };
    let error = short.train(&config(), &training(), None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, EncoderError::EmptyCorpus { role: "training" }));
    let mut infinite = Ring::new();
    infinite.vectors[[17, 2]] = f32::NAN;
    let error = infinite.train(&config(), &training(), None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, EncoderError::NonFiniteEmbedding { index: 17 }));

    let (model, _) = shared();
    let error = model.log_probs(&[1, 99]).unwrap_err();
    assert!(matches!(error, EncoderError::UnknownItem { item: 99, .. }));
    assert!(model.rank(&[(&[1], 40)]).is_err());
}
