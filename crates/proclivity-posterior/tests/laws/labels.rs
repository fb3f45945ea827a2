//! The laws of labels and their guard.

use proclivity_posterior::{Belief, Dirichlet, Labelled, PriorMixture, ToEach};
use proptest::prelude::*;

use crate::suite::{Bits, Claims, Within, exact_laws, largest_difference, shuffle};

pub(crate) const LABELS: Claims =
    Claims { family: "labels (`Dirichlet`)", permuting: Bits, ..crate::finite::FINITE };

pub(crate) const PRIOR_MIXTURE: Claims = Claims {
    family: "guard of exact events (`PriorMixture<Dirichlet>`)",
    permuting: Within(1e-10),
    ..crate::finite::FINITE
};

proptest! {
    #[test]
    fn labels_and_their_guard(
        priors in prop::collection::vec(prop::collection::vec(0.05_f64..9.0, 3), 2),
        weights in prop::collection::vec(0.01_f64..1.0, 2),
        labels in prop::collection::vec(0..3_u32, 0..12),
        shuffle in shuffle(),
    ) {
        let families: Vec<Dirichlet> =
            priors.iter().map(|prior| Dirichlet::new(prior.clone()).unwrap()).collect();
        let events: Vec<Labelled> = labels.iter().copied().map(|interest| Labelled { interest }).collect();
        exact_laws(
            &LABELS,
            &families[0],
            &events,
            &shuffle,
            |a, b| largest_difference(a.concentration(), b.concentration()),
            |posterior| largest_difference(posterior.concentration(), &priors[0]),
        )?;
        let guard = PriorMixture::new(families.clone(), &weights).unwrap();
        let total: f64 = weights.iter().sum();
        let log_weights: Vec<f64> = weights.iter().map(|weight| (weight / total).ln()).collect();
        exact_laws(
            &PRIOR_MIXTURE,
            &guard,
            &events.iter().copied().map(ToEach).collect::<Vec<_>>(),
            &shuffle,
            |a, b| largest_difference(a.log_weights(), b.log_weights()),
            |posterior| largest_difference(posterior.log_weights(), &log_weights),
        )?;
        // Renaming labels renames the posterior, and leaves the members' weights.
        let turned = |prior: &Vec<f64>| Dirichlet::new(vec![prior[2], prior[0], prior[1]]).unwrap();
        let turned_guard = PriorMixture::new(priors.iter().map(turned).collect(), &weights).unwrap();
        let (mut belief, mut turned) = (Belief::new(&guard), Belief::new(&turned_guard));
        for &label in &labels {
            belief.update(&guard, &ToEach(Labelled { interest: label })).unwrap();
            turned.update(&turned_guard, &ToEach(Labelled { interest: (label + 1) % 3 })).unwrap();
        }
        let (counts, turned_counts) = (belief.evidence().counts(), turned.evidence().counts());
        prop_assert_eq!(vec![counts[2], counts[0], counts[1]], turned_counts);
        let weights = belief.posterior(&guard).unwrap().log_weights().to_vec();
        let turned_weights = turned.posterior(&turned_guard).unwrap().log_weights().to_vec();
        let distance = largest_difference(&weights, &turned_weights);
        PRIOR_MIXTURE.permuting.check("permuting", &distance, &0.0, |a, b| (a - b).abs())?;
    }
}
