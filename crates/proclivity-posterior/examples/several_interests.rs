//! A user with two interests in embedding space: how many, which choices go together, what comes next.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{ChoiceSet, Normal, PosteriorError, TasteMixtureConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), PosteriorError> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // Thirty times six items were shown; by turns the one furthest to the right or furthest up was
    // chosen.
    let mut events = Vec::new();
    for event in 0..30 {
        let features = Array2::from_shape_simple_fn((6, 2), || rng.random::<f32>() * 4.0 - 2.0);
        let along = features.column(event % 2).to_owned();
        let most = (0..6).max_by(|&a, &b| along[a].total_cmp(&along[b])).unwrap_or(0);
        events.push(ChoiceSet::new(features, Array1::zeros(6))?.choose(most)?);
    }

    let prior = Normal::isotropic(2, 1.0 / 9.0)?;
    let mixture = TasteMixtureConfig::default().sample(&prior, &events, &mut rng)?;
    for (count, prob) in mixture.interest_counts().iter().enumerate().take(5) {
        println!("P({count} interests) = {prob:.2}");
    }
    let together = mixture.co_clustering();
    println!("choices 0 and 2 from one interest: {:.2}", together[[0, 2]]);
    println!("choices 0 and 1 from one interest: {:.2}", together[[0, 1]]);
    let shown = ChoiceSet::new(array![[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]], Array1::zeros(3))?;
    let probs: Vec<f64> = mixture.predict(&shown)?.iter().map(|log_prob| log_prob.exp()).collect();
    println!("right {:.2}, up {:.2}, both by half {:.2}", probs[0], probs[1], probs[2]);
    println!("chains agree: r_hat = {:.3}", mixture.r_hat());
    Ok(())
}

// Output:
// P(0 interests) = 0.00
// P(1 interests) = 0.00
// P(2 interests) = 0.90
// P(3 interests) = 0.10
// P(4 interests) = 0.00
// choices 0 and 2 from one interest: 0.97
// choices 0 and 1 from one interest: 0.06
// right 0.37, up 0.61, both by half 0.02
// chains agree: r_hat = 1.005
