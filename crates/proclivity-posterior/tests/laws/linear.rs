//! The laws of the linear model and EASE.

use proclivity_posterior::{
    Bag, Ease, EaseModel, Linear, LinearConfig, LinearModel, LinearSequence, Precision, Timescale,
};
use proptest::prelude::*;

use crate::suite::{Bits, Claims, NotClaimed, Within, exact_laws, largest_difference, shuffle};

/// Permuting items is run by `tests/linear.rs`.
pub(crate) const LINEAR: Claims = Claims {
    family: "linear model (`Linear`)",
    stream_is_batch: Bits,
    any_order: Bits,
    any_merge: Bits,
    retract: Bits,
    no_evidence: Within(1e-12),
    forget: Bits,
    scaling: NotClaimed,
    permuting: Within(1e-10),
};

/// Permuting items is run by `tests/linear.rs`.
pub(crate) const EASE: Claims = Claims { family: "EASE (`Ease`)", ..LINEAR };

fn sequences() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0_u32..5, 0..9), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linear(sequences in sequences(), shuffle in shuffle()) {
        let slow = Timescale { decay: 0.97, window: 5, ridge: 40.0, semantic_weight: 0.0 };
        let timescales = vec![Timescale { window: 3, ..Timescale::default() }, slow];
        let config = LinearConfig { timescales, ..LinearConfig::default() };
        let family = Linear::new(config, 5, None).unwrap();
        let events: Vec<LinearSequence<'_>> = sequences.iter().map(|s| LinearSequence(s)).collect();
        let scores = |model: &LinearModel| model.scores(&[0, 1, 2, 3, 4]).unwrap();
        exact_laws(
            &LINEAR,
            &family,
            &events,
            &shuffle,
            |a, b| largest_difference(&scores(a), &scores(b)),
            |model| largest_difference(&scores(model), &[0.0; 5]),
        )?;
    }

    #[test]
    fn ease(bags in sequences(), shuffle in shuffle()) {
        let family = Ease::new(5, 2.0, Precision::Double).unwrap();
        let events: Vec<Bag<'_>> = bags.iter().map(|bag| Bag(bag)).collect();
        let scores = |model: &EaseModel| model.scores(&[0, 1, 2]).unwrap();
        exact_laws(
            &EASE,
            &family,
            &events,
            &shuffle,
            |a, b| largest_difference(&scores(a), &scores(b)),
            |model| largest_difference(&scores(model), &[0.0; 5]),
        )?;
    }
}
