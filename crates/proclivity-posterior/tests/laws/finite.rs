//! The laws of hypotheses.

use proclivity_posterior::{Belief, Finite, LogLikelihood};
use proptest::prelude::*;

use crate::suite::{Bits, Claims, NotClaimed, Within, exact_laws, largest_difference, shuffle};

pub(crate) const FINITE: Claims = Claims {
    family: "hypotheses (`Finite`)",
    stream_is_batch: Bits,
    any_order: Bits,
    any_merge: Bits,
    retract: Bits,
    no_evidence: Bits,
    forget: Bits,
    scaling: NotClaimed,
    permuting: Within(1e-12),
};

proptest! {
    #[test]
    fn finite(
        weights in prop::collection::vec(0.01_f64..1.0, 3),
        events in prop::collection::vec(prop::collection::vec(-9.0_f64..1.0, 3), 0..12),
        shuffle in shuffle(),
    ) {
        let family = Finite::new(&weights).unwrap();
        let total: f64 = weights.iter().sum();
        let prior: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let likelihoods: Vec<LogLikelihood<'_>> = events.iter().map(|e| LogLikelihood(e)).collect();
        exact_laws(
            &FINITE,
            &family,
            &likelihoods,
            &shuffle,
            |a, b| largest_difference(&a.probs(), &b.probs()),
            |posterior| largest_difference(&posterior.probs(), &prior),
        )?;
        // Permuting hypotheses permutes the posterior.
        let turned = |values: &[f64]| [values[2], values[0], values[1]].to_vec();
        let turned_family = Finite::new(&turned(&weights)).unwrap();
        let (mut belief, mut turned_belief) = (Belief::new(&family), Belief::new(&turned_family));
        for event in &events {
            belief.update(&family, &LogLikelihood(event)).unwrap();
            turned_belief.update(&turned_family, &LogLikelihood(&turned(event))).unwrap();
        }
        let probs = belief.posterior(&family).unwrap().probs();
        let turned_probs = turned_belief.posterior(&turned_family).unwrap().probs();
        let distance = largest_difference(&turned_probs, &turned(&probs));
        FINITE.permuting.check("permuting", &distance, &0.0, |a, b| (a - b).abs())?;
    }
}
