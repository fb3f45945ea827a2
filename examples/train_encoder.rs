//! Fine-tunes a sentence encoder on what users had one after the other, and goes on where it was
//! killed.
//!
//! ```text
//! cargo run --release --example train_encoder -- --dataset beauty --data DIR \
//!     --model models/all-MiniLM-L6-v2 --out models/minilm-beauty --cold-items 0.1 --minutes 30
//! cargo run --release --example evaluate -- --dataset beauty --data DIR \
//!     --cold-items 0.1 --model models/minilm-beauty --against models/all-MiniLM-L6-v2 --json
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use proclivity::data::{Dataset, ItemSequences};
use proclivity::encoder::{
    BertEncoder, ComputeDevice, ContrastiveConfig, ContrastiveData, EncoderError, LoraConfig,
    TextEncoder as _, TrainProgress, TunableEncoder,
};
use proclivity::eval::metrics::ndcg;
use proclivity::rank::TieBreak;
use proclivity::schema::Language;
use proclivity::text::item_text;
use proclivity::{ItemTexts, MemberConfig};
use proclivity_examples::cold::{ColdItems, mean, rank_by_text};
use proclivity_examples::{DatasetArguments, peak_rss_mb, progress_bar, tell};
use serde_json::json;

/// Users to validate on, at most: every so many are taken of more.
const MAX_CASES: usize = 2_500;

/// Trains on the items before each user's validation item, less those that are held out; the epoch
/// that ranks held-out validation items best by text alone is kept.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    dataset: DatasetArguments,
    /// A checkpoint directory of the BERT family.
    #[arg(long)]
    model: PathBuf,
    /// The directory of the tuned checkpoint; `training` in it holds what a killed run needs.
    #[arg(long)]
    out: PathBuf,
    /// Share of the items to hold out of training entirely, as `evaluate` has it; with 0 any user's
    /// validation item validates.
    #[arg(long, default_value_t = 0.1)]
    cold_items: f64,
    /// Which items these are.
    #[arg(long, default_value_t = 0)]
    cold_seed: u64,
    /// Trains adapters of this rank instead of the weights.
    #[arg(long)]
    lora: Option<usize>,
    /// First blocks to leave as they are, and the embeddings, which are left in any case.
    #[arg(long, default_value_t = 0)]
    frozen: usize,
    /// How long to train, about; the steps that fit in depend on the machine.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Optimiser steps instead, rounded up to whole epochs: the same plan on every machine.
    #[arg(long, conflicts_with = "minutes")]
    steps: Option<usize>,
    /// Texts of a sequence that a batch takes.
    #[arg(long, default_value_t = ContrastiveConfig::default().window)]
    window: usize,
    /// Sequences of a batch.
    #[arg(long, default_value_t = ContrastiveConfig::default().batch)]
    batch: usize,
    /// What cosines are divided by.
    #[arg(long, default_value_t = ContrastiveConfig::default().temperature)]
    temperature: f64,
    /// The learning rate after the warm-up.
    #[arg(long, default_value_t = ContrastiveConfig::default().optimizer.learning_rate)]
    learning_rate: f64,
    /// Validations.
    #[arg(long, default_value_t = ContrastiveConfig::default().epochs)]
    epochs: usize,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Dataset { catalog, log, report, .. } = arguments.dataset.load()?;
    eprintln!("{report}");
    let texts: Vec<String> =
        catalog.items().iter().map(|item| item_text(item, &Language::ENGLISH)).collect();
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let ids = || catalog.ids().iter().map(|id| id.as_str());
    let cold = ColdItems::new(ids(), arguments.cold_items, arguments.cold_seed);
    let ties = TieBreak::new(ids(), 0);

    let all = ItemSequences::positive(&log);
    let held_out = all.leave_one_out();
    let training: Vec<Vec<usize>> = all
        .users()
        .map(|user| {
            let kept = held_out.train(user).iter().filter(|item| !cold.contains(**item));
            kept.map(|&item| item as usize).collect()
        })
        .collect();
    let cases = cold.validation(&all);
    let every = cases.len().div_ceil(MAX_CASES).max(1);
    let cases: Vec<_> = cases.into_iter().step_by(every).collect();
    let validation: Vec<Vec<usize>> = cases
        .iter()
        .map(|case| {
            let first = case.history.len().saturating_sub(arguments.window - 1);
            let window = case.history[first..].iter().chain([&case.target]);
            window.map(|&item| item as usize).collect()
        })
        .collect();

    let mut encoder = TunableEncoder::load(&arguments.model, &arguments.device)?;
    if let Some(rank) = arguments.lora {
        let config = LoraConfig { rank, alpha: 2.0 * rank as f64, ..LoraConfig::default() };
        encoder = encoder.with_lora(&config)?;
    }
    encoder = encoder.with_frozen(arguments.frozen);

    let data = ContrastiveData { texts: &texts, sequences: &training, validation: &validation };
    let run_directory = arguments.out.join("training");
    let plan_path = run_directory.join("plan.json");
    let config: ContrastiveConfig = if plan_path.exists() {
        eprintln!("going on with the plan of {}", plan_path.display());
        serde_json::from_slice(&fs::read(&plan_path)?)?
    } else {
        let config = plan(arguments, &encoder, data)?;
        fs::create_dir_all(&run_directory)?;
        fs::write(&plan_path, serde_json::to_vec_pretty(&config)?)?;
        config
    };
    eprintln!(
        "{} epochs of {} batches; {} of {} items held out, {} users to validate on",
        config.epochs,
        config.batches_per_epoch,
        cold.count(),
        catalog.len(),
        cases.len(),
    );

    let judge = |encoder: &BertEncoder| -> Result<f64, EncoderError> {
        let embeddings = encoder.embed(&borrowed, &mut |_| {})?;
        let member = MemberConfig::Text { decay: config.decay };
        let of = |texts: ItemTexts| rank_by_text(&texts, member, &ties, &cases).ok();
        let found = ItemTexts::new(Some(embeddings), None, 1, 1.0).ok().and_then(of);
        Ok(found.map_or(f64::NAN, |found| mean(&found.values(|ranks| ndcg(ranks, 10)))))
    };
    eprintln!("validation ndcg@10 before training {:.4}", judge(&encoder.encoder()?)?);

    let bar = progress_bar(config.epochs * config.batches_per_epoch, "training");
    let start = Instant::now();
    let mut losses = (0.0, 0);
    let mut told = |progress: TrainProgress<'_>| match progress {
        TrainProgress::Resumed { step, .. } => bar.set_position(step as u64),
        TrainProgress::Step { step, loss, .. } => {
            losses = (losses.0 + loss, losses.1 + 1);
            bar.set_position(step as u64);
            if step.is_multiple_of(20) {
                bar.set_message(format!("training, loss {:.3}", losses.0 / f64::from(losses.1)));
                losses = (0.0, 0);
            }
        }
        TrainProgress::Epoch(epoch) => bar.suspend(|| {
            eprintln!(
                "epoch {}: loss {:.4}, validation loss {:.4}, ndcg@10 {:.4}, {:.0} s",
                epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.score, epoch.seconds
            );
        }),
        _ => {}
    };
    let (tuned, report) =
        encoder.train_contrastive(data, &config, Some(&judge), Some(&run_directory), &mut told)?;
    bar.finish();
    tuned.save(&arguments.out)?;
    if arguments.lora.is_some() {
        tuned.save_lora(&arguments.out.join("lora"))?;
    }
    println!(
        "{}",
        json!({
            "out": arguments.out,
            "best_epoch": report.best_epoch,
            "epochs": report.epochs,
            "seconds": start.elapsed().as_secs_f64(),
            "peak_rss_mb": peak_rss_mb(),
        })
    );
    Ok(())
}

/// Settings with the steps that are asked for, or as many as the time allows, by a few that are tried.
fn plan(
    arguments: &Arguments,
    encoder: &TunableEncoder,
    data: ContrastiveData<'_>,
) -> Result<ContrastiveConfig, Box<dyn Error>> {
    const TRIED: usize = 4;
    let mut config = ContrastiveConfig {
        window: arguments.window,
        batch: arguments.batch,
        temperature: arguments.temperature,
        epochs: arguments.epochs,
        ..ContrastiveConfig::default()
    };
    config.optimizer.learning_rate = arguments.learning_rate;
    config.optimizer.patience = config.epochs;
    if let Some(steps) = arguments.steps {
        config.batches_per_epoch = steps.div_ceil(config.epochs.max(1)).max(1);
        return Ok(config);
    }
    let tried = ContrastiveConfig { epochs: 1, batches_per_epoch: TRIED, ..config.clone() };
    let start = Instant::now();
    let mut ends = Vec::new();
    let mut told = |progress: TrainProgress<'_>| {
        if matches!(progress, TrainProgress::Step { .. }) {
            ends.push(start.elapsed().as_secs_f64());
        }
    };
    let few = &data.validation[..data.validation.len().min(2)];
    let data = ContrastiveData { validation: few, ..data };
    encoder.clone().train_contrastive(data, &tried, None, None, &mut told)?;
    // The first one warms up.
    let pace = match ends[..] {
        [first, .., last] => (last - first) / (ends.len() - 1) as f64,
        _ => start.elapsed().as_secs_f64(),
    };
    eprintln!("{pace:.2} s a step");
    let steps = arguments.minutes * 60.0 / pace.max(1e-3);
    config.batches_per_epoch = ((steps / config.epochs as f64).round() as usize).max(1);
    Ok(config)
}
