//! The laws of next-step.

use proclivity_posterior::{MarkovChain, NextStepConfig, Predictive, Sequence, Transitions};
use proptest::prelude::*;

use crate::suite::{Bits, Claims, Within, exact_laws, largest_difference, shuffle};

/// Scaling and permuting are run by `tests/next_step.rs`.
pub(crate) const TRANSITIONS: Claims = Claims {
    family: "next-step (`Transitions`)",
    stream_is_batch: Bits,
    any_order: Bits,
    any_merge: Bits,
    retract: Bits,
    no_evidence: Bits,
    forget: Bits,
    scaling: Within(1e-5),
    permuting: Within(1e-12),
};

pub(crate) const MARKOV_CHAIN: Claims =
    Claims { family: "next-step, unit counts (`MarkovChain`)", ..TRANSITIONS };

/// What comes after the first item, and after none.
fn next_items(model: &impl Predictive) -> Vec<f64> {
    let mut log_probs = vec![0.0; model.item_count()];
    let mut all = Vec::new();
    for history in [&[0][..], &[]] {
        model.log_probs(history, &mut log_probs);
        all.extend(log_probs.iter().map(|log_prob| log_prob.exp()));
    }
    all
}

proptest! {
    #[test]
    fn next_step(
        events in prop::collection::vec(prop::collection::vec(0_u32..4, 0..7), 0..8),
        shuffle in shuffle(),
    ) {
        let sequences: Vec<Sequence<'_>> = events.iter().map(|e| Sequence(e)).collect();
        let popularity = [0.4, 0.3, 0.2, 0.1];
        let chain = MarkovChain::new(&popularity, 1.0, 3.0, None).unwrap();
        let prior = [popularity, popularity].concat();
        exact_laws(
            &MARKOV_CHAIN,
            &chain,
            &sequences,
            &shuffle,
            |a, b| largest_difference(&next_items(a), &next_items(b)),
            |posterior| largest_difference(&next_items(posterior), &prior),
        )?;
        let family = Transitions::new(NextStepConfig::default(), 4, None).unwrap();
        exact_laws(
            &TRANSITIONS,
            &family,
            &sequences,
            &shuffle,
            |a, b| largest_difference(&next_items(a), &next_items(b)),
            |posterior| largest_difference(&next_items(posterior), &[0.25; 8]),
        )?;
    }
}
