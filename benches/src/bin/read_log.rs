//! Reads, validates, interns and cleans a large event log, beside pandas and polars.
//!
//! ```text
//! cargo run --release -p proclivity-benches --bin read_log -- --log /tmp/log.csv --python python3
//! ```
//!
//! The log is generated where the file isn't there yet. The peers need `pip install pandas polars`;
//! without `--python` only this project's own reading is timed. Each reading runs in a process of
//! its own, so that peaks of memory are comparable.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use proclivity_data::{ErrorPolicy, EventMapping, EventReader, Format, Input};
use proclivity_schema::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};
use serde_json::{Value, json};

/// Reads a large event log, beside pandas and polars.
#[derive(Parser)]
struct Arguments {
    /// The log; made if it isn't there.
    #[arg(long)]
    log: PathBuf,
    /// Rows of a log that is made.
    #[arg(long, default_value_t = 20_000_000)]
    rows: usize,
    /// A Python with pandas and polars.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Only read, and print one JSON line.
    #[arg(long)]
    once: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if !arguments.log.exists() {
        generate(&arguments.log, arguments.rows)?;
    }
    if arguments.once {
        println!("{}", read(&arguments.log)?);
        return Ok(());
    }
    let ours = output(
        Command::new(std::env::current_exe()?).arg("--once").arg("--log").arg(&arguments.log),
    )?;
    println!("{ours}");
    let Some(python) = &arguments.python else { return Ok(()) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/read_log.py");
    for library in ["polars", "pandas"] {
        let theirs = output(Command::new(python).arg(&script).arg(library).arg(&arguments.log))?;
        println!("{theirs}");
        for count in ["read", "accepted", "duplicates", "quarantined", "users", "items"] {
            if ours[count] != theirs[count] {
                return Err(
                    format!("{count}: {} here, {} there", ours[count], theirs[count]).into()
                );
            }
        }
        let seconds = |value: &Value| value["seconds"].as_f64().unwrap_or(f64::NAN);
        println!("  {:.2} × {library}", seconds(&theirs) / seconds(&ours));
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<Value, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn read(log: &Path) -> Result<Value, Box<dyn Error>> {
    let start = Instant::now();
    let dataset = EventReader::new(EventMapping::canonical(), Format::csv())
        .with_policy(ErrorPolicy::Quarantine { max_share: 0.1 })
        .read([Input::path(log)])?;
    let seconds = start.elapsed().as_secs_f64();
    let report = &dataset.report;
    Ok(json!({
        "library": "proclivity", "version": env!("CARGO_PKG_VERSION"), "read": report.read(),
        "accepted": report.accepted(), "duplicates": report.duplicates(),
        "quarantined": report.quarantined().len(), "users": dataset.log.user_count(),
        "items": dataset.catalog.len(), "seconds": (seconds * 100.0).round() / 100.0,
        "peak_rss_mb": proclivity_benches::peak_rss_mb(),
    }))
}

/// A log in order of time: 300,000 users and 50,000 items by Zipf, 1 % exact duplicates, .3 %
/// unknown events.
fn generate(path: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    const START: i64 = 1_609_459_200;
    const SECONDS: f64 = 180.0 * 86_400.0;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (users, items) = (Zipf::new(300_000.0, 0.8)?, Zipf::new(50_000.0, 0.9)?);
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "user_id,item_id,event,timestamp,value")?;
    let mut row = String::new();
    for number in 0..rows {
        if number == 0 || !rng.random_bool(0.01) {
            let (user, item) = (users.sample(&mut rng), items.sample(&mut rng));
            let seconds = START + (number as f64 / rows as f64 * SECONDS) as i64;
            let time = Timestamp::from_seconds(seconds)?.to_string().replace('T', " ");
            let (kind, value) = match rng.random_range(0..1000) {
                0..3 => ("veiw", None),
                3..600 => ("view", None),
                600..750 => ("click", None),
                750..830 => ("add_to_cart", None),
                830..880 => ("purchase", Some(rng.random_range(1..5))),
                880..950 => ("rate", Some(rng.random_range(1..6))),
                _ => ("impression", Some(rng.random_range(0..20))),
            };
            let value = value.map_or(String::new(), |value: u32| value.to_string());
            row = format!(
                "{},sku-{item:06},{kind},{},{value}",
                1_000_000.0 + user,
                time.trim_end_matches('Z')
            );
        }
        writeln!(out, "{row}")?;
    }
    Ok(out.flush()?)
}
