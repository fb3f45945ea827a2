//! Decisions: frequencies of draws against closed forms and quadrature, information against enumeration.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    Belief, Dirichlet, Finite, InterestLikelihood, LinearMoments, LogLikelihood, Measured, Normal,
    NormalInverseGamma, PosteriorError, Rated, Sample, best_probabilities, dirichlet_divergence,
    exact_shares, gamma_preference, information_gain, information_gain_by_draws, kl_divergence,
    label_information_gain, normal_preference, preference_by_draws, score_quantiles,
    thompson_scores, upper_confidence_bounds,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Distribution;
use statrs::distribution::{Beta, Continuous, ContinuousCDF, Gamma};

const DRAWS: usize = 40_000;

/// θₖ ~ N(meanₖ, sdₖ²), each on its own.
struct Gaussians(Vec<(f64, f64)>);

impl Sample for Gaussians {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.0
            .iter()
            .map(|&(mean, sd)| rand_distr::Normal::new(mean, sd).unwrap().sample(rng))
            .collect()
    }
}

/// ∫ f over \[from, to\] by the midpoint rule.
fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    let steps = 200_000;
    let width = (to - from) / f64::from(steps);
    (0..steps).map(|step| f(from + (f64::from(step) + 0.5) * width)).sum::<f64>() * width
}

fn close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{got} for {expected}, within {tolerance}");
}

/// Four standard errors of a probability.
fn monte_carlo(probability: f64) -> f64 {
    4.0 * (probability * (1.0 - probability) / DRAWS as f64).sqrt()
}

#[test]
fn thompson_shows_an_item_as_often_as_it_is_the_best() {
    let posterior = Gaussians(vec![(0.0, 1.0), (0.4, 0.5), (-0.2, 1.5)]);
    let items = Array2::<f64>::eye(3);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let by_draws = best_probabilities(&posterior, &items.view(), DRAWS, &mut rng).unwrap();
    let mut shown = [0.0; 3];
    for _ in 0..DRAWS {
        let scores = thompson_scores(&posterior, &items.view(), &mut rng);
        let best = (0..3).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        shown[best] += 1.0 / DRAWS as f64;
    }
    let normal = |k: usize| statrs::distribution::Normal::new(posterior.0[k].0, posterior.0[k].1);
    for best in 0..3 {
        let density = |x: f64| {
            let others = (0..3).filter(|&k| k != best).map(|k| normal(k).unwrap().cdf(x));
            normal(best).unwrap().pdf(x) * others.product::<f64>()
        };
        let expected = integral(-12.0, 12.0, density);
        close(by_draws[best], expected, monte_carlo(expected));
        close(shown[best], expected, monte_carlo(expected));
    }
}

#[test]
fn one_draw_is_consistent_across_items() {
    let posterior = Dirichlet::new(vec![0.5, 1.5, 1.0]).unwrap();
    let phi = array![[4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [1.0, 3.0, 1.0, 3.0]];
    let likelihood = InterestLikelihood::from_weights(phi.view()).unwrap();
    let scores = thompson_scores(&posterior, &likelihood, &mut ChaCha8Rng::seed_from_u64(4));
    close(scores.iter().map(|score| score.exp()).sum(), 1.0, 1e-12);
    let again = thompson_scores(&posterior, &likelihood, &mut ChaCha8Rng::seed_from_u64(4));
    assert_eq!(scores, again);
}

#[test]
fn preferences_agree_with_quadrature() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for ((a, b), (c, d)) in
        [((2.0, 1.0), (3.0, 1.0)), ((5.5, 4.0), (1.2, 0.7)), ((1.0, 9.0), (2.0, 3.0))]
    {
        let (first, second) = (Gamma::new(a, b).unwrap(), Gamma::new(c, d).unwrap());
        let expected = integral(0.0, 60.0, |x| first.pdf(x) * second.cdf(x));
        close(gamma_preference((a, b), (c, d)).unwrap(), expected, 1e-6);
    }
    // Two shares of a Dirichlet: whether the first part of their sum, a Beta, is above one half.
    let dirichlet = Dirichlet::new(vec![1.5, 2.5, 4.0]).unwrap();
    let expected = integral(0.5, 1.0, |x| Beta::new(1.5, 2.5).unwrap().pdf(x));
    close(gamma_preference((1.5, 1.0), (2.5, 1.0)).unwrap(), expected, 1e-6);
    let shares = Array2::<f64>::eye(3);
    let drawn = preference_by_draws(&dirichlet, &shares.view(), (0, 1), DRAWS, &mut rng).unwrap();
    close(drawn.probability, expected, 4.0 * drawn.standard_error);

    // Scores that share a parameter: their difference is N(0.3 − 0.5·0.2, 0.8² + 0.25·0.5²).
    let posterior = Gaussians(vec![(0.3, 0.8), (0.2, 0.5)]);
    let items = array![[1.0, 1.0], [0.0, 1.5]];
    let expected = normal_preference(0.3 - 0.1, 0.64 + 0.0625).unwrap();
    let drawn = preference_by_draws(&posterior, &items.view(), (0, 1), DRAWS, &mut rng).unwrap();
    close(drawn.probability, expected, 4.0 * drawn.standard_error);
    let itself = preference_by_draws(&posterior, &items.view(), (1, 1), 10, &mut rng).unwrap();
    assert_eq!(itself.probability, 0.5);
}

proptest! {
    #[test]
    fn a_preference_and_its_reverse_sum_to_one(
        a in 0.05..50.0_f64, b in 0.05..50.0_f64, c in 0.05..50.0_f64, d in 0.05..50.0_f64,
    ) {
        let there = gamma_preference((a, b), (c, d)).unwrap();
        let back = gamma_preference((c, d), (a, b)).unwrap();
        prop_assert!((there + back - 1.0).abs() < 1e-9);
        prop_assert!((gamma_preference((a, b), (a, b)).unwrap() - 0.5).abs() < 1e-9);
        let there = normal_preference(a - b, c).unwrap();
        prop_assert!((there + normal_preference(b - a, c).unwrap() - 1.0).abs() < 1e-9);
    }

    /// What an answer tells is how far it is expected to move the belief.
    #[test]
    fn information_is_the_expected_divergence_of_the_posterior(
        weights in prop::collection::vec(0.01..1.0_f64, 4),
        answers in prop::collection::vec(0.01..1.0_f64, 12),
    ) {
        let mut answers = Array2::from_shape_vec((4, 3), answers).unwrap();
        for mut row in answers.rows_mut() {
            let total = row.sum();
            row /= total;
        }
        let family = Finite::new(&weights).unwrap();
        let before = Belief::new(&family).posterior(&family).unwrap().probs();
        let mut expected = 0.0;
        for answer in answers.columns() {
            let log_likelihoods = answer.mapv(f64::ln).to_vec();
            let mut belief = Belief::new(&family);
            belief.update(&family, &LogLikelihood(&log_likelihoods)).unwrap();
            let prob: f64 = before.iter().zip(&answer).map(|(prior, prob)| prior * prob).sum();
            let after = belief.posterior(&family).unwrap().probs();
            expected += prob * kl_divergence(&after, &before);
        }
        // Log-likelihoods are rounded to 2⁻³² nats.
        prop_assert!((information_gain(&before, answers.view()).unwrap() - expected).abs() < 1e-8);

        let dirichlet = Dirichlet::new(weights).unwrap();
        let mean = dirichlet.mean();
        let mut expected = 0.0;
        for (label, prob) in mean.iter().enumerate() {
            let mut counts = dirichlet.concentration().to_vec();
            counts[label] += 1.0;
            let after = Dirichlet::new(counts).unwrap();
            expected += prob * dirichlet_divergence(&after, &dirichlet).unwrap();
        }
        prop_assert!((label_information_gain(&dirichlet) - expected).abs() < 1e-9);
    }
}

#[test]
fn information_by_draws_agrees_with_sums_and_quadrature() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let dirichlet = Dirichlet::new(vec![1.5, 2.0]).unwrap();
    let phi = array![[7.0, 2.0, 1.0], [1.0, 3.0, 6.0]];
    let likelihood = InterestLikelihood::from_weights(phi.view()).unwrap();
    let answers = |shares: &Vec<f64>| {
        let mut log_probs = vec![0.0; 3];
        likelihood.log_probs(shares, &mut log_probs);
        log_probs.into_iter().map(f64::exp).collect::<Vec<_>>()
    };
    let density = Beta::new(1.5, 2.0).unwrap();
    let predictive = answers(&dirichlet.mean());
    let expected = integral(0.0, 1.0, |x| {
        density.pdf(x) * kl_divergence(&answers(&vec![x, 1.0 - x]), &predictive)
    });
    let gain = information_gain_by_draws(&dirichlet, answers, DRAWS, &mut rng).unwrap();
    close(gain.nats, expected, 4.0 * gain.standard_error + 2.0 / DRAWS as f64);
    // Knowing the interest tells more than guessing it from the item.
    assert!(expected < label_information_gain(&dirichlet));
    let label = information_gain_by_draws(&dirichlet, Vec::clone, DRAWS, &mut rng).unwrap();
    close(label.nats, label_information_gain(&dirichlet), 4.0 * label.standard_error + 1e-4);

    let family = Finite::new(&[0.2, 0.3, 0.5]).unwrap();
    let posterior = Belief::new(&family).posterior(&family).unwrap();
    let table = array![[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]];
    let exact = information_gain(&posterior.probs(), table.view()).unwrap();
    let row = |h: &usize| table.row(*h).to_vec();
    let drawn = information_gain_by_draws(&posterior, row, DRAWS, &mut rng).unwrap();
    close(drawn.nats, exact, 4.0 * drawn.standard_error + 1e-4);
    // A question whose answer is known tells nothing, one that names the hypothesis all there is.
    let known = array![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]];
    assert_eq!(information_gain(&posterior.probs(), known.view()).unwrap(), 0.0);
    let all = information_gain(&posterior.probs(), Array2::eye(3).view()).unwrap();
    close(all, proclivity_posterior::entropy(&[0.2, 0.3, 0.5]), 1e-8);
}

#[test]
fn bounds_are_moments_and_quantiles_of_draws() {
    let prior = Dirichlet::new(vec![0.8, 1.2, 2.0]).unwrap();
    let phi = array![[4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [1.0, 3.0, 1.0, 3.0]];
    let likelihood = InterestLikelihood::from_weights(phi.view()).unwrap();
    let posterior = exact_shares(&prior, &likelihood, &[0, 2, 2], 100).unwrap();
    let weights = [0.5, -1.0, 2.0];
    let (mean, variance) = posterior.linear_moments(&weights);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let scores: Vec<f64> = (0..DRAWS)
        .map(|_| posterior.draw(&mut rng).iter().zip(weights).map(|(p, w)| p * w).sum())
        .collect();
    let drawn = scores.iter().sum::<f64>() / DRAWS as f64;
    close(drawn, mean, 4.0 * (variance / DRAWS as f64).sqrt());
    let drawn = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / DRAWS as f64;
    close(drawn, variance, 0.05 * variance);
    let items = array![[0.5, -1.0, 2.0], [1.0, 1.0, 1.0]];
    let bounds = upper_confidence_bounds(&posterior, items.view(), 2.0).unwrap();
    close(bounds[0], mean + 2.0 * variance.sqrt(), 1e-12);
    // Shares sum to one: nothing is uncertain about the second.
    close(bounds[1], 1.0, 1e-7);

    let shares = Array2::<f64>::eye(3);
    let quantiles = score_quantiles(&prior, &shares.view(), 0.9, DRAWS, &mut rng).unwrap();
    for (k, quantile) in quantiles.into_iter().enumerate() {
        close(prior.marginal_cdf(k, quantile), 0.9, monte_carlo(0.9));
    }
}

/// wᵀθ of a taste has the moments of its covariance.
#[test]
fn bounds_of_a_taste_are_those_of_its_covariance() {
    let features = [[1.0, 0.2], [0.3, -1.0], [0.5, 0.5]];
    let weights = array![2.0, -0.5];
    let family = Normal::isotropic(2, 0.5).unwrap();
    let ratings = NormalInverseGamma::isotropic(2, 0.5, 2.0, 1.5).unwrap();
    let mut belief = Belief::new(&family);
    let mut rated = Belief::new(&ratings);
    for (features, value) in features.iter().zip([1.0, -2.0, 0.5]) {
        belief.update(&family, &Measured { features, value, variance: 0.7 }).unwrap();
        rated.update(&ratings, &Rated { features, value }).unwrap();
    }
    let posterior = belief.posterior(&family).unwrap();
    let (mean, variance) = posterior.linear_moments(&[2.0, -0.5]);
    close(mean, weights.dot(&posterior.mean()), 1e-12);
    close(variance, weights.dot(&posterior.covariance().dot(&weights)), 1e-12);
    let posterior = rated.posterior(&ratings).unwrap();
    let (mean, variance) = posterior.linear_moments(&[2.0, -0.5]);
    close(mean, weights.dot(&posterior.mean()), 1e-12);
    close(variance, weights.dot(&posterior.covariance().unwrap().dot(&weights)), 1e-12);
    // Up to shape 1 a mean of the noise doesn't exist, and neither does a variance.
    let vague = NormalInverseGamma::isotropic(2, 0.5, 1.0, 1.5).unwrap();
    let posterior = Belief::new(&vague).posterior(&vague).unwrap();
    assert_eq!(posterior.linear_moments(&[2.0, -0.5]).1, f64::INFINITY);
}

#[test]
fn bad_questions_are_named() {
    let answers = array![[0.5, 0.5], [0.5, 0.6]];
    assert!(matches!(
        information_gain(&[0.5, 0.5], answers.view()),
        Err(PosteriorError::OutOfRange { name: "sum of P(answer|h)", .. })
    ));
    assert!(information_gain(&[1.0], answers.view()).is_err());
    assert!(information_gain(&[f64::NAN, 1.0], answers.view()).is_err());
    let dirichlet = Dirichlet::new(vec![1.0, 1.0]).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let items = Array2::<f64>::eye(2);
    assert!(best_probabilities(&dirichlet, &items.view(), 0, &mut rng).is_err());
    assert_eq!(
        preference_by_draws(&dirichlet, &items.view(), (0, 2), 9, &mut rng),
        Err(PosteriorError::UnknownItem { item: 2, items: 2 })
    );
    assert!(upper_confidence_bounds(&dirichlet, array![[1.0]].view(), 1.0).is_err());
    assert!(upper_confidence_bounds(&dirichlet, items.view(), f64::NAN).is_err());
    assert!(score_quantiles(&dirichlet, &items.view(), 1.0, 9, &mut rng).is_err());
    assert!(gamma_preference((0.0, 1.0), (1.0, 1.0)).is_err());
    assert!(gamma_preference((1.0, 1.0), (1.0, f64::INFINITY)).is_err());
    assert!(normal_preference(0.0, -1.0).is_err());
    assert_eq!(normal_preference(0.0, 0.0), Ok(0.5));
}
