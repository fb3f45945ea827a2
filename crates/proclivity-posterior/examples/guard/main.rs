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

// | swapped | LM's weight | worth | LM alone | guard | kept | worst regret | bound |
// |---|---|---|---|---|---|---|---|
// | 0 % | 0.999 | 12.4 | +1.53 | +1.53 | 100.0 % | 4.84 | 6.59 |
// | 10 % | 0.873 | 11.9 | +1.16 | +1.24 | 97.4 % | 2.06 | 2.06 |
// | 20 % | 0.771 | 11.8 | +0.77 | +1.01 | 94.2 % | 1.48 | 1.48 |
// | 30 % | 0.685 | 11.7 | +0.37 | +0.80 | 91.0 % | 1.15 | 1.15 |
// | 40 % | 0.585 | 12.6 | -0.04 | +0.62 | 86.6 % | 0.88 | 0.88 |
// | 50 % | 0.442 | 13.4 | -0.48 | +0.47 | 79.5 % | 0.58 | 0.58 |
// | 60 % | 0.384 | 13.3 | -0.86 | +0.33 | 75.6 % | 0.48 | 0.48 |
