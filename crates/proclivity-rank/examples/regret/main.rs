//! What greed costs: cumulative regret of four policies on simulated users.
#![expect(clippy::print_stdout, reason = "a command")]

mod simulation;

use ndarray::Array2;
use proclivity_rank::RankError;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use simulation::{Policy, World, mean_and_error};

fn main() -> Result<(), RankError> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // Directions of unit length, so that what is learned of an item tells something of the others.
    let mut directions: Array2<f64> =
        Array2::from_shape_simple_fn((100, 8), || StandardNormal.sample(&mut rng));
    for mut row in directions.rows_mut() {
        let length = row.dot(&row).sqrt();
        row.mapv_inplace(|x| x / length);
    }
    for (name, items) in
        [("20 unrelated items", Array2::eye(20)), ("100 items in 8 dimensions", directions)]
    {
        for places in [1, 3] {
            let world = World { items: items.clone(), places, users: 100, rounds: 1_000, seed: 7 };
            println!("| {name}, lists of {places} | 10 rounds | 100 | 1,000 | less than greedy |");
            println!("|---|---|---|---|---|");
            let mut greedy = vec![];
            for policy in [
                Policy::Greedy,
                Policy::EpsilonGreedy(0.1),
                Policy::UpperConfidence(1.0),
                Policy::Thompson,
            ] {
                let paths = world.regrets(policy)?;
                let at = |round: usize| paths.iter().map(|path| path[round - 1]).collect();
                let cell = |values: &Vec<f64>| {
                    let (mean, error) = mean_and_error(values);
                    format!("{mean:.1} ± {error:.1}")
                };
                let last: Vec<f64> = at(1_000);
                if let Policy::Greedy = policy {
                    greedy.clone_from(&last);
                }
                let gained = greedy.iter().zip(&last).map(|(greedy, own)| greedy - own).collect();
                println!(
                    "| {policy:?} | {} | {} | {} | {} |",
                    cell(&at(10)),
                    cell(&at(100)),
                    cell(&last),
                    cell(&gained)
                );
            }
        }
    }
    Ok(())
}

// | 20 unrelated items, lists of 1 | 10 rounds | 100 | 1,000 | less than greedy |
// |---|---|---|---|---|
// | Greedy | 13.6 ± 0.8 | 86.1 ± 6.2 | 791.3 ± 64.0 | 0.0 ± 0.0 |
// | EpsilonGreedy(0.1) | 14.3 ± 0.7 | 77.8 ± 4.6 | 383.8 ± 18.8 | 407.5 ± 60.5 |
// | UpperConfidence(1.0) | 13.4 ± 0.8 | 55.4 ± 4.6 | 371.6 ± 45.8 | 419.8 ± 51.4 |
// | Thompson | 16.9 ± 0.6 | 65.9 ± 1.7 | 113.1 ± 3.5 | 678.3 ± 64.7 |
// | 20 unrelated items, lists of 3 | 10 rounds | 100 | 1,000 | less than greedy |
// |---|---|---|---|---|
// | Greedy | 27.9 ± 1.2 | 153.5 ± 9.9 | 1300.1 ± 100.4 | 0.0 ± 0.0 |
// | EpsilonGreedy(0.1) | 29.0 ± 1.1 | 134.7 ± 5.9 | 623.1 ± 16.5 | 677.0 ± 94.7 |
// | UpperConfidence(1.0) | 25.9 ± 0.9 | 74.8 ± 5.2 | 375.5 ± 51.2 | 924.7 ± 79.0 |
// | Thompson | 31.6 ± 0.8 | 87.9 ± 1.9 | 164.9 ± 5.2 | 1135.3 ± 101.0 |
// | 100 items in 8 dimensions, lists of 1 | 10 rounds | 100 | 1,000 | less than greedy |
// |---|---|---|---|---|
// | Greedy | 14.3 ± 0.7 | 108.8 ± 6.2 | 1000.7 ± 64.4 | 0.0 ± 0.0 |
// | EpsilonGreedy(0.1) | 14.4 ± 0.6 | 81.0 ± 3.6 | 363.5 ± 12.6 | 637.2 ± 60.5 |
// | UpperConfidence(1.0) | 12.5 ± 0.6 | 41.7 ± 3.1 | 206.8 ± 29.3 | 793.9 ± 66.8 |
// | Thompson | 16.0 ± 0.6 | 56.1 ± 1.6 | 118.8 ± 4.1 | 881.9 ± 65.3 |
// | 100 items in 8 dimensions, lists of 3 | 10 rounds | 100 | 1,000 | less than greedy |
// |---|---|---|---|---|
// | Greedy | 25.1 ± 1.1 | 82.3 ± 6.5 | 407.3 ± 47.1 | 0.0 ± 0.0 |
// | EpsilonGreedy(0.1) | 27.2 ± 1.1 | 113.2 ± 3.9 | 707.6 ± 17.8 | -300.3 ± 48.0 |
// | UpperConfidence(1.0) | 21.7 ± 0.9 | 57.7 ± 3.5 | 177.1 ± 18.0 | 230.3 ± 49.5 |
// | Thompson | 32.2 ± 0.9 | 79.6 ± 2.2 | 154.1 ± 4.8 | 253.3 ± 47.3 |
