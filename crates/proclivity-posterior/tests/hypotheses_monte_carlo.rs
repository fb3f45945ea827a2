//! Sampled hypotheses against enumeration, smoothed weights against ArviZ, and sharpness.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2};
use proclivity_posterior::{
    Belief, Finite, LogLikelihood, Particles, PosteriorError, ScoredChoice, SharpnessConfig,
    choice_log_loss, choice_log_probs, fit_sharpness, pareto_smooth,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const PRIOR: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
/// log P(x|h) of five events; the last hypothesis can't produce the third one.
const EVENTS: [[f64; 4]; 5] = [
    [-1.0, -2.0, -0.5, -3.0],
    [-2.0, -0.3, -1.0, -0.1],
    [-0.7, -1.5, -0.2, f64::NEG_INFINITY],
    [-3.0, -1.0, -0.4, -0.2],
    [-0.1, -2.5, -0.9, -0.3],
];

fn pick(probs: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let mut left = rng.random::<f64>() * probs.iter().sum::<f64>();
    let chosen = probs.iter().position(|prob| {
        left -= prob;
        left < 0.0
    });
    chosen.unwrap_or(probs.len() - 1)
}

fn enumerated() -> (f64, Vec<f64>) {
    let family = Finite::new(&PRIOR).unwrap();
    let mut belief = Belief::new(&family);
    EVENTS.iter().for_each(|event| belief.update(&family, &LogLikelihood(event)).unwrap());
    (belief.log_evidence(&family).unwrap(), belief.posterior(&family).unwrap().probs())
}

/// Draws from a proposal, filtered through the events; resampled and moved below a threshold.
fn filtered(
    count: usize,
    threshold: f64,
    proposal: &[f64],
    rng: &mut ChaCha8Rng,
) -> Option<Particles<usize>> {
    let total: f64 = proposal.iter().sum();
    let drawn: Vec<usize> = (0..count).map(|_| pick(proposal, rng)).collect();
    let log_weights = drawn.iter().map(|&h| (PRIOR[h] / proposal[h] * total).ln()).collect();
    let mut particles = Particles::new(drawn, log_weights).unwrap();
    for (seen, event) in EVENTS.iter().enumerate() {
        particles.update(|&h| event[h]).ok()?;
        let log_joint =
            |h: usize| PRIOR[h].ln() + EVENTS[..=seen].iter().map(|event| event[h]).sum::<f64>();
        let metropolis = |h: &mut usize, rng: &mut ChaCha8Rng| {
            let other = rng.random_range(0..PRIOR.len());
            if rng.random::<f64>().ln() < log_joint(other) - log_joint(*h) {
                *h = other;
            }
        };
        particles.resample_below(threshold, rng, metropolis).unwrap();
    }
    Some(particles)
}

#[test]
fn the_evidence_is_unbiased_over_seeds() {
    let truth = enumerated().0.exp();
    for (threshold, proposal) in [(0.0, [1.0; 4]), (0.5, PRIOR), (1.0, [0.1, 0.2, 0.3, 0.4])] {
        const SEEDS: usize = 20_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..SEEDS {
            let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
            // Where every particle is ruled out, the estimate of the evidence is 0.
            let estimate = filtered(6, threshold, &proposal, &mut rng);
            let estimate = estimate.map_or(0.0, |particles| particles.log_evidence().exp());
            sum += estimate;
            squares += estimate * estimate;
        }
        let mean = sum / SEEDS as f64;
        let error = ((squares / SEEDS as f64 - mean * mean) / SEEDS as f64).sqrt();
        assert!((mean - truth).abs() < 4.0 * error, "{mean} ± {error} for {truth}");
        assert!(error < 0.01 * truth, "the test has no power: {error}");
    }
}

#[test]
fn many_particles_are_the_enumerated_posterior() {
    let (log_evidence, probs) = enumerated();
    for threshold in [0.0, 0.5, 1.0] {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let particles = filtered(100_000, threshold, &[1.0; 4], &mut rng).unwrap();
        assert!((particles.log_evidence() - log_evidence).abs() < 0.02);
        for (h, prob) in probs.iter().enumerate() {
            let share = particles.mean(|&particle| f64::from(u8::from(particle == h)));
            assert!((share - prob).abs() < 0.01, "{h}: {share} for {prob}");
        }
        let next = particles.log_predictive(|&h| EVENTS[0][h]).exp();
        let expected: f64 = probs.iter().zip(EVENTS[0]).map(|(p, value)| p * value.exp()).sum();
        assert!((next - expected).abs() < 0.01);
    }
}

#[test]
fn a_thousand_and_one_events_neither_underflow_nor_lose_ties() {
    let mut particles = Particles::new(vec![0, 1, 2, 3], vec![0.0; 4]).unwrap();
    for _ in 0..1_001 {
        particles.update(|&h| if h == 3 { f64::NEG_INFINITY } else { -800.0 }).unwrap();
    }
    let third = (1.0_f64 / 3.0).ln();
    for (weight, expected) in particles.log_weights().iter().zip([third, third, third]) {
        assert!((weight - expected).abs() < 1e-9);
    }
    assert_eq!(particles.log_weights()[3], f64::NEG_INFINITY);
    assert!((particles.effective_sample_size() - 3.0).abs() < 1e-9);
    assert!((particles.log_evidence() + 800.0 * 1_001.0 - 0.75_f64.ln()).abs() < 1e-6);
    let json = serde_json::to_string(&particles).unwrap();
    assert_eq!(serde_json::from_str::<Particles<i32>>(&json).unwrap(), particles);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    assert!(!particles.resample_below(0.7, &mut rng, |_, _| ()).unwrap());
    assert!(particles.resample_below(0.8, &mut rng, |_, _| ()).unwrap());
    assert!(!particles.particles().contains(&3), "what is ruled out is never drawn");
    assert_eq!(particles.effective_sample_size(), 4.0);
}

proptest! {
    #[test]
    fn resampling_is_systematic(
        log_weights in prop::collection::vec(prop_oneof![4 => -9.0_f64..0.0, 1 => Just(f64::NEG_INFINITY)], 1..40),
        seed in any::<u64>(),
    ) {
        prop_assume!(log_weights.iter().any(|weight| weight.is_finite()));
        let count = log_weights.len();
        let mut particles = Particles::new((0..count).collect(), log_weights).unwrap();
        let weights: Vec<f64> = particles.log_weights().iter().map(|weight| weight.exp()).collect();
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let (evidence, size) = (particles.log_evidence(), particles.effective_sample_size());
        prop_assert!((size - 1.0 / weights.iter().map(|w| w * w).sum::<f64>()).abs() < 1e-9 * size);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        if particles.resample_below(1.0, &mut rng, |_, _| ()).unwrap() {
            for (particle, weight) in weights.iter().enumerate() {
                let copies = particles.particles().iter().filter(|&&p| p == particle).count() as f64;
                let expected = weight * count as f64;
                prop_assert!((copies - expected).abs() < 1.0 + 1e-9, "{} for {}", copies, expected);
            }
        }
        prop_assert_eq!(particles.log_evidence(), evidence);
    }

    #[test]
    fn smoothing_keeps_the_order_and_never_exceeds_the_largest(
        log_weights in prop::collection::vec(-30.0_f64..30.0, 1..200),
    ) {
        let smoothed = pareto_smooth(&log_weights).unwrap();
        let total: f64 = smoothed.log_weights.iter().map(|weight| weight.exp()).sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        let mut order: Vec<usize> = (0..log_weights.len()).collect();
        order.sort_by(|&a, &b| log_weights[a].total_cmp(&log_weights[b]));
        for pair in order.windows(2) {
            prop_assert!(smoothed.log_weights[pair[0]] <= smoothed.log_weights[pair[1]] + 1e-9);
        }
    }
}

#[test]
fn smoothed_weights_are_those_of_arviz() {
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        log_weights: Vec<f64>,
        smoothed: Vec<f64>,
        shape: Option<f64>,
    }
    #[derive(serde::Deserialize)]
    struct Reference {
        cases: Vec<Case>,
    }
    let reference: Reference =
        serde_json::from_str(include_str!("../reference/psis.json")).unwrap();
    assert_eq!(reference.cases.len(), 8);
    for case in reference.cases {
        let mut got = pareto_smooth(&case.log_weights).unwrap();
        assert_eq!(got.shape.is_some(), case.shape.is_some(), "{}", case.name);
        let off = (got.shape.unwrap_or(0.0) - case.shape.unwrap_or(0.0)).abs();
        assert!(off < 1e-8, "{}: {off}", case.name);
        let mut expected = case.smoothed;
        if case.name == "ties" {
            // Which of equal weights gets which order statistic is left to the sort.
            got.log_weights.sort_by(f64::total_cmp);
            expected.sort_by(f64::total_cmp);
        }
        for (got, expected) in got.log_weights.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-8, "{}: {got} for {expected}", case.name);
        }
    }
}

#[test]
fn the_shape_tells_good_proposals_from_bad_ones() {
    // Ratios of a normal of deviation 1 to one of deviation s, at draws from the latter, have a
    // tail of shape 1 − s².
    let shape = |deviation: f64| {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let log_weights: Vec<f64> = (0..20_000)
            .map(|_| {
                let z: f64 = StandardNormal.sample(&mut rng);
                0.5 * z * z * (1.0 - deviation * deviation)
            })
            .collect();
        pareto_smooth(&log_weights).unwrap()
    };
    assert!(shape(0.95).is_reliable() && shape(1.2).is_reliable());
    let bad = shape(0.4);
    assert!(!bad.is_reliable() && bad.shape.unwrap() > 0.7, "{:?}", bad.shape);
    let equal = pareto_smooth(&[-3.0; 50]).unwrap();
    assert!(equal.is_reliable() && equal.shape.is_none());
    let lone = pareto_smooth(&[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]).unwrap();
    assert!(!lone.is_reliable());
    assert_eq!(lone.log_weights, [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn senseless_samples_are_typed_errors_and_change_nothing() {
    let none = f64::NEG_INFINITY;
    assert!(matches!(Particles::<u8>::new(vec![], vec![]), Err(PosteriorError::Empty { .. })));
    assert!(matches!(Particles::new(vec![1], vec![]), Err(PosteriorError::Length { .. })));
    for bad in [f64::NAN, f64::INFINITY, none] {
        assert!(matches!(
            Particles::new(vec![1], vec![bad]),
            Err(PosteriorError::OutOfRange { .. })
        ));
        assert!(matches!(pareto_smooth(&[bad]), Err(PosteriorError::OutOfRange { .. })));
    }
    assert!(matches!(pareto_smooth(&[]), Err(PosteriorError::Empty { .. })));
    let mut particles = Particles::new(vec![0, 1], vec![0.0, none]).unwrap();
    let before = particles.clone();
    for bad in [f64::NAN, f64::INFINITY, none] {
        // The second particle, which allows the event, has no weight left.
        let refused = particles.update(|&h| if h == 0 { bad } else { 0.0 });
        assert!(matches!(refused, Err(PosteriorError::OutOfRange { .. })), "{bad}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(particles.resample_below(bad, &mut rng, |_, _| ()).is_err());
    }
    assert_eq!(particles, before);
    let json = serde_json::to_string(&particles).unwrap();
    for (from, to) in [
        ("\"version\":1", "\"version\":9"),
        ("[0.0,null]", "[0.0,0.0]"),
        ("[0.0,null]", "[null,null]"),
        ("[0.0,null]", "[0.0]"),
        ("\"log_evidence\":", "\"log_evidence\":1e999,\"x\":"),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        assert!(serde_json::from_str::<Particles<u8>>(&damaged).is_err(), "{damaged}");
    }
}

struct Set {
    scores: Array2<f64>,
    null: Array1<f64>,
    popularity: Array1<f64>,
    chosen: usize,
}

/// Users with one true hypothesis each, none of these among them, who choose at a sharpness.
fn choosers(users: usize, sharpness: f64) -> Vec<Vec<Set>> {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    (0..users)
        .map(|_| {
            let truth = rng.random_range(0..3_usize);
            (0..4)
                .map(|_| {
                    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
                    let null = Array1::from_shape_fn(5, |_| -40.0 + 10.0 * normal());
                    let popularity = Array1::from_shape_fn(5, |_| normal());
                    let scores = Array2::from_shape_fn((2, 5), |(_, x)| null[x] + 2.0 * normal());
                    let probs =
                        choice_log_probs(scores.view(), null.view(), popularity.view(), sharpness);
                    let row = probs.unwrap().row(truth).mapv(f64::exp).to_vec();
                    Set { chosen: pick(&row, &mut rng), scores, null, popularity }
                })
                .collect()
        })
        .collect()
}

fn choices(sets: &[Vec<Set>]) -> Vec<Vec<ScoredChoice<'_>>> {
    sets.iter().map(|user| user.iter().map(Set::choice).collect()).collect()
}

impl Set {
    fn choice(&self) -> ScoredChoice<'_> {
        ScoredChoice {
            scores: self.scores.view(),
            null_scores: self.null.view(),
            log_popularity: self.popularity.view(),
            chosen: self.chosen,
        }
    }
}

#[test]
fn sharpness_is_found_inside_and_on_the_boundary() {
    let prior = Finite::new(&[1.0; 3]).unwrap();
    let config = SharpnessConfig::default();
    for truth in [0.0, 0.3, 1.7] {
        let sets = choosers(600, truth);
        let users = choices(&sets);
        let users: Vec<&[ScoredChoice<'_>]> = users.iter().map(Vec::as_slice).collect();
        let fit = fit_sharpness(&users, &prior, &config).unwrap();
        assert!(
            (fit.sharpness - truth).abs() < 0.08 + 0.08 * truth,
            "{} for {truth}",
            fit.sharpness
        );
        assert!(!fit.at_maximum);
        assert_eq!(fit.log_loss, choice_log_loss(&users, &prior, fit.sharpness).unwrap());
        assert_eq!(fit.popularity_log_loss, choice_log_loss(&users, &prior, 0.0).unwrap());
        assert!(fit.log_loss <= fit.popularity_log_loss);
        for other in [0.5 * fit.sharpness, 2.0 * fit.sharpness + 0.05] {
            assert!(choice_log_loss(&users, &prior, other).unwrap() >= fit.log_loss - 1e-9);
        }
        let low = SharpnessConfig { maximum: 0.5 * truth + 0.01, ..config };
        assert_eq!(fit_sharpness(&users, &prior, &low).unwrap().at_maximum, truth > 0.0);
    }
}

#[test]
fn the_loss_is_the_chain_rule_and_convex_where_the_hypothesis_is_known() {
    let sets = choosers(30, 1.0);
    let users = choices(&sets);
    let users: Vec<&[ScoredChoice<'_>]> = users.iter().map(Vec::as_slice).collect();
    let prior = Finite::new(&[0.5, 0.3, 0.2]).unwrap();
    let mut expected = 0.0;
    for user in &users {
        let (mut joint, mut left) = ([0.5, 0.3, 0.2], 1.0);
        for choice in *user {
            let log_probs =
                choice_log_probs(choice.scores, choice.null_scores, choice.log_popularity, 0.7)
                    .unwrap();
            for (h, joint) in joint.iter_mut().enumerate() {
                *joint *= log_probs[[h, choice.chosen]].exp();
            }
            let after: f64 = joint.iter().sum();
            expected -= (after / left).ln();
            left = after;
        }
    }
    let loss = choice_log_loss(&users, &prior, 0.7).unwrap();
    assert!((loss - expected / 120.0).abs() < 1e-8);
    let known = Finite::new(&[1.0, 0.0, 0.0]).unwrap();
    let at = |step: i32| choice_log_loss(&users, &known, 0.1 * f64::from(step)).unwrap();
    for step in 1..60 {
        assert!(at(step - 1) + at(step + 1) >= 2.0 * at(step) - 1e-8);
    }
}

#[test]
fn senseless_choices_are_typed_errors() {
    let prior = Finite::new(&[1.0, 1.0, 0.0]).unwrap();
    let none = f64::NEG_INFINITY;
    let ruled_out = Set {
        scores: ndarray::array![[none, -1.0], [none, -1.0]],
        null: ndarray::array![-1.0, -1.0],
        popularity: ndarray::array![none, 0.0],
        chosen: 0,
    };
    let config = SharpnessConfig::default();
    let user = [ruled_out.choice()];
    assert!(matches!(
        fit_sharpness(&[&user], &prior, &config),
        Err(PosteriorError::OutOfRange { name: "log loss", .. })
    ));
    // What was chosen and the hypotheses rule out speaks for popularity alone.
    let possible = Set { popularity: ndarray::array![0.0, 0.0], ..ruled_out };
    let user = [possible.choice()];
    let fit = fit_sharpness(&[&user], &prior, &config).unwrap();
    assert_eq!(fit.sharpness, 0.0);
    assert!((fit.log_loss - 2.0_f64.ln()).abs() < 1e-9);
    let outside = [ScoredChoice { chosen: 2, ..possible.choice() }];
    assert!(choice_log_loss(&[&outside], &prior, 1.0).is_err());
    assert!(matches!(choice_log_loss(&[&[]], &prior, 1.0), Err(PosteriorError::Empty { .. })));
    assert!(choice_log_loss(&[&user], &Finite::new(&[1.0]).unwrap(), 1.0).is_err());
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            fit_sharpness(&[&user], &prior, &SharpnessConfig { maximum: bad, ..config }).is_err()
        );
        assert!(
            fit_sharpness(&[&user], &prior, &SharpnessConfig { tolerance: bad, ..config }).is_err()
        );
    }
    assert!(serde_json::from_str::<SharpnessConfig>(r#"{"steps":1}"#).is_err());
}
