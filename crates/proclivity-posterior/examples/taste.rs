//! Learns a user's taste from ratings, whose noise is unknown, and from choices out of logged sets.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::{Array1, array};
use proclivity_posterior::{
    Belief, ChoiceSet, LowRankNormal, Normal, NormalInverseGamma, PosteriorError, Rated, Sites,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), PosteriorError> {
    // Films as [1, action, romance], rated from −2 to 2: weights and noise are learned together.
    let family = NormalInverseGamma::isotropic(3, 1.0, 2.0, 1.0)?;
    let mut belief = Belief::new(&family);
    let ratings = [
        ([1.0, 0.9, 0.1], 1.5),
        ([1.0, 0.8, 0.3], 1.0),
        ([1.0, 0.1, 0.9], -1.0),
        ([1.0, 0.2, 0.7], -0.5),
    ];
    for (features, value) in &ratings {
        belief.update(&family, &Rated { features, value: *value })?;
    }
    let posterior = belief.posterior(&family)?;
    for (feature, name) in ["intercept", "action", "romance"].into_iter().enumerate() {
        let weight = posterior.marginal(feature)?;
        let (low, high) = (weight.quantile(0.05)?, weight.quantile(0.95)?);
        println!("{name}: {:.2}, 90 % in [{low:.2}, {high:.2}]", weight.location());
    }
    let next = posterior.predictive(&[1.0, 1.0, 0.0])?;
    println!(
        "next action film: {:.2}, above 0 with {:.0} %",
        next.location(),
        100.0 * (1.0 - next.cdf(0.0))
    );

    // Three choices of the first film of three; offsets are log popularity − log q.
    let films = array![[0.9_f32, 0.1], [0.1, 0.9], [0.5, 0.5]];
    let set = ChoiceSet::new(films, array![0.1_f64.ln(), 0.6_f64.ln(), 0.3_f64.ln()])?;
    let family = Normal::isotropic(2, 0.25)?;
    let mut sites = Sites::new(&family);
    let mut small = LowRankNormal::isotropic(2, 0.25, 1)?;
    for event in 0..3 {
        let choice = set.clone().choose(0)?;
        small.absorb(&choice)?;
        sites.absorb(&family, event, choice)?;
    }
    sites.refine(&family)?;
    let posterior = sites.posterior(&family)?;
    println!("weights: {:.2}, of low rank: {:.2?}", posterior.mean(), small.mean());
    // The next choice, over draws of the weights.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut probabilities = Array1::<f64>::zeros(3);
    for _ in 0..1_000 {
        let log_probs = set.log_probs(posterior.sample(&mut rng).view())?;
        probabilities += &Array1::from(log_probs).mapv(|log_prob| log_prob.exp() / 1_000.0);
    }
    println!("next choice: {probabilities:.2}");
    Ok(())
}

// intercept: 0.12, 90 % in [-0.77, 1.01]
// action: 0.82, 90 % in [-0.23, 1.88]
// romance: -0.63, 90 % in [-1.71, 0.46]
// next action film: 0.94, above 0 with 84 %
// weights: [2.43, -2.43], of low rank: [2.36, -2.36]
// next choice: [0.62, 0.11, 0.27]
