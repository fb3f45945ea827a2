//! Taste against conjugate identities, quadrature and finite differences, and how far its approximations are off.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, ArrayView1, array};
use proclivity_posterior::{
    AssumedDensity, Belief, Choice, ChoicePosterior, ChoiceSet, LowRankNormal, Measured, Moments,
    Normal, NormalInverseGamma, NormalPosterior, PosteriorError, Rated, Replicate, SbcConfig,
    Sites, StudentT,
};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn regression() -> NormalInverseGamma {
    let precision = array![[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]];
    NormalInverseGamma::new(array![0.5, -1.0, 0.2], precision, 2.5, 1.5).unwrap()
}

/// A choice by θ from a set whose features are normal.
fn simulated_choice(
    theta: ArrayView1<'_, f64>,
    choices: usize,
    spread: f64,
    rng: &mut impl Rng,
) -> Choice {
    let features =
        Array2::from_shape_simple_fn((choices, theta.len()), || (spread * normal(rng)) as f32);
    let offsets = Array1::from_shape_simple_fn(choices, || 0.5 * normal(rng));
    let set = ChoiceSet::new(features, offsets).unwrap();
    let log_probs = set.log_probs(theta).unwrap();
    let mut left = rng.random::<f64>();
    let chosen = log_probs.iter().position(|log_prob| {
        left -= log_prob.exp();
        left < 0.0
    });
    set.choose(chosen.unwrap_or(choices - 1)).unwrap()
}

fn largest<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn ratings() -> impl Strategy<Value = Vec<(Vec<f64>, f64)>> {
    prop::collection::vec((prop::collection::vec(-2.0_f64..2.0, 3), -5.0_f64..5.0), 0..12)
}

proptest! {
    #[test]
    fn log_evidence_is_the_chain_of_predictives(ratings in ratings()) {
        let family = regression();
        let mut belief = Belief::new(&family);
        let mut chained = 0.0;
        for (features, value) in &ratings {
            let predictive = belief.posterior(&family).unwrap().predictive(features).unwrap();
            chained += predictive.log_density(*value);
            belief.update(&family, &Rated { features, value: *value }).unwrap();
        }
        let log_evidence = belief.log_evidence(&family).unwrap();
        prop_assert!((log_evidence - chained).abs() < 1e-6, "{log_evidence} is not {chained}");
    }

    #[test]
    fn a_weight_is_replication_and_fading_keeps_a_part(ratings in ratings(), weight in 1_u32..5) {
        let family = regression();
        let (mut weighted, mut repeated) = (Belief::new(&family), Belief::new(&family));
        for (features, value) in &ratings {
            let event = Rated { features, value: *value };
            weighted.update_weighted(&family, &event, f64::from(weight)).unwrap();
            (0..weight).for_each(|_| repeated.update(&family, &event).unwrap());
        }
        prop_assert_eq!(weighted.evidence(), repeated.evidence());
        let posterior = weighted.posterior(&family).unwrap();
        let count = f64::from(weight) * ratings.len() as f64;
        prop_assert_eq!(posterior.shape(), 2.5 + count / 2.0);
    }

    #[test]
    fn scaling_features_against_the_prior_changes_nothing(ratings in ratings(), factor in 0.5_f64..2.0) {
        // θ·x = (θ/s)·(s·x): the prior of θ/s has precision s² times as large.
        let family = NormalInverseGamma::isotropic(3, 1.0, 2.0, 1.0).unwrap();
        let scaled_family = NormalInverseGamma::isotropic(3, factor * factor, 2.0, 1.0).unwrap();
        let (mut belief, mut scaled) = (Belief::new(&family), Belief::new(&scaled_family));
        for (features, value) in &ratings {
            belief.update(&family, &Rated { features, value: *value }).unwrap();
            let features: Vec<f64> = features.iter().map(|x| x * factor).collect();
            scaled.update(&scaled_family, &Rated { features: &features, value: *value }).unwrap();
        }
        let (a, b) = (belief.posterior(&family).unwrap(), scaled.posterior(&scaled_family).unwrap());
        prop_assert!((a.scale() - b.scale()).abs() < 1e-7 * a.scale());
        prop_assert!(largest(a.mean(), &(&b.mean() * factor)) < 1e-7);
    }

    #[test]
    fn known_noise_is_the_normal_of_the_textbook(
        ratings in ratings(),
        variance in 0.2_f64..3.0,
    ) {
        let precision = array![[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]];
        let mean = array![0.5, -1.0, 0.2];
        let family = Normal::new(mean.clone(), precision.clone()).unwrap();
        let mut belief = Belief::new(&family);
        let (mut chained, mut base) = (0.0, 0.0);
        for (features, value) in &ratings {
            let utility = belief.posterior(&family).unwrap().expected_value(features).unwrap();
            let spread = (utility.variance() + variance).sqrt();
            chained += StudentT::new(utility.location(), spread, f64::INFINITY).unwrap().log_density(*value);
            base -= ((2.0 * std::f64::consts::PI * variance).ln() + value * value / variance) / 2.0;
            belief.update(&family, &Measured { features, value: *value, variance }).unwrap();
        }
        let log_evidence = belief.log_evidence(&family).unwrap() + base;
        prop_assert!((log_evidence - chained).abs() < 1e-6 * (1.0 + base.abs()), "{log_evidence} is not {chained}");
    }

    #[test]
    fn gradient_and_curvature_are_those_of_finite_differences(seed in any::<u64>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let truth = Array1::from_shape_simple_fn(3, || normal(&mut rng));
        let choices: Vec<Choice> =
            (0..4).map(|_| simulated_choice(truth.view(), 5, 1.0, &mut rng)).collect();
        let precision = array![[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]];
        let family = Normal::new(array![0.5, -1.0, 0.2], precision).unwrap();
        let posterior = ChoicePosterior::new(&family, &choices).unwrap();
        let (_, gradient) = posterior.log_density(truth.view()).unwrap();
        let curvature = posterior.curvature(truth.view()).unwrap();
        let step = 1e-4;
        for at in 0..3 {
            let (mut up, mut down) = (truth.clone(), truth.clone());
            up[at] += step;
            down[at] -= step;
            let (above, steeper) = posterior.log_density(up.view()).unwrap();
            let (below, flatter) = posterior.log_density(down.view()).unwrap();
            prop_assert!(((above - below) / (2.0 * step) - gradient[at]).abs() < 1e-6);
            for other in 0..3 {
                let slope = (flatter[other] - steeper[other]) / (2.0 * step);
                prop_assert!((slope - curvature[[at, other]]).abs() < 1e-6);
            }
        }
        // The mode is one.
        let mode = posterior.laplace().unwrap().posterior;
        let (_, gradient) = posterior.log_density(mode.mean()).unwrap();
        prop_assert!(gradient.iter().all(|slope| slope.abs() < 1e-5), "{gradient}");
    }

    #[test]
    fn full_rank_is_full_covariance_and_one_choice_has_laplaces_covariance(
        seed in any::<u64>(),
        spread in 0.1_f64..3.0,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let truth = Array1::from_shape_simple_fn(4, || normal(&mut rng));
        let family = Normal::isotropic(4, 0.8).unwrap();
        let mut filter = AssumedDensity::new(&family);
        let mut low_rank = LowRankNormal::isotropic(4, 0.8, 4).unwrap();
        for at in 0..3 {
            let choice = simulated_choice(truth.view(), 6, spread, &mut rng);
            filter.absorb(&family, &choice).unwrap();
            low_rank.absorb(&choice).unwrap();
            let filtered = filter.posterior(&family).unwrap();
            if at == 0 {
                let choices = [choice];
                let batch = ChoicePosterior::new(&family, &choices).unwrap().laplace().unwrap().posterior;
                prop_assert!(largest(&batch.covariance(), &filtered.covariance()) < 1e-6);
            }
            let mean: Vec<f64> = low_rank.mean().iter().map(|&m| f64::from(m)).collect();
            prop_assert!(largest(&mean, filtered.mean()) < 5e-3, "{mean:?} {:?}", filtered.mean());
            let kept = low_rank.posterior().unwrap();
            for feature in 0..4 {
                let (ours, full) = (kept.marginal(feature).unwrap(), filtered.marginal(feature).unwrap());
                prop_assert!((ours.scale() / full.scale() - 1.0).abs() < 5e-3, "{} {} at {at}", ours.scale(), full.scale());
            }
            let density = kept.log_density(&truth.to_vec()).unwrap();
            prop_assert!((density - filtered.log_density(truth.view()).unwrap()).abs() < 0.02 * (1.0 + density.abs()));
        }
    }
}

/// Moments of a function exp(log_density(θ)) in two dimensions, on a grid: log integral, mean,
/// variances.
fn quadrature(log_density: impl Fn(ArrayView1<'_, f64>) -> f64) -> (f64, [f64; 2], [f64; 2]) {
    const STEP: f64 = 0.1;
    let grid: Vec<f64> = (-60..=60).map(|at| f64::from(at) * STEP).collect();
    let (mut total, mut mean, mut square) = (0.0, [0.0; 2], [0.0; 2]);
    for &x in &grid {
        for &y in &grid {
            let mass = log_density(array![x, y].view()).exp();
            total += mass;
            for (at, value) in [x, y].into_iter().enumerate() {
                mean[at] += mass * value;
                square[at] += mass * value * value;
            }
        }
    }
    let mean = mean.map(|sum| sum / total);
    let variance = [0, 1].map(|at| square[at] / total - mean[at] * mean[at]);
    ((total * STEP * STEP).ln(), mean, variance)
}

#[test]
fn densities_integrate_to_one_with_the_moments_that_are_claimed() {
    let family =
        NormalInverseGamma::new(array![0.3, -0.2], array![[4.0, 1.0], [1.0, 6.0]], 6.0, 5.0)
            .unwrap();
    let mut belief = Belief::new(&family);
    for (features, value) in [([1.0, 0.5], 0.7), ([-0.5, 1.0], -0.4)] {
        belief.update(&family, &Rated { features: &features, value }).unwrap();
    }
    let posterior = belief.posterior(&family).unwrap();
    let (log_total, mean, variance) = quadrature(|theta| posterior.log_density(theta).unwrap());
    assert!(log_total.abs() < 1e-6, "{log_total}");
    assert!(largest(&mean, posterior.mean()) < 1e-6);
    assert!(largest(&variance, &posterior.variances()) < 1e-5);
    // A marginal's distribution function is the integral of its density, and its quantile inverts it.
    for (feature, variance) in variance.into_iter().enumerate() {
        let marginal = posterior.marginal(feature).unwrap();
        assert!((marginal.variance() - variance).abs() < 1e-5);
        for probability in [0.01, 0.3, 0.5, 0.95] {
            let x = marginal.quantile(probability).unwrap();
            assert!((marginal.cdf(x) - probability).abs() < 1e-9);
            let slope = (marginal.cdf(x + 1e-5) - marginal.cdf(x - 1e-5)) / 2e-5;
            assert!((slope.ln() - marginal.log_density(x)).abs() < 1e-5);
        }
    }
    let wide = StudentT::new(1.0, 2.0, f64::INFINITY).unwrap();
    assert!((wide.quantile(0.975).unwrap() - 4.919_927_969).abs() < 1e-6);
    assert_eq!(wide.variance(), 4.0);
}

#[test]
fn draws_have_the_moments_and_marginals_of_the_posterior() {
    let family = regression();
    let mut belief = Belief::new(&family);
    for (features, value) in [([1.0, 0.5, 0.0], 0.7), ([-0.5, 1.0, 1.0], -0.4)] {
        belief.update(&family, &Rated { features: &features, value }).unwrap();
    }
    let posterior = belief.posterior(&family).unwrap();
    let covariance = posterior.covariance().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    const DRAWS: usize = 100_000;
    let draws: Vec<(Array1<f64>, f64)> = (0..DRAWS).map(|_| posterior.sample(&mut rng)).collect();
    type Of<'a> = &'a dyn Fn(&(Array1<f64>, f64)) -> f64;
    let mean = |of: Of<'_>| draws.iter().map(of).sum::<f64>() / DRAWS as f64;
    for i in 0..3 {
        let center = posterior.mean()[i];
        let error = (covariance[[i, i]] / DRAWS as f64).sqrt();
        assert!((mean(&|draw| draw.0[i]) - center).abs() < 4.0 * error);
        for j in 0..3 {
            let product = mean(&|d| (d.0[i] - center) * (d.0[j] - posterior.mean()[j]));
            let scale = (covariance[[i, i]] * covariance[[j, j]]).sqrt();
            assert!((product - covariance[[i, j]]).abs() < 0.05 * scale);
        }
        let marginal = posterior.marginal(i).unwrap();
        let x = marginal.quantile(0.8).unwrap();
        assert!((mean(&|draw| f64::from(u8::from(draw.0[i] <= x))) - 0.8).abs() < 0.006);
    }
    assert!((mean(&|draw| draw.1) / posterior.noise_mean().unwrap() - 1.0).abs() < 0.02);
    let share = posterior.noise_cdf(0.7);
    assert!((mean(&|draw| f64::from(u8::from(draw.1 <= 0.7))) - share).abs() < 0.006);

    let mut low_rank = LowRankNormal::isotropic(5, 0.5, 2).unwrap();
    for _ in 0..6 {
        let theta = array![2.0, -1.0, 0.0, 1.0, 0.5];
        low_rank.absorb(&simulated_choice(theta.view(), 4, 1.0, &mut rng)).unwrap();
    }
    let posterior = low_rank.posterior().unwrap();
    let draws: Vec<Vec<f64>> = (0..DRAWS).map(|_| posterior.sample(&mut rng)).collect();
    for features in [[1.0_f32, 0.0, 0.0, 0.0, 0.0], [1.0, -1.0, 0.5, 2.0, -0.3]] {
        let values: Vec<f64> = draws
            .iter()
            .map(|d| d.iter().zip(&features).map(|(t, &x)| t * f64::from(x)).sum())
            .collect();
        let expected = posterior.expected_value(&features).unwrap();
        let mean = values.iter().sum::<f64>() / DRAWS as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        assert!(
            (mean - expected.location()).abs() < 4.0 * expected.scale() / (DRAWS as f64).sqrt()
        );
        assert!((variance / expected.variance() - 1.0).abs() < 0.02);
    }
}

/// How far means are off in posterior standard deviations, and standard deviations in parts.
fn off(posterior: &NormalPosterior, mean: &[f64; 2], variance: &[f64; 2]) -> [f64; 2] {
    let mut off = [0.0_f64; 2];
    for at in 0..2 {
        let deviation = variance[at].sqrt();
        off[0] = off[0].max((posterior.mean()[at] - mean[at]).abs() / deviation);
        let ours = posterior.marginal(at).unwrap().scale();
        off[1] = off[1].max((ours / deviation - 1.0).abs());
    }
    off
}

/// Mean over data sets of how far Laplace, filtering and its refinement are off quadrature, and of
/// Laplace's log-evidence.
fn approximations(count: usize) -> ([f64; 2], [f64; 2], [f64; 2], f64) {
    let family = Normal::isotropic(2, 1.0).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(count as u64);
    const SETS: usize = 20;
    let (mut laplace, mut filter, mut refined, mut evidence) = ([0.0; 2], [0.0; 2], [0.0; 2], 0.0);
    let add = |sum: &mut [f64; 2], off: [f64; 2]| {
        sum.iter_mut().zip(off).for_each(|(sum, off)| *sum += off / SETS as f64);
    };
    for _ in 0..SETS {
        let truth = array![normal(&mut rng), normal(&mut rng)];
        let choices: Vec<Choice> =
            (0..count).map(|_| simulated_choice(truth.view(), 5, 1.0, &mut rng)).collect();
        let posterior = ChoicePosterior::new(&family, &choices).unwrap();
        let (log_total, mean, variance) =
            quadrature(|theta| posterior.log_density(theta).unwrap().0);
        let fit = posterior.laplace().unwrap();
        add(&mut laplace, off(&fit.posterior, &mean, &variance));
        evidence += (fit.log_evidence - log_total).abs() / SETS as f64;
        let mut sites = Sites::new(&family);
        for (id, choice) in choices.iter().enumerate() {
            sites.absorb(&family, id as u64, choice.clone()).unwrap();
        }
        add(&mut filter, off(&sites.posterior(&family).unwrap(), &mean, &variance));
        for _ in 0..10 {
            sites.refine(&family).unwrap();
        }
        add(&mut refined, off(&sites.posterior(&family).unwrap(), &mean, &variance));
    }
    (laplace, filter, refined, evidence)
}

#[test]
fn approximations_are_off_quadrature_by_little() {
    // Events; then the mean in standard deviations and the standard deviation in parts, of Laplace's
    // method, of one pass, and of expectation propagation; then Laplace's log-evidence in nats.
    let table = [
        (1, [0.12, 0.05], [0.05, 0.05], [0.05, 0.05], 0.04),
        (5, [0.18, 0.06], [0.09, 0.09], [0.04, 0.05], 0.05),
        (20, [0.18, 0.03], [0.12, 0.10], [0.01, 0.02], 0.03),
        (80, [0.11, 0.02], [0.12, 0.06], [0.002, 0.01], 0.01),
    ];
    for (count, laplace, filter, refined, evidence) in table {
        let got = approximations(count);
        println!("{count} events: {got:.3?}");
        let within = |got: [f64; 2], most: [f64; 2]| got.iter().zip(most).all(|(g, m)| *g < m);
        assert!(within(got.0, laplace) && within(got.1, filter), "{count}: {got:?}");
        assert!(within(got.2, refined) && got.3 < evidence, "{count}: {got:?}");
    }
}

/// d = 384, 32 choices of unit embeddings with a common part, as those of texts.
fn embedded_choices(
    count: usize,
    dim: usize,
    theta: ArrayView1<'_, f64>,
    rng: &mut impl Rng,
) -> Vec<Choice> {
    let mut make = || {
        let mut features = Array2::from_shape_simple_fn((32, dim), || normal(rng) as f32);
        for mut row in features.outer_iter_mut() {
            row[0] += (dim as f32).sqrt();
            let length = row.dot(&row).sqrt();
            row /= length;
        }
        let set = ChoiceSet::new(features, Array1::zeros(32)).unwrap();
        let log_probs = set.log_probs(theta).unwrap();
        let mut left = rng.random::<f64>();
        let chosen = log_probs.iter().position(|log_prob| {
            left -= log_prob.exp();
            left < 0.0
        });
        set.choose(chosen.unwrap_or(31)).unwrap()
    };
    (0..count).map(|_| make()).collect()
}

#[test]
fn low_rank_keeps_its_memory_and_its_distance_from_the_full_covariance() {
    let (dim, rank) = (384, 8);
    let belief = LowRankNormal::isotropic(dim, 1.0, rank).unwrap();
    let held = size_of_val(&belief) + 4 * dim * (rank + 2);
    assert!(held <= 4 * dim * (rank + 2) + 128);
    // What is not on the stack is the numbers alone.
    assert_eq!(belief.mean().len() + belief.diagonal().len(), 2 * dim);

    let dim = 64;
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let truth = Array1::from_shape_simple_fn(dim, || 2.0 * normal(&mut rng));
    let choices = embedded_choices(60, dim, truth.view(), &mut rng);
    let family = Normal::isotropic(dim, 0.25).unwrap();
    let mut full = AssumedDensity::new(&family);
    let mut beliefs: Vec<LowRankNormal> = [0, 2, 8, 32]
        .iter()
        .map(|&rank| LowRankNormal::isotropic(dim, 0.25, rank).unwrap())
        .collect();
    for choice in &choices {
        full.absorb(&family, choice).unwrap();
        beliefs.iter_mut().for_each(|belief| belief.absorb(choice).unwrap());
    }
    let full = full.posterior(&family).unwrap();
    let tests = embedded_choices(20, dim, truth.view(), &mut rng);
    let mut before = f64::INFINITY;
    for belief in &beliefs {
        let ours = belief.posterior().unwrap();
        let (mut mean, mut scale, mut count) = (0.0_f64, 0.0_f64, 0.0_f64);
        for choice in &tests {
            for row in choice.set().features().outer_iter() {
                let exact = full
                    .expected_value(&row.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())
                    .unwrap();
                let kept = ours.expected_value(&row.to_vec()).unwrap();
                mean += ((kept.location() - exact.location()) / exact.scale()).powi(2);
                scale += (kept.scale() / exact.scale()).ln();
                count += 1.0;
            }
        }
        let (mean, scale) = ((mean / count).sqrt(), scale / count);
        println!("rank {}: mean off by {mean:.3} sd, sd by {scale:.3}", belief.rank());
        assert!(mean < before && mean < 0.08 && scale.abs() < 0.015);
        before = mean;
    }
}

#[test]
fn sbc_of_the_conjugate_form() {
    let family = regression();
    let config = SbcConfig { replicates: 500, ..SbcConfig::default() };
    let report = config
        .run(&["theta 0", "theta 1", "theta 2", "noise", "log-likelihood"], |rng| {
            let (theta, noise) = Belief::new(&family).posterior(&family)?.sample(rng);
            let data: Vec<([f64; 3], f64)> = (0..6)
                .map(|_| {
                    let features = [1.0, normal(rng), normal(rng)];
                    let mean: f64 = features.iter().zip(&theta).map(|(x, t)| x * t).sum();
                    (features, mean + noise.sqrt() * normal(rng))
                })
                .collect();
            let mut belief = Belief::new(&family);
            for (features, value) in &data {
                belief.update(&family, &Rated { features, value: *value })?;
            }
            let quantities = |theta: &Array1<f64>, noise: f64| {
                let squares: f64 = data
                    .iter()
                    .map(|(x, y)| {
                        (y - x.iter().zip(theta).map(|(x, t)| x * t).sum::<f64>()).powi(2)
                    })
                    .sum();
                let likelihood = -squares / (2.0 * noise) - data.len() as f64 / 2.0 * noise.ln();
                vec![theta[0], theta[1], theta[2], noise, likelihood]
            };
            let posterior = belief.posterior(&family)?;
            let draws = (0..config.draws).map(|_| {
                let (theta, noise) = posterior.sample(rng);
                quantities(&theta, noise)
            });
            Ok(Replicate { draws: draws.collect(), truths: quantities(&theta, noise) })
        })
        .unwrap();
    assert!(report.p_value() > 0.01, "{report:?}");
}

#[test]
fn sbc_of_laplace_and_of_expectation_propagation_says_by_how_much_they_are_off() {
    // Two features, three choices a set, five events: few, so that skewness tells.
    let family = Normal::isotropic(2, 1.0).unwrap();
    let config = SbcConfig { replicates: 2_000, ..SbcConfig::default() };
    for refined in [false, true] {
        let report = config
            .run(&["theta 0", "theta 1", "log-likelihood"], |rng| {
                let theta = array![normal(rng), normal(rng)];
                let choices: Vec<Choice> =
                    (0..5).map(|_| simulated_choice(theta.view(), 3, 1.5, rng)).collect();
                let posterior = if refined {
                    let mut sites = Sites::new(&family);
                    for (id, choice) in choices.iter().enumerate() {
                        sites.absorb(&family, id as u64, choice.clone())?;
                    }
                    for _ in 0..5 {
                        sites.refine(&family)?;
                    }
                    sites.posterior(&family)?
                } else {
                    ChoicePosterior::new(&family, &choices)?.laplace()?.posterior
                };
                let quantities = |theta: &Array1<f64>| {
                    let log_prob = |choice: &Choice| {
                        choice.set().log_probs(theta.view()).unwrap()[choice.chosen()]
                    };
                    vec![theta[0], theta[1], choices.iter().map(log_prob).sum()]
                };
                Ok(Replicate {
                    truths: quantities(&theta),
                    draws: (0..config.draws).map(|_| quantities(&posterior.sample(rng))).collect(),
                })
            })
            .unwrap();
        for quantity in &report.quantities {
            let share = |from: usize, to: usize| {
                quantity.counts[from..to].iter().sum::<u64>() as f64 / config.replicates as f64
            };
            let (half, most) = (share(25, 75), share(5, 95));
            let mean: f64 =
                quantity.counts.iter().enumerate().map(|(rank, &n)| rank as f64 * n as f64).sum();
            let mean = mean / config.replicates as f64 / 99.0;
            println!(
                "{} {}: 50 % holds {half:.3}, 90 % holds {most:.3}, mean rank {mean:.3}, p {:.1e}",
                if refined { "refined" } else { "laplace" },
                quantity.name,
                quantity.uniformity.chi_squared_p_value
            );
            let is_weight = quantity.name != "log-likelihood";
            let (points, shift) = match (refined, is_weight) {
                (false, true) => (0.05, 0.015),
                (true, true) => (0.03, 0.015),
                (_, false) => (0.035, 0.055),
            };
            assert!((half - 0.5).abs() < points && (most - 0.9).abs() < points);
            assert!((mean - 0.5).abs() < shift);
        }
    }
}

#[test]
fn permuting_choices_and_shifting_offsets_change_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let theta = array![1.0, -0.5, 0.3];
    let family = Normal::isotropic(3, 1.0).unwrap();
    let choice = simulated_choice(theta.view(), 6, 1.0, &mut rng);
    let order = [3, 5, 0, 1, 4, 2];
    let set = choice.set();
    let features = set.features().select(ndarray::Axis(0), &order);
    let offsets = order.iter().map(|&at| set.offsets()[at] + 7.0).collect();
    let chosen = order.iter().position(|&at| at == choice.chosen()).unwrap();
    let permuted = ChoiceSet::new(features, offsets).unwrap().choose(chosen).unwrap();
    let posterior = |choice: &Choice| {
        let mut filter = AssumedDensity::new(&family);
        filter.absorb(&family, choice).unwrap();
        filter.posterior(&family).unwrap()
    };
    let (ours, theirs) = (posterior(&choice), posterior(&permuted));
    assert!(largest(ours.mean(), theirs.mean()) < 1e-8);
    assert!(largest(&ours.covariance(), &theirs.covariance()) < 1e-8);
}

/// Every replacement in a written state makes one that isn't read.
fn damaged<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T, damages: &[(&str, &str)]) {
    let json = serde_json::to_string(state).unwrap();
    for (from, to) in damages {
        let other = json.replacen(from, to, 1);
        assert_ne!(other, json, "{from} is not in {json}");
        assert!(serde_json::from_str::<T>(&other).is_err(), "{other}");
    }
}

#[test]
fn senseless_ratings_are_a_typed_error_and_change_nothing() {
    let family = NormalInverseGamma::isotropic(2, 1.0, 2.0, 1.0).unwrap();
    let mut belief = Belief::new(&family);
    let before = belief.clone();
    for features in [&[1.0][..], &[1.0, f64::NAN], &[1.0, f64::INFINITY], &[1e6, 1.0]] {
        assert!(belief.update(&family, &Rated { features, value: 1.0 }).is_err());
    }
    let event = Rated { features: &[1.0, 0.0], value: 1.0 };
    assert!(belief.retract(&family, &event).is_err(), "nothing was seen");
    assert_eq!(belief, before);
    belief.update(&family, &event).unwrap();
    damaged(
        &belief,
        &[
            ("\"version\":1", "\"version\":2"),
            ("normal-inverse-gamma", "normal"),
            ("\"count\":4294967296", "\"count\":-4294967296"),
            ("[4294967296,", "["),
            ("[4294967296,", "[-4294967296,"),
        ],
    );
    // Sums of squares that no values have: Cauchy and Schwarz are broken.
    let json = serde_json::to_string(&belief).unwrap();
    let broken = json.replacen("[4294967296,0,4294967296", "[4294967296,0,92949672960000", 1);
    assert_ne!(broken, json);
    let broken: Belief<NormalInverseGamma> = serde_json::from_str(&broken).unwrap();
    assert!(broken.posterior(&family).is_err());
    assert!(NormalInverseGamma::isotropic(0, 1.0, 1.0, 1.0).is_err());
    for (precision, shape, scale) in [
        (0.0, 1.0, 1.0),
        (-1.0, 1.0, 1.0),
        (f64::NAN, 1.0, 1.0),
        (1.0, 0.0, 1.0),
        (1.0, 1.0, f64::INFINITY),
    ] {
        assert!(NormalInverseGamma::isotropic(2, precision, shape, scale).is_err());
    }
    let lopsided = array![[1.0, 0.5], [0.2, 1.0]];
    assert!(Normal::new(array![0.0, 0.0], lopsided).is_err());
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
    let not_positive = PosteriorError::NotPositiveDefinite { what: "precision of the prior" };
    assert_eq!(Normal::new(array![0.0, 0.0], indefinite), Err(not_positive));
    damaged(&family, &[("\"scale\":1.0", "\"scale\":-1.0"), ("\"shape\"", "\"form\"")]);
}

#[test]
fn senseless_choices_are_a_typed_error_and_change_nothing() {
    for (features, offsets) in [
        (array![[1.0_f32], [f32::NAN]], array![0.0, 0.0]),
        (array![[1.0], [0.0]], array![0.0]),
        (array![[1.0], [0.0]], array![0.0, f64::NEG_INFINITY]),
    ] {
        assert!(ChoiceSet::new(features, offsets).is_err());
    }
    let set = ChoiceSet::new(array![[1.0_f32, 0.0], [0.0, 1.0]], array![0.0, 0.0]).unwrap();
    let unknown = PosteriorError::UnknownItem { item: 2, items: 2 };
    assert_eq!(set.clone().choose(2), Err(unknown));
    let choice = set.choose(0).unwrap();
    damaged(&choice, &[("\"chosen\":0", "\"chosen\":9"), ("\"offsets\"", "\"offset\"")]);
    let other = Normal::isotropic(3, 1.0).unwrap();
    assert!(AssumedDensity::new(&other).absorb(&other, &choice).is_err());
    assert!(ChoicePosterior::new(&other, std::slice::from_ref(&choice)).is_err());

    let mut low_rank = LowRankNormal::isotropic(2, 1.0, 1).unwrap();
    low_rank.absorb(&choice).unwrap();
    let read: LowRankNormal =
        serde_json::from_str(&serde_json::to_string(&low_rank).unwrap()).unwrap();
    assert_eq!(read, low_rank);
    damaged(
        &low_rank,
        &[
            ("\"version\":1", "\"version\":2"),
            ("\"rank\":1", "\"rank\":18446744073709551615"),
            ("\"dim\":2", "\"dim\":0"),
            ("\"values\":[", "\"values\":[1.0,"),
        ],
    );
    // Features and offsets at the end of what numbers reach: an error, or a finite belief.
    let family = Normal::isotropic(2, 1.0).unwrap();
    for (scale, offset) in
        [(1e3_f32, 0.0), (1e3, 1e300), (1e10, 0.0), (1e19, 0.0), (1e30, 1.0), (f32::MAX, 0.0)]
    {
        let set = ChoiceSet::new(array![[scale, 0.0], [0.0, -scale]], array![0.0, offset]).unwrap();
        let choice = set.choose(0).unwrap();
        let mut moved = low_rank.clone();
        if moved.absorb(&choice).is_err() {
            assert_eq!(moved, low_rank);
        }
        assert!(moved.mean().iter().chain(moved.diagonal()).all(|value| value.is_finite()));
        let mut filter = AssumedDensity::new(&family);
        let before = filter.clone();
        match filter.absorb(&family, &choice) {
            Ok(_) => {
                assert!(filter.posterior(&family).unwrap().mean().iter().all(|m| m.is_finite()))
            }
            Err(_) => assert_eq!(filter, before),
        }
        if let Ok(fit) = ChoicePosterior::new(&family, &[choice]).unwrap().laplace() {
            assert!(fit.posterior.mean().iter().all(|mean| mean.is_finite()), "{scale}");
        }
    }
    fn sendable<T: Clone + Send + Sync>() {}
    sendable::<Belief<NormalInverseGamma>>();
    sendable::<Sites<Normal, Choice>>();
    sendable::<LowRankNormal>();
}
