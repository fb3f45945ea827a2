//! The laws of taste.

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{Belief, Choice, ChoiceSet, Moments, Normal, NormalInverseGamma, Rated};
use proptest::prelude::*;

use crate::suite::{
    Bits, Claims, NotClaimed, Within, approximate_laws, exact_laws, largest_difference, shuffle,
};

/// Scaling: `tests/taste.rs`.
pub(crate) const REGRESSION: Claims = Claims {
    family: "taste from ratings (`NormalInverseGamma`)",
    stream_is_batch: Bits,
    any_order: Bits,
    any_merge: Bits,
    retract: Bits,
    no_evidence: Bits,
    forget: Within(1e-8),
    scaling: Within(1e-7),
    permuting: Within(1e-9),
};

/// Taking back is by replay. Permuting: `tests/taste.rs`.
pub(crate) const CHOICES: Claims = Claims {
    family: "taste from choices (`Normal`)",
    stream_is_batch: NotClaimed,
    any_order: NotClaimed,
    any_merge: NotClaimed,
    retract: Bits,
    no_evidence: Bits,
    forget: NotClaimed,
    scaling: NotClaimed,
    permuting: Within(1e-8),
};

proptest! {

    #[test]
    fn regression(
        events in prop::collection::vec((prop::collection::vec(-2.0_f64..2.0, 2), -3.0_f64..3.0), 0..12),
        shuffle in shuffle(),
    ) {
        let prior = array![0.3, -0.2];
        let family =
            NormalInverseGamma::new(prior.clone(), array![[2.0, 0.4], [0.4, 1.0]], 3.0, 2.0).unwrap();
        let ratings: Vec<Rated<'_>> =
            events.iter().map(|(features, value)| Rated { features, value: *value }).collect();
        exact_laws(
            &REGRESSION,
            &family,
            &ratings,
            &shuffle,
            |a, b| largest_difference(&a.means(), &b.means()).max((a.scale() - b.scale()).abs()),
            |posterior| {
                let shape = (posterior.shape() - 3.0).abs().max((posterior.scale() - 2.0).abs());
                largest_difference(&posterior.means(), &prior.to_vec()).max(shape)
            },
        )?;
        // Permuting features permutes the weights.
        let turned_family =
            NormalInverseGamma::new(array![-0.2, 0.3], array![[1.0, 0.4], [0.4, 2.0]], 3.0, 2.0).unwrap();
        let (mut belief, mut turned) = (Belief::new(&family), Belief::new(&turned_family));
        for (features, value) in &events {
            belief.update(&family, &Rated { features, value: *value }).unwrap();
            let features = [features[1], features[0]];
            turned.update(&turned_family, &Rated { features: &features, value: *value }).unwrap();
        }
        let mut means = turned.posterior(&turned_family).unwrap().means();
        means.reverse();
        let distance = largest_difference(&means, &belief.posterior(&family).unwrap().means());
        REGRESSION.permuting.check("permuting", &distance, &0.0, |a, b| (a - b).abs())?;
    }

    #[test]
    fn choices(
        features in prop::collection::vec(prop::collection::vec(-2.0_f32..2.0, 6), 0..8),
    ) {
        let family = Normal::isotropic(2, 1.0).unwrap();
        let choices: Vec<Choice> = features
            .into_iter()
            .map(|features| {
                let features = Array2::from_shape_vec((3, 2), features).unwrap();
                ChoiceSet::new(features, Array1::zeros(3)).unwrap().choose(1).unwrap()
            })
            .collect();
        approximate_laws(
            &CHOICES,
            &family,
            &choices,
            |posterior| posterior.means().iter().fold(0.0, |most, mean| most.max(mean.abs())),
            |a, b| largest_difference(&a.means(), &b.means()),
        )?;
    }
}
