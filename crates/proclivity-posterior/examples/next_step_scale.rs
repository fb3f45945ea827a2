//! Seconds and memory of fitting next-step, to a file of sequences or to simulated ones.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::time::Instant;

use ndarray::Array2;
use proclivity_posterior::{
    Belief, Family, Kernel, NextStepConfig, Predictive, Sequence, Transitions,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};

const LENGTH: usize = 50;
const NEIGHBORS: usize = 50;

/// `next_step_scale ITEMS EVENTS`, or `next_step_scale FILE EMBEDDINGS DIM` with lines of
/// `user item item …`, items from 1, and the items' unit-length embeddings as raw f32.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (sequences, kernel) = match arguments.as_slice() {
        [file, embeddings, dim] => read(file, embeddings, dim.parse()?)?,
        [items, events] => simulated(items.parse()?, events.parse()?)?,
        _ => simulated(10_000, 100_000)?,
    };
    let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let items = kernel.item_count();
    let family = Transitions::new(NextStepConfig::default(), items, Some(kernel))?;
    let (mut fitted, events) = (None, slices.iter().map(|sequence| sequence.len()).sum::<usize>());
    // The best of three, where one doesn't take long.
    let mut fit_seconds = f64::INFINITY;
    for _ in 0..if events < 1_000_000 { 3 } else { 1 } {
        let start = Instant::now();
        let model = family.posterior(&family.count(&slices)?)?;
        fit_seconds = fit_seconds.min(start.elapsed().as_secs_f64());
        fitted = Some(model);
    }
    let model = fitted.ok_or("never fitted")?;
    let start = Instant::now();
    let mut log_probs = vec![0.0; items];
    let histories = &slices[..slices.len().min(1_000)];
    histories.iter().for_each(|history| model.log_probs(history, &mut log_probs));
    let predictive = start.elapsed().as_secs_f64() / histories.len() as f64;
    let mut belief = Belief::from_evidence(&family, &model.counts())?;
    let start = Instant::now();
    for history in histories {
        belief.update(&family, &Sequence(history))?;
    }
    let update = start.elapsed().as_secs_f64() / histories.len() as f64;
    let total: f64 = log_probs.iter().map(|log_prob| log_prob.exp()).sum();
    assert!((total - 1.0).abs() < 1e-5, "probabilities sum to {total}");
    println!(
        "{}",
        serde_json::json!({
            "items": items,
            "events": events,
            "transitions": model.counts().transition_count(),
            "fit_seconds": fit_seconds,
            "predictive_seconds": predictive,
            "update_seconds": update,
            "peak_rss_mb": peak_rss_mb(),
        })
    );
    Ok(())
}

type Input = (Vec<Vec<u32>>, Kernel);

fn read(file: &str, embeddings: &str, dim: usize) -> Result<Input, Box<dyn Error>> {
    let mut sequences = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let items = line.split_whitespace().skip(1).map(str::parse::<u32>);
        sequences.push(items.map(|item| Ok(item? - 1)).collect::<Result<_, Box<dyn Error>>>()?);
    }
    let bytes = std::fs::read(embeddings)?;
    let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let values: Vec<f32> = values.collect();
    let embeddings = Array2::from_shape_vec((values.len() / dim, dim), values)?;
    Ok((sequences, Kernel::nearest(embeddings.view(), NEIGHBORS, 6.0)?))
}

/// Items by Zipf's law with exponent 1, in sequences of 50, and a kernel of neighbors by chance.
fn simulated(items: usize, events: usize) -> Result<Input, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let zipf = Zipf::new(items as f64, 1.0)?;
    let mut sequence = || (0..LENGTH).map(|_| zipf.sample(&mut rng) as u32 - 1).collect();
    let sequences = (0..events / LENGTH).map(|_| sequence()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let row = |item: usize| {
        let mut near: Vec<u32> =
            (0..NEIGHBORS).map(|_| rng.random_range(0..items as u32)).collect();
        near.sort_unstable();
        near.dedup();
        near.retain(|&near| near as usize != item);
        near.into_iter().map(|near| (near, rng.random::<f32>() + 0.1)).collect()
    };
    let kernel = Kernel::from_rows((0..items).map(row).collect())?;
    Ok((sequences, kernel))
}

/// The most memory that this process ever held, where Linux tells.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
