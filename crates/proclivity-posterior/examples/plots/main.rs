//! The README's plots as SVG, readable on light and dark ground.
//!
//! `cargo run --release -p proclivity-posterior --example plots -- [FOLDER [RELIABILITY.csv]]`, the
//! latter as the example `splice` writes it.
#![expect(clippy::print_stdout, reason = "a command")]

mod calibration;
mod interests;
mod reliability;
mod style;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plots");
    let folder = arguments.next().unwrap_or_else(|| PathBuf::from(here));
    std::fs::create_dir_all(&folder)?;
    interests::draw(&folder.join("interests.svg"))?;
    calibration::draw(&folder.join("calibration.svg"))?;
    if let Some(csv) = arguments.next() {
        reliability::draw(&csv, &folder.join("reliability.svg"))?;
    }
    println!("plots are in {}", folder.display());
    Ok(())
}
