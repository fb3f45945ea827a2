//! Interests: exact evidence of labels and dismissals, approximate evidence of chosen items.

use ndarray::Array2;
use proclivity_posterior::{
    Chosen, Dirichlet, Dismissed, Exact, Family, GammaRates, InterestLikelihood, InterestModel,
    Labelled, PosteriorError, RatesEvidence, Shown,
};
use proptest::prelude::*;

use crate::suite::{
    Bits, Claims, NotClaimed, Within, approximate_laws, exact_laws, largest_difference, shuffle,
};

/// `embeddings_scale_against_temperature` and `permuting_interests_and_items_permutes_the_belief` of
/// `tests/interests.rs` run the last two.
pub(crate) const INTERESTS: Claims = Claims {
    family: "interests, labelled, shown and dismissed (`Rates`, `InterestModel`)",
    stream_is_batch: Bits,
    any_order: Bits,
    any_merge: Bits,
    retract: Bits,
    no_evidence: Bits,
    forget: Bits,
    scaling: Within(1e-5),
    permuting: Within(1e-4),
};

/// Taken back by replay, from `Sites`.
pub(crate) const CHOSEN: Claims = Claims {
    family: "interests, chosen items (`InterestModel`)",
    stream_is_batch: NotClaimed,
    any_order: NotClaimed,
    any_merge: NotClaimed,
    retract: Bits,
    no_evidence: Bits,
    forget: Bits,
    scaling: Within(1e-5),
    permuting: Within(1e-4),
};

/// An event of interests that needs no approximation.
enum Seen {
    Labelled(Labelled),
    Shown(Shown),
    Dismissed(Dismissed),
}

impl Exact<InterestModel> for Seen {
    fn statistic(&self, family: &InterestModel) -> Result<RatesEvidence, PosteriorError> {
        match self {
            Self::Labelled(event) => event.statistic(family),
            Self::Shown(event) => event.statistic(family),
            Self::Dismissed(event) => event.statistic(family),
        }
    }
}

proptest! {
    #[test]
    fn interests(
        weights in prop::collection::vec(0.01_f64..1.0, 15),
        events in prop::collection::vec((0_u32..3, 0_u8..3), 0..12),
        items in prop::collection::vec(0_u32..5, 0..12),
        shuffle in shuffle(),
    ) {
        let weights = Array2::from_shape_vec((3, 5), weights).unwrap();
        let likelihood = InterestLikelihood::from_weights(weights.view()).unwrap();
        let prior = Dirichlet::new(vec![0.3, 0.7, 1.1]).unwrap();
        let family = InterestModel::new(prior, likelihood).unwrap();
        let seen = |&(at, kind): &(u32, u8)| match kind {
            0 => Seen::Labelled(Labelled { interest: at }),
            1 => Seen::Shown(Shown { interest: at }),
            _ => Seen::Dismissed(Dismissed { item: at }),
        };
        let apart = |a: &GammaRates, b: &GammaRates| {
            largest_difference(&a.mean_shares(), &b.mean_shares())
        };
        let mean = family.prior().mean();
        let from_prior = |posterior: &GammaRates| largest_difference(&posterior.shares(), &mean);
        let events: Vec<Seen> = events.iter().map(seen).collect();
        exact_laws(&INTERESTS, &family, &events, &shuffle, apart, from_prior)?;
        let chosen: Vec<Chosen> = items.iter().map(|&item| Chosen { item, weight: 1.0 }).collect();
        approximate_laws(&CHOSEN, &family, &chosen, from_prior, apart)?;
        let mut forgotten = family.belief(&items).unwrap();
        (0..100).for_each(|_| forgotten.forget(0.5).unwrap());
        CHOSEN.forget.check("forgetting forever", forgotten.evidence(), &family.nothing(), |_, _| 1.0)?;
    }
}
