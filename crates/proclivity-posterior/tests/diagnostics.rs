//! Diagnostics: calibration accepts right posteriors and refuses wrong ones, coverage counts, θ that data can't tell.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    CoverageConfig, Credible, Dirichlet, Identifiability, InterestLikelihood, PosteriorError,
    PredictiveCheckConfig, Replicate, SbcConfig, SbcReport, category_entropy, contraction,
    dirichlet_divergence, exact_shares, mean_log_popularity, repeat_rate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use statrs::distribution::{Beta, Continuous, ContinuousCDF};

/// θ ~ N(0, 1), three observations x ~ N(θ, 1): the posterior is N(Σx/4, 1/4), off by `shift`
/// posterior standard deviations and `width` times as wide.
fn normal_sbc(config: &SbcConfig, shift: f64, width: f64) -> SbcReport {
    let report = config.run(&["theta", "log-likelihood"], |rng| {
        let standard = Normal::new(0.0, 1.0).unwrap();
        let truth: f64 = standard.sample(rng);
        let data: Vec<f64> = (0..3).map(|_| truth + standard.sample(rng)).collect();
        let mean = data.iter().sum::<f64>() / 4.0;
        let log_likelihood =
            |theta: f64| data.iter().map(|x| -0.5 * (x - theta).powi(2)).sum::<f64>();
        let quantities = |theta: f64| vec![theta, log_likelihood(theta)];
        let posterior = Normal::new(mean + 0.5 * shift, 0.5 * width).unwrap();
        Ok(Replicate {
            truths: quantities(truth),
            draws: (0..config.draws).map(|_| quantities(posterior.sample(rng))).collect(),
        })
    });
    report.unwrap()
}

#[test]
fn calibration_passes_the_right_posterior_and_finds_wrong_ones() {
    let config = SbcConfig::default();
    let right = normal_sbc(&config, 0.0, 1.0);
    assert!(right.p_value() > 0.01, "{}", right.p_value());
    let quantity = &right.quantities[0];
    assert_eq!(quantity.counts.iter().sum::<u64>(), 1_000);
    assert_eq!(quantity.histogram(7).iter().sum::<u64>(), 1_000);
    for (shift, width) in [(0.3, 1.0), (0.0, 0.75), (0.0, 1.4)] {
        let wrong = normal_sbc(&config, shift, width);
        assert!(wrong.p_value() < 1e-3, "{shift} {width}: {}", wrong.p_value());
    }
}

/// Draws from the prior instead of the posterior have uniform ranks of θ: only the likelihood tells.
#[test]
fn a_posterior_that_ignores_the_data_is_found_by_the_likelihood() {
    let config = SbcConfig::default();
    let report = config
        .run(&["theta", "log-likelihood"], |rng| {
            let standard = Normal::new(0.0, 1.0).unwrap();
            let truth: f64 = standard.sample(rng);
            let datum = truth + standard.sample(rng);
            let quantities = |theta: f64| vec![theta, -0.5 * (datum - theta).powi(2)];
            Ok(Replicate {
                truths: quantities(truth),
                draws: (0..config.draws).map(|_| quantities(standard.sample(rng))).collect(),
            })
        })
        .unwrap();
    assert!(report.quantities[0].uniformity.ecdf_p_value > 0.01);
    assert!(report.quantities[0].uniformity.chi_squared_p_value > 0.01);
    assert!(report.quantities[1].uniformity.ecdf_p_value < 1e-6);
}

#[test]
fn ties_are_broken_evenly_and_exact_distribution_functions_need_no_draws() {
    let config = SbcConfig::default();
    let constant = config
        .run(&["constant"], |_| Ok(Replicate { truths: vec![1.0], draws: vec![vec![1.0]; 99] }))
        .unwrap();
    assert!(constant.p_value() > 0.01);
    let prior = Dirichlet::new(vec![0.7, 2.0]).unwrap();
    let exact = config
        .run(&["share"], |rng| {
            let truth = prior.sample(rng);
            let heads = (0..6).filter(|_| rng.random::<f64>() < truth[0]).count() as f64;
            let posterior = Dirichlet::new(vec![0.7 + heads, 8.0 - heads]).unwrap();
            Ok(Replicate::from_cdf(vec![posterior.marginal_cdf(0, truth[0])], config.draws))
        })
        .unwrap();
    assert!(exact.p_value() > 0.01);
}

#[test]
fn p_values_of_right_posteriors_are_uniform() {
    let mut rejected = [0, 0];
    let runs = 400;
    for seed in 0..runs {
        let config = SbcConfig { replicates: 200, draws: 19, seed };
        let report =
            config.run(&["u"], |rng| Ok(Replicate::from_cdf(vec![rng.random()], 19))).unwrap();
        let uniformity = report.quantities[0].uniformity;
        rejected[0] += usize::from(uniformity.chi_squared_p_value < 0.2);
        rejected[1] += usize::from(uniformity.ecdf_p_value < 0.2);
    }
    for rejected in rejected {
        // A standard error is 8; discreteness makes the exact test a little shy.
        assert!((50..=110).contains(&rejected), "{rejected} of {runs} at 20 %");
    }
}

#[test]
fn the_band_holds_at_its_level() {
    let config = SbcConfig { replicates: 100, draws: 19, seed: 0 };
    let mut band = None;
    let outside = (0..1_000)
        .filter(|&seed| {
            let config = SbcConfig { seed, ..config.clone() };
            let report =
                config.run(&["u"], |rng| Ok(Replicate::from_cdf(vec![rng.random()], 19))).unwrap();
            let quantity = &report.quantities[0];
            let band = band.get_or_insert_with(|| quantity.band(0.9).unwrap());
            let mut below = 0.0;
            let inside = (0..band.fractions.len()).all(|point| {
                below += quantity.counts[point] as f64 / 100.0;
                below >= band.lower[point] - 1e-9 && below <= band.upper[point] + 1e-9
            });
            !inside
        })
        .count();
    assert!((70..=125).contains(&outside), "{outside} of 1000 outside of a 90 % band");
}

#[test]
fn calibration_does_not_depend_on_threads() {
    let config = SbcConfig { replicates: 50, ..SbcConfig::default() };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let [one, four] = [1, 4].map(|threads| pool(threads).install(|| normal_sbc(&config, 0.0, 1.0)));
    assert_eq!(one, four);
    let saved = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<SbcReport>(&saved).unwrap(), one);
}

#[test]
fn bad_replicates_are_named() {
    let config = SbcConfig::default();
    let nan = config
        .run(&["q"], |_| Ok(Replicate { truths: vec![f64::NAN], draws: vec![vec![0.0]; 99] }));
    assert!(matches!(nan, Err(PosteriorError::OutOfRange { name: "quantity", .. })));
    let short =
        config.run(&["q"], |_| Ok(Replicate { truths: vec![0.0], draws: vec![vec![0.0]; 98] }));
    assert!(matches!(short, Err(PosteriorError::Length { expected: 99, got: 98, .. })));
    let ragged = config
        .run(&["q", "r"], |_| Ok(Replicate { truths: vec![0.0, 0.0], draws: vec![vec![0.0]; 99] }));
    assert!(matches!(ragged, Err(PosteriorError::Length { expected: 2, got: 1, .. })));
    assert!(config.run(&[], |_| Ok(Replicate::from_cdf(vec![], 99))).is_err());
    let none = SbcConfig { draws: 0, ..config };
    assert!(none.run(&["q"], |_| Ok(Replicate::from_cdf(vec![0.5], 0))).is_err());
}

/// Intervals `width` times as wide as the posterior's own cover 2Φ(z·width) − 1.
#[test]
fn coverage_is_what_the_width_makes_it() {
    let config = CoverageConfig { users: 4_000, ..CoverageConfig::default() };
    let normal = statrs::distribution::Normal::standard();
    for width in [1.0, 0.6] {
        let coverage = config
            .run(|rng| {
                let standard = Normal::new(0.0, 1.0).unwrap();
                let truth: f64 = standard.sample(rng);
                let mean = (truth + standard.sample(rng)) / 2.0;
                let half =
                    |level: f64| width * normal.inverse_cdf(0.5 + 0.5 * level) * 0.5_f64.sqrt();
                let interval = |&level: &f64| (mean - half(level), mean + half(level));
                Ok(vec![Credible {
                    truth,
                    intervals: config.levels.iter().map(interval).collect(),
                }])
            })
            .unwrap();
        for level in coverage {
            let z = normal.inverse_cdf(0.5 + 0.5 * level.level);
            let expected = 2.0 * normal.cdf(z * width) - 1.0;
            let binomial = (expected * (1.0 - expected) / 4_000.0).sqrt();
            assert!((level.coverage - expected).abs() < 4.0 * binomial, "{level:?} {expected}");
            assert!((level.standard_error / binomial - 1.0).abs() < 0.1, "{level:?}");
            assert!((level.mean_width - 2.0 * z * width * 0.5_f64.sqrt()).abs() < 1e-9);
        }
    }
    let levels = [0.5, 0.9];
    let same = config.run(|rng| Ok(vec![Credible::from_cdf(rng.random(), &levels); 5])).unwrap();
    let once = config.run(|rng| Ok(vec![Credible::from_cdf(rng.random(), &levels)])).unwrap();
    assert!((same[0].standard_error - once[0].standard_error).abs() < 1e-12, "copies tell nothing");
    assert!(config.run(|_| Ok(vec![])).is_err());
    assert!(config.run(|_| Ok(vec![Credible::from_cdf(0.5, &[0.5])])).is_err());
    assert!(config.run(|_| Ok(vec![Credible::from_cdf(f64::NAN, &levels)])).is_err());
    let one = CoverageConfig { levels: vec![1.0], ..config.clone() };
    assert!(one.run(|_| Ok(vec![])).is_err());
}

#[test]
fn contraction_is_nothing_without_data_and_the_conjugate_one_with_it() {
    let prior = Dirichlet::new(vec![1.0, 3.0]).unwrap();
    assert_eq!(contraction(&prior, &prior).unwrap(), [0.0, 0.0]);
    // Beta(1, 3): 3/(16·5); Beta(3, 5): 15/(64·9).
    let posterior = Dirichlet::new(vec![3.0, 5.0]).unwrap();
    let expected = 1.0 - (15.0 / 576.0) / (3.0 / 80.0);
    assert!((contraction(&prior, &posterior).unwrap()[0] - expected).abs() < 1e-12);
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let draws: Vec<Vec<f64>> = (0..40_000).map(|_| posterior.sample(&mut rng)).collect();
    assert!((contraction(&prior, draws.as_slice()).unwrap()[0] - expected).abs() < 0.02);
    // An exact mixture of one component is that component, of several it has their spread too.
    let phi = InterestLikelihood::from_weights(array![[1.0, 0.0], [0.0, 1.0]].view()).unwrap();
    let exact = exact_shares(&prior, &phi, &[0, 0, 1, 1], 100).unwrap();
    assert!((contraction(&prior, &exact).unwrap()[0] - expected).abs() < 1e-12);
    let vague = InterestLikelihood::from_weights(array![[1.0, 1.0], [1.0, 1.0]].view()).unwrap();
    let nothing = exact_shares(&prior, &vague, &[0, 0, 1, 1], 100).unwrap();
    assert!(contraction(&prior, &nothing).unwrap()[0].abs() < 1e-12, "events that tell nothing");
}

/// KL(Beta(3, 5) ‖ Beta(1, 3)) by quadrature.
#[test]
fn divergence_of_dirichlets_agrees_with_quadrature() {
    let (p, q) = (Beta::new(3.0, 5.0).unwrap(), Beta::new(1.0, 3.0).unwrap());
    let expected: f64 = (0..100_000)
        .map(|step| {
            let x = (f64::from(step) + 0.5) / 100_000.0;
            p.pdf(x) * (p.ln_pdf(x) - q.ln_pdf(x)) / 100_000.0
        })
        .sum();
    let [p, q] = [vec![3.0, 5.0], vec![1.0, 3.0]].map(|a| Dirichlet::new(a).unwrap());
    assert!((dirichlet_divergence(&p, &q).unwrap() - expected).abs() < 1e-7);
    assert_eq!(dirichlet_divergence(&p, &p).unwrap(), 0.0);
    assert!(dirichlet_divergence(&p, &Dirichlet::new(vec![1.0]).unwrap()).is_err());
}

#[test]
fn interests_that_data_cannot_tell_apart_are_named() {
    let phi = array![[6.0, 2.0, 1.0, 1.0], [1.0, 1.0, 5.0, 3.0], [2.0, 2.0, 10.0, 6.0]];
    let twins = InterestLikelihood::from_weights(phi.view()).unwrap();
    let shares = [0.5, 0.3, 0.2];
    let found = Identifiability::of(&twins, &shares).unwrap();
    assert_eq!(found.condition_number(), f64::INFINITY);
    assert_eq!(found.standard_error(1e9), f64::INFINITY);
    assert_eq!(found.least_pair, (1, 2));
    assert!(found.pair_information < 1e-12);
    let direction = &found.least_direction;
    let half = 0.5_f64.sqrt();
    assert!(direction[0].abs() < 1e-7 && (direction[1] * direction[2] + 0.5).abs() < 1e-7);
    assert!((direction[1].abs() - half).abs() < 1e-7);

    // Labels that are seen: I = diag(1/θ), which at equal shares is the same in all directions.
    let labels = InterestLikelihood::from_weights(Array2::eye(4).view()).unwrap();
    let found = Identifiability::of(&labels, &[0.25; 4]).unwrap();
    assert!(found.information.iter().all(|information| (information - 4.0).abs() < 1e-12));
    assert!((found.condition_number() - 1.0).abs() < 1e-12);
    assert!((found.standard_error(100.0) - 0.05).abs() < 1e-12);
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Identifiability>(&json).unwrap(), found);

    assert!(Identifiability::of(&labels, &[0.5, 0.5]).is_err());
    assert!(Identifiability::of(&labels, &[0.5, 0.5, 0.0, 0.0]).is_err());
    assert!(Identifiability::of(&labels, &[0.5, 0.5, f64::NAN, 0.1]).is_err());
    let one = InterestLikelihood::from_weights(array![[1.0, 1.0]].view()).unwrap();
    assert!(Identifiability::of(&one, &[1.0]).is_err());
}

/// The information is minus the expected second derivative of log P(x|θ) along a direction.
#[test]
fn information_agrees_with_finite_differences() {
    let phi = array![[6.0, 2.0, 1.0, 1.0], [1.0, 1.0, 5.0, 3.0], [2.0, 7.0, 1.0, 2.0]];
    let likelihood = InterestLikelihood::from_weights(phi.view()).unwrap();
    let shares = [0.5, 0.3, 0.2];
    let found = Identifiability::of(&likelihood, &shares).unwrap();
    let log_probs = |step: f64| {
        let moved: Vec<f64> =
            shares.iter().zip(&found.least_direction).map(|(p, d)| p + step * d).collect();
        let mut log_probs = vec![0.0; 4];
        likelihood.log_probs(&moved, &mut log_probs);
        log_probs
    };
    let h = 1e-4;
    let (before, here, after) = (log_probs(-h), log_probs(0.0), log_probs(h));
    let curvature: f64 =
        (0..4).map(|x| -here[x].exp() * (before[x] - 2.0 * here[x] + after[x]) / (h * h)).sum();
    assert!((curvature - found.information[0]).abs() < 1e-5 * curvature, "{curvature}");
    assert!((found.least_direction.iter().sum::<f64>()).abs() < 1e-12);
    assert!(found.pair_information >= found.information[0] - 1e-12);
}

/// Histories of a model whose θ is known have uniform p-values; another model's have extreme ones.
#[test]
fn predictive_p_values_are_uniform_where_the_model_is_right() {
    let probs = [0.4, 0.3, 0.2, 0.1];
    let categories = [0, 0, 1, 1];
    let log_popularity = probs.map(f64::ln);
    let history = |rng: &mut ChaCha8Rng| -> Vec<u32> {
        let event = |rng: &mut ChaCha8Rng| {
            let mut left: f64 = rng.random();
            (0..3)
                .find(|&item| {
                    left -= probs[item as usize];
                    left < 0.0
                })
                .unwrap_or(3)
        };
        (0..40).map(|_| event(rng)).collect()
    };
    let statistics = |history: &Vec<u32>| {
        vec![
            repeat_rate(&history[..4]),
            category_entropy(history, &categories),
            mean_log_popularity(history, &log_popularity),
        ]
    };
    let names = ["repeat rate", "category entropy", "popularity"];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let users = 500;
    let mut below = [0; 3];
    for seed in 0..users {
        let config = PredictiveCheckConfig { replicates: 200, seed };
        let observed = history(&mut rng);
        let checks = config.run(&names, &observed, |rng| Ok(history(rng)), statistics).unwrap();
        for (below, check) in below.iter_mut().zip(&checks) {
            *below += usize::from(check.p_value < 0.3);
        }
    }
    // The repeat rate of four events takes three values only: its mid-p is uniform on average.
    for below in &below[1..] {
        assert!((120..=180).contains(below), "{below} of {users} below 0.3");
    }
    let config = PredictiveCheckConfig::default();
    let loyal = vec![3; 40];
    let checks = config.run(&names, &loyal, |rng| Ok(history(rng)), statistics).unwrap();
    assert!(checks[0].p_value < 0.05, "{:?}", checks[0]);
    assert!(checks[1].p_value > 0.99 && checks[2].p_value > 0.99, "{checks:?}");
    assert!(checks[2].mean > checks[2].observed + 3.0 * checks[2].standard_deviation);
    assert_eq!((repeat_rate(&[]), repeat_rate(&[1, 1, 2, 1])), (0.0, 0.5));
    assert_eq!((category_entropy(&[9], &categories), mean_log_popularity(&[], &[])), (0.0, 0.0));
    let nan = config.run(&["nan"], &loyal, |rng| Ok(history(rng)), |_| vec![f64::NAN]);
    assert!(matches!(nan, Err(PosteriorError::OutOfRange { name: "statistic", .. })));
}
