//! Interests: enumeration, conjugate identities, laws to the last bit, fading, damaged states.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array2;
use proclivity_posterior::{
    AssumedDensity, Belief, Chosen, Conjugate, Dirichlet, Dismissed, Exact, Fading, Family,
    GammaRates, HalfLife, InterestLikelihood, InterestModel, Labelled, PosteriorError, Rates,
    RatesEvidence, Shown, Sites, Statistic, exact_shares,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn weights(interests: usize, items: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((interests, items), || rng.random::<f64>().powi(4))
}

fn likelihood(interests: usize, items: usize, seed: u64) -> InterestLikelihood {
    InterestLikelihood::from_weights(weights(interests, items, seed).view()).unwrap()
}

/// log P(n events) in unit exposure each of a total rate Gamma(A, A), without base measure.
fn in_so_many(strength: f64, events: usize) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let n = events as f64;
    ln_gamma(strength + n) - (strength + n) * (strength + n).ln() - ln_gamma(strength)
        + strength * strength.ln()
}

fn prior(interests: usize) -> Dirichlet {
    Dirichlet::new((0..interests).map(|k| 0.3 + 0.4 * k as f64).collect()).unwrap()
}

/// Σ over all K^n labelings, each with its Dirichlet–multinomial probability.
fn enumerated(prior: &Dirichlet, phi: &InterestLikelihood, items: &[u32]) -> (f64, Vec<f64>) {
    let interests = phi.interest_count();
    let (mut evidence, mut mean) = (0.0, vec![0.0; interests]);
    for code in 0..interests.pow(items.len() as u32) {
        let (mut code, mut counts, mut product) = (code, vec![0.0; interests], 1.0);
        for &item in items {
            let label = code % interests;
            code /= interests;
            counts[label] += 1.0;
            product *= phi.item(item).unwrap()[label];
        }
        let posterior =
            Dirichlet::new(prior.concentration().iter().zip(&counts).map(|(a, n)| a + n).collect())
                .unwrap();
        let weight = product * (posterior.log_partition() - prior.log_partition()).exp();
        evidence += weight;
        for (mean, share) in mean.iter_mut().zip(posterior.mean()) {
            *mean += weight * share;
        }
    }
    mean.iter_mut().for_each(|mean| *mean /= evidence);
    (evidence.ln(), mean)
}

proptest! {
    #[test]
    fn the_filter_is_the_enumeration(
        seed in 0_u64..1_000,
        items in prop::collection::vec(0_u32..6, 0..6),
    ) {
        let (phi, prior) = (likelihood(3, 6, seed), prior(3));
        let exact = exact_shares(&prior, &phi, &items, 1_000).unwrap();
        let (log_evidence, mean) = enumerated(&prior, &phi, &items);
        prop_assert_eq!(exact.dropped(), 0.0);
        prop_assert!((exact.log_evidence() - log_evidence).abs() < 1e-10);
        for (got, expected) in exact.mean().iter().zip(mean) {
            prop_assert!((got - expected).abs() < 1e-10);
        }
    }

    #[test]
    fn the_order_of_events_does_not_matter_to_the_filter(
        seed in 0_u64..1_000,
        mut items in prop::collection::vec(0_u32..6, 1..8),
    ) {
        let (phi, prior) = (likelihood(4, 6, seed), prior(4));
        let forward = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        items.reverse();
        let backward = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        prop_assert!((forward.log_evidence() - backward.log_evidence()).abs() < 1e-10);
        for (a, b) in forward.mean().iter().zip(backward.mean()) {
            prop_assert!((a - b).abs() < 1e-10);
        }
    }

    #[test]
    fn one_event_is_exact_in_mean_for_the_running_belief(
        seed in 0_u64..1_000,
        item in 0_u32..6,
    ) {
        let model = InterestModel::new(prior(3), likelihood(3, 6, seed)).unwrap();
        let shares = model.belief(&[item]).unwrap().posterior(&model).unwrap().shares();
        let exact = exact_shares(model.prior(), model.likelihood(), &[item], 100).unwrap();
        // Soft labels are rounded to 2⁻¹⁶.
        for (a, b) in shares.iter().zip(exact.mean()) {
            prop_assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn soft_labels_add_up_to_the_weight(
        seed in 0_u64..1_000,
        events in prop::collection::vec((0_u32..6, 0.0_f64..5.0), 1..12),
    ) {
        let model = InterestModel::new(prior(5), likelihood(5, 6, seed)).unwrap();
        let mut belief = AssumedDensity::new(&model);
        for (item, weight) in events {
            let site = belief.absorb(&model, &Chosen { item, weight }).unwrap();
            prop_assert_eq!(site.counts().sum::<f64>(), (weight * 65_536.0).round() / 65_536.0);
        }
        // Prior and events share the posterior among them.
        let posterior = belief.posterior(&model).unwrap();
        let counts: Vec<f64> = belief.evidence().counts().collect();
        let of_prior = posterior.contribution(model.prior().concentration());
        let parts = of_prior.iter().zip(posterior.contribution(&counts));
        for ((prior, events), share) in parts.zip(posterior.shares()) {
            prop_assert!((prior + events - share).abs() < 1e-12);
        }
    }

    #[test]
    fn log_evidence_is_the_chain_of_predictives(labels in prop::collection::vec(0_u32..3, 0..12)) {
        let dirichlet = prior(3);
        let family = Rates::from(&dirichlet);
        let mut belief = Belief::new(&family);
        // A label's probability given how many there are: Dirichlet–multinomial, one by one.
        let mut chain = 0.0;
        for &interest in &labels {
            chain += belief.posterior(&family).unwrap().shares()[interest as usize].ln();
            belief.update(&family, &Labelled { interest }).unwrap();
        }
        let log_evidence = belief.log_evidence(&family).unwrap();
        let count = in_so_many(dirichlet.strength(), labels.len());
        prop_assert!((log_evidence - chain - count).abs() < 1e-9);
    }

    #[test]
    fn every_law_of_exact_evidence_holds_to_the_last_bit(
        seed in 0_u64..100,
        events in prop::collection::vec((0_u32..3, 0_u8..3), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let model = InterestModel::new(prior(3), likelihood(3, 3, seed)).unwrap();
        let apply = |belief: &mut Belief<InterestModel>, &(at, kind): &(u32, u8), back: bool| {
            match (kind, back) {
                (0, false) => belief.update(&model, &Labelled { interest: at }),
                (0, true) => belief.retract(&model, &Labelled { interest: at }),
                (1, false) => belief.update(&model, &Shown { interest: at }),
                (1, true) => belief.retract(&model, &Shown { interest: at }),
                (_, false) => belief.update_weighted(&model, &Dismissed { item: at }, 0.7),
                (_, true) => belief.retract_weighted(&model, &Dismissed { item: at }, 0.7),
            }
        };
        let stream = |events: &[(u32, u8)]| {
            let mut belief = Belief::new(&model);
            events.iter().for_each(|event| apply(&mut belief, event, false).unwrap());
            belief
        };
        let whole = stream(&events);
        let mut reversed = events.clone();
        reversed.reverse();
        let backwards = stream(&reversed);
        prop_assert_eq!(backwards.evidence(), whole.evidence());
        let (left, right) = events.split_at(cut.index(events.len() + 1));
        let mut merged = stream(right);
        merged.merge(&stream(left)).unwrap();
        prop_assert_eq!(merged.evidence(), whole.evidence());
        let mut taken = whole.clone();
        right.iter().for_each(|event| apply(&mut taken, event, true).unwrap());
        let expected = stream(left);
        prop_assert_eq!(taken.evidence(), expected.evidence());
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Belief<InterestModel>>(&json).unwrap(), &whole);
        let mut fading = whole;
        (0..20_000).for_each(|_| fading.forget(0.999).unwrap());
        prop_assert_eq!(fading.evidence(), &model.nothing());
    }

    #[test]
    fn permuting_interests_and_items_permutes_the_belief(
        seed in 0_u64..1_000,
        items in prop::collection::vec(0_u32..6, 0..20),
    ) {
        let weights = weights(4, 6, seed);
        let (turn, swap) = ([2, 0, 3, 1], [5, 3, 1, 0, 2, 4]);
        let turned_weights =
            Array2::from_shape_fn((4, 6), |(k, item)| weights[[turn[k], swap[item]]]);
        let concentration = prior(4).concentration().to_vec();
        let turned_prior = turn.iter().map(|&k| concentration[k]).collect();
        let model = InterestModel::new(
            prior(4),
            InterestLikelihood::from_weights(weights.view()).unwrap(),
        ).unwrap();
        let turned = InterestModel::new(
            Dirichlet::new(turned_prior).unwrap(),
            InterestLikelihood::from_weights(turned_weights.view()).unwrap(),
        ).unwrap();
        let place = |item: u32| swap.iter().position(|&at| at == item as usize).unwrap() as u32;
        let (mut belief, mut other) = (AssumedDensity::new(&model), AssumedDensity::new(&turned));
        for &item in &items {
            belief.absorb(&model, &Chosen { item, weight: 1.0 }).unwrap();
            other.absorb(&turned, &Chosen { item: place(item), weight: 1.0 }).unwrap();
            belief.update(&model, &Dismissed { item: 0 }, 0.1).unwrap();
            other.update(&turned, &Dismissed { item: place(0) }, 0.1).unwrap();
        }
        let shares = belief.posterior(&model).unwrap().mean_shares();
        let others = other.posterior(&turned).unwrap().mean_shares();
        // Of equal remainders the first is served, so a step may go elsewhere.
        for (k, share) in others.iter().enumerate() {
            prop_assert!((share - shares[turn[k]]).abs() < 1e-4);
        }
    }

    #[test]
    fn a_stream_in_time_is_its_batch_weighted_by_age(
        events in prop::collection::vec((0_u32..3, 0.0_f64..400.0, 0.1_f64..3.0), 1..40),
        half_life in 1.0_f64..100.0,
    ) {
        let family = Rates::from(&prior(3));
        let half_life = HalfLife::new(half_life).unwrap();
        let mut stream = Fading::new(&family, half_life, 0.0).unwrap();
        for &(interest, at, weight) in &events {
            stream.update_weighted(&family, &Labelled { interest }, weight, at).unwrap();
        }
        let now = events.iter().map(|&(_, at, _)| at).fold(0.0, f64::max);
        let mut batch = vec![0.0; 3];
        for &(interest, at, weight) in &events {
            batch[interest as usize] += weight * half_life.weight(now - at);
        }
        // Half a step an event, and under two for all halvings.
        let tolerance = (3.0 + 0.5 * events.len() as f64) / 65_536.0;
        for (got, expected) in stream.belief().evidence().counts().zip(&batch) {
            prop_assert!((got - expected).abs() <= tolerance, "{got} for {expected}");
        }
        // In parts, brought to one time and merged; and without what was taken back.
        let (mut even, mut odd) = (
            Fading::new(&family, half_life, 0.0).unwrap(),
            Fading::new(&family, half_life, 0.0).unwrap(),
        );
        for (at, &(interest, time, weight)) in events.iter().enumerate() {
            let part = if at % 2 == 0 { &mut even } else { &mut odd };
            part.update_weighted(&family, &Labelled { interest }, weight, time).unwrap();
        }
        let mut merged = even.clone();
        merged.merge(&odd).unwrap();
        for (at, &(interest, time, weight)) in events.iter().enumerate() {
            if at % 2 == 1 {
                stream.retract_weighted(&family, &Labelled { interest }, weight, time).unwrap();
            }
        }
        even.advance(now).unwrap();
        for ((got, expected), merged) in
            (stream.belief().evidence().counts().zip(even.belief().evidence().counts()))
                .zip(merged.belief().evidence().counts().zip(&batch))
        {
            prop_assert!((got - expected).abs() <= 2.0 * tolerance);
            prop_assert!((merged.0 - merged.1).abs() <= 2.0 * tolerance);
        }
    }

    #[test]
    fn mean_shares_are_those_of_draws(
        rates in prop::collection::vec((0.05_f64..8.0, 0.1_f64..20.0), 2..6),
        seed in 0_u64..1_000,
    ) {
        let (a, b) = rates.into_iter().unzip();
        let posterior = GammaRates::new(a, b).unwrap();
        let mean = posterior.mean_shares();
        prop_assert!((mean.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        const DRAWS: usize = 4_000;
        let draws: Vec<Vec<f64>> = (0..DRAWS).map(|_| posterior.sample(&mut rng)).collect();
        for (k, mean) in mean.iter().enumerate() {
            let drawn = draws.iter().map(|draw| draw[k]).sum::<f64>() / DRAWS as f64;
            let square = draws.iter().map(|draw| (draw[k] - drawn).powi(2)).sum::<f64>();
            let error = square.sqrt() / DRAWS as f64;
            prop_assert!((drawn - mean).abs() < 5.0 * error + 1e-4, "{drawn} for {mean} ± {error}");
        }
    }
}

#[test]
fn certain_labels_make_the_running_belief_the_conjugate_posterior() {
    let phi = InterestLikelihood::from_weights(Array2::eye(3).view()).unwrap();
    let model = InterestModel::new(prior(3), phi).unwrap();
    let belief = model.belief(&[0, 2, 2, 1, 2]).unwrap();
    let mut labelled = Belief::new(&model);
    for interest in [0, 2, 2, 1, 2] {
        labelled.update(&model, &Labelled { interest }).unwrap();
    }
    assert_eq!(belief.evidence(), labelled.evidence());
    let dirichlet = belief.posterior(&model).unwrap().dirichlet().unwrap();
    for (got, expected) in dirichlet.concentration().iter().zip([1.3, 1.7, 4.1]) {
        assert!((got - expected).abs() < 1e-12);
    }
}

#[test]
fn log_evidence_is_the_integral_over_rates() {
    // One interest at a time: rates are independent, and each is a one-dimensional integral.
    let family = Rates::new(vec![0.8, 2.5], vec![1.5, 0.7]).unwrap();
    let mut belief = Belief::new(&family);
    for _ in 0..3 {
        belief.update(&family, &Labelled { interest: 0 }).unwrap();
    }
    belief.update(&family, &Labelled { interest: 1 }).unwrap();
    belief.update(&family, &Shown { interest: 1 }).unwrap();
    belief.update(&family, &Shown { interest: 1 }).unwrap();
    let integral = |a: f64, b: f64, n: f64, e: f64| -> f64 {
        // ∫ Gamma(λ; a, b) λⁿ exp(−λ e) dλ over log λ.
        let step = 1e-3;
        let log_norm = a * b.ln() - statrs::function::gamma::ln_gamma(a);
        let term = |i: i32| {
            let log = f64::from(i) * step;
            (log_norm + (a + n) * log - (b + e) * log.exp()).exp() * step
        };
        (-40_000..5_000).map(term).sum::<f64>()
    };
    let expected = integral(0.8, 1.5, 3.0, 4.0).ln() + integral(2.5, 0.7, 1.0, 6.0).ln();
    assert!((belief.log_evidence(&family).unwrap() - expected).abs() < 1e-9);
    let posterior = belief.posterior(&family).unwrap();
    assert!((posterior.rates()[1] - 3.5 / 6.7).abs() < 1e-12);
}

#[test]
fn the_mean_of_shares_is_its_integral_over_t() {
    // The formula as it stands, by the midpoint rule over log t.
    for (a, b) in [([0.02, 0.3, 7.0], [0.5, 3.0, 2.0]), ([0.4, 90.0, 3.0], [1e-3, 1.0, 1e3])] {
        let mean = GammaRates::new(a.to_vec(), b.to_vec()).unwrap().mean_shares();
        for k in 0..3 {
            let step: f64 = 1e-3;
            let term = |i: i32| {
                let t = (f64::from(i) * step).exp();
                let log_tilt: f64 = a.iter().zip(b).map(|(a, b)| -a * (t / b).ln_1p()).sum();
                a[k] / (b[k] + t) * log_tilt.exp() * t * step
            };
            let expected: f64 = (-60_000..200_000).map(term).sum();
            assert!((mean[k] - expected).abs() < 1e-9, "{} for {expected}", mean[k]);
        }
    }
}

#[test]
fn a_dismissal_lowers_what_it_stands_for_and_its_intervals_follow() {
    let model = InterestModel::new(prior(3), likelihood(3, 6, 7)).unwrap();
    let mut belief = model.belief(&[1, 1, 4]).unwrap();
    let phi = model.likelihood().item(1).unwrap();
    let k = (0..3).max_by(|&a, &b| phi[a].total_cmp(&phi[b])).unwrap();
    let before = belief.posterior(&model).unwrap().mean_shares()[k];
    belief.update(&model, &Dismissed { item: 1 }, 1.0).unwrap();
    let posterior = belief.posterior(&model).unwrap();
    assert!(posterior.mean_shares()[k] < before);
    assert!(posterior.dirichlet().is_none());
    for interval in posterior.intervals(0.9).unwrap() {
        assert!(interval.lower <= interval.mean && interval.mean <= interval.upper);
    }
    let mut log_probs = [0.0; 6];
    posterior.log_probs(model.likelihood(), &mut log_probs);
    assert!((log_probs.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn embeddings_scale_against_temperature() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |rows| Array2::from_shape_simple_fn((rows, 4), || rng.random::<f32>() - 0.5);
    let (interests, items) = (draw(3), draw(6));
    let model = |scale: f32| {
        let phi = InterestLikelihood::from_embeddings(
            interests.view(),
            (&items * scale).view(),
            &[0.0; 6],
            8.0 / f64::from(scale),
        );
        InterestModel::new(prior(3), phi.unwrap()).unwrap()
    };
    let shares = |model: &InterestModel| {
        model.belief(&[0, 3, 5, 3]).unwrap().posterior(model).unwrap().shares()
    };
    for (a, b) in shares(&model(1.0)).iter().zip(shares(&model(4.0))) {
        assert!((a - b).abs() < 1e-5);
    }
}

#[test]
fn sites_are_taken_back_by_replay_and_refined() {
    let model = InterestModel::new(prior(3), likelihood(3, 6, 2)).unwrap();
    let absorb = |items: &[u32]| {
        let mut sites = Sites::new(&model);
        for (id, &item) in items.iter().enumerate() {
            sites.absorb(&model, id as u64, Chosen { item, weight: 1.0 }).unwrap();
        }
        sites
    };
    let mut sites = absorb(&[0, 5, 3, 3, 1]);
    sites.retract(&model, 4).unwrap();
    assert_eq!(sites, absorb(&[0, 5, 3, 3]));
    let filtered = model.belief(&[0, 5, 3, 3]).unwrap().posterior(&model).unwrap();
    assert_eq!(sites.posterior(&model).unwrap(), filtered);
    // Sweeps come to rest, and then hardly depend on the order any more.
    let rest = |mut sites: Sites<InterestModel, Chosen>| {
        let mut sweeps = 0;
        while sites.refine(&model).unwrap() > 0 && sweeps < 50 {
            sweeps += 1;
        }
        sites.posterior(&model).unwrap().shares()
    };
    for (a, b) in rest(sites).iter().zip(rest(absorb(&[3, 3, 5, 0]))) {
        assert!((a - b).abs() < 1e-3);
    }
}

#[test]
fn a_fading_belief_takes_any_number_of_small_steps() {
    // An event an hour, a half-life of a month: the evidence tends to its geometric sum.
    let family = Rates::from(&prior(2));
    let half_life = HalfLife::new(720.0).unwrap();
    let mut belief = Fading::new(&family, half_life, 0.0).unwrap();
    for hour in 0..20_000 {
        belief.update_weighted(&family, &Labelled { interest: 0 }, 0.01, f64::from(hour)).unwrap();
    }
    let expected = 0.01 / (1.0 - half_life.weight(1.0));
    let count = belief.belief().evidence().counts().next().unwrap();
    assert!((count / expected - 1.0).abs() < 1e-3, "{count} for {expected}");
    belief.advance(1e9).unwrap();
    assert_eq!(belief.belief().evidence(), &family.nothing());
    let before = belief.clone();
    assert!(belief.advance(f64::NAN).is_err());
    assert_eq!(belief, before);
    let never = HalfLife::new(f64::INFINITY).unwrap();
    let mut belief = Fading::new(&family, never, -5.0).unwrap();
    belief.update(&family, &Labelled { interest: 0 }, 3.0).unwrap();
    belief.advance(1e300).unwrap();
    assert_eq!(belief.belief().evidence().counts().next(), Some(1.0));
}

#[test]
fn a_refused_event_leaves_the_belief_as_it_was() {
    let mut weights = weights(3, 7, 7);
    weights.column_mut(6).fill(0.0);
    let phi = InterestLikelihood::from_weights(weights.view()).unwrap();
    let model = InterestModel::new(prior(3), phi).unwrap();
    let mut belief = AssumedDensity::new(&model);
    let before = belief.clone();
    for (item, weight) in [(7, 1.0), (0, f64::NAN), (0, -1.0), (0, 1e6)] {
        assert!(belief.absorb(&model, &Chosen { item, weight }).is_err());
    }
    let impossible = PosteriorError::ImpossibleItem { item: 6 };
    assert_eq!(belief.absorb(&model, &Chosen { item: 6, weight: 1.0 }), Err(impossible.clone()));
    assert_eq!(belief.update(&model, &Dismissed { item: 6 }, 1.0), Err(impossible));
    assert!(belief.update(&model, &Dismissed { item: 0 }, -1.0).is_err());
    assert!(belief.update(&model, &Labelled { interest: 3 }, 1.0).is_err());
    assert_eq!(belief, before);
    let mut exact = Belief::new(&model);
    assert!(exact.retract(&model, &Labelled { interest: 0 }).is_err(), "nothing was seen");
    exact.update(&model, &Labelled { interest: 0 }).unwrap();
    assert!(exact.retract(&model, &Shown { interest: 0 }).is_err(), "it was not shown");
    assert!(exact.update_weighted(&model, &Labelled { interest: 0 }, 32_767.0).is_err());
    assert_eq!(exact.evidence(), &Labelled { interest: 0 }.statistic(&model).unwrap());
    // Another prior, and another likelihood under the same prior, are another model.
    let other = model.with_prior(Dirichlet::new(vec![1.0; 3]).unwrap()).unwrap();
    let foreign = PosteriorError::ForeignBelief { family: "interests" };
    assert_eq!(exact.posterior(&other), Err(foreign.clone()));
    let other = InterestModel::new(prior(3), likelihood(3, 7, 8)).unwrap();
    assert_eq!(exact.posterior(&other), Err(foreign));
    assert!(InterestModel::new(prior(2), likelihood(3, 6, 7)).is_err());
}

#[test]
fn damaged_states_are_typed_errors() {
    let family = Rates::from(&prior(3));
    let mut belief = Belief::new(&family);
    belief.update(&family, &Labelled { interest: 1 }).unwrap();
    belief.update(&family, &Shown { interest: 2 }).unwrap();
    let json = serde_json::to_string(&belief).unwrap();
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"rates\"", "\"interests\""),
        ("[0,65536,0]", "[0,-65536,0]"),
        ("[0,65536,0]", "[0,65536]"),
        ("[0,65536,0]", "[0,2147483647,0]"),
        ("[0,65536,0]", "[0,21474836470,0]"),
        ("[0,65536,0]", "[0,0.5,0]"),
        ("[0,0,65536]", "[0,0,-65]"),
        ("\"common\":65536", "\"common\":-65536"),
        ("\"common\"", "\"uncommon\""),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        assert!(serde_json::from_str::<Belief<Rates>>(&damaged).is_err(), "{damaged}");
    }
    for cut in 0..json.len() {
        assert!(serde_json::from_str::<Belief<Rates>>(&json[..cut]).is_err());
    }
    let short = json.replace("[0,65536,0]", "[0,65536]").replace("[0,0,65536]", "[0,0]");
    let short: Belief<Rates> = serde_json::from_str(&short).unwrap();
    let wrong_length = |result| matches!(result, Err(PosteriorError::Length { .. }));
    assert!(wrong_length(short.posterior(&family).map(drop)));
    assert!(wrong_length(short.log_evidence(&family).map(drop)));
    let (mut long, before) = (belief.clone(), belief.clone());
    assert!(wrong_length(long.merge(&short)));
    assert_eq!(long, before);
    // A statistic that was read by itself is checked where it is used.
    let of_two: RatesEvidence =
        serde_json::from_str(r#"{"counts":[1,2],"exposures":[0],"common":0}"#).unwrap();
    assert!(of_two.validate().is_err());
    assert!(wrong_length(family.posterior(&of_two).map(drop)));
    assert!(wrong_length(family.log_evidence(&of_two).map(drop)));
    assert!(Belief::from_evidence(&family, &of_two).is_err());
    assert!(Rates::new(vec![1.0], vec![0.0]).is_err() && Rates::new(vec![], vec![]).is_err());
    let json = serde_json::to_string(&family).unwrap();
    assert_eq!(serde_json::from_str::<Rates>(&json).unwrap(), family);
    assert!(serde_json::from_str::<Rates>(&json.replace("0.3", "-0.3")).is_err());
}

/// Simulation-based calibration: with θ from the prior and X from θ, the posterior's distribution
/// function at θ is uniform. χ² of 10 bins, rejected beyond the 99.9 % point of χ²₉ (27.9).
#[test]
fn the_filter_is_calibrated_on_its_own_simulations() {
    let (prior, phi) = (prior(4), likelihood(4, 12, 3));
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut bins = [[0_u32; 10]; 4];
    const USERS: u32 = 2_000;
    for _ in 0..USERS {
        let theta = prior.sample(&mut rng);
        let mut log_probs = [0.0; 12];
        phi.log_probs(&theta, &mut log_probs);
        let items: Vec<u32> = (0..6)
            .map(|_| {
                let mut left = rng.random::<f64>();
                let chosen = log_probs.iter().position(|p| {
                    left -= p.exp();
                    left < 0.0
                });
                chosen.unwrap_or(11) as u32
            })
            .collect();
        let exact = exact_shares(&prior, &phi, &items, 10_000).unwrap();
        for k in 0..4 {
            bins[k][((exact.marginal_cdf(k, theta[k]) * 10.0) as usize).min(9)] += 1;
        }
    }
    for (k, bins) in bins.iter().enumerate() {
        let expected = f64::from(USERS) / 10.0;
        let chi2: f64 = bins.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        assert!(chi2 < 27.9, "interest {k}: χ² {chi2:.1}, {bins:?}");
    }
}

#[test]
fn pruning_says_what_it_dropped_and_stays_close() {
    let (prior, phi) = (prior(4), likelihood(4, 12, 3));
    let items = [0, 5, 3, 3, 8, 1, 0, 11];
    let exact = exact_shares(&prior, &phi, &items, 10_000).unwrap();
    let pruned = exact_shares(&prior, &phi, &items, 64).unwrap();
    assert!(pruned.dropped() > 0.0 && pruned.dropped() < 0.2);
    for (a, b) in pruned.mean().iter().zip(exact.mean()) {
        assert!((a - b).abs() <= pruned.dropped());
    }
}
