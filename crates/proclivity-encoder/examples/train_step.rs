//! Times a training step of a next-item model, and PyTorch's in the same run, in turn.
//!
//! ```text
//! cargo run --release --example train_step -- PYTHON [ROUNDS] [STEPS]
//! ```
//!
//! PYTHON is an interpreter with PyTorch, which gets as many threads as we do
//! (`RAYON_NUM_THREADS`). 64 users of 128 items, 3,417 items in all, width 128, two
//! blocks, the full softmax; the peer is `benches/peers/train_step.py`.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use ndarray::Array2;
use proclivity_encoder::{
    NextItemConfig, NextItemData, NextItemModel, NextItemTraining, TrainProgress,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 3417;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let python = arguments.next().ok_or("which Python has PyTorch?")?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let steps: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.extend(own(steps)?);
        theirs.extend(peer(&python, steps)?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let (count, threads) = (rounds * steps, rayon::current_num_threads());
    println!("a step of 64 × 128 items on {threads} threads, median of {count}, {rounds} rounds:");
    println!("  ours {ours:.3} s, PyTorch {theirs:.3} s, ratio {:.2}", ours / theirs);
    Ok(())
}

fn own(steps: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut item = |_| rng.random_range(0..ITEMS as u32);
    let sequences: Vec<Vec<u32>> =
        (0..64 * (steps + 1)).map(|_| (0..129).map(&mut item).collect()).collect();
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let vectors = Array2::from_shape_fn((ITEMS, 128), |_| rng.random_range(-1.0..1.0));
    let data =
        NextItemData { sequences: &sequences, validation: &[], item_vectors: vectors.view() };
    let training = NextItemTraining { epochs: 1, items_per_batch: 64 * 128, ..Default::default() };
    let (mut last, mut seconds) = (Instant::now(), Vec::new());
    let told = &mut |progress: TrainProgress<'_>| {
        if let TrainProgress::Step { .. } = progress {
            seconds.push(last.elapsed().as_secs_f64());
            last = Instant::now();
        }
    };
    let config = NextItemConfig::default();
    NextItemModel::train(&data, &config, &training, &"flex".parse()?, None, told)?;
    // The first step has the preparation.
    Ok(seconds[1..].to_vec())
}

fn peer(python: &str, steps: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/train_step.py");
    let threads = rayon::current_num_threads().to_string();
    let output = Command::new(python)
        .args([script, "--steps", &steps.to_string(), "--threads", &threads])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(serde_json::from_value(line["seconds"].clone())?)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
