//! From a dirty log to clean histories, step by step: UCI Online Retail.
//!
//! ```text
//! cargo run --release --example online_retail -- --data DIR
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use proclivity::data::{
    Bots, Cleaning, CleaningStep, Dataset, ItemSequences, LogSplit, Preset, load,
};
use proclivity::schema::{EventKind, ItemId, Log};
use proclivity::text::{Grouping, Locale, RichOptions, history_text};
use proclivity_examples::tell;

/// From a dirty log to clean histories.
#[derive(Parser)]
struct Arguments {
    /// The folder that holds online_retail.csv, perhaps compressed.
    #[arg(long)]
    data: PathBuf,
    /// A customer whose history is shown.
    #[arg(long, default_value = "12583")]
    user: String,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    println!("1. Read");
    let dataset = load(Preset::OnlineRetail, &arguments.data)?;
    println!(
        "{}\n{} customers, {} stock codes",
        dataset.report,
        dataset.log.user_count(),
        dataset.catalog.len()
    );
    println!("{}", kinds(&dataset.log));

    println!("\n2. Clean");
    // Postage, discounts, bank charges and the like have codes without a number.
    let is_no_product = |id: &&ItemId| !id.as_str().starts_with(|c: char| c.is_ascii_digit());
    let items = dataset.catalog.ids().iter().filter(is_no_product).cloned().collect();
    let cleaning = Cleaning::new([
        CleaningStep::RemoveItems { items },
        CleaningStep::NormalizeText,
        CleaningStep::NetReturns,
        // Returns of what was bought before the log begins say nothing about interest.
        CleaningStep::Kinds { keep: vec![EventKind::Purchase] },
        // An invoice has all its lines at one minute, so that only whole days could be too fast.
        CleaningStep::Bots(Bots { events_per_hour: 1_000, ..Bots::default() }),
        CleaningStep::KCore { user: 5, item: 5 },
    ]);
    let (dataset, report) = cleaning.run(dataset)?;
    println!("{report}");

    println!("\n3. Split by time, so that nothing knows of the future");
    let Dataset { catalog, log, .. } = &dataset;
    let split = LogSplit::at_time_shares(log, 0.1, 0.1)?;
    for (name, part) in
        [("train", &split.train), ("validation", &split.validation), ("test", &split.test)]
    {
        let times = || part.events().iter().filter_map(|event| event.time);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            println!("{name:<11}{:>8} events, {first} to {last}", part.event_count());
        }
    }

    println!("\n4. Histories");
    let sequences = ItemSequences::positive(log);
    let lengths = log.users().map(|user| sequences.sequence(user).len()).filter(|&count| count > 0);
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.sort_unstable();
    if let (Some(shortest), Some(longest)) = (lengths.first(), lengths.last()) {
        let median = lengths[lengths.len() / 2];
        println!(
            "{} histories of {shortest} to {longest} purchases, median {median}",
            lengths.len()
        );
    }
    let options = RichOptions { grouping: Grouping::Day, max_events: 12, ..RichOptions::default() };
    let history = log.history(log.user(&arguments.user)?);
    println!(
        "customer {}: {}",
        arguments.user,
        history_text(history, catalog, Locale::english(), &options)
    );
    Ok(())
}

/// How many events of each kind there are.
fn kinds(log: &Log) -> String {
    let count = |kind| log.events().iter().filter(|event| event.action.kind() == kind).count();
    let counts = EventKind::ALL.map(|kind| (kind, count(kind)));
    let present = counts.iter().filter(|(_, count)| *count > 0);
    present.map(|(kind, count)| format!("{count} × {kind}")).collect::<Vec<_>>().join(", ")
}
