//! What a family may promise of a law, and how it is held to it.

use proclivity_posterior::{Approximate, Belief, Exact, Family, Sites};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a family promises of a law.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    /// Equal to the last bit.
    Bits,
    /// Posteriors differ by at most this.
    Within(f64),
    /// Nothing is promised.
    NotClaimed,
}

pub(crate) use Claim::{Bits, NotClaimed, Within};

impl Claim {
    pub(crate) fn cell(self) -> String {
        match self {
            Bits => "bit for bit".to_owned(),
            Within(tolerance) => format!("{tolerance:.0e}"),
            NotClaimed => "not claimed".to_owned(),
        }
    }

    /// Holds two beliefs to the claim.
    pub(crate) fn check<B: PartialEq + std::fmt::Debug>(
        self,
        law: &str,
        got: &B,
        expected: &B,
        distance: impl Fn(&B, &B) -> f64,
    ) -> Result<(), TestCaseError> {
        match self {
            Bits => prop_assert!(got == expected, "{law}: {got:?} is not {expected:?}"),
            Within(tolerance) => {
                let distance = distance(got, expected);
                prop_assert!(distance <= tolerance, "{law}: off by {distance:e}");
            }
            NotClaimed => {}
        }
        Ok(())
    }
}

/// A row of the table. Laws that concern items or embeddings are run by the family's own tests,
/// which are named.
pub(crate) struct Claims {
    pub(crate) family: &'static str,
    pub(crate) stream_is_batch: Claim,
    pub(crate) any_order: Claim,
    pub(crate) any_merge: Claim,
    pub(crate) retract: Claim,
    pub(crate) no_evidence: Claim,
    pub(crate) forget: Claim,
    /// Embeddings times s at temperature over s.
    pub(crate) scaling: Claim,
    pub(crate) permuting: Claim,
}

/// Runs the laws of evidence that is exact.
///
/// `distance` is between posteriors, `from_prior` is how far a posterior is from the prior.
/// `shuffle` orders the events anew and says how to cut them into parts.
pub(crate) fn exact_laws<F: Family, E: Exact<F>>(
    claims: &Claims,
    family: &F,
    events: &[E],
    shuffle: &[u32],
    distance: impl Fn(&F::Posterior, &F::Posterior) -> f64,
    from_prior: impl Fn(&F::Posterior) -> f64,
) -> Result<(), TestCaseError> {
    let posterior = |belief: &Belief<F>| belief.posterior(family).unwrap();
    let apart = |a: &Belief<F>, b: &Belief<F>| distance(&posterior(a), &posterior(b));
    let stream = |order: &[usize]| {
        let mut belief = Belief::new(family);
        order.iter().for_each(|&at| belief.update(family, &events[at]).unwrap());
        belief
    };
    let forward: Vec<usize> = (0..events.len()).collect();
    let whole = stream(&forward);

    let mut sum = family.nothing();
    for event in events {
        proclivity_posterior::Statistic::add(&mut sum, &event.statistic(family).unwrap(), 1.0)
            .unwrap();
    }
    let batch = Belief::from_evidence(family, &sum).unwrap();
    claims.stream_is_batch.check("stream = batch", &batch, &whole, apart)?;

    let key = |at: usize| shuffle[at % shuffle.len()].wrapping_mul(at as u32 | 1);
    let mut order = forward.clone();
    order.sort_by_key(|&at| (key(at), at));
    claims.any_order.check("any order", &stream(&order), &whole, apart)?;

    // Leaves of one event each, joined in a random tree.
    let mut parts: Vec<Belief<F>> = order.iter().map(|&at| stream(&[at])).collect();
    let mut turn = 0;
    while parts.len() > 1 {
        turn += 1;
        let part = parts.swap_remove(shuffle[turn % shuffle.len()] as usize % parts.len());
        let into = shuffle[(turn + 1) % shuffle.len()] as usize % parts.len();
        parts[into].merge(&part).unwrap();
    }
    let merged = parts.pop().unwrap_or_else(|| Belief::new(family));
    claims.any_merge.check("any merge", &merged, &whole, apart)?;

    let (kept, taken_back) = order.split_at(order.len() / 2);
    let mut retracted = whole.clone();
    taken_back.iter().for_each(|&at| retracted.retract(family, &events[at]).unwrap());
    claims.retract.check("retract = never seen", &retracted, &stream(kept), apart)?;

    let nothing: Belief<F> = Belief::new(family);
    let tolerance = if let Within(tolerance) = claims.no_evidence { tolerance } else { 1e-12 };
    prop_assert!(from_prior(&posterior(&nothing)) <= tolerance, "no evidence = prior");

    let mut forgotten = whole.clone();
    forgotten.forget(0.0).unwrap();
    prop_assert!(forgotten.evidence() == nothing.evidence(), "forgetting everything = prior");
    let mut fading = whole.clone();
    (0..100).for_each(|_| fading.forget(0.5).unwrap());
    let unit = |belief: &Belief<F>| belief.evidence().clone();
    claims.forget.check(
        "forgetting forever = prior",
        &unit(&fading),
        &unit(&nothing),
        |_, _| from_prior(&posterior(&fading)),
    )?;
    round_trip(&whole)?;
    Ok(())
}

/// Runs the laws of evidence that is approximate: taking back is by replay.
pub(crate) fn approximate_laws<
    F: Family,
    E: Approximate<F> + Clone + PartialEq + std::fmt::Debug,
>(
    claims: &Claims,
    family: &F,
    events: &[E],
    from_prior: impl Fn(&F::Posterior) -> f64,
    distance: impl Fn(&F::Posterior, &F::Posterior) -> f64,
) -> Result<(), TestCaseError> {
    let stream = |events: &[E]| {
        let mut sites = Sites::new(family);
        for (id, event) in events.iter().enumerate() {
            sites.absorb(family, id as u64, event.clone()).unwrap();
        }
        sites
    };
    let apart = |a: &Sites<F, E>, b: &Sites<F, E>| {
        distance(&a.posterior(family).unwrap(), &b.posterior(family).unwrap())
    };
    let (kept, taken_back) = events.split_at(events.len() / 2);
    let mut retracted = stream(events);
    for id in kept.len()..kept.len() + taken_back.len() {
        retracted.retract(family, id as u64).unwrap();
    }
    claims.retract.check("retract = never seen", &retracted, &stream(kept), apart)?;
    let tolerance = if let Within(tolerance) = claims.no_evidence { tolerance } else { 1e-12 };
    let nothing: Sites<F, E> = Sites::new(family);
    prop_assert!(from_prior(&nothing.posterior(family).unwrap()) <= tolerance);
    Ok(())
}

/// A state is read as it was written; a damaged one is an error or another valid state, never a
/// panic.
fn round_trip<S: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    state: &S,
) -> Result<(), TestCaseError> {
    let json = serde_json::to_string(state).unwrap();
    prop_assert_eq!(&serde_json::from_str::<S>(&json).unwrap(), state);
    for cut in (0..json.len()).step_by(7) {
        if json.is_char_boundary(cut) {
            prop_assert!(serde_json::from_str::<S>(&json[..cut]).is_err(), "cut at {cut}");
        }
    }
    let newer = json.replacen("\"version\":1", "\"version\":9", 1);
    prop_assert!(newer != json && serde_json::from_str::<S>(&newer).is_err());
    Ok(())
}

pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// How a test orders and cuts its events.
pub(crate) fn shuffle() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 4..20)
}
