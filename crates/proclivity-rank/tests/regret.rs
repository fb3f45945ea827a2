//! Exploration pays: regret of Thompson sampling and of greed on simulated users.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/regret/simulation.rs"]
mod simulation;

use ndarray::Array2;
use simulation::{Policy, World, mean_and_error};

/// Unrelated items: greed stays with the first one that pleased, and never learns of the others.
fn world() -> World {
    World { items: Array2::eye(10), places: 1, users: 100, rounds: 800, seed: 3 }
}

/// Mean regret of rounds `from` to `to` over users, a round, with its error.
fn a_round(paths: &[Vec<f64>], from: usize, to: usize) -> (f64, f64) {
    let of = |path: &Vec<f64>| {
        (path[to - 1] - if from == 0 { 0.0 } else { path[from - 1] }) / (to - from) as f64
    };
    mean_and_error(&paths.iter().map(of).collect::<Vec<f64>>())
}

#[test]
fn thompson_learns_what_greed_never_asks() {
    let [greedy, thompson, epsilon, bounds] = [
        Policy::Greedy,
        Policy::Thompson,
        Policy::EpsilonGreedy(0.1),
        Policy::UpperConfidence(1.0),
    ]
    .map(|policy| world().regrets(policy).unwrap());
    // Regret never falls, whichever list is shown.
    for path in [&greedy, &thompson, &epsilon, &bounds].into_iter().flatten() {
        assert!(path.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9));
    }
    let (first, _) = a_round(&thompson, 0, 20);
    let (last, error) = a_round(&thompson, 600, 800);
    assert!(last + 3.0 * error < first / 4.0, "Thompson: {first} a round, then {last} ± {error}");
    let (last, error) = a_round(&greedy, 600, 800);
    let (earlier, _) = a_round(&greedy, 100, 200);
    assert!(last > 0.8 * earlier && last > 3.0 * error, "greed: {earlier}, then {last} ± {error}");
    for (better, errors) in [(&thompson, 5.0), (&bounds, 3.0), (&epsilon, 3.0)] {
        let saved: Vec<f64> =
            greedy.iter().zip(better).map(|(greedy, own)| greedy[799] - own[799]).collect();
        let (mean, error) = mean_and_error(&saved);
        assert!(mean > errors * error, "{mean} ± {error}");
    }
}

#[test]
fn the_seed_decides() {
    let small = |seed| World { users: 2, rounds: 20, seed, ..world() };
    let run = |seed| small(seed).regrets(Policy::Thompson).unwrap();
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
