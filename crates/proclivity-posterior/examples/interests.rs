//! A user's interests: labelled events, chosen and dismissed items, intervals, and what moved them.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::array;
use proclivity_posterior::{
    AssumedDensity, Belief, Chosen, Dirichlet, Dismissed, GibbsConfig, InterestLikelihood,
    InterestModel, Labelled, PosteriorError, Rates,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), PosteriorError> {
    let names = ["hiking", "cooking", "music"];
    // What each interest makes a user choose among four items: boots, a pan, a guitar, a tent.
    let phi = InterestLikelihood::from_weights(
        array![[5.0, 1.0, 1.0, 5.0], [1.0, 9.0, 1.0, 1.0], [1.0, 1.0, 9.0, 1.0]].view(),
    )?;
    let model = InterestModel::new(Dirichlet::from_mean(&[0.4, 0.4, 0.2], 2.0)?, phi)?;

    let mut belief = AssumedDensity::new(&model);
    belief.update(&model, &Labelled { interest: 2 }, 1.0)?;
    let boots = belief.absorb(&model, &Chosen { item: 0, weight: 1.0 })?;
    belief.absorb(&model, &Chosen { item: 3, weight: 2.0 })?;
    belief.update(&model, &Dismissed { item: 1 }, 1.0)?;
    let posterior = belief.posterior(&model)?;

    let counts: Vec<f64> = boots.counts().collect();
    let moved = posterior.contribution(&counts);
    for ((name, share), moved) in names.iter().zip(posterior.intervals(0.9)?).zip(moved) {
        println!(
            "{name:<8} {:.2}, 90 % in {:.2} to {:.2}; the boots gave {moved:.2}",
            share.mean, share.lower, share.upper
        );
    }
    let mut log_probs = [0.0; 4];
    posterior.log_probs(model.likelihood(), &mut log_probs);
    println!("next: {:.2?}", log_probs.map(f64::exp));

    // The same without an approximation of soft labels, for events of weight one.
    let mut known = Belief::new(&model);
    known.update(&model, &Labelled { interest: 2 })?;
    let before = known.posterior(&model)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let draws = GibbsConfig::default().sample(&before, model.likelihood(), &[0, 3, 3], &mut rng)?;
    println!("by Gibbs, nothing dismissed: {:.2?}", draws.mean());

    // Rates need no items.
    let rates = Rates::from(model.prior());
    let mut labelled = Belief::new(&rates);
    labelled.update(&rates, &Labelled { interest: 0 })?;
    println!("one labelled event: {:.2?}", labelled.posterior(&rates)?.shares());
    Ok(())
}

// Prints:
// hiking   0.50, 90 % in 0.18 to 0.81; the boots gave 0.11
// cooking  0.17, 90 % in 0.01 to 0.45; the boots gave 0.02
// music    0.33, 90 % in 0.07 to 0.66; the boots gave 0.04
// next: [0.25, 0.20, 0.30, 0.25]
// by Gibbs, nothing dismissed: [0.55, 0.16, 0.29]
// one labelled event: [0.60, 0.27, 0.13]
