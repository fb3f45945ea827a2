//! The next item by hypotheses against enumeration, its laws, and what useless scores come to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{
    Belief, HypothesisConfig, HypothesisModel, HypothesisScores, PosteriorError, Predictive,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 60;

/// Items 0 to 29 are of the first kind, the rest of the second; there is a third hypothesis of none.
fn scores(lift: f64) -> HypothesisScores {
    let of = |(hypothesis, item): (usize, usize)| {
        -20.0 - item as f64 + if item / 30 == hypothesis { lift } else { 0.0 }
    };
    let names = ["first", "second", "neither"].map(str::to_owned).to_vec();
    let null = Array1::from_shape_fn(ITEMS, |item| -20.0 - item as f64);
    HypothesisScores::new(names, Array2::from_shape_fn((3, ITEMS), of), null).unwrap()
}

/// Users of one kind, whose items are of it four times of five and all different.
fn sequences(users: usize) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let user = |_| {
        let kind = u32::from(rng.random_bool(0.4));
        let mut items: Vec<u32> = Vec::new();
        while items.len() < 4 {
            let kind = if rng.random_bool(0.8) { kind } else { 1 - kind };
            let item = 30 * kind + rng.random_range(0..30);
            if !items.contains(&item) {
                items.push(item);
            }
        }
        items
    };
    (0..users).map(user).collect()
}

fn fit(config: HypothesisConfig, users: &[Vec<u32>], scores: &HypothesisScores) -> HypothesisModel {
    let users: Vec<&[u32]> = users.iter().map(Vec::as_slice).collect();
    config.fit(&users, scores).unwrap()
}

fn log_probs(model: &HypothesisModel, history: &[u32]) -> Vec<f64> {
    let mut out = vec![0.0; model.item_count()];
    model.log_probs(history, &mut out);
    out
}

fn popularity(users: &[Vec<u32>]) -> Vec<f64> {
    let mut counts = vec![1.0; ITEMS];
    users.iter().flatten().for_each(|&item| counts[item as usize] += 1.0);
    let total: f64 = counts.iter().sum();
    counts.iter().map(|count| count / total).collect()
}

fn normalized(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    weights
}

#[test]
fn the_predictive_is_the_sum_over_all_hypotheses() {
    let users = sequences(200);
    for (power, decay) in [(1.0, 1.0), (0.3, 1.0), (0.5, 0.8)] {
        let config = HypothesisConfig { power, decay, ..HypothesisConfig::default() };
        let model = fit(config, &users, &scores(2.0));
        let sharpness = model.sharpness().sharpness;
        assert!(sharpness > 0.3, "{sharpness}");
        assert!(model.sharpness().log_loss < model.sharpness().popularity_log_loss);
        let prior = normalized(Vec::<f64>::from(model.prior().clone()));
        let popularity = popularity(&users);
        // P(x|h), the last row being "none of these".
        let of = |hypothesis: usize| {
            let lift = |item: usize| if item / 30 == hypothesis { 2.0 } else { 0.0 };
            normalized((0..ITEMS).map(|x| popularity[x] * (sharpness * lift(x)).exp()).collect())
        };
        let rows: Vec<Vec<f64>> = (0..4).map(of).collect();
        for history in [&[][..], &[0], &[0, 1, 37, 2], &[59, 58, 57, 56, 55, 54]] {
            let weight = |age: usize| power * decay.powi(age as i32);
            let likelihood = |row: &Vec<f64>| -> f64 {
                let events = history.iter().rev().enumerate();
                events.map(|(age, &item)| row[item as usize].powf(weight(age))).product()
            };
            let posterior =
                normalized(rows.iter().zip(&prior).map(|(row, p)| p * likelihood(row)).collect());
            for (got, expected) in model.posterior(history).unwrap().probs().iter().zip(&posterior)
            {
                assert!((got - expected).abs() < 1e-8);
            }
            for (item, got) in log_probs(&model, history).into_iter().enumerate() {
                let mixed: f64 = posterior.iter().zip(&rows).map(|(p, row)| p * row[item]).sum();
                assert!((got - mixed.ln()).abs() < 1e-8, "{item} after {history:?}");
            }
            let total: f64 = log_probs(&model, history).iter().map(|p| p.exp()).sum();
            assert!((total - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn order_matters_only_where_events_fade_and_one_by_one_is_all_at_once() {
    let users = sequences(60);
    let model = fit(HypothesisConfig::default(), &users, &scores(2.0));
    assert_eq!(log_probs(&model, &[0, 37, 3, 38]), log_probs(&model, &[38, 3, 37, 0]));
    let config = HypothesisConfig { decay: 0.7, ..HypothesisConfig::default() };
    let fading = fit(config, &users, &scores(2.0));
    assert_ne!(log_probs(&fading, &[0, 37, 3, 38]), log_probs(&fading, &[38, 3, 37, 0]));

    let mut belief = Belief::new(fading.prior());
    for (at, item) in [0, 37, 3, 38].into_iter().enumerate() {
        belief.forget(0.7).unwrap();
        let event = fading.log_likelihood(item).unwrap();
        belief.update_weighted(fading.prior(), &event, config.power).unwrap();
        let posterior = belief.posterior(fading.prior()).unwrap();
        assert_eq!(posterior, fading.posterior(&[0, 37, 3, 38][..=at]).unwrap());
    }
    let histories: [&[u32]; 3] = [&[0, 7], &[], &[3]];
    let mut batch = Array2::zeros((3, ITEMS));
    fading.log_probs_batch(&histories, batch.view_mut());
    for (history, row) in histories.iter().zip(batch.rows()) {
        assert_eq!(log_probs(&fading, history), row.to_vec());
    }
    assert!(fading.log_likelihood(ITEMS as u32).is_none());
}

#[test]
fn nothing_known_is_the_priors_mixture_and_the_prior_is_the_populations() {
    let users = sequences(400);
    let config = HypothesisConfig { power: 1.0, ..HypothesisConfig::default() };
    let model = fit(config, &users, &scores(2.0));
    let prior = model.posterior(&[]).unwrap().probs();
    let mut mixed = vec![0.0; ITEMS];
    for (item, mixed) in mixed.iter_mut().enumerate() {
        let of_item = model.log_likelihood(item as u32).unwrap().0;
        *mixed = prior.iter().zip(of_item).map(|(p, log_prob)| p * log_prob.exp()).sum::<f64>();
    }
    for (got, expected) in log_probs(&model, &[]).iter().zip(mixed) {
        assert!((got - expected.ln()).abs() < 1e-9);
    }
    // Three of five users are of the first kind; what isn't told apart keeps equal shares.
    assert!((prior[0] / (prior[0] + prior[1]) - 0.6).abs() < 0.1, "{prior:?}");
    assert!(prior[0] + prior[1] > 0.5 && (prior[2] - prior[3]).abs() < 1e-12, "{prior:?}");
}

#[test]
fn useless_scores_are_not_believed() {
    let users = sequences(400);
    let popularity = popularity(&users);
    // No lift at all: popularity, exactly.
    let model = fit(HypothesisConfig::default(), &users, &scores(0.0));
    assert_eq!(model.sharpness().sharpness, 0.0);
    for (got, expected) in log_probs(&model, &[0, 1, 2]).iter().zip(&popularity) {
        assert!((got - expected.ln()).abs() < 1e-9);
    }
    // Lifts that have nothing to do with what users choose together.
    for seed in 0..3 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // An item and its double of the other kind are lifted alike.
        let lifts = Array2::from_shape_fn((2, 30), |_| rng.random_range(-3.0..3.0));
        let names = ["some", "others"].map(str::to_owned).to_vec();
        let noise = Array2::from_shape_fn((2, ITEMS), |(h, item)| lifts[[h, item % 30]]);
        let noise = HypothesisScores::new(names, noise, Array1::zeros(ITEMS)).unwrap();
        let model = fit(HypothesisConfig::default(), &users, &noise);
        assert!(model.sharpness().sharpness < 0.25, "{:?}", model.sharpness());
        for (got, expected) in log_probs(&model, &[0, 1, 2]).iter().zip(&popularity) {
            assert!((got - expected.ln()).abs() < 0.5, "{got} for {}", expected.ln());
        }
    }
}

#[test]
fn what_is_foretold_is_not_in_what_foretells() {
    // Item 59 is everyone's last and nowhere else: popularity must know it by its smoothing alone.
    let users: Vec<Vec<u32>> = (0..50).map(|user| vec![user % 6, 6 + user % 5, 59]).collect();
    let model = fit(HypothesisConfig::default(), &users, &scores(0.0));
    let events = 100.0 + ITEMS as f64;
    let share = |count: f64| (count + 1.0) / events;
    let count = |of: u32| users.iter().filter(|user| user.contains(&of)).count() as f64;
    let of_user = |user: &Vec<u32>| {
        -(share(0.0) / (1.0 - share(count(user[0])) - share(count(user[1])))).ln()
    };
    let expected = users.iter().map(of_user).sum::<f64>() / 50.0;
    assert!((model.sharpness().popularity_log_loss - expected).abs() < 1e-9);
}

#[test]
fn what_does_not_fit_is_refused() {
    let names = |count: usize| (0..count).map(|name| name.to_string()).collect::<Vec<_>>();
    let zeros = Array2::zeros((2, 3));
    let length = |result| matches!(result, Err(PosteriorError::Length { .. }));
    assert!(length(HypothesisScores::new(names(3), zeros.clone(), Array1::zeros(3))));
    assert!(length(HypothesisScores::new(names(2), zeros.clone(), Array1::zeros(2))));
    let nothing = HypothesisScores::new(names(0), Array2::zeros((0, 3)), Array1::zeros(3));
    assert_eq!(nothing, Err(PosteriorError::Empty { what: "hypotheses" }));
    let out_of_range = |result| matches!(result, Err(PosteriorError::OutOfRange { .. }));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut scores = zeros.clone();
        scores[[1, 2]] = bad;
        assert!(out_of_range(HypothesisScores::new(names(2), scores, Array1::zeros(3))));
        let null = array![0.0, bad, 0.0];
        assert!(out_of_range(HypothesisScores::new(names(2), zeros.clone(), null)));
    }

    let scores = HypothesisScores::new(names(2), zeros, Array1::zeros(3)).unwrap();
    let fit = |config: HypothesisConfig, users: &[&[u32]]| config.fit(users, &scores).map(|_| ());
    let config = HypothesisConfig::default();
    assert_eq!(fit(config, &[&[3]]), Err(PosteriorError::UnknownItem { item: 3, items: 3 }));
    assert_eq!(fit(config, &[&[]]), Err(PosteriorError::Empty { what: "last items" }));
    assert_eq!(fit(config, &[&[1, 1]]), Err(PosteriorError::Empty { what: "last items" }));
    for bad in [
        HypothesisConfig { power: 0.0, ..config },
        HypothesisConfig { power: f64::NAN, ..config },
        HypothesisConfig { decay: 1.1, ..config },
        HypothesisConfig { rounds: 0, ..config },
    ] {
        let refused = matches!(fit(bad, &[&[1]]), Err(PosteriorError::OutOfRange { .. }));
        assert!(refused, "{bad:?}");
    }
    let model = config.fit(&[&[0, 1]], &scores).unwrap();
    assert!(matches!(model.posterior(&[4]), Err(PosteriorError::UnknownItem { item: 4, .. })));
    assert!(matches!(model.predict(&[4]), Err(PosteriorError::UnknownItem { .. })));
}
