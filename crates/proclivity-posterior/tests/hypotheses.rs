//! Hypotheses against enumeration, their laws to the last bit, and calibration on their own data.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{
    Belief, Finite, LogLikelihood, PosteriorError, Replicate, SbcConfig, choice_log_probs,
};
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

fn finite(weights: &[f64]) -> Finite {
    Finite::new(weights).unwrap()
}

fn belief(prior: &[f64], events: &[Vec<f64>]) -> Belief<Finite> {
    let family = finite(prior);
    let mut belief = Belief::new(&family);
    events.iter().for_each(|event| belief.update(&family, &LogLikelihood(event)).unwrap());
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
        let (family, belief) = (finite(&prior), belief(&prior, &events));
        let log_evidence = belief.log_evidence(&family).unwrap();
        // Products of many small numbers underflow where sums of logs don't.
        if evidence > 1e-290 {
            prop_assert!((log_evidence - evidence.ln()).abs() < 1e-8);
            for (got, joint) in belief.posterior(&family).unwrap().probs().iter().zip(&joint) {
                prop_assert!((got - joint / evidence).abs() < 1e-8);
            }
        } else if log_evidence == f64::NEG_INFINITY {
            let ruled_out = belief.posterior(&family);
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
        let read: Belief<Finite> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read, whole);
        let family = finite(&prior);
        let json = serde_json::to_string(&family).unwrap();
        prop_assert_eq!(serde_json::from_str::<Finite>(&json).unwrap(), family);
    }

    #[test]
    fn what_was_taken_back_was_never_there(prior in prior(), events in events(), other in events()) {
        let family = finite(&prior);
        let mut all = belief(&prior, &[events.clone(), other.clone()].concat());
        other.iter().for_each(|event| all.retract(&family, &LogLikelihood(event)).unwrap());
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
    let family = finite(&prior);
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
        let mut belief = Belief::new(&family);
        for _ in 0..3 {
            let x = pick(&phi.row(truth).to_vec(), &mut rng);
            let log_likelihood = phi.column(x).mapv(f64::ln).to_vec();
            belief.update(&family, &LogLikelihood(&log_likelihood)).unwrap();
        }
        let probability = belief.posterior(&family).unwrap().probs()[0];
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

/// Ranks of the hypothesis and of log P(X|h) among draws of the posterior, ties broken at random; a
/// posterior that counts each event twice is found out.
#[test]
fn hypotheses_are_calibrated_on_their_own_simulations() {
    let prior = [0.5, 0.3, 0.2];
    let family = finite(&prior);
    let phi = array![[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7_f64]];
    fn pick(weights: &[f64], rng: &mut impl RngExt) -> usize {
        let mut left = rng.random::<f64>();
        let chosen = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        chosen.unwrap_or(weights.len() - 1)
    }
    let p_value = |times: usize| {
        let config = SbcConfig { replicates: 4_000, ..SbcConfig::default() };
        let report = config.run(&["hypothesis", "log-likelihood"], |rng| {
            let truth = pick(&prior, rng);
            let data: Vec<usize> = (0..4).map(|_| pick(&phi.row(truth).to_vec(), rng)).collect();
            let mut belief = Belief::new(&family);
            for &x in data.iter().cycle().take(data.len() * times) {
                let log_likelihood = phi.column(x).mapv(f64::ln).to_vec();
                belief.update(&family, &LogLikelihood(&log_likelihood))?;
            }
            let probs = belief.posterior(&family)?.probs();
            let quantities =
                |h: usize| vec![h as f64, data.iter().map(|&x| phi[[h, x]].ln()).sum::<f64>()];
            let draws = (0..config.draws).map(|_| quantities(pick(&probs, rng))).collect();
            Ok(Replicate { truths: quantities(truth), draws })
        });
        report.unwrap().p_value()
    };
    let (right, too_sure) = (p_value(1), p_value(2));
    assert!(right > 0.01, "p = {right}");
    assert!(too_sure < 1e-6, "p = {too_sure}");
}

#[test]
fn forgetting_everything_is_the_prior_and_weighted_evidence_has_no_probability() {
    let family = finite(&[1.0, 3.0]);
    let mut belief = Belief::new(&family);
    belief.update(&family, &LogLikelihood(&[-1.0, f64::NEG_INFINITY])).unwrap();
    belief.update_weighted(&family, &LogLikelihood(&[-1.0, -3.0]), 0.3).unwrap();
    assert_eq!(belief.log_evidence(&family), Err(PosteriorError::Weighted));
    belief.retract_weighted(&family, &LogLikelihood(&[-1.0, -3.0]), 0.3).unwrap();
    belief.forget(0.5).unwrap();
    assert_eq!(belief.posterior(&family).unwrap().probs(), [1.0, 0.0]);
    belief.forget(0.0).unwrap();
    for (got, prior) in belief.posterior(&family).unwrap().probs().iter().zip([0.25, 0.75]) {
        assert!((got - prior).abs() < 1e-12);
    }
}

#[test]
fn long_histories_neither_underflow_nor_drift() {
    let family = finite(&[1.0, 1.0]);
    let mut belief = Belief::new(&family);
    for _ in 0..100_000 {
        belief.update(&family, &LogLikelihood(&[-700.0, -700.0])).unwrap();
    }
    belief.update(&family, &LogLikelihood(&[3.0_f64.ln(), 0.0])).unwrap();
    let probabilities = belief.posterior(&family).unwrap().probs();
    assert!((probabilities[0] - 0.75).abs() < 1e-9, "{probabilities:?}");
    assert!((belief.log_evidence(&family).unwrap() + 7e7 - 2.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn none_of_these_wins_where_no_hypothesis_foretells() {
    // Both hypotheses prefer the first choice; the user keeps taking the second.
    let scores = array![[-1.0, -9.0], [-2.0, -8.0]];
    let log_probs =
        choice_log_probs(scores.view(), array![-5.0, -5.0].view(), array![0.0, 0.0].view(), 1.0)
            .unwrap();
    let family = finite(&[1.0, 1.0, 1.0]);
    let mut belief = Belief::new(&family);
    for _ in 0..5 {
        belief.update(&family, &LogLikelihood(&log_probs.column(1).to_vec())).unwrap();
    }
    let posterior = belief.posterior(&family).unwrap();
    assert!(posterior.probs()[2] > 0.99);
    let next = posterior.predict(log_probs.view()).unwrap();
    assert!((next[1].exp() - 0.5).abs() < 0.01);
}

#[test]
fn senseless_evidence_is_a_typed_error_and_changes_nothing() {
    let family = finite(&[1.0, 3.0]);
    let mut belief = Belief::new(&family);
    let before = belief.clone();
    for bad in [&[0.0][..], &[f64::NAN, 0.0], &[f64::INFINITY, 0.0], &[1e10, 0.0]] {
        assert!(belief.update(&family, &LogLikelihood(bad)).is_err());
    }
    let ruled_out = LogLikelihood(&[f64::NEG_INFINITY, -1.0]);
    assert!(belief.retract(&family, &ruled_out).is_err(), "nothing was ruled out");
    let other = finite(&[1.0, 2.0]);
    let foreign = PosteriorError::ForeignBelief { family: "finite" };
    assert_eq!(belief.merge(&Belief::new(&other)), Err(foreign.clone()));
    assert_eq!(belief.update(&other, &LogLikelihood(&[0.0, 0.0])), Err(foreign.clone()));
    assert_eq!(belief.posterior(&other), Err(foreign));
    assert_eq!(belief, before);
    for bad in [&[][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN, 1.0]] {
        assert!(Finite::new(bad).is_err());
    }
    let json = serde_json::to_string(&belief).unwrap();
    for (from, to) in
        [("\"version\":1", "\"version\":2"), ("[0,0]", "[0]"), ("\"finite\"", "\"rates\"")]
    {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json);
        assert!(serde_json::from_str::<Belief<Finite>>(&damaged).is_err(), "{damaged}");
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
