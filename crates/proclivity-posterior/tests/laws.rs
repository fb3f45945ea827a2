//! The table family × law × tolerance of the README, each cell run by proptest or marked "not claimed".
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_posterior::{
    Approximate, Bag, Belief, Ease, EaseModel, Exact, Family, Finite, Linear, LinearConfig,
    LinearModel, LinearSequence, LogLikelihood, Precision, Sites, Timescale,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a family promises of a law.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// Equal to the last bit.
    Bits,
    /// Posteriors differ by at most this.
    Within(f64),
    /// Nothing is promised.
    NotClaimed,
}

use Claim::{Bits, NotClaimed, Within};

impl Claim {
    fn cell(self) -> String {
        match self {
            Bits => "bit for bit".to_owned(),
            Within(tolerance) => format!("{tolerance:.0e}"),
            NotClaimed => "not claimed".to_owned(),
        }
    }

    /// Holds two beliefs to the claim.
    fn check<B: PartialEq + std::fmt::Debug>(
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
struct Claims {
    family: &'static str,
    stream_is_batch: Claim,
    any_order: Claim,
    any_merge: Claim,
    retract: Claim,
    no_evidence: Claim,
    forget: Claim,
    /// Embeddings times s at temperature over s.
    scaling: Claim,
    permuting: Claim,
}

/// What the README's table says.
const TABLE: &[&Claims] = &[&FINITE, &LINEAR, &EASE];

const FINITE: Claims = Claims {
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

/// Permuting items is run by `tests/linear.rs`.
const LINEAR: Claims = Claims {
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
const EASE: Claims = Claims { family: "EASE (`Ease`)", ..LINEAR };

/// Runs the laws of evidence that is exact.
///
/// `distance` is between posteriors, `from_prior` is how far a posterior is from the prior.
/// `shuffle` orders the events anew and says how to cut them into parts.
fn exact_laws<F: Family, E: Exact<F>>(
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
#[expect(dead_code, reason = "families with approximate evidence follow")]
fn approximate_laws<F: Family, E: Approximate<F> + Clone + PartialEq + std::fmt::Debug>(
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

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// How a test orders and cuts its events.
fn shuffle() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 4..20)
}

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

/// The README quotes this table; run with `UPDATE=1` to write it anew.
#[test]
fn the_readme_has_the_table() {
    let mut table = String::from(
        "| family | stream = batch | any order | any split, any tree | retract = never seen | \
         no evidence = prior | forgetting forever = prior | scaling embeddings against temperature | \
         permuting items |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for claims in TABLE {
        let cells = [
            claims.stream_is_batch,
            claims.any_order,
            claims.any_merge,
            claims.retract,
            claims.no_evidence,
            claims.forget,
            claims.scaling,
            claims.permuting,
        ];
        let cells: Vec<String> = cells.into_iter().map(Claim::cell).collect();
        table += &format!("| {} | {} |\n", claims.family, cells.join(" | "));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (start, end) = ("<!-- laws -->\n", "<!-- end of laws -->");
    let from = readme.find(start).expect("the README has a table of laws") + start.len();
    let to = readme.find(end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let updated = format!("{}{table}{}", &readme[..from], &readme[to..]);
        std::fs::write(path, updated).unwrap();
    } else {
        assert_eq!(&readme[from..to], table, "run this test with UPDATE=1");
    }
}
