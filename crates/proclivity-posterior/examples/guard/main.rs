//! What the guard costs and keeps while more and more of a language model's priors are wrong.
#![expect(clippy::print_stdout, reason = "a command")]

mod experiment;

use proclivity_posterior::PosteriorError;

fn main() -> Result<(), PosteriorError> {
    println!("| swapped | LM's weight | worth | LM alone | guard | kept | worst regret | bound |");
    println!("|---|---|---|---|---|---|---|---|");
    for tenths in 0..=6 {
        let row = experiment::run(f64::from(tenths) / 10.0, 5_000)?;
        println!(
            "| {:.0} % | {:.3} | {:.1} | {:+.2} | {:+.2} | {:.1} % | {:.2} | {:.2} |",
            100.0 * row.corrupted,
            row.language_weight,
            row.pseudo_count,
            row.language_gain,
            row.guard_gain,
            100.0 * row.kept,
            row.worst_regret,
            row.bound,
        );
    }
    Ok(())
}
