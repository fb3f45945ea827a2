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
// | 0 % | 0.999 | 12.0 | +1.58 | +1.58 | 100.0 % | 5.19 | 6.75 |
// | 10 % | 0.886 | 12.2 | +1.16 | +1.27 | 97.9 % | 2.17 | 2.17 |
// | 20 % | 0.784 | 12.0 | +0.79 | +1.04 | 94.8 % | 1.53 | 1.53 |
// | 30 % | 0.702 | 12.7 | +0.38 | +0.83 | 91.9 % | 1.21 | 1.21 |
// | 40 % | 0.584 | 12.0 | +0.03 | +0.65 | 86.4 % | 0.88 | 0.88 |
// | 50 % | 0.459 | 11.5 | -0.30 | +0.51 | 79.2 % | 0.61 | 0.61 |
// | 60 % | 0.410 | 11.9 | -0.72 | +0.36 | 76.3 % | 0.53 | 0.53 |
