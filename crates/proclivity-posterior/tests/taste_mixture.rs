//! Mixtures of interests: against enumeration and quadrature, by calibration, and on clear cases.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{
    Choice, ChoiceSet, Normal, PosteriorError, Replicate, SbcConfig, TasteMixtureConfig,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use statrs::function::gamma::ln_gamma;

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn set(choices: usize, dim: usize, scale: f64, rng: &mut impl Rng) -> ChoiceSet {
    let features = Array2::from_shape_fn((choices, dim), |_| (scale * normal(rng)) as f32);
    let offsets = Array1::from_shape_fn(choices, |_| 0.5 * normal(rng));
    ChoiceSet::new(features, offsets).unwrap()
}

/// A choice by somebody of these weights.
fn choose(set: ChoiceSet, theta: &Array1<f64>, rng: &mut impl Rng) -> Choice {
    let mut left = rng.random::<f64>();
    let log_probs = set.log_probs(theta.view()).unwrap();
    let chosen = log_probs.iter().position(|log_prob| {
        left -= log_prob.exp();
        left < 0.0
    });
    set.choose(chosen.unwrap_or(log_probs.len() - 1)).unwrap()
}

const PRIOR_SD: f64 = 2.0;

/// θ ~ Normal(0, PRIOR_SD²) in one dimension, by weights at points.
fn grid() -> Vec<(f64, f64)> {
    let points = (-1200..=1200).map(|at| f64::from(at) / 1200.0 * 8.0 * PRIOR_SD);
    let weighted: Vec<(f64, f64)> =
        points.map(|theta| (theta, (-0.5 * (theta / PRIOR_SD).powi(2)).exp())).collect();
    let total: f64 = weighted.iter().map(|point| point.1).sum();
    weighted.into_iter().map(|(theta, weight)| (theta, weight / total)).collect()
}

/// What the sampler says, exactly: P(k interests), P(same interest) of events 0 and 1 and of 0 and 2,
/// and the predictive of the last set.
fn enumerated(events: &[Choice], shown: &ChoiceSet, components: usize, alpha: f64) -> Vec<f64> {
    let grid = grid();
    let probs = |set: &ChoiceSet| -> Vec<Vec<f64>> {
        let at = |theta: f64| set.log_probs(array![theta].view()).unwrap();
        grid.iter().map(|&(theta, _)| at(theta).iter().map(|log| log.exp()).collect()).collect()
    };
    let likelihoods: Vec<Vec<f64>> = events
        .iter()
        .map(|event| probs(event.set()).iter().map(|probs| probs[event.chosen()]).collect())
        .collect();
    let shown_probs = probs(shown);
    let choices = shown.offsets().len();
    // Of each subset of events: P(subset), and P(subset, x) of each shown choice x.
    let subsets: Vec<(f64, Vec<f64>)> = (0..1_usize << events.len())
        .map(|subset| {
            let (mut evidence, mut joint) = (0.0, vec![0.0; choices]);
            for (at, &(_, weight)) in grid.iter().enumerate() {
                let members = (0..events.len()).filter(|event| subset >> event & 1 == 1);
                let mass = weight * members.map(|event| likelihoods[event][at]).product::<f64>();
                evidence += mass;
                joint.iter_mut().zip(&shown_probs[at]).for_each(|(sum, p)| *sum += mass * p);
            }
            (evidence, joint)
        })
        .collect();
    let prior_count = alpha / components as f64;
    let mut sums = vec![0.0; components + 1 + 2 + choices];
    let mut total = 0.0;
    for code in 0..components.pow(events.len() as u32) {
        let owner = |event: usize| code / components.pow(event as u32) % components;
        let mut members = vec![0_usize; components];
        (0..events.len()).for_each(|event| members[owner(event)] |= 1 << event);
        let weight: f64 = members
            .iter()
            .map(|&subset| {
                let count = f64::from(subset.count_ones());
                (ln_gamma(count + prior_count) - ln_gamma(prior_count)).exp() * subsets[subset].0
            })
            .product();
        total += weight;
        sums[members.iter().filter(|&&subset| subset > 0).count()] += weight;
        sums[components + 1] += weight * f64::from(u8::from(owner(0) == owner(1)));
        sums[components + 2] += weight * f64::from(u8::from(owner(0) == owner(2)));
        for &subset in &members {
            let share =
                (f64::from(subset.count_ones()) + prior_count) / (events.len() as f64 + alpha);
            for choice in 0..choices {
                let conditional = subsets[subset].1[choice] / subsets[subset].0;
                sums[components + 3 + choice] += weight * share * conditional;
            }
        }
    }
    sums.iter().map(|sum| sum / total).collect()
}

/// Independent runs give the Monte Carlo error; every quantity lies within 4.5 of them.
#[test]
fn draws_are_of_the_enumerated_posterior() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let thetas = [array![2.5], array![-2.0]];
    let events: Vec<Choice> =
        (0..6).map(|n| choose(set(4, 1, 1.0, &mut rng), &thetas[n % 2], &mut rng)).collect();
    let shown = set(3, 1, 1.0, &mut rng);
    let config = TasteMixtureConfig {
        components: 3,
        concentration: 1.5,
        burn_in: 100,
        draws: 500,
        ..Default::default()
    };
    let expected = enumerated(&events, &shown, config.components, config.concentration);
    let prior = Normal::isotropic(1, 1.0 / (PRIOR_SD * PRIOR_SD)).unwrap();
    let runs: Vec<Vec<f64>> = (0..32)
        .map(|_| {
            let mixture = config.sample(&prior, &events, &mut rng).unwrap();
            let mut said = mixture.interest_counts();
            let together = mixture.co_clustering();
            said.extend([together[[0, 1]], together[[0, 2]]]);
            said.extend(mixture.predict(&shown).unwrap().iter().map(|log| log.exp()));
            said
        })
        .collect();
    for (at, &expected) in expected.iter().enumerate() {
        let count = runs.len() as f64;
        let mean = runs.iter().map(|run| run[at]).sum::<f64>() / count;
        let squares: f64 = runs.iter().map(|run| (run[at] - mean).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt();
        assert!(error < 0.01, "quantity {at} has an error of {error}");
        let off = (mean - expected).abs();
        assert!(off <= 4.5 * error + 1e-9, "quantity {at}: {mean} ± {error}, not {expected}");
    }
}

/// Users of the prior, and the rank of their number of interests and of log P(X|z, θ) among draws.
#[test]
fn users_of_the_prior_are_ranked_uniformly() {
    let sbc = SbcConfig { replicates: 500, draws: 19, seed: 5 };
    let config = TasteMixtureConfig {
        components: 3,
        concentration: 2.0,
        chains: 1,
        burn_in: 200,
        draws: sbc.draws,
        thinning: 10,
    };
    let prior = Normal::isotropic(1, 1.0 / (PRIOR_SD * PRIOR_SD)).unwrap();
    let report = sbc.run(&["interests", "log-likelihood"], |rng| {
        let thetas = [0; 3].map(|_| array![PRIOR_SD * normal(rng)]);
        // Dirichlet(2/3, 2/3, 2/3) by breaking a stick.
        let broken = |a: f64, b: f64, rng: &mut ChaCha8Rng| Beta::new(a, b).unwrap().sample(rng);
        let first = broken(2.0 / 3.0, 4.0 / 3.0, rng);
        let second = (1.0 - first) * broken(2.0 / 3.0, 2.0 / 3.0, rng);
        let (mut seen, mut log_likelihood) = ([false; 3], 0.0);
        let events: Vec<Choice> = (0..8)
            .map(|_| {
                let at = rng.random::<f64>();
                let m = if at < first { 0 } else { 1 + usize::from(at >= first + second) };
                seen[m] = true;
                let event = choose(set(4, 1, 1.0, rng), &thetas[m], rng);
                log_likelihood += event.set().log_probs(thetas[m].view()).unwrap()[event.chosen()];
                event
            })
            .collect();
        let mixture = config.sample(&prior, &events, rng)?;
        let interests = seen.iter().filter(|&&seen| seen).count();
        let draws = mixture.interest_trace().into_iter().zip(mixture.log_likelihood_trace());
        Ok(Replicate {
            truths: vec![interests as f64, log_likelihood],
            draws: draws.map(|(count, log)| vec![count as f64, log]).collect(),
        })
    });
    let p_value = report.unwrap().p_value();
    assert!(p_value > 0.001, "p = {p_value}");
}

/// 60 choices of somebody with interests that take turns.
fn user(thetas: &[Array1<f64>], rng: &mut impl Rng) -> Vec<Choice> {
    (0..60).map(|n| choose(set(8, 2, 1.0, rng), &thetas[n % thetas.len()], rng)).collect()
}

fn mode(probs: &[f64]) -> usize {
    (0..probs.len()).max_by(|&a, &b| probs[a].total_cmp(&probs[b])).unwrap()
}

/// Of so many users of a number of interests, how many have it as the most probable number.
fn found(interests: usize, concentration: f64, users: usize, rng: &mut ChaCha8Rng) -> usize {
    let prior = Normal::isotropic(2, 1.0 / 9.0).unwrap();
    let config =
        TasteMixtureConfig { concentration, burn_in: 300, draws: 300, ..Default::default() };
    let thetas = [array![4.0, 1.0], array![-4.0, 1.0], array![0.0, -5.0]];
    let right = (0..users).filter(|_| {
        let mixture = config.sample(&prior, &user(&thetas[..interests], rng), rng).unwrap();
        mode(&mixture.interest_counts()) == interests
    });
    right.count()
}

#[test]
fn one_interest_and_two_are_told_apart() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let right = [1, 2].map(|interests| found(interests, 0.1, 3, &mut rng));
    assert!(right.iter().all(|&right| right >= 2), "{right:?} of 3 users");
    let thetas = [array![4.0, 1.0], array![-4.0, 1.0]];
    let prior = Normal::isotropic(2, 1.0 / 9.0).unwrap();
    let config = TasteMixtureConfig { draws: 500, ..Default::default() };
    let two = config.sample(&prior, &user(&thetas, &mut rng), &mut rng).unwrap();
    assert!(two.r_hat() < 1.1, "{}", two.r_hat());
    let together = two.co_clustering();
    let mean = |same: bool| {
        let pairs =
            together.indexed_iter().filter(|((i, j), _)| i != j && (i % 2 == j % 2) == same);
        let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (_, p)| (sum + p, count + 1.0));
        sum / count
    };
    assert!(mean(true) > 0.7 && mean(false) < 0.3, "{} and {}", mean(true), mean(false));
    // Left and right are both likely, the middle isn't.
    let shown = ChoiceSet::new(array![[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0]], Array1::zeros(3));
    let probs = two.predict(&shown.unwrap()).unwrap();
    assert!(probs[0].min(probs[1]).exp() > 0.3 && probs[2].exp() < 0.05, "{probs:?}");
}

/// What the docs of `TasteMixtureConfig` say of the concentration.
#[test]
#[ignore = "two minutes"]
fn the_number_of_interests_depends_on_the_concentration() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let of = |concentration: f64, rng: &mut ChaCha8Rng| {
        [1, 2, 3].map(|interests| found(interests, concentration, 20, rng))
    };
    // Measured: 19, 19, 20 and 2, 0, 0.
    let (sparse, dense) = (of(0.1, &mut rng), of(1.0, &mut rng));
    assert!(sparse.iter().all(|&right| right >= 18), "{sparse:?} of 20 users");
    assert!(dense.iter().all(|&right| right <= 4), "{dense:?} of 20 users");
}

#[test]
fn draws_depend_on_the_seed_only() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let events = user(&[array![1.0, 1.0]], &mut rng);
    let prior = Normal::isotropic(2, 1.0).unwrap();
    let config = TasteMixtureConfig { burn_in: 5, draws: 10, ..Default::default() };
    let sample = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        pool.install(|| config.sample(&prior, &events, &mut rng).unwrap())
    };
    assert_eq!(sample(1), sample(3));
}

#[test]
fn without_events_it_is_the_prior() {
    let shown = ChoiceSet::new(array![[1.0], [-1.0]], array![0.0, 0.0]).unwrap();
    let prior = Normal::isotropic(1, 1.0).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mixture = TasteMixtureConfig::default().sample(&prior, &[], &mut rng).unwrap();
    assert_eq!(mixture.expected_interests(), 0.0);
    assert_eq!(mixture.co_clustering().dim(), (0, 0));
    assert_eq!(mixture.r_hat(), 1.0);
    assert!((mixture.predict(&shown).unwrap()[0].exp() - 0.5).abs() < 0.01);
}

#[test]
fn what_is_wrong_is_said() {
    let prior = Normal::isotropic(2, 1.0).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let default = TasteMixtureConfig::default;
    for config in [
        TasteMixtureConfig { components: 0, ..default() },
        TasteMixtureConfig { components: 1 << 16, ..default() },
        TasteMixtureConfig { concentration: 0.0, ..default() },
        TasteMixtureConfig { concentration: f64::NAN, ..default() },
        TasteMixtureConfig { chains: 0, ..default() },
        TasteMixtureConfig { draws: 3, ..default() },
        TasteMixtureConfig { thinning: 0, ..default() },
    ] {
        let refused = config.sample(&prior, &[], &mut rng);
        assert!(matches!(refused, Err(PosteriorError::OutOfRange { .. })), "{config:?}");
    }
    let event = set(3, 1, 1.0, &mut rng).choose(0).unwrap();
    let refused = default().sample(&prior, &[event], &mut rng);
    assert!(matches!(refused, Err(PosteriorError::Length { expected: 2, got: 1, .. })));
}
