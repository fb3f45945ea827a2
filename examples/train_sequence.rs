//! Trains the sequence encoder on a data set: a causal transformer over item vectors that begin as
//! text embeddings. Killed and started again, it goes on from its last checkpoint.
//!
//! ```text
//! cargo run --release --example train_sequence -- --dataset ml-1m --data DIR \
//!     --model models/all-MiniLM-L6-v2 --out models/sequence-ml-1m --test
//! ```
//!
//! `OUT/train_only` and `OUT/refit` get a model each, beside `report.json`, `log.csv` (an epoch a
//! line) and the checkpoint.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use indicatif::HumanDuration;
use proclivity::data::{Dataset, ItemSequences};
use proclivity::encoder::{
    ComputeDevice, NextItemConfig, NextItemData, NextItemModel, NextItemTraining, OptimizerConfig,
    TrainProgress,
};
use proclivity_examples::{DatasetArguments, embed_items, peak_rss_mb, progress_bar, tell};
use serde_json::{Value, json};

/// Trains the sequence encoder; every user's last item is the test, the one before it validation.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    dataset: DatasetArguments,
    /// A checkpoint directory of the BERT family, which embeds the items' texts.
    #[arg(long)]
    model: PathBuf,
    /// Where the model, its log and its checkpoint are kept.
    #[arg(long)]
    out: PathBuf,
    /// What it is trained on.
    #[arg(long, value_enum, default_value = "train_only")]
    variant: Variant,
    /// Passes at most; a refit takes the best epoch of train_only where this isn't given.
    #[arg(long)]
    epochs: Option<usize>,
    /// AdamW's rate after the warm-up.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Decay of the average of weights; 0 for none.
    #[arg(long, default_value_t = 0.0)]
    averaging: f64,
    /// Share of the input and of each residual branch that training drops.
    #[arg(long, default_value_t = NextItemConfig::default().dropout)]
    dropout: f64,
    /// Items of an optimiser step.
    #[arg(long, default_value_t = 4096)]
    items_per_batch: usize,
    /// Of weights, order and dropout.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Prints HR@10 and NDCG@10 on the test at the end.
    #[arg(long)]
    test: bool,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
    /// Where embeddings are kept.
    #[arg(long, default_value = ".cache/embeddings")]
    cache: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Variant {
    /// On training items; the epoch that is best on validation is kept.
    TrainOnly,
    /// On training and validation items; the last epoch is kept.
    Refit,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn epochs(arguments: &Arguments) -> Result<usize, Box<dyn Error>> {
    match (arguments.epochs, arguments.variant) {
        (Some(epochs), _) => Ok(epochs),
        (None, Variant::TrainOnly) => Ok(NextItemTraining::default().epochs),
        (None, Variant::Refit) => {
            let path = arguments.out.join("train_only/report.json");
            let report = fs::read_to_string(&path)
                .map_err(|_| "a refit needs --epochs, or a train_only before it")?;
            let best = serde_json::from_str::<Value>(&report)?["best_epoch"].as_u64();
            Ok(best.ok_or("train_only/report.json has no best_epoch")? as usize)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Dataset { catalog, log, report, .. } = arguments.dataset.load()?;
    eprintln!("{report}");
    let item_vectors =
        embed_items(&catalog, &arguments.model, &arguments.device, &arguments.cache)?;

    let all = ItemSequences::positive(&log);
    let held_out = all.leave_one_out();
    let test: Vec<(&[u32], u32)> = all.users().filter_map(|user| held_out.test(user)).collect();
    let name = match arguments.variant {
        Variant::TrainOnly => "train_only",
        Variant::Refit => "refit",
    };
    let with_validation = arguments.variant == Variant::Refit;
    let sequences: Vec<&[u32]> = all
        .users()
        .map(|user| match held_out.test(user) {
            Some((history, _)) if with_validation => history,
            _ => held_out.train(user),
        })
        .collect();
    let validation: Vec<(&[u32], u32)> = match arguments.variant {
        Variant::TrainOnly => all.users().filter_map(|user| held_out.validation(user)).collect(),
        Variant::Refit => Vec::new(),
    };
    let training = NextItemTraining {
        epochs: epochs(arguments)?,
        items_per_batch: arguments.items_per_batch,
        optimizer: OptimizerConfig {
            learning_rate: arguments.learning_rate,
            averaging: arguments.averaging,
            seed: arguments.seed,
            ..NextItemTraining::default().optimizer
        },
        ..NextItemTraining::default()
    };
    let config = NextItemConfig { dropout: arguments.dropout, ..NextItemConfig::default() };
    let data = NextItemData {
        sequences: &sequences,
        validation: &validation,
        item_vectors: item_vectors.view(),
    };
    let directory = arguments.out.join(name);
    let start = Instant::now();
    let bar = progress_bar(0, name);
    let mut told = |progress: TrainProgress<'_>| match progress {
        TrainProgress::Resumed { step, steps } => {
            bar.suspend(|| eprintln!("going on behind step {step} of {steps}"));
        }
        TrainProgress::Step { step, steps, loss, seconds_left } => {
            bar.set_length(steps as u64);
            bar.set_position(step as u64);
            let left = HumanDuration(Duration::from_secs_f64(seconds_left));
            bar.set_message(format!("loss {loss:.3}, {left}"));
        }
        TrainProgress::Epoch(epoch) => bar.suspend(|| {
            let metric = |name: &str| epoch.metrics.get(name).copied().unwrap_or(f64::NAN);
            eprint!("epoch {:>3}: loss {:.4}, ", epoch.epoch, epoch.train_loss);
            // A refit leaves nothing to validate on.
            if !validation.is_empty() {
                let (loss, hr, ndcg) = (epoch.validation_loss, metric("hr@10"), metric("ndcg@10"));
                eprint!("validation {loss:.4}, HR@10 {hr:.4}, NDCG@10 {ndcg:.4}, ");
            }
            eprintln!("{:.0} s", epoch.seconds);
        }),
        _ => {}
    };
    let (model, report) = NextItemModel::train(
        &data,
        &config,
        &training,
        &arguments.device,
        Some(&directory),
        &mut told,
    )?;
    bar.finish_and_clear();
    model.save(&directory)?;
    let mut output = json!({
        "dataset": arguments.dataset.name,
        "variant": name,
        "model": config,
        "training": training,
        "best_epoch": report.best_epoch,
        "parameters": report.parameters,
        "items": model.items(),
        "training_seconds": report.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>(),
        "seconds": start.elapsed().as_secs_f64(),
        "peak_rss_mb": peak_rss_mb(),
    });
    if !validation.is_empty() {
        output["validation"] = json!(model.rank(&validation)?);
    }
    if arguments.test {
        output["test"] = json!(model.rank(&test)?);
    }
    fs::write(directory.join("report.json"), serde_json::to_string_pretty(&output)?)?;
    println!("{output:#}");
    Ok(())
}
