//! The causal model as a user of the crate meets it: training, scoring, embedding, writing, files.

mod shop;

use proclivity_encoder::{CausalConfig, CausalModel, ComputeDevice, TrainConfig, TrainProgress};

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

#[test]
#[ignore = "measures"]
fn speed() {
    let texts = shop::histories(3000, 24, 1);
    let validation = shop::histories(200, 24, 2);
    let get = |name: &str, or: f64| std::env::var(name).map_or(or, |v| v.parse().unwrap());
    let config = CausalConfig {
        width: get("W", 64.0) as usize,
        heads: get("H", 2.0) as usize,
        feed_forward: get("F", 256.0) as usize,
        context: get("C", 160.0) as usize,
        vocab_size: get("V", 2000.0) as usize,
        ..Default::default()
    };
    let training = TrainConfig {
        tokens_per_batch: get("B", 2560.0) as usize,
        peak_learning_rate: get("LR", 0.01),
        epochs: get("E", 4.0) as usize,
        tokens_per_epoch: get("T", 200000.0) as usize,
        ..Default::default()
    };
    let (_, report) = CausalModel::train(
        &texts,
        &validation,
        &config,
        &training,
        &device(),
        &mut |progress| {
            if let TrainProgress::Epoch(epoch) = progress {
                println!(
                    "{epoch:?} {:.0} tokens/s",
                    epoch.tokens as f64 / epoch.seconds
                );
            }
        },
    )
    .unwrap();
    println!("{report:#?}");
}
