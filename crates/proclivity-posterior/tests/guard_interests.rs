//! The guard over chosen items: no user loses more than the population's weight allows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array2;
use proclivity_posterior::{
    AssumedDensity, Chosen, Dirichlet, Guarded, InterestLikelihood, InterestModel, Predictable,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn chosen_items_cost_no_more_than_the_weight_allows(
        good in prop::collection::vec(0.05_f64..9.0, 3),
        bad in prop::collection::vec(0.05_f64..90.0, 3),
        phi in prop::collection::vec(0.001_f64..1.0, 15),
        items in prop::collection::vec(0..5_u32, 0..20),
        weight in 0.01_f64..1.0,
        power in 0.0_f64..2.0,
    ) {
        let phi = Array2::from_shape_vec((3, 5), phi).unwrap();
        let likelihood = InterestLikelihood::from_weights(phi.view()).unwrap();
        let population = InterestModel::new(Dirichlet::new(good).unwrap(), likelihood).unwrap();
        let language = population.with_prior(Dirichlet::new(bad).unwrap()).unwrap();
        let members = [&language, &population];
        let mut guard = Guarded::new(&members, &[1.0 - weight, weight]).unwrap();
        let mut alone = AssumedDensity::new(&population);
        let mut regret = 0.0;
        for item in items {
            let event = Chosen { item, weight: power };
            regret += event.log_predictive(&population, alone.evidence()).unwrap();
            alone.absorb(&population, &event).unwrap();
            regret -= guard.absorb(&members, &event).unwrap();
        }
        prop_assert!(regret <= -weight.ln() + 1e-9, "{} above {}", regret, -weight.ln());
    }
}
