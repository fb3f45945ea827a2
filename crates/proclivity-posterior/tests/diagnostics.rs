//! Diagnostics: calibration accepts right posteriors and refuses wrong ones, coverage counts, θ that data can't tell.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_posterior::{Dirichlet, PosteriorError, Replicate, SbcConfig, SbcReport};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

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
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for seed in 0..runs {
        let config = SbcConfig { replicates: 200, draws: 19, seed };
        let report =
            config.run(&["u"], |rng| Ok(Replicate::from_cdf(vec![rng.random()], 19))).unwrap();
        let uniformity = report.quantities[0].uniformity;
        rejected[0] += usize::from(uniformity.chi_squared_p_value < 0.2);
        rejected[1] += usize::from(uniformity.ecdf_p_value < 0.2);
        let _: u64 = rng.random();
    }
    for rejected in rejected {
        // A standard error is 8; discreteness makes the exact test a little shy.
        assert!((50..=110).contains(&rejected), "{rejected} of {runs} at 20 %");
    }
}

#[test]
fn the_band_holds_at_its_level() {
    let config = SbcConfig { replicates: 100, draws: 19, seed: 0 };
    let outside = (0..1_000)
        .filter(|&seed| {
            let config = SbcConfig { seed, ..config.clone() };
            let report =
                config.run(&["u"], |rng| Ok(Replicate::from_cdf(vec![rng.random()], 19))).unwrap();
            let quantity = &report.quantities[0];
            let band = quantity.band(0.9).unwrap();
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
