//! Trains a causal language model from scratch on what users of a data set did, in words.
//!
//! ```text
//! cargo run --release --example train_language -- \
//!     --dataset ml-100k --data DIR --out models/language-ml-100k [--texts DIR]
//! ```
//!
//! Every tenth user is held out. Prints one JSON line: nats per token on the held-out texts, of the
//! model, of the training texts' token frequencies and of equal probabilities.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use proclivity::data::{Dataset, Preset, load};
use proclivity::encoder::{CausalConfig, CausalModel, ComputeDevice, TrainConfig, TrainProgress};
use proclivity::schema::Language;
use proclivity::text::{Locale, RichOptions, history_text};
use proclivity_examples::{peak_rss_mb, progress_bar, tell};
use serde_json::json;

/// Trains a causal language model on a data set in words.
#[derive(Parser)]
struct Arguments {
    /// ml-100k, ml-1m, ….
    #[arg(long)]
    dataset: Preset,
    /// The folder that holds it.
    #[arg(long)]
    data: PathBuf,
    /// The directory for the model, which `CausalModel::load` reads.
    #[arg(long)]
    out: PathBuf,
    /// zh or en.
    #[arg(long, default_value = "en", value_parser = Language::new)]
    language: Language,
    /// Events of a text: a history is cut into so many at a time.
    #[arg(long, default_value_t = 20)]
    events: usize,
    /// Passes over the texts.
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Length of the hidden states.
    #[arg(long, default_value_t = 96)]
    width: usize,
    /// Tokens that the model sees at once.
    #[arg(long, default_value_t = 256)]
    context: usize,
    /// Writes train.txt and held_out.txt into this folder, a text a line.
    #[arg(long)]
    texts: Option<PathBuf>,
    /// Of weights, order and dropout.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Dataset { catalog, log, report, .. } = load(arguments.dataset, &arguments.data)?;
    eprintln!("{report}");
    let locale = Locale::for_language(&arguments.language)?;
    let options = RichOptions { max_events: arguments.events.max(1), ..RichOptions::default() };
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (place, user) in log.users().enumerate() {
        let texts = if place % 10 == 9 { &mut held_out } else { &mut train };
        let pieces = log.history(user).chunks(options.max_events);
        texts.extend(pieces.map(|events| history_text(events, &catalog, locale, &options)));
    }
    if let Some(folder) = &arguments.texts {
        fs::create_dir_all(folder)?;
        for (name, texts) in [("train.txt", &train), ("held_out.txt", &held_out)] {
            let lines: Vec<String> =
                texts.iter().map(|text| text.replace('\n', " ") + "\n").collect();
            fs::write(folder.join(name), lines.concat())?;
        }
    }

    let config = CausalConfig {
        width: arguments.width,
        feed_forward: 4 * arguments.width,
        context: arguments.context,
        dropout: 0.1,
        ..CausalConfig::default()
    };
    let training = TrainConfig {
        epochs: arguments.epochs,
        tokens_per_epoch: usize::MAX,
        validation_tokens: usize::MAX,
        peak_learning_rate: 5e-3,
        seed: arguments.seed,
        ..TrainConfig::default()
    };
    let bar = progress_bar(0, "training");
    let (model, report) = CausalModel::train(
        &train,
        &held_out,
        &config,
        &training,
        &arguments.device,
        &mut |progress| match progress {
            TrainProgress::Step { step, steps, loss, .. } => {
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
                bar.set_message(format!("training, loss {loss:.3}"));
            }
            TrainProgress::Epoch(epoch) => bar.println(format!(
                "epoch {}: training {:.4}, held out {:.4} nats per token",
                epoch.epoch, epoch.train_loss, epoch.validation_loss
            )),
            _ => {}
        },
    )?;
    bar.finish();
    model.save(&arguments.out)?;
    let line = json!({
        "held_out_loss": report.validation_loss,
        "unigram_loss": report.unigram_loss,
        "uniform_loss": report.uniform_loss,
        "held_out_tokens": report.validation_tokens,
        "train_tokens": report.train_tokens,
        "vocab_size": report.vocab_size,
        "parameters": report.parameters,
        "best_epoch": report.best_epoch,
        "seconds": report.seconds,
        "peak_rss_mb": peak_rss_mb(),
    });
    println!("{line}");
    Ok(())
}
