//! What the simulator adds to its default: domains, drift, seasons, and the truth about them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::TAU;
use std::sync::Arc;

use proclivity_data::{Domain, Season, Showcase, Simulation, Simulator, Slate, UserTruth};
use proclivity_schema::{Action, Event, EventKind, Timestamp, UserIndex};
use proptest::prelude::*;

fn season(interest: &str) -> Season {
    Season { interest: interest.to_owned(), amplitude: 0.8, period: 21.0, peak: 4.0 }
}

/// Everything at once, but for slates.
fn everything(users: usize) -> Simulator {
    Simulator {
        users,
        return_probability: 0.2,
        domain_spread: 0.3,
        drift: 0.15,
        seasons: vec![season("gardening"), season("camping")],
        ..Simulator::default()
    }
}

fn truths(simulation: &Simulation) -> impl Iterator<Item = (UserIndex, &UserTruth)> {
    simulation.log.users().filter_map(|user| Some((user, simulation.truth(user)?)))
}

/// Whether the mean of values is what is expected, within 4 standard errors.
fn mean_is(values: &[f64], expected: f64, what: &str) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    assert!((mean - expected).abs() < 4.0 * error, "{what}: {mean} ± {error} for {expected}");
}

#[test]
fn choices_are_draws_from_the_stated_likelihood_in_every_domain_and_season() {
    let all = Showcase::all().unwrap();
    let simulation = everything(1_500).run(&all).unwrap();
    for (domain, items) in all.domains() {
        for phi in &simulation.likelihood {
            assert!((phi[items.clone()].iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let (mut expected, mut observed) = (vec![0.0; items.len()], vec![0.0; items.len()]);
        let choices = truths(&simulation).flat_map(|(_, truth)| &truth.choices);
        for choice in choices.filter(|choice| choice.domain == *domain) {
            observed[choice.chosen.unwrap().get() - items.start] += 1.0;
            for (share, phi) in simulation.choice_shares(choice).iter().zip(&simulation.likelihood)
            {
                for (expected, phi) in expected.iter_mut().zip(&phi[items.clone()]) {
                    *expected += share * phi;
                }
            }
        }
        // χ² with as many degrees of freedom as items that occur, less one.
        let met: Vec<_> = expected.iter().zip(&observed).filter(|&(&e, _)| e > 0.0).collect();
        let chi2: f64 = met.iter().map(|&(e, o): &(&f64, &f64)| (o - e).powi(2) / e).sum();
        let freedom = (met.len() - 1) as f64;
        assert!(chi2 < freedom + 4.0 * (2.0 * freedom).sqrt(), "{domain}: χ² {chi2} on {freedom}");
    }
}

/// The event of the log that says that an item was chosen.
fn says_choice(event: &Event) -> bool {
    match event.domain() {
        Some("video") => event.action.kind() == EventKind::Watch,
        _ => event.action.kind() == EventKind::View,
    }
}

#[test]
fn events_say_their_domain_and_follow_the_choices() {
    let all = Showcase::all().unwrap();
    let simulation = everything(400).run(&all).unwrap();
    let mut kinds = std::collections::BTreeMap::<_, std::collections::BTreeSet<_>>::new();
    for (user, truth) in truths(&simulation) {
        let history = simulation.log.history(user);
        for event in history {
            let domain = event.domain().unwrap();
            assert!(truth.domains.keys().any(|own| own.as_str() == domain));
            if let Some(item) = event.action.item() {
                assert_eq!(all.catalog().item(item).domain(), Some(domain));
            }
            kinds.entry(domain.to_owned()).or_default().insert(event.action.kind());
        }
        let said: Vec<_> = history.iter().filter(|event| says_choice(event)).collect();
        assert_eq!(said.len(), truth.choices.len());
        for (event, choice) in said.into_iter().zip(&truth.choices) {
            assert_eq!(event.action.item(), choice.chosen);
            assert_eq!(event.domain(), Some(choice.domain.as_str()));
            assert!(event.time.unwrap() > choice.time);
        }
    }
    use EventKind::*;
    let expected = [
        ("shop", vec![View, Search, AddToCart, Purchase, Return, Rate, Dismiss, Impression]),
        ("social", vec![View, Search, Like, Follow, Share, Comment, Dismiss, Impression]),
        ("video", vec![Search, Like, Dislike, Watch, Skip, Impression]),
    ];
    let expected = expected.map(|(domain, kinds)| (domain.to_owned(), kinds.into_iter().collect()));
    assert_eq!(kinds, expected.into());
}

#[test]
fn one_domain_alone_says_nothing_about_it() {
    for (showcase, examples) in [
        (Showcase::video().unwrap(), 0),
        (Showcase::social().unwrap(), 0),
        (Showcase::shop().unwrap(), 2),
    ] {
        let simulation = Simulator { users: 20, ..Simulator::default() }.run(&showcase).unwrap();
        assert!(simulation.log.events().iter().all(|event| event.details.is_none()));
        assert_eq!(simulation.log.user_count(), 20 + examples);
    }
}

#[test]
fn shares_in_domains_are_drawn_around_the_users_own() {
    let all = Showcase::all().unwrap();
    let simulation = everything(3_000).run(&all).unwrap();
    let pairs: Vec<(&[f64], &[f64])> = truths(&simulation)
        .flat_map(|(_, truth)| {
            truth.domains.values().map(|shares| (&truth.shares[..], &shares[..]))
        })
        .collect();
    for k in 0..all.interests().len() {
        let differences: Vec<f64> = pairs.iter().map(|(own, here)| here[k] - own[k]).collect();
        mean_is(&differences, 0.0, "θ_d − θ₀");
    }
    // Σₖ Var θ_d,k = (1 − Σₖ θ₀,k²) / (1/spread + 1).
    let ratio = |(own, here): &(&[f64], &[f64])| {
        let squares: f64 = own.iter().zip(*here).map(|(own, here)| (here - own).powi(2)).sum();
        squares - (1.0 - own.iter().map(|own| own * own).sum::<f64>()) / (1.0 / 0.3 + 1.0)
    };
    mean_is(&pairs.iter().map(ratio).collect::<Vec<_>>(), 0.0, "variance of θ_d");

    let close = Simulator { domain_spread: 0.0, ..everything(50) }.run(&all).unwrap();
    for (_, truth) in truths(&close) {
        assert!(truth.domains.values().all(|shares| *shares == truth.shares));
    }
}

#[test]
fn the_share_of_users_across_domains_is_the_stated_one() {
    let all = Showcase::all().unwrap();
    for share in [0.0, 0.3, 1.0] {
        let simulator =
            Simulator { users: 2_000, cross_domain_share: share, ..Simulator::default() };
        let simulation = simulator.run(&all).unwrap();
        let several = |(_, truth): (_, &UserTruth)| f64::from(u8::from(truth.domains.len() > 1));
        let several: Vec<f64> = truths(&simulation).map(several).collect();
        let mean = several.iter().sum::<f64>() / 2_000.0;
        let error = (share * (1.0 - share) / 2_000.0).sqrt();
        assert!((mean - share).abs() <= 4.0 * error, "{mean} for {share}");
        for domain in Domain::ALL {
            assert!(truths(&simulation).any(|(_, truth)| truth.domains.contains_key(&domain)));
        }
    }
}

#[test]
fn drift_is_a_random_walk_of_the_stated_speed() {
    let all = Showcase::all().unwrap();
    let simulation = everything(1_000).run(&all).unwrap();
    let mut steps = Vec::new();
    for (_, truth) in truths(&simulation) {
        // W₁ − W₀ from any domain: log θ_d,1(t)/θ_d,0(t) less what it was at the start.
        let mut before: Option<(f64, f64)> = None;
        for choice in &truth.choices {
            let start = &truth.domains[&choice.domain];
            if start[0] < 1e-9 || start[1] < 1e-9 {
                continue; // Too few digits of the ratio would be left.
            }
            assert!((choice.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let now = (choice.shares[1] / choice.shares[0]).ln() - (start[1] / start[0]).ln();
            let day = choice.time.as_micros() as f64 / 86_400e6;
            if let Some((then, since)) = before {
                steps.push((now - then) / (0.15 * (2.0 * (day - since)).sqrt()));
            }
            before = Some((now, day));
        }
    }
    assert!(steps.len() > 2_000, "{}", steps.len());
    mean_is(&steps, 0.0, "standardised step");
    let squares: Vec<f64> = steps.iter().map(|step| step * step).collect();
    mean_is(&squares, 1.0, "squared step");

    let still = Simulator { drift: 0.0, ..everything(50) }.run(&all).unwrap();
    for (_, truth) in truths(&still) {
        for choice in &truth.choices {
            assert!(Arc::ptr_eq(&choice.shares, &truth.domains[&choice.domain]));
        }
    }
}

#[test]
fn a_seasons_period_is_recovered_from_the_log() {
    let shop = Showcase::shop().unwrap();
    let seasons = vec![season("gardening")];
    let simulation = Simulator { seasons, ..Simulator::default() }.run(&shop).unwrap();
    let gardening = shop.interests().iter().position(|i| i.id == "gardening").unwrap();
    // When items for gardening were viewed, and when others were.
    let views: Vec<(f64, f64)> = (simulation.log.events().iter())
        .filter_map(|event| match event.action {
            Action::View { item } => {
                let day = event.time.unwrap().as_micros() as f64 / 86_400e6;
                let own = shop.affinities()[item.get()][gardening] == 1.0;
                Some((day, f64::from(u8::from(own))))
            }
            _ => None,
        })
        .collect();
    let mean = views.iter().map(|(_, own)| own).sum::<f64>() / views.len() as f64;
    let power = |period: f64| {
        let wave = |wave: fn(f64) -> f64| {
            views.iter().map(|(day, own)| (own - mean) * wave(TAU * day / period)).sum::<f64>()
        };
        wave(f64::cos).hypot(wave(f64::sin))
    };
    let periods = (20..120).map(|half_days| f64::from(half_days) / 2.0);
    let best = periods.max_by(|&a, &b| power(a).total_cmp(&power(b))).unwrap();
    assert!((best - 21.0).abs() < 2.0, "{best} days");

    let start: Timestamp = "2021-01-03T00:00:00Z".parse().unwrap();
    for (day, factor) in [(4.0, 1.8), (4.0 + 10.5, 0.2), (4.0 + 21.0, 1.8), (4.0 + 5.25, 1.0)] {
        let micros = start.as_micros() + (day * 86_400e6) as i64;
        let factors = simulation.season_factors(Timestamp::from_micros(micros).unwrap());
        assert!((factors[gardening] - factor).abs() < 1e-9, "day {day}: {factors:?}");
        let mut others = (0..factors.len()).filter(|&k| k != gardening);
        assert!(others.all(|k| factors[k] == 1.0));
    }
}

#[test]
fn neither_threads_nor_other_users_matter() {
    let all = Showcase::all().unwrap();
    for slate in [None, Some(Slate { position_bias: 1.0, relevance: 1.0, ..Slate::default() })] {
        let simulator = Simulator { slate, ..everything(60) };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| simulator.run(&all).unwrap())
        };
        let one = run(1);
        assert_eq!(one, run(4));
        let more = Simulator { users: 90, ..simulator.clone() }.run(&all).unwrap();
        for user in one.log.users() {
            assert_eq!(one.log.history(user), more.log.history(user));
            assert_eq!(one.truth(user), more.truth(user));
        }
        let other = Simulator { seed: 5, ..simulator.clone() }.run(&all).unwrap();
        assert_ne!(one.log, other.log);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let shop = Showcase::shop().unwrap();
    let slate = |slate| Simulator { slate: Some(slate), ..Simulator::default() };
    let of = |season| Simulator { seasons: vec![season], ..Simulator::default() };
    for (bad, name) in [
        (Simulator { return_probability: 1.1, ..Simulator::default() }, "return_probability"),
        (Simulator { cross_domain_share: -0.1, ..Simulator::default() }, "cross_domain_share"),
        (Simulator { domain_spread: f64::NAN, ..Simulator::default() }, "domain_spread"),
        (Simulator { drift: f64::INFINITY, ..Simulator::default() }, "drift"),
        (of(Season { amplitude: 1.5, ..season("camping") }), "seasons.amplitude"),
        (of(Season { period: 0.0, ..season("camping") }), "seasons.period"),
        (of(Season { peak: f64::NAN, ..season("camping") }), "seasons.peak"),
        (of(season("astrology")), "astrology"),
        (slate(Slate { size: 0, ..Slate::default() }), "slate.size"),
        (slate(Slate { size: 121, ..Slate::default() }), "slate.size"),
        (slate(Slate { position_bias: -1.0, ..Slate::default() }), "slate.position_bias"),
        (slate(Slate { none_utility: f64::NAN, ..Slate::default() }), "slate.none_utility"),
        (slate(Slate { popularity: 101.0, ..Slate::default() }), "slate.popularity"),
        (slate(Slate { relevance: -1.0, ..Slate::default() }), "slate.relevance"),
    ] {
        let error = bad.run(&shop).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn settings_travel_as_text() {
    let text = r#"{"users": 10, "seasons": [{"interest": "camping", "amplitude": 0.5, "period": 7.0}],
        "slate": {"size": 4, "position_bias": 1.0}}"#;
    let simulator: Simulator = serde_json::from_str(text).unwrap();
    let slate = Slate { size: 4, position_bias: 1.0, ..Slate::default() };
    assert_eq!(simulator.slate, Some(slate));
    assert_eq!(simulator.seasons[0].peak, 0.0);
    let again = serde_json::to_string(&simulator).unwrap();
    assert_eq!(serde_json::from_str::<Simulator>(&again).unwrap(), simulator);
    assert!(serde_json::from_str::<Simulator>(r#"{"slate": {"length": 4}}"#).is_err());
}

/// Numbers at which arithmetic goes wrong.
fn number() -> impl Strategy<Value = f64> {
    let numbers = [0.0, 1e-300, 1e-9, 0.5, 1.0, 30.0, 100.0, 1e300, -1.0, f64::NAN, f64::INFINITY];
    proptest::sample::select(numbers.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_settings_are_refused_or_give_shares_and_probabilities(
        numbers in prop::array::uniform10(number()),
        (amplitude, none_utility, popularity) in (number(), number(), number()),
        slates: bool,
        size in 1_usize..130,
        seed: u64,
    ) {
        let all = Showcase::all().unwrap();
        let [concentration, mean, exponent, floor, spread, drift, period, peak, bias, relevance] =
            numbers.map(|x| if seed.is_multiple_of(3) { x } else { x.clamp(1e-9, 50.0) });
        let position_bias = bias;
        let simulator = Simulator {
            users: 3,
            concentration,
            mean_further_views: mean,
            popularity_exponent: exponent,
            affinity_floor: floor,
            domain_spread: spread,
            drift,
            seasons: vec![Season { interest: "audio".into(), amplitude, period, peak }],
            slate: slates.then_some(Slate { size, position_bias, none_utility, popularity, relevance }),
            seed,
            ..Simulator::default()
        };
        let Ok(simulation) = simulator.run(&all) else { return Ok(()) };
        for (_, truth) in truths(&simulation) {
            for choice in &truth.choices {
                for shares in [&choice.shares[..], &simulation.choice_shares(choice)] {
                    prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", shares);
                    prop_assert!(shares.iter().all(|&share| share >= 0.0));
                }
                for shown in &choice.slate {
                    for probability in [shown.propensity, shown.examination, shown.choice] {
                        prop_assert!((0.0..=1.0 + 1e-12).contains(&probability), "{:?}", shown);
                    }
                }
                prop_assert!(choice.slate.iter().map(|shown| shown.choice).sum::<f64>() < 1.0 + 1e-9);
            }
        }
    }
}
