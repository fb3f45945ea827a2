//! The loop on a model of a few numbers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, Param};
use burn::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::{ComputeDevice, EncoderError};

/// y = x · weight + offset, of which training leaves the offset alone.
#[derive(Module, Debug)]
struct Line {
    weight: Param<Tensor<2>>,
    offset: Param<Tensor<1>>,
}

impl Line {
    fn new(weight: [f32; 3]) -> Self {
        let device: ComputeDevice = "flex".parse().unwrap();
        let weight = TensorData::new(weight.to_vec(), [3, 1]);
        let offset = Tensor::from_data([0.5], device.burn());
        Self {
            weight: Param::from_data(weight, device.burn()),
            offset: Param::from_tensor(offset).set_require_grad(false),
        }
    }

    fn numbers(&self) -> Vec<f32> {
        let numbers = [self.weight.val().flatten::<1>(0, 1), self.offset.val()];
        Tensor::cat(numbers.to_vec(), 0).into_data().try_into_vec::<f32>().unwrap()
    }
}

/// Squared error of some rows; the seed moves the targets a little.
struct Regression {
    rows: Vec<[f32; 3]>,
    batch: usize,
    epochs: usize,
}

impl Regression {
    fn new(batch: usize, epochs: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut row = || [(); 3].map(|()| StandardNormal.sample(&mut rng));
        Self { rows: (0..24).map(|_| row()).collect(), batch, epochs }
    }

    fn loss(&self, model: &Line, rows: &[[f32; 3]], noise: f32) -> (Tensor<1>, f64, usize) {
        let device = model.offset.val().device().inner();
        let x = TensorData::new(rows.concat(), [rows.len(), 3]);
        let y: Vec<f32> = rows.iter().map(|r| r[0] - 2.0 * r[1] + 0.5 + noise).collect();
        let y = Tensor::<2>::from_data(TensorData::new(y, [rows.len(), 1]), &device);
        let error = Tensor::<2>::from_data(x, &device).matmul(model.weight.val())
            + model.offset.val().unsqueeze()
            - y;
        let loss = (error.clone() * error).sum();
        let value = loss.clone().inner().into_scalar::<f32>();
        (loss, f64::from(value), rows.len())
    }
}

impl Task<Line> for Regression {
    type Batch = Vec<[f32; 3]>;

    fn epochs(&self) -> usize {
        self.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<Self::Batch> {
        let mut rows = self.rows.clone();
        rows.rotate_left(epoch);
        rows.chunks(self.batch).map(<[_]>::to_vec).collect()
    }

    fn gradients(
        &self,
        model: &Line,
        batch: &Self::Batch,
        seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let noise = if self.batch == 4 { (seed % 7) as f32 * 0.01 } else { 0.0 };
        let shards = batch.chunks(batch.len().div_ceil(2)).collect();
        in_shards(model, shards, |model, _, rows: &[_]| Ok(self.loss(model, rows, noise)))
    }

    fn validate(&self, model: &Line) -> Result<Validation, EncoderError> {
        let loss = self.loss(&model.clone().train(), &self.rows, 0.0).1 / self.rows.len() as f64;
        let metrics = [("root".to_owned(), loss.sqrt())].into();
        Ok(Validation { loss, score: -loss, metrics })
    }
}

fn run<'a>(optimizer: &'a OptimizerConfig, directory: Option<&'a std::path::Path>) -> Run<'a> {
    Run { optimizer, directory, fingerprint: "this run".to_owned() }
}

/// With everything that has a state.
fn config() -> OptimizerConfig {
    OptimizerConfig {
        learning_rate: 0.05,
        schedule: Schedule::Cosine,
        warm_up: 0.2,
        averaging: 0.9,
        checkpoint_steps: 2,
        ..Default::default()
    }
}

#[test]
fn killed_at_any_step_it_goes_on_to_the_same_bits() {
    let (task, config) = (Regression::new(4, 4), config());
    let (whole, epochs) =
        fit(Line::new([0.0; 3]), &task, &run(&config, None), &mut |_| {}).unwrap();
    assert!(epochs[3].validation_loss < epochs[0].validation_loss, "{epochs:?}");
    for killed in [1, 2, 3, 6, 9, 17, 24] {
        let directory = tempfile::tempdir().unwrap();
        let run = run(&config, Some(directory.path()));
        let first = catch_unwind(AssertUnwindSafe(|| {
            fit(Line::new([0.0; 3]), &task, &run, &mut |progress| match progress {
                TrainProgress::Step { step, .. } if step == killed => panic!("killed"),
                _ => {}
            })
        }));
        assert!(first.is_err());
        let mut resumed = 0;
        let (model, again) =
            fit(Line::new([9.0; 3]), &task, &run, &mut |progress| match progress {
                TrainProgress::Resumed { step, .. } => resumed = step,
                TrainProgress::Step { step, .. } => assert!(step > resumed),
                _ => {}
            })
            .unwrap();
        // Without a checkpoint yet, it begins anew, from the other weights.
        assert_eq!(resumed, (killed - 1) / 2 * 2, "the step is told before its checkpoint");
        if resumed > 0 {
            assert_eq!(model.numbers(), whole.numbers(), "killed at {killed}");
            let losses = |epochs: &[EpochReport]| -> Vec<(f64, f64)> {
                epochs.iter().map(|epoch| (epoch.train_loss, epoch.validation_loss)).collect()
            };
            assert_eq!(losses(&again), losses(&epochs));
        }
        let log = std::fs::read_to_string(directory.path().join("log.csv")).unwrap();
        assert_eq!(log.lines().count(), 5, "{log}");
        assert!(log.starts_with("epoch,train_loss,validation_loss,root,targets"), "{log}");
    }
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let step = |batch, accumulation| {
        let config = OptimizerConfig { accumulation, gradient_norm: 1e-3, ..config() };
        let task = Regression::new(batch, 1);
        fit(Line::new([0.1; 3]), &task, &run(&config, None), &mut |_| {}).unwrap().0.numbers()
    };
    let (large, small) = (step(24, 1), step(6, 4));
    assert!(large.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-6), "{large:?} {small:?}");
    assert_ne!(large, step(6, 1));
    assert_eq!(large[3], 0.5, "what doesn't require a gradient stays");
}

#[test]
fn the_best_epoch_is_kept_and_patience_ends_training() {
    // From the solution on, a large rate makes it worse.
    let config = OptimizerConfig { learning_rate: 1.0, patience: 2, ..Default::default() };
    let task = Regression::new(3, 9);
    let (_, epochs) =
        fit(Line::new([1.0, -2.0, 0.0]), &task, &run(&config, None), &mut |_| {}).unwrap();
    let best = best_epoch(&epochs).unwrap();
    assert!(epochs.len() == 9 || epochs.len() == best.epoch + 2, "{epochs:?}");
    assert!(epochs.iter().all(|epoch| epoch.validation_loss >= best.validation_loss));
}

#[test]
fn another_run_s_checkpoint_and_a_damaged_one_are_refused() {
    let (task, config) = (Regression::new(4, 2), config());
    let directory = tempfile::tempdir().unwrap();
    let here = run(&config, Some(directory.path()));
    let fit = |run: &Run<'_>| fit(Line::new([0.0; 3]), &task, run, &mut |_| {}).map(|(m, _)| m);
    let done = fit(&here).unwrap();
    assert_eq!(fit(&here).unwrap().numbers(), done.numbers(), "nothing is left to do");
    let other = Run { fingerprint: "another".to_owned(), ..here };
    assert!(matches!(fit(&other), Err(EncoderError::OtherRun { .. })));
    let path = directory.path().join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    let here = run(&config, Some(directory.path()));
    let error = fit(&here).unwrap_err();
    assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
}

#[test]
fn the_average_weighs_its_first_step_as_the_formula_says() {
    let weights = |averaging| {
        let config = OptimizerConfig { averaging, ..Default::default() };
        let task = Regression::new(24, 1);
        fit(Line::new([0.0; 3]), &task, &run(&config, None), &mut |_| {}).unwrap().0.numbers()
    };
    let (plain, averaged) = (weights(0.0), weights(0.99));
    assert!(plain.iter().zip(&averaged).take(3).all(|(w, a)| (0.9 * w - a).abs() < 1e-7));
    assert_eq!(averaged[3], 0.5);
}
