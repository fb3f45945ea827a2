//! Loads a public data set and says what became of every row.
//!
//! ```text
//! cargo run --release --example load -- --dataset online-retail --data DIR --json --quarantine bad.jsonl
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use proclivity::data::{Dataset, Preset, load};
use proclivity_examples::tell;
use serde_json::json;

/// Loads a public data set and says what became of every row.
#[derive(Parser)]
struct Arguments {
    /// ml-100k, ml-1m, beauty, movietweetings, online-retail, mind, ….
    #[arg(long)]
    dataset: Preset,
    /// The folder that holds it.
    #[arg(long)]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write every quarantined row to this file, a JSON line each.
    #[arg(long)]
    quarantine: Option<PathBuf>,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let dataset = load(arguments.dataset, &arguments.data)?;
    let Dataset { catalog, log, report, .. } = &dataset;
    if let Some(path) = &arguments.quarantine {
        report.write_quarantine(BufWriter::new(File::create(path)?))?;
    }
    let times = || log.events().iter().filter_map(|event| event.time);
    let (first, last) = (times().min(), times().max());
    if arguments.json {
        let summary = json!({
            "read": report.read(),
            "accepted": report.accepted(),
            "duplicates": report.duplicates(),
            "quarantined": report.quarantined().len(),
            "users": log.user_count(),
            "items": catalog.len(),
            "untitled": dataset.untitled(),
            "first": first.map(|time| time.to_string()),
            "last": last.map(|time| time.to_string()),
            "reasons": report.reasons(),
        });
        println!("{summary}");
        return Ok(());
    }
    println!("{report}");
    if let Some(items) = &dataset.item_report {
        println!("items: {items}");
    }
    println!("{} users, {} items", log.user_count(), catalog.len());
    match (first, last) {
        (Some(first), Some(last)) => println!("from {first} to {last}"),
        _ => println!("no times: the order of rows is all there is"),
    }
    Ok(())
}
