//! The gradient that is written out against autodiff, and losses against one another.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use ndarray::Array2;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::negatives::Negatives;
use super::network::Network;
use super::scorer::Scorer;
use super::task::NextItemTask;
use super::*;
use crate::training::{OptimizerConfig, Schedule, Task as _};

const ITEMS: usize = 23;

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn config() -> NextItemConfig {
    NextItemConfig {
        width: 12,
        heads: 2,
        feed_forward: 20,
        length: 70,
        dropout: 0.0,
        ..Default::default()
    }
}

fn network(config: &NextItemConfig) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let items = Array2::from_shape_fn((ITEMS, config.width), |_| rng.random_range(-0.5..0.5));
    let bias: Vec<f32> = (0..ITEMS).map(|item| -3.0 + 0.02 * item as f32).collect();
    Network::new(config, items.view(), &bias, 7, device().burn())
}

fn windows(lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut window = |&length: &usize| -> Vec<u32> {
        (0..length).map(|_| rng.random_range(0..ITEMS as u32)).collect()
    };
    lengths.iter().map(&mut window).collect()
}

/// The loss and all gradients in order.
fn gradients(
    network: &Network,
    config: &NextItemConfig,
    loss: NextItemLoss,
    windows: &[Vec<u32>],
    on_host: bool,
) -> (f64, Vec<Vec<f32>>) {
    struct Values<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Values<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).unwrap();
            self.1.push(gradient.into_data().try_into_vec::<f32>().unwrap());
        }
    }
    let training = NextItemTraining { loss, ..Default::default() };
    let counts: Vec<usize> = (0..ITEMS).collect();
    let task = NextItemTask {
        sequences: Vec::new(),
        validation: &[],
        config,
        training: &training,
        negatives: Negatives::new(loss, &counts),
        on_host,
    };
    let windows: Vec<&[u32]> = windows.iter().map(Vec::as_slice).collect();
    let gradients = task.gradients(network, &windows, 3).unwrap();
    let expected: usize = windows.iter().map(|window| window.len() - 1).sum();
    assert_eq!(gradients.targets, expected);
    let mut values = Values(&gradients.gradients, Vec::new());
    network.visit(&mut values);
    (gradients.loss_sum, values.1)
}

const LOSSES: [NextItemLoss; 4] = [
    NextItemLoss::Softmax,
    NextItemLoss::SampledSoftmax { negatives: 9, popularity: 0.0 },
    NextItemLoss::SampledSoftmax { negatives: 9, popularity: 0.7 },
    NextItemLoss::Gbce { negatives: 9, calibration: 0.75 },
];

/// What to check a loss with: one interest and several.
fn configs() -> [NextItemConfig; 3] {
    let several = NextItemConfig { interests: 3, ..config() };
    let sum = NextItemConfig { combine: Combine::LogSumExp, ..several.clone() };
    [config(), several, sum]
}

#[test]
fn the_gradient_is_autodiff_s() {
    // With dropout, masks are the same where no window is padded.
    let equal = windows(&[66; 6]);
    let unequal = windows(&[2, 71, 5, 12, 70, 3]);
    for config in configs() {
        let network = network(&config);
        for loss in LOSSES {
            for (dropout, windows) in [(0.0, &unequal), (0.3, &equal)] {
                let config = NextItemConfig { dropout, ..config.clone() };
                let (own_loss, own) = gradients(&network, &config, loss, windows, true);
                let (burn_loss, burn) = gradients(&network, &config, loss, windows, false);
                let case = format!("{config:?} {loss:?}");
                assert!((own_loss / burn_loss - 1.0).abs() < 1e-5, "{case}");
                for (place, (own, burn)) in own.iter().zip(&burn).enumerate() {
                    let size = burn.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
                    for (a, b) in own.iter().zip(burn) {
                        assert!((a - b).abs() <= 2e-4 * size, "{case}: tensor {place}: {a} {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_step_down_the_gradient_lowers_the_loss_by_its_square() {
    struct Descend(std::vec::IntoIter<Vec<f32>>, f32);
    impl ModuleMapper for Descend {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let gradient = TensorData::new(self.0.next().unwrap(), param.dims());
            let by = self.1;
            param.map(|x| x.clone() - Tensor::from_data(gradient, &x.device()).mul_scalar(by))
        }
    }
    let windows = windows(&[40, 7, 21]);
    for config in configs() {
        let network = network(&config);
        for loss in LOSSES {
            let (before, gradient) = gradients(&network, &config, loss, &windows, true);
            let squares: f64 = gradient.iter().flatten().map(|&g| f64::from(g * g)).sum();
            // Central differences: the curvature cancels.
            let after = |by: f64| {
                let descend = &mut Descend(gradient.clone().into_iter(), by as f32);
                gradients(&network.clone().map(descend), &config, loss, &windows, true).0
            };
            let by = 2e-3 * before / squares;
            let slope = (after(-by) - after(by)) / (2.0 * by);
            assert!((slope / squares - 1.0).abs() < 0.02, "{config:?} {loss:?}: {slope} {squares}");
        }
    }
}

#[test]
fn with_all_items_as_negatives_the_sampled_softmax_is_the_softmax() {
    let windows = windows(&[30, 9]);
    let sampled = NextItemLoss::SampledSoftmax { negatives: ITEMS, popularity: 0.5 };
    for config in configs() {
        let network = network(&config);
        let (full_loss, full) = gradients(&network, &config, LOSSES[0], &windows, true);
        let (loss, gradient) = gradients(&network, &config, sampled, &windows, true);
        assert!((full_loss / loss - 1.0).abs() < 1e-6);
        let pairs = full.iter().flatten().zip(gradient.iter().flatten());
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-4), "{config:?}");
    }
}

#[test]
fn the_sampled_softmax_s_gradient_is_nearer_to_the_full_one_s_with_more_negatives() {
    let windows = windows(&[60; 12]);
    let network = network(&config());
    let full = gradients(&network, &config(), LOSSES[0], &windows, true).1.concat();
    let distance = |negatives, popularity| {
        let loss = NextItemLoss::SampledSoftmax { negatives, popularity };
        let sampled = gradients(&network, &config(), loss, &windows, true).1.concat();
        let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>();
        let difference = squares(&mut full.iter().zip(&sampled).map(|(a, b)| a - b));
        (difference / squares(&mut full.iter().copied())).sqrt()
    };
    for popularity in [0.0, 1.0] {
        let (few, many) = (distance(2, popularity), distance(20, popularity));
        assert!(many < 0.5 * few, "{popularity}: {few} {many}");
    }
}

#[test]
fn gbce_s_power_is_that_of_its_paper() {
    let beta = |negatives, calibration| {
        Negatives::new(NextItemLoss::Gbce { negatives, calibration }, &[0; 101]).beta()
    };
    // With all others drawn, and with t = 0, it is binary cross-entropy.
    assert_eq!((beta(100, 0.5), beta(7, 0.0)), (1.0, 1.0));
    assert!((beta(10, 1.0) - 0.1).abs() < 1e-6);
    assert!((beta(10, 0.75) - (0.1 * (0.75 * (1.0 - 10.0) + 10.0))).abs() < 1e-6);
}

#[test]
fn other_devices_path_scores_as_the_host_s() {
    for config in configs() {
        let network = network(&config);
        let host = network.to_host();
        let windows = windows(&[1, 100, 0, 13, 70]);
        let histories: Vec<&[u32]> = windows.iter().map(Vec::as_slice).collect();
        let all = |scorer: Scorer<'_>| {
            let rows = std::sync::Mutex::new(vec![Vec::new(); histories.len()]);
            scorer.for_each(&histories, &|index, row| rows.lock().unwrap()[index] = row.to_vec());
            rows.into_inner().unwrap()
        };
        let own = all(Scorer::Host(&config, &host));
        let burn = all(Scorer::Device(&config, &network));
        for (own, burn) in own.iter().zip(&burn) {
            assert!(own.iter().zip(burn).all(|(a, b)| (a - b).abs() < 1e-5), "{own:?} {burn:?}");
            let total: f64 = own.iter().map(|&p| f64::from(p).exp()).sum();
            assert!((total - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn fifty_steps_lose_what_pytorch_s_lose() {
    #[derive(serde::Deserialize)]
    struct Expected {
        steps: usize,
        learning_rate: f64,
        warm_up: f64,
        gradient_norm: f64,
        sequences: Vec<Vec<u32>>,
        losses: Vec<f64>,
        log_probs: Vec<f32>,
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-next-item");
    let expected = std::fs::read(directory.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_slice(&expected).unwrap();
    for on_host in [true, false] {
        let model = NextItemModel::load(&directory, &device()).unwrap();
        let training = NextItemTraining {
            epochs: expected.steps,
            items_per_batch: usize::MAX,
            optimizer: OptimizerConfig {
                learning_rate: expected.learning_rate,
                schedule: Schedule::Cosine,
                warm_up: expected.warm_up,
                gradient_norm: expected.gradient_norm,
                ..Default::default()
            },
            ..Default::default()
        };
        let task = NextItemTask {
            sequences: expected.sequences.iter().map(Vec::as_slice).collect(),
            validation: &[],
            config: &model.config,
            training: &training,
            negatives: Negatives::new(training.loss, &vec![0; model.items]),
            on_host,
        };
        let optimizer = &training.optimizer;
        let run = Run { optimizer, directory: None, fingerprint: String::new() };
        let (network, epochs) =
            training::fit(model.network.clone(), &task, &run, &mut |_| {}).unwrap();
        assert_eq!(epochs.len(), 50);
        for (epoch, expected) in epochs.iter().zip(&expected.losses) {
            let difference = (epoch.train_loss - expected).abs();
            assert!(difference < 1e-3, "step {}: {difference}", epoch.epoch);
        }
        let after = NextItemModel::assemble(model.config, network, model.items, &device());
        let got = after.log_probs(&expected.sequences[0]).unwrap();
        assert!(got.iter().zip(&expected.log_probs).all(|(a, b)| (a - b).abs() < 5e-3));
    }
}
