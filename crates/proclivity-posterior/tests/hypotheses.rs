//! Hypotheses against enumeration, their laws to the last bit, and calibration on their own data.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{HypothesisBelief, PosteriorError, choice_log_probs};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Log-likelihoods of some events under three hypotheses; now and then one rules an event out.
fn events() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let one = prop_oneof![9 => -40.0_f64..2.0, 1 => Just(f64::NEG_INFINITY)];
    prop::collection::vec(prop::collection::vec(one, 3), 0..12)
}

fn prior() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.01_f64..1.0, 3)
}

fn belief(prior: &[f64], events: &[Vec<f64>]) -> HypothesisBelief {
    let mut belief = HypothesisBelief::new(prior).unwrap();
    events.iter().for_each(|event| belief.update(event).unwrap());
    belief
}

proptest! {
    #[test]
    fn the_posterior_is_bayes_rule(prior in prior(), events in events()) {
        let total: f64 = prior.iter().sum();
        let joint: Vec<f64> = (0..3)
            .map(|h| prior[h] / total * events.iter().map(|event| event[h].exp()).product::<f64>())
            .collect();
        let evidence: f64 = joint.iter().sum();
        let belief = belief(&prior, &events);
        // Products of many small numbers underflow where sums of logs don't.
        if evidence > 1e-290 {
            prop_assert!((belief.log_evidence() - evidence.ln()).abs() < 1e-8);
            for (got, joint) in belief.probabilities().unwrap().iter().zip(&joint) {
                prop_assert!((got - joint / evidence).abs() < 1e-8);
            }
        } else if belief.log_evidence() == f64::NEG_INFINITY {
            let ruled_out = belief.probabilities();
            let is_error = matches!(ruled_out, Err(PosteriorError::OutOfRange { .. }));
            prop_assert!(is_error);
        }
    }

    #[test]
    fn any_order_and_any_split_is_the_same_belief(prior in prior(), events in events(), cut in any::<prop::sample::Index>()) {
        let whole = belief(&prior, &events);
        let mut reversed = events.clone();
        reversed.reverse();
        prop_assert_eq!(&belief(&prior, &reversed), &whole);
        let (left, right) = events.split_at(cut.index(events.len() + 1));
        let mut merged = belief(&prior, right);
        merged.merge(&belief(&prior, left)).unwrap();
        prop_assert_eq!(&merged, &whole);
        let json = serde_json::to_string(&whole).unwrap();
        let mut read: HypothesisBelief = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read.events(), whole.events());
        let (read_evidence, evidence) = (read.log_evidence(), whole.log_evidence());
        prop_assert!(read_evidence == evidence || (read_evidence - evidence).abs() < 1e-9);
        prop_assert!(read.merge(&whole).is_ok());
    }

    #[test]
    fn what_was_taken_back_was_never_there(prior in prior(), events in events(), other in events()) {
        let mut all = belief(&prior, &[events.clone(), other.clone()].concat());
        other.iter().for_each(|event| all.retract(event).unwrap());
        prop_assert_eq!(all, belief(&prior, &events));
    }

    #[test]
    fn choices_are_probabilities_and_sharpness_zero_is_popularity(
        scores in prop::collection::vec(-300.0_f64..0.0, 8),
        null in prop::collection::vec(-300.0_f64..0.0, 4),
        popularity in prop::collection::vec(-5.0_f64..0.0, 4),
        sharpness in 0.0_f64..3.0,
    ) {
        let scores = Array2::from_shape_vec((2, 4), scores).unwrap();
        let (null, popularity) = (Array1::from(null), Array1::from(popularity));
        let log_probs = choice_log_probs(scores.view(), null.view(), popularity.view(), sharpness).unwrap();
        for row in log_probs.rows() {
            prop_assert!((row.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        // Ratios within a row are those of the formula.
        let ratio = log_probs[[0, 1]] - log_probs[[0, 0]];
        let lift = |x: usize| sharpness * (scores[[0, x]] - null[x]) + popularity[x];
        prop_assert!((ratio - (lift(1) - lift(0))).abs() < 1e-7);
        let flat = choice_log_probs(scores.view(), null.view(), popularity.view(), 0.0).unwrap();
        for hypothesis in 0..2 {
            for x in 0..4 {
                prop_assert!((flat[[hypothesis, x]] - log_probs[[2, x]]).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn probabilities_are_those_of_the_truth() {
    // Simulated from the model itself: among the beliefs that give the first hypothesis some
    // probability, it is true that often, and the mean belief is the prior.
    let prior = [0.5, 0.3, 0.2];
    let phi = array![[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7_f64]];
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let pick = |weights: &[f64], rng: &mut ChaCha8Rng| {
        let mut left = rng.random::<f64>();
        weights
            .iter()
            .position(|w| {
                left -= w;
                left < 0.0
            })
            .unwrap_or(weights.len() - 1)
    };
    const USERS: usize = 20_000;
    let mut bins = [(0.0, 0.0, 0.0); 5];
    let (mut mean, mut square) = (0.0, 0.0);
    for _ in 0..USERS {
        let truth = pick(&prior, &mut rng);
        let mut belief = HypothesisBelief::new(&prior).unwrap();
        for _ in 0..3 {
            let x = pick(&phi.row(truth).to_vec(), &mut rng);
            belief.update(&phi.column(x).mapv(f64::ln).to_vec()).unwrap();
        }
        let probability = belief.probabilities().unwrap()[0];
        mean += probability / USERS as f64;
        square += probability * probability / USERS as f64;
        let bin = &mut bins[((probability * 5.0) as usize).min(4)];
        bin.0 += 1.0;
        bin.1 += probability;
        bin.2 += f64::from(u8::from(truth == 0));
    }
    let error = ((square - mean * mean) / USERS as f64).sqrt();
    assert!((mean - 0.5).abs() < 4.0 * error, "{mean}");
    for (count, expected, observed) in bins {
        if count > 0.0 {
            let share: f64 = expected / count;
            let error = (share * (1.0 - share) * count).sqrt();
            assert!((observed - expected).abs() < 4.0 * error, "{observed} of {expected}");
        }
    }
}

#[test]
fn long_histories_neither_underflow_nor_drift() {
    let mut belief = HypothesisBelief::new(&[1.0, 1.0]).unwrap();
    for _ in 0..100_000 {
        belief.update(&[-700.0, -700.0]).unwrap();
    }
    belief.update(&[3.0_f64.ln(), 0.0]).unwrap();
    let probabilities = belief.probabilities().unwrap();
    assert!((probabilities[0] - 0.75).abs() < 1e-9, "{probabilities:?}");
    assert!((belief.log_evidence() + 7e7 - 2.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn none_of_these_wins_where_no_hypothesis_foretells() {
    // Both hypotheses prefer the first choice; the user keeps taking the second.
    let scores = array![[-1.0, -9.0], [-2.0, -8.0]];
    let log_probs =
        choice_log_probs(scores.view(), array![-5.0, -5.0].view(), array![0.0, 0.0].view(), 1.0)
            .unwrap();
    let mut belief = HypothesisBelief::new(&[1.0, 1.0, 1.0]).unwrap();
    for _ in 0..5 {
        belief.update(&log_probs.column(1).to_vec()).unwrap();
    }
    assert!(belief.probabilities().unwrap()[2] > 0.99);
    let next = belief.predict(log_probs.view()).unwrap();
    assert!((next[1].exp() - 0.5).abs() < 0.01);
}

#[test]
fn senseless_evidence_is_a_typed_error_and_changes_nothing() {
    let mut belief = HypothesisBelief::new(&[1.0, 3.0]).unwrap();
    let before = belief.clone();
    for bad in [&[0.0][..], &[f64::NAN, 0.0], &[f64::INFINITY, 0.0], &[1e10, 0.0]] {
        assert!(belief.update(bad).is_err());
    }
    assert!(belief.retract(&[-1.0, -1.0]).is_err(), "nothing was seen");
    assert!(belief.merge(&HypothesisBelief::new(&[1.0, 2.0]).unwrap()).is_err(), "another prior");
    assert!(belief.merge(&HypothesisBelief::new(&[1.0]).unwrap()).is_err());
    assert_eq!(belief, before);
    for bad in [&[][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN, 1.0]] {
        assert!(HypothesisBelief::new(bad).is_err());
    }
    let json = serde_json::to_string(&belief).unwrap();
    for (from, to) in
        [("\"version\":1", "\"version\":2"), ("[0,0]", "[0]"), ("\"events\":0", "\"events\":-1")]
    {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json);
        assert!(serde_json::from_str::<HypothesisBelief>(&damaged).is_err(), "{damaged}");
    }
    let scores = array![[f64::NEG_INFINITY, -1.0], [f64::NEG_INFINITY, f64::NEG_INFINITY]];
    let zeros = array![0.0, 0.0];
    let log_probs = choice_log_probs(scores.view(), zeros.view(), zeros.view(), 1.0).unwrap();
    assert_eq!(log_probs.row(0).to_vec(), [f64::NEG_INFINITY, 0.0]);
    assert_eq!(log_probs.row(1).to_vec(), [f64::NEG_INFINITY; 2]);
    let nothing = array![f64::NEG_INFINITY, f64::NEG_INFINITY];
    assert!(choice_log_probs(scores.view(), zeros.view(), nothing.view(), 1.0).is_err());
    assert!(choice_log_probs(scores.view(), nothing.view(), zeros.view(), 1.0).is_err());
    assert!(choice_log_probs(scores.view(), zeros.view(), zeros.view(), -1.0).is_err());
}
