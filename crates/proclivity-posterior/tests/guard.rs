//! The guard: its identity with one shared sum, its bound for every user, and what it keeps.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/guard/experiment.rs"]
mod experiment;

use ndarray::{Array2, array};
use proclivity_posterior::{
    AssumedDensity, Belief, Dirichlet, Exact, Family, Finite, Guarded, LabelLikelihood, Labelled,
    LogLikelihood, PosteriorError, Predictable, PriorMixture, ToEach, guard_weights,
};
use proptest::prelude::*;

fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}

fn dirichlets() -> impl Strategy<Value = Vec<Dirichlet>> {
    let one = prop::collection::vec(0.02_f64..20.0, 4);
    prop::collection::vec(one.prop_map(|a| Dirichlet::new(a).unwrap()), 3)
}

fn weights() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.001_f64..1.0, 3)
}

proptest! {
    #[test]
    fn exact_events_weigh_members_by_their_evidence(
        members in dirichlets(),
        weights in weights(),
        labels in prop::collection::vec(0..4_u32, 0..25),
        next in 0..4_u32,
    ) {
        let families: Vec<&Dirichlet> = members.iter().collect();
        let mut guard = Guarded::new(&families, &weights).unwrap();
        let mixture = PriorMixture::new(members.clone(), &weights).unwrap();
        let mut belief = Belief::new(&mixture);
        let mut total = 0.0;
        for &label in &labels {
            total += guard.update(&families, &Labelled { interest: label }).unwrap();
            belief.update(&mixture, &ToEach(Labelled { interest: label })).unwrap();
        }
        prop_assert!((total - belief.log_evidence(&mixture).unwrap()).abs() < 1e-8);
        let posterior = belief.posterior(&mixture).unwrap();
        for (member, (&prequential, &shared)) in
            guard.log_weights().iter().zip(posterior.log_weights()).enumerate()
        {
            prop_assert!((prequential - shared).abs() < 1e-8);
            // Each member's posterior is that of its own sum, which is the same sum for all.
            prop_assert_eq!(guard.members()[member].evidence(), belief.evidence());
            let own = members[member].posterior(belief.evidence()).unwrap();
            prop_assert_eq!(posterior.members()[member].as_ref(), Some(&own));
        }
        let by_sum = ToEach(Labelled { interest: next }).log_predictive(&mixture, belief.evidence()).unwrap();
        let prequential = guard.log_predictive(&families, &Labelled { interest: next }).unwrap();
        prop_assert!((by_sum - prequential).abs() < 1e-8);
    }

    #[test]
    fn what_was_taken_back_never_weighed_a_member(
        members in dirichlets(),
        weights in weights(),
        kept in prop::collection::vec(0..4_u32, 0..12),
        other in prop::collection::vec(0..4_u32, 0..12),
    ) {
        let mixture = PriorMixture::new(members, &weights).unwrap();
        let of = |labels: &[u32]| {
            let mut belief = Belief::new(&mixture);
            labels.iter().for_each(|&label| belief.update(&mixture, &ToEach(Labelled { interest: label })).unwrap());
            belief
        };
        let mut all = of(&[other.clone(), kept.clone()].concat());
        let mut merged = of(&other);
        merged.merge(&of(&kept)).unwrap();
        prop_assert_eq!(&merged, &all);
        other.iter().for_each(|&label| all.retract(&mixture, &ToEach(Labelled { interest: label })).unwrap());
        prop_assert_eq!(&all, &of(&kept));
        let json = serde_json::to_string(&all).unwrap();
        prop_assert_eq!(serde_json::from_str::<Belief<PriorMixture<Dirichlet>>>(&json).unwrap(), all);
    }

    #[test]
    fn no_user_loses_more_than_the_weight_allows(
        members in dirichlets(),
        weights in weights(),
        events in prop::collection::vec(prop::collection::vec(1e-6_f64..1.0, 4), 0..20),
        kept in 0.0_f64..=1.0,
    ) {
        // Approximate events that fade: neither exchangeable nor of the family's form.
        let families: Vec<&Dirichlet> = members.iter().collect();
        let mut guard = Guarded::new(&families, &weights).unwrap();
        let mut alone: Vec<_> = members.iter().map(AssumedDensity::new).collect();
        let (mut by_guard, mut by_member) = (0.0, [0.0; 3]);
        for event in &events {
            let event = LabelLikelihood(event);
            by_guard += guard.absorb(&families, &event).unwrap();
            guard.forget(kept).unwrap();
            for ((belief, member), sum) in alone.iter_mut().zip(&members).zip(&mut by_member) {
                *sum += event.log_predictive(member, belief.evidence()).unwrap();
                belief.absorb(member, &event).unwrap();
                belief.forget(kept).unwrap();
            }
        }
        let total: f64 = weights.iter().sum();
        let mut joint = Vec::new();
        for (weight, by_member) in weights.iter().zip(by_member) {
            let log_weight = (weight / total).ln();
            prop_assert!(by_member - by_guard <= -log_weight + 1e-9);
            joint.push(log_weight + by_member);
        }
        prop_assert!((log_sum_exp(&joint) - by_guard).abs() < 1e-8);
        let json = serde_json::to_string(&guard).unwrap();
        prop_assert_eq!(serde_json::from_str::<Guarded<Dirichlet>>(&json).unwrap(), guard);
    }
}

#[test]
fn regret_is_bounded_for_every_user_and_a_good_prior_is_kept() {
    for corrupted in [0.0, 0.3, 0.6] {
        let row = experiment::run(corrupted, 1_000).unwrap();
        assert!(row.worst_regret <= row.bound + 1e-9, "{} > {}", row.worst_regret, row.bound);
        assert!(row.guard_gain > row.language_gain.max(0.0) - 0.02, "{corrupted}");
        if corrupted == 0.0 {
            assert!(row.language_gain > 0.3, "{}", row.language_gain);
            assert!(row.kept >= 0.9, "{}", row.kept);
            assert!((6.0..20.0).contains(&row.pseudo_count), "12 were read: {}", row.pseudo_count);
        } else {
            assert!(row.worst_regret > 0.0, "swapped interests cost something");
            assert!((row.language_weight - (1.0 - row.corrupted)).abs() < 0.15);
        }
    }
}

#[test]
fn weights_learned_across_users_are_the_mode() {
    // Member 0 explains users of the first kind e times better, and so the other those of the second.
    let rows: Vec<f64> =
        (0..40).flat_map(|u| if u % 4 == 0 { [-2.0, -1.0] } else { [-1.0, -2.0] }).collect();
    let log_probs = Array2::from_shape_vec((40, 2), rows).unwrap();
    let objective = |w: f64, pseudo: f64| {
        let users =
            log_probs.rows().into_iter().map(|r| (w * r[0].exp() + (1.0 - w) * r[1].exp()).ln());
        users.sum::<f64>() + pseudo / 2.0 * (w.ln() + (1.0 - w).ln())
    };
    for pseudo in [0.1, 2.0, 50.0] {
        let fitted = guard_weights(log_probs.view(), pseudo).unwrap()[0];
        for step in [-0.01, 0.01_f64] {
            let near = (fitted + step).clamp(1e-9, 1.0 - 1e-9);
            assert!(objective(fitted, pseudo) > objective(near, pseudo), "{fitted}");
        }
    }
    assert_eq!(guard_weights(Array2::zeros((0, 4)).view(), 1.0).unwrap(), [0.25; 4]);
    // A user whom no member allows says nothing; one whom a member doesn't allow speaks against it.
    let none = f64::NEG_INFINITY;
    let weights = guard_weights(array![[none, none], [none, -1.0]].view(), 1.0).unwrap();
    assert!((weights[1] - 0.75).abs() < 1e-6, "{weights:?}");
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(guard_weights(array![[bad, 0.0]].view(), 1.0).is_err());
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(guard_weights(array![[0.0, 0.0]].view(), bad).is_err());
    }
    assert!(guard_weights(Array2::zeros((3, 0)).view(), 1.0).is_err());
}

#[test]
fn members_that_rule_an_event_out_lose_their_say_for_good() {
    let none = f64::NEG_INFINITY;
    let sure = Finite::new(&[1.0, 0.0]).unwrap();
    let open = Finite::new(&[1.0, 1.0]).unwrap();
    let families = [&sure, &open];
    let mut guard = Guarded::new(&families, &[0.99, 0.01]).unwrap();
    let event = LogLikelihood(&[none, -1.0]);
    let log_prob = guard.update(&families, &event).unwrap();
    assert!((log_prob - (0.01_f64 * 0.5).ln() + 1.0).abs() < 1e-9);
    assert_eq!(guard.log_weights(), [none, 0.0]);
    let json = serde_json::to_string(&guard).unwrap();
    assert_eq!(serde_json::from_str::<Guarded<Finite>>(&json).unwrap(), guard);
    let before = guard.clone();
    let impossible = LogLikelihood(&[-1.0, none]);
    assert!(matches!(guard.update(&families, &impossible), Err(PosteriorError::OutOfRange { .. })));
    assert_eq!(guard, before);
    guard.update(&families, &LogLikelihood(&[-1.0, -2.0])).unwrap();
    assert_eq!(guard.log_weights(), [none, 0.0]);

    let mixture = PriorMixture::new(vec![sure, open], &[0.99, 0.01]).unwrap();
    let mut belief = Belief::new(&mixture);
    belief.update(&mixture, &ToEach(event)).unwrap();
    assert!((belief.log_evidence(&mixture).unwrap() - log_prob).abs() < 1e-9);
    let posterior = belief.posterior(&mixture).unwrap();
    assert_eq!(posterior.log_weights(), [none, 0.0]);
    assert!(posterior.members()[0].is_none());
    belief.update(&mixture, &ToEach(impossible)).unwrap();
    assert!(belief.posterior(&mixture).is_err());
    belief.retract(&mixture, &ToEach(impossible)).unwrap();
    assert_eq!(belief.posterior(&mixture).unwrap(), posterior);
}

#[test]
fn senseless_guards_are_typed_errors_and_change_nothing() {
    let a = Dirichlet::new(vec![1.0, 2.0]).unwrap();
    let b = Dirichlet::new(vec![2.0, 2.0]).unwrap();
    let wide = Dirichlet::new(vec![1.0; 3]).unwrap();
    for bad in [&[1.0][..], &[0.0, 0.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0]] {
        assert!(Guarded::new(&[&a, &b], bad).is_err());
        assert!(PriorMixture::new(vec![a.clone(), b.clone()], bad).is_err());
    }
    assert!(Guarded::<Dirichlet>::new(&[], &[]).is_err());
    assert!(PriorMixture::<Dirichlet>::new(vec![], &[]).is_err());
    let foreign = PosteriorError::ForeignBelief { family: "dirichlet" };
    assert_eq!(PriorMixture::new(vec![a.clone(), wide], &[1.0, 1.0]), Err(foreign.clone()));

    let mut guard = Guarded::new(&[&a, &b], &[1.0, 1.0]).unwrap();
    let before = guard.clone();
    assert_eq!(guard.update(&[&b, &a], &Labelled { interest: 0 }), Err(foreign));
    assert!(matches!(
        guard.update(&[&a], &Labelled { interest: 0 }),
        Err(PosteriorError::Length { .. })
    ));
    assert!(guard.update(&[&a, &b], &Labelled { interest: 2 }).is_err());
    for bad in [&[1.0][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0]] {
        assert!(guard.absorb(&[&a, &b], &LabelLikelihood(bad)).is_err());
    }
    assert!(guard.forget(1.5).is_err());
    assert_eq!(guard, before);
    let mixture = PriorMixture::new(vec![a.clone(), b.clone()], &[1.0, 1.0]).unwrap();
    let other = PriorMixture::new(vec![a.clone(), b], &[1.0, 2.0]).unwrap();
    assert!(Belief::new(&mixture).update(&other, &ToEach(Labelled { interest: 0 })).is_err());
    assert!(Exact::<Dirichlet>::statistic(&Labelled { interest: 7 }, &a).is_err());

    let json = serde_json::to_string(&guard).unwrap();
    assert!(serde_json::from_str::<Guarded<Finite>>(&json).is_err());
    let half = 0.5_f64.ln().to_string();
    for (from, to) in [
        ("{\"version\":1", "{\"version\":2"),
        (half.as_str(), "0.5"),
        (half.as_str(), "null"),
        ("[0,0]", "[0,-1]"),
        ("\"log_weights\":[", "\"log_weights\":[null,"),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        assert!(serde_json::from_str::<Guarded<Dirichlet>>(&damaged).is_err(), "{damaged}");
    }
}
