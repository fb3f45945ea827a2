//! Imports a log and a table of items of one's own, by a mapping that is data.
//!
//! ```text
//! cargo run --release --example import_csv
//! cargo run --release --example import_csv -- --mapping my.json --events 'logs/*.csv.gz' --items items.csv
//! ```
//!
//! Without arguments it reads the small files in `examples/import_csv`.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use proclivity::data::{
    Cleaning, Dataset, ErrorPolicy, EventMapping, EventReader, Format, Input, ItemMapping,
    ItemReader,
};
use proclivity::text::{Locale, plain};
use proclivity_examples::tell;
use serde::Deserialize;

/// Imports a log and a table of items by a mapping.
#[derive(Parser)]
struct Arguments {
    /// The mapping, as JSON.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/import_csv/mapping.json"))]
    mapping: PathBuf,
    /// The log: a file or a pattern such as `logs/*.csv.gz`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/import_csv/log.csv"))]
    events: String,
    /// The table of items.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/import_csv/items.csv"))]
    items: PathBuf,
    /// The largest share of rows that may be set aside.
    #[arg(long, default_value_t = 0.5)]
    max_share: f64,
}

/// What stands in the mapping's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    events: EventMapping,
    event_format: Format,
    items: ItemMapping,
    item_format: Format,
    #[serde(default)]
    cleaning: Cleaning,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mapping: Mapping = serde_json::from_reader(File::open(&arguments.mapping)?)?;
    let policy = ErrorPolicy::Quarantine { max_share: arguments.max_share };
    let (catalog, item_report) = ItemReader::new(mapping.items, mapping.item_format)
        .with_policy(policy)
        .read([Input::path(&arguments.items)])?;
    println!("Items: {item_report}\n");
    let (log, report) = EventReader::new(mapping.events, mapping.event_format)
        .with_policy(policy)
        .read_with(Input::glob(&arguments.events)?, &catalog)?;
    println!("Events: {report}");
    for row in report.quarantined().iter().take(10) {
        println!("  {row}");
    }
    let dataset = Dataset { catalog, log, report, item_report: Some(item_report) };
    let (dataset, cleaning) = mapping.cleaning.run(dataset)?;
    println!("\n{cleaning}\n");
    for user in dataset.log.users().take(5) {
        let id = dataset.log.user_id(user);
        println!("{}", plain(id, dataset.log.history(user), &dataset.catalog, Locale::chinese()));
    }
    Ok(())
}
