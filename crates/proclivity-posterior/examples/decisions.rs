//! What to show and what to ask, given a belief about a user's interests.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::array;
use proclivity_posterior::{
    Dirichlet, Identifiability, InterestLikelihood, PosteriorError, best_probabilities,
    contraction, exact_shares, information_gain_by_draws, preference_by_draws, thompson_scores,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), PosteriorError> {
    let items = ["saga of stars", "tea and murder", "detective's soups", "knife skills"];
    let phi = array![[8.0, 2.0, 1.0, 1.0], [1.0, 8.0, 4.0, 1.0], [1.0, 1.0, 5.0, 6.0]];
    let likelihood = InterestLikelihood::from_weights(phi.view())?;
    let prior = Dirichlet::new(vec![1.0, 1.0, 1.0])?;
    let belief = exact_shares(&prior, &likelihood, &[1, 2, 1], 1_000)?;
    println!("what three events told of each interest: {:.2?}", contraction(&prior, &belief)?);

    let identified = Identifiability::of(&likelihood, &belief.mean())?;
    let (j, k) = identified.least_pair;
    let condition = identified.condition_number();
    println!("condition number {condition:.1}, hardest to tell apart: {j} and {k}");

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let scores = thompson_scores(&belief, &likelihood, &mut rng);
    let shown = (0..items.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
    println!("shown this time: {}", items[shown]);
    let best = best_probabilities(&belief, &likelihood, 10_000, &mut rng)?;
    println!("probability that each is the best: {best:.3?}");
    let preference = preference_by_draws(&belief, &likelihood, (1, 2), 10_000, &mut rng)?;
    println!("{} beats {}: {:.3}", items[1], items[2], preference.probability);

    // A question: do you like this one? Its answer is yes with a probability that rises with P(x|θ).
    for (item, name) in items.iter().enumerate() {
        let phi = likelihood.item(item as u32)?;
        let answers = |shares: &Vec<f64>| {
            let yes: f64 = phi.iter().zip(shares).map(|(phi, share)| phi * share).sum();
            vec![yes, 1.0 - yes]
        };
        let gain = information_gain_by_draws(&belief, answers, 10_000, &mut rng)?;
        println!("asking about {name} tells {:.4} nats", gain.nats);
    }
    Ok(())
}

// what three events told of each interest: [0.38, 0.02, 0.33]
// condition number 2.0, hardest to tell apart: 1 and 2
// shown this time: tea and murder
// probability that each is the best: [0.174, 0.669, 0.105, 0.051]
// tea and murder beats detective's soups: 0.793
// asking about saga of stars tells 0.0362 nats
// asking about tea and murder tells 0.0249 nats
// asking about detective's soups tells 0.0056 nats
// asking about knife skills tells 0.0189 nats
