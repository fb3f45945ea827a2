//! Simulated users of whom a language model says what they like, rightly or with interests swapped.

use ndarray::{Array2, Axis};
use proclivity_posterior::{
    AssumedDensity, Dirichlet, Guarded, InterestLikelihood, LabelLikelihood, LanguagePrior,
    LanguagePriorConfig, PopulationConfig, PosteriorError, Predictable, fit_population,
};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const INTERESTS: usize = 20;
const ITEMS: usize = 200;
/// How many events' worth of interests the language model has read about each user.
const READ: usize = 12;
const TRAINING_USERS: usize = 2_000;

/// What the guard did at one share of swapped interests.
pub(crate) struct Row {
    /// The share of users whose language-model prior has its interests swapped.
    pub(crate) corrupted: f64,
    /// What the language model's word is worth, in events, fitted on other users.
    pub(crate) pseudo_count: f64,
    /// The language model's weight, fitted on other users.
    pub(crate) language_weight: f64,
    /// −log of the population's weight: what the guard can cost a user at most, in nats.
    pub(crate) bound: f64,
    /// The largest regret of any user against the population's prior, in nats.
    pub(crate) worst_regret: f64,
    /// The gain of the language model's prior alone over the population's, in nats a user.
    pub(crate) language_gain: f64,
    /// The gain of the guard over the population's prior, in nats a user.
    pub(crate) guard_gain: f64,
    /// Of the gain of the language model's prior with users whom it is right about, what the guard keeps.
    pub(crate) kept: f64,
}

struct User {
    shares: Vec<f64>,
    said: Vec<f64>,
    swapped: bool,
}

/// Learns the population's prior, the pseudo-count and the guard's weight on 2,000 users, and foretells
/// 0 to 20 events of each of `users` others.
pub(crate) fn run(corrupted: f64, users: usize) -> Result<Row, PosteriorError> {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let truth: Vec<f64> = (1..=INTERESTS).map(|rank| (rank as f64).powf(-0.7)).collect();
    let truth = Dirichlet::from_mean(&truth, 4.0)?;
    let items = Dirichlet::new(vec![0.2; ITEMS])?;
    let weights: Vec<f64> = (0..INTERESTS).flat_map(|_| items.sample(&mut rng)).collect();
    let weights = Array2::from_shape_vec((INTERESTS, ITEMS), weights).unwrap_or_default();
    let likelihood = InterestLikelihood::from_weights(weights.view())?;

    let mut training = Vec::new();
    let mut counts = Array2::zeros((TRAINING_USERS, INTERESTS));
    for mut row in counts.axis_iter_mut(Axis(0)) {
        let user = User::new(&truth, corrupted, &mut rng);
        let events = rng.random_range(0..=20);
        (0..events).for_each(|_| row[draw(&user.shares, &mut rng)] += 1.0);
        training.push((user, row.to_vec()));
    }
    let of_all: Vec<f64> = counts.sum_axis(Axis(0)).iter().map(|count| count + 1.0).collect();
    let population = fit_population(counts.view(), &of_all, &PopulationConfig::default())?;
    let said: Vec<(&[f64], &[f64])> =
        training.iter().map(|(user, counts)| (&user.said[..], &counts[..])).collect();
    let fit = LanguagePrior::fit(population.clone(), &said, &LanguagePriorConfig::default())?;

    let gains = (0..users).into_par_iter().map(|index| {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        rng.set_stream(index as u64);
        let user = User::new(&truth, corrupted, &mut rng);
        let language = fit.prior.dirichlet(&user.said)?;
        let members = [&language, &population];
        let mut guard = Guarded::new(&members, &fit.weights)?;
        let mut alone = members.map(AssumedDensity::new);
        let (mut by_guard, mut by_member) = (0.0, [0.0; 2]);
        for _ in 0..rng.random_range(0..=20) {
            let interest = draw(&user.shares, &mut rng);
            let item = draw(&weights.row(interest).to_vec(), &mut rng);
            let event = LabelLikelihood(likelihood.item(item as u32)?);
            for (member, (belief, sum)) in members.iter().zip(alone.iter_mut().zip(&mut by_member))
            {
                *sum += event.log_predictive(member, belief.evidence())?;
                belief.absorb(member, &event)?;
            }
            by_guard += guard.absorb(&members, &event)?;
        }
        Ok((user.swapped, by_member[0] - by_member[1], by_guard - by_member[1]))
    });
    let gains = gains.collect::<Result<Vec<(bool, f64, f64)>, PosteriorError>>()?;
    let good = || gains.iter().filter(|(swapped, ..)| !swapped);
    let count = users as f64;
    Ok(Row {
        corrupted,
        pseudo_count: fit.prior.pseudo_count(),
        language_weight: fit.weights[0],
        bound: -fit.weights[1].ln(),
        worst_regret: gains.iter().map(|(_, _, guard)| -guard).fold(0.0, f64::max),
        language_gain: gains.iter().map(|(_, language, _)| language).sum::<f64>() / count,
        guard_gain: gains.iter().map(|(_, _, guard)| guard).sum::<f64>() / count,
        kept: good().map(|(_, _, guard)| guard).sum::<f64>()
            / good().map(|(_, language, _)| language).sum::<f64>(),
    })
}

impl User {
    fn new(population: &Dirichlet, corrupted: f64, rng: &mut ChaCha8Rng) -> Self {
        let shares = population.sample(rng);
        let mut said = vec![0.0; shares.len()];
        (0..READ).for_each(|_| said[draw(&shares, rng)] += 1.0 / READ as f64);
        let swapped = rng.random::<f64>() < corrupted;
        if swapped {
            said.shuffle(rng);
        }
        Self { shares, said, swapped }
    }
}

fn draw<R: Rng>(probs: &[f64], rng: &mut R) -> usize {
    let mut left = rng.random::<f64>() * probs.iter().sum::<f64>();
    let chosen = probs.iter().position(|prob| {
        left -= prob;
        left < 0.0
    });
    chosen.unwrap_or(probs.len() - 1)
}
