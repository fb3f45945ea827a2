//! Interests: the filter against enumeration, the running belief against the filter, calibration.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array2;
use proclivity_posterior::{
    Dirichlet, InterestBelief, InterestLikelihood, InterestModel, exact_shares,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn likelihood(interests: usize, items: usize, seed: u64) -> InterestLikelihood {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let weights = Array2::from_shape_simple_fn((interests, items), || rng.random::<f64>().powi(4));
    InterestLikelihood::from_weights(weights.view()).unwrap()
}

fn prior(interests: usize) -> Dirichlet {
    Dirichlet::new((0..interests).map(|k| 0.3 + 0.4 * k as f64).collect()).unwrap()
}

/// Σ over all K^n labelings, each with its Dirichlet–multinomial probability.
fn enumerated(prior: &Dirichlet, phi: &InterestLikelihood, items: &[u32]) -> (f64, Vec<f64>) {
    let interests = phi.interest_count();
    let (mut evidence, mut mean) = (0.0, vec![0.0; interests]);
    for code in 0..interests.pow(items.len() as u32) {
        let (mut code, mut counts, mut product) = (code, vec![0.0; interests], 1.0);
        for &item in items {
            let label = code % interests;
            code /= interests;
            counts[label] += 1.0;
            product *= phi.item(item).unwrap()[label];
        }
        let posterior =
            Dirichlet::new(prior.concentration().iter().zip(&counts).map(|(a, n)| a + n).collect())
                .unwrap();
        let weight = product * (posterior.log_partition() - prior.log_partition()).exp();
        evidence += weight;
        for (mean, share) in mean.iter_mut().zip(posterior.mean()) {
            *mean += weight * share;
        }
    }
    mean.iter_mut().for_each(|mean| *mean /= evidence);
    (evidence.ln(), mean)
}

proptest! {
    #[test]
    fn the_filter_is_the_enumeration(
        seed in 0_u64..1_000,
        items in prop::collection::vec(0_u32..6, 0..6),
    ) {
        let (phi, prior) = (likelihood(3, 6, seed), prior(3));
        let exact = exact_shares(&prior, &phi, &items, 1_000).unwrap();
        let (log_evidence, mean) = enumerated(&prior, &phi, &items);
        prop_assert_eq!(exact.dropped(), 0.0);
        prop_assert!((exact.log_evidence() - log_evidence).abs() < 1e-10);
        for (got, expected) in exact.mean().iter().zip(mean) {
            prop_assert!((got - expected).abs() < 1e-10);
        }
    }

    #[test]
    fn the_order_of_events_does_not_matter_to_the_filter(
        seed in 0_u64..1_000,
        mut items in prop::collection::vec(0_u32..6, 1..8),
    ) {
        let (phi, prior) = (likelihood(4, 6, seed), prior(4));
        let forward = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        items.reverse();
        let backward = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        prop_assert!((forward.log_evidence() - backward.log_evidence()).abs() < 1e-10);
        for (a, b) in forward.mean().iter().zip(backward.mean()) {
            prop_assert!((a - b).abs() < 1e-10);
        }
    }

    #[test]
    fn one_event_is_exact_in_mean_for_the_running_belief(
        seed in 0_u64..1_000,
        item in 0_u32..6,
    ) {
        let model = InterestModel::new(prior(3), likelihood(3, 6, seed)).unwrap();
        let belief = model.belief(&[item]).unwrap();
        let exact = exact_shares(model.prior(), model.likelihood(), &[item], 100).unwrap();
        for (a, b) in belief.shares().iter().zip(exact.mean()) {
            prop_assert!((a - b).abs() < 1e-12);
        }
    }
}

#[test]
fn certain_labels_make_the_running_belief_the_conjugate_posterior() {
    let phi = InterestLikelihood::from_weights(Array2::eye(3).view()).unwrap();
    let model = InterestModel::new(prior(3), phi).unwrap();
    let belief = model.belief(&[0, 2, 2, 1, 2]).unwrap();
    let expected = [0.3 + 1.0, 0.7 + 1.0, 1.1 + 3.0];
    for (got, expected) in belief.dirichlet().unwrap().concentration().iter().zip(expected) {
        assert!((got - expected).abs() < 1e-12);
    }
}

#[test]
fn a_dismissal_lowers_what_it_stands_for_and_its_intervals_follow() {
    let model = InterestModel::new(prior(3), likelihood(3, 6, 7)).unwrap();
    let mut belief = model.belief(&[1, 1, 4]).unwrap();
    let phi = model.likelihood().item(1).unwrap();
    let k = (0..3).max_by(|&a, &b| phi[a].total_cmp(&phi[b])).unwrap();
    let before = belief.shares()[k];
    belief.dismiss(model.likelihood(), 1, 1.0).unwrap();
    assert!(belief.shares()[k] < before);
    assert!(belief.dirichlet().is_none());
    for interval in belief.intervals(0.9).unwrap() {
        assert!(interval.lower <= interval.mean && interval.mean <= interval.upper);
    }
}

#[test]
fn a_refused_event_leaves_the_belief_as_it_was() {
    let model = InterestModel::new(prior(3), likelihood(3, 6, 7)).unwrap();
    let mut belief = InterestBelief::new(model.prior());
    let before = belief.clone();
    assert!(belief.observe(model.likelihood(), 6, 1.0).is_err());
    assert!(belief.observe(model.likelihood(), 0, f64::NAN).is_err());
    assert!(belief.dismiss(model.likelihood(), 0, -1.0).is_err());
    assert_eq!(belief, before);
}

/// Simulation-based calibration: with θ from the prior and X from θ, the posterior's distribution
/// function at θ is uniform. χ² of 10 bins, rejected beyond the 99.9 % point of χ²₉ (27.9).
#[test]
fn the_filter_is_calibrated_on_its_own_simulations() {
    let (prior, phi) = (prior(4), likelihood(4, 12, 3));
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut bins = [[0_u32; 10]; 4];
    const USERS: u32 = 2_000;
    for _ in 0..USERS {
        let theta = prior.sample(&mut rng);
        let mut log_probs = [0.0; 12];
        phi.log_probs(&theta, &mut log_probs);
        let items: Vec<u32> = (0..6)
            .map(|_| {
                let mut left = rng.random::<f64>();
                let chosen = log_probs.iter().position(|p| {
                    left -= p.exp();
                    left < 0.0
                });
                chosen.unwrap_or(11) as u32
            })
            .collect();
        let exact = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        for k in 0..4 {
            bins[k][((exact.marginal_cdf(k, theta[k]) * 10.0) as usize).min(9)] += 1;
        }
    }
    for (k, bins) in bins.iter().enumerate() {
        let expected = f64::from(USERS) / 10.0;
        let chi2: f64 = bins.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        assert!(chi2 < 27.9, "interest {k}: χ² {chi2:.1}, {bins:?}");
    }
}

#[test]
fn pruning_says_what_it_dropped_and_stays_close() {
    let (prior, phi) = (prior(4), likelihood(4, 12, 3));
    let items = [0, 5, 3, 3, 8, 1, 0, 11];
    let exact = exact_shares(&prior, &phi, &items, 10_000).unwrap();
    let pruned = exact_shares(&prior, &phi, &items, 64).unwrap();
    assert!(pruned.dropped() > 0.0 && pruned.dropped() < 0.2);
    for (a, b) in pruned.mean().iter().zip(exact.mean()) {
        assert!((a - b).abs() <= pruned.dropped());
    }
}
