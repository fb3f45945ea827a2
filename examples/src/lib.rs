//! What the examples share: data sets by name, progress bars, bars of text, and errors told to a person.

mod ablation;
pub mod cold;
mod cold_users;
mod dataset;
mod embed;
#[cfg(feature = "report")]
pub mod html;
pub mod hypotheses;
mod probabilities;
mod recovery;
mod split;

/// Runs the code of the guides.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/your-own-log.md")]
    struct English;
    #[doc = include_str!("../../docs/your-own-log.zh.md")]
    struct Chinese;
}

use std::error::Error;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

pub use ablation::{AblationRow, ablation};
pub use cold_users::{ColdUsersRow, cold_users};
pub use dataset::DatasetArguments;
pub use embed::{embed_items, item_tf_idf};
pub use probabilities::{Decile, Evaluated, cross_fit, deciles};
pub use recovery::{Recovery, recovery, shares_by_label};
pub use split::{Order, Protocol, Sequences};

/// A progress bar on standard error, with the time that is left.
pub fn progress_bar(length: usize, message: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(message.to_owned());
    if let Ok(style) =
        ProgressStyle::with_template("  {msg:<26} {bar:32} {pos}/{len}  {elapsed}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

/// A line for a share and its credible interval: `·····├──█──┤·····` from 0 to `most`.
pub fn interval_line(lower: f64, mean: f64, upper: f64, most: f64) -> String {
    const WIDTH: usize = 36;
    let at = |share: f64| ((share / most * (WIDTH - 1) as f64).round() as usize).min(WIDTH - 1);
    let (lower, mean, upper) = (at(lower), at(mean), at(upper));
    (0..WIDTH)
        .map(|column| match column {
            _ if column == mean => '█',
            _ if column == lower && lower < mean => '├',
            _ if column == upper && upper > mean => '┤',
            _ if (lower..=upper).contains(&column) => '─',
            _ => '·',
        })
        .collect()
}

/// The most memory that this process has had, in MB; `None` where the system doesn't say.
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// Runs an example and tells an error as a sentence, with what caused it.
pub fn tell(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Errors that pass another's message on need not say it twice.
        if !told.contains(&cause.to_string()) {
            eprintln!("  because: {cause}");
            told = cause.to_string();
        }
        source = cause.source();
    }
    ExitCode::FAILURE
}
