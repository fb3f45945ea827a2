//! Slates: what is logged, that every probability is the true one, and that bias can be measured.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_data::{Choice, Domain, Season, Showcase, Shown, Simulation, Simulator, Slate};
use proclivity_schema::{Action, EventKind};

fn simulator(users: usize, slates: usize, slate: Slate) -> Simulator {
    let (fewest_views, most_views) = (slates, slates);
    Simulator { users, fewest_views, most_views, slate: Some(slate), ..Simulator::default() }
}

fn choices(simulation: &Simulation) -> impl Iterator<Item = &Choice> {
    simulation.truth.iter().flatten().flat_map(|truth| &truth.choices)
}

fn position(choice: &Choice) -> Option<usize> {
    choice.chosen.map(|item| choice.slate.iter().position(|shown| shown.item == item).unwrap())
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[test]
fn the_log_holds_every_slate_and_what_was_chosen() {
    let all = Showcase::all().unwrap();
    let slate = Slate { size: 6, position_bias: 0.7, relevance: 0.5, ..Slate::default() };
    let simulation = simulator(60, 12, slate).run(&all).unwrap();
    for user in simulation.log.users() {
        let Some(truth) = simulation.truth(user) else { continue };
        let history = simulation.log.history(user);
        let mut impressions = history.iter().filter(|e| e.action.kind() == EventKind::Impression);
        let mut chosen = history.iter().filter(|event| match event.domain() {
            Some("shop") => event.action.kind() == EventKind::Click,
            Some("video") => event.action.kind() == EventKind::Watch,
            _ => event.action.kind() == EventKind::View,
        });
        assert_eq!(truth.choices.len(), 12);
        for choice in &truth.choices {
            assert_eq!(choice.slate.len(), 6);
            for (position, shown) in (0..).zip(&choice.slate) {
                let event = impressions.next().unwrap();
                assert_eq!(event.action, Action::Impression { item: shown.item, position });
                assert_eq!(event.time, Some(choice.time));
                assert_eq!(event.domain(), Some(choice.domain.as_str()));
                let items = choice.slate.iter().filter(|other| other.item == shown.item);
                assert_eq!(items.count(), 1);
                assert_eq!(shown.choice > 0.0, shown.examined);
            }
            if let Some(at) = position(choice) {
                assert!(choice.slate[at].examined);
                let event = chosen.next().unwrap();
                assert_eq!(event.action.item(), choice.chosen);
                assert!(event.time.unwrap() > choice.time);
            }
        }
        assert_eq!((impressions.next(), chosen.next()), (None, None));
    }
    let domains: Vec<_> = choices(&simulation).map(|choice| choice.domain).collect();
    assert!(Domain::ALL.iter().all(|domain| domains.contains(domain)));
}

#[test]
fn weighting_by_inverse_propensity_gives_every_item_its_due() {
    let shop = Showcase::shop().unwrap();
    for relevance in [0.0, 0.5] {
        let slate = Slate { size: 3, relevance, ..Slate::default() };
        let simulation = simulator(300, 40, slate).run(&shop).unwrap();
        for position in 0..3 {
            // E[1 / propensity] is the number of items that could have come: 120, 119, 118.
            let weights: Vec<f64> =
                choices(&simulation).map(|c| 1.0 / c.slate[position].propensity).collect();
            let (mean, error) = mean(&weights);
            let items = 120.0 - position as f64;
            assert!((mean - items).abs() < 4.0 * error, "{mean} ± {error} for {items}");
            assert!(error < 5.0, "{error}");
        }
    }
}

#[test]
fn choices_have_the_stated_probabilities() {
    let shop = Showcase::shop().unwrap();
    let slate = Slate { position_bias: 0.5, relevance: 0.5, ..Slate::default() };
    let seasons =
        vec![Season { interest: "baking".into(), amplitude: 0.9, period: 30.0, peak: 0.0 }];
    let simulator = Simulator { seasons, drift: 0.1, ..simulator(500, 30, slate) };
    let simulation = simulator.run(&shop).unwrap();
    let floor = simulator.affinity_floor;
    let mut by_position = [(0.0, 0.0, 0.0); 10];
    let mut none = (0.0, 0.0, 0.0);
    let add = |sums: &mut (f64, f64, f64), happened: bool, probability: f64| {
        sums.0 += f64::from(u8::from(happened));
        sums.1 += probability;
        sums.2 += probability * (1.0 - probability);
    };
    for choice in choices(&simulation) {
        let shares = simulation.choice_shares(choice);
        let utility = |shown: &Shown| -> f64 {
            let affinities = &shop.affinities()[shown.item.get()];
            affinities.iter().zip(&shares).map(|(affinity, share)| share * (affinity + floor)).sum()
        };
        let examined = choice.slate.iter().filter(|shown| shown.examined);
        let total: f64 = 0.5 + examined.map(utility).sum::<f64>();
        let at = position(choice);
        for (position, shown) in choice.slate.iter().enumerate() {
            let expected = if shown.examined { utility(shown) / total } else { 0.0 };
            assert!((shown.choice - expected).abs() < 1e-12);
            add(&mut by_position[position], at == Some(position), shown.choice);
        }
        add(&mut none, at.is_none(), 0.5 / total);
    }
    for (observed, expected, variance) in by_position.into_iter().chain([none]) {
        let error = 4.0 * f64::sqrt(variance);
        assert!((observed - expected).abs() < error, "{observed} for {expected} ± {error}");
    }
}

/// Slates filled with every item alike, so that nothing but its bias makes a position special.
fn by_position(position_bias: f64) -> (f64, Vec<f64>, Vec<f64>) {
    let shop = Showcase::shop().unwrap();
    let slate =
        Slate { size: 5, position_bias, none_utility: 2.0, popularity: 0.0, ..Slate::default() };
    let simulation = simulator(600, 40, slate).run(&shop).unwrap();
    let (mut examined, mut chosen, mut count) = (vec![0.0; 5], vec![0.0; 5], 0.0);
    for choice in choices(&simulation) {
        count += 1.0;
        for (examined, shown) in examined.iter_mut().zip(&choice.slate) {
            *examined += f64::from(u8::from(shown.examined));
        }
        if let Some(position) = position(choice) {
            chosen[position] += 1.0;
        }
    }
    (count, examined, chosen)
}

#[test]
fn without_position_bias_no_position_is_special() {
    let (count, examined, chosen) = by_position(0.0);
    assert!(examined.iter().all(|&examined| examined == count));
    let expected = chosen.iter().sum::<f64>() / 5.0;
    let chi2: f64 = chosen.iter().map(|chosen| (chosen - expected).powi(2) / expected).sum();
    assert!(chi2 < 4.0 + 4.0 * 8.0_f64.sqrt(), "χ² {chi2} on 4: {chosen:?}");
}

#[test]
fn position_bias_divides_examination_and_choice_as_stated() {
    let (count, examined, chosen) = by_position(1.0);
    let mut rates = Vec::new();
    for (position, (&examined, &chosen)) in examined.iter().zip(&chosen).enumerate() {
        let p = 1.0 / (1.0 + position as f64);
        assert!((examined - count * p).abs() <= 4.0 * (count * p * (1.0 - p)).sqrt());
        rates.push((chosen / count / p, chosen.sqrt() / count / p));
    }
    // Weighted by 1 / examination, positions are alike again, but for competition: whoever
    // examines the last position has surely examined the first.
    let (first, error) = rates[0];
    assert!(chosen[0] > 3.0 * chosen[4]);
    for (rate, own) in &rates[1..] {
        assert!((rate - first).abs() < 4.0 * error.hypot(*own) + 0.04 * first, "{rates:?}");
    }
}

#[test]
fn inverse_examination_weights_recover_utilities_that_position_bias_hides() {
    let shop = Showcase::shop().unwrap();
    // Popular items are on top, and so they are examined more; utility has no popularity in it.
    let slate =
        Slate { position_bias: 1.0, none_utility: 10.0, popularity: 4.0, ..Slate::default() };
    let simulation = simulator(600, 100, slate).run(&shop).unwrap();
    let items = shop.catalog().len();
    // By item: impressions, utility, clicks, weighted clicks.
    let mut sums = vec![[0.0; 4]; items];
    for choice in choices(&simulation) {
        let shares = &choice.shares;
        for shown in &choice.slate {
            let item = shown.item.get();
            let utility = shop.affinities()[item].iter().zip(&shares[..]);
            let utility = utility.map(|(affinity, share)| share * (affinity + 0.004)).sum::<f64>();
            let click = f64::from(u8::from(choice.chosen == Some(shown.item)));
            let row = [1.0, utility, click, click / shown.examination];
            sums[item].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
    sums.sort_by(|a, b| b[0].total_cmp(&a[0]));
    let group = |rows: &[[f64; 4]]| {
        let sum = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>();
        // Estimates of utility / none, relative to the truth, and the relative error.
        let truth = sum(1) / 10.0;
        (sum(2) / truth, sum(3) / truth, 1.0 / sum(2).sqrt())
    };
    let (naive_top, weighted_top, error_top) = group(&sums[..3]);
    let (naive_low, weighted_low, error_low) = group(&sums[4..]);
    assert!(naive_top > 1.5 * naive_low, "{naive_top} {naive_low}");
    // Others that are examined take a few percent of the clicks from everyone.
    for (weighted, error) in [(weighted_top, error_top), (weighted_low, error_low)] {
        assert!((weighted - 0.97).abs() < 4.0 * error + 0.03, "{weighted} ± {error}");
    }
    assert!((weighted_top / weighted_low - 1.0).abs() < 4.0 * error_top.hypot(error_low) + 0.03);
}

#[test]
fn one_policys_log_says_what_another_policy_would_earn() {
    let shop = Showcase::shop().unwrap();
    let slate = |popularity| Slate { size: 1, popularity, ..Slate::default() };
    // Logged by popularity; what would showing every item alike have earned?
    let logged = simulator(800, 40, slate(1.0)).run(&shop).unwrap();
    let estimates: Vec<f64> = choices(&logged)
        .map(|choice| {
            let reward = f64::from(u8::from(choice.chosen.is_some()));
            reward * (1.0 / 120.0) / choice.slate[0].propensity
        })
        .collect();
    let alike = simulator(800, 40, slate(0.0)).run(&shop).unwrap();
    let rewards: Vec<f64> =
        choices(&alike).map(|choice| f64::from(u8::from(choice.chosen.is_some()))).collect();
    let ((estimate, error), (truth, own)) = (mean(&estimates), mean(&rewards));
    assert!((estimate - truth).abs() < 4.0 * error.hypot(own), "{estimate} ± {error} for {truth}");
    assert!(error < 0.1 * truth);
}

#[test]
fn relevance_puts_what_the_user_likes_on_top() {
    let shop = Showcase::shop().unwrap();
    let share_chosen = |relevance| {
        let slate = Slate { popularity: 0.0, relevance, ..Slate::default() };
        let simulation = simulator(200, 20, slate).run(&shop).unwrap();
        let chosen = choices(&simulation).filter(|choice| choice.chosen.is_some()).count();
        chosen as f64 / 4_000.0
    };
    let shares = [0.0, 1.0, 3.0].map(share_chosen);
    assert!(shares.is_sorted() && shares[2] > 1.3 * shares[0], "{shares:?}");
}
