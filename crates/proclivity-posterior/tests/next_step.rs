//! Next-step: the sparse computation against the formula written out, and its laws.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    Belief, Conjugate, CoverageConfig, Credible, Dirichlet, Fading, Family, HalfLife, Kernel,
    MarkovChain, MarkovChainPosterior, NextStep, NextStepConfig, PosteriorError, Predictive,
    Replicate, SbcConfig, Sequence, Transitions,
};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 7;

fn embeddings() -> Array2<f32> {
    Array2::from_shape_fn((ITEMS, 2), |(item, axis)| {
        // Uneven, so that no two neighbours are equally near.
        let angle = 0.5 * item as f32 + 0.01 * (item * item) as f32;
        if axis == 0 { angle.cos() } else { angle.sin() }
    })
}

/// The documented formula with dense matrices and no shortcut.
fn naive(config: &NextStepConfig, sequences: &[Vec<u32>], history: &[u32]) -> Vec<f64> {
    let e = embeddings();
    let mut kernel = Array2::<f64>::zeros((ITEMS, ITEMS));
    for i in 0..ITEMS {
        let mut others: Vec<usize> = (0..ITEMS).filter(|&j| j != i).collect();
        others.sort_by(|&a, &b| e.row(i).dot(&e.row(b)).total_cmp(&e.row(i).dot(&e.row(a))));
        let near = &others[..3];
        let total: f64 = near.iter().map(|&j| f64::from(6.0 * e.row(i).dot(&e.row(j))).exp()).sum();
        for &j in near {
            kernel[[i, j]] = f64::from(6.0 * e.row(i).dot(&e.row(j))).exp() / total;
        }
    }
    let mut counts = Array2::<f64>::zeros((ITEMS, ITEMS));
    let mut popularity = [config.popularity_strength / ITEMS as f64; ITEMS];
    for sequence in sequences {
        for (i, &from) in sequence.iter().enumerate() {
            popularity[from as usize] += 1.0;
            for (j, &to) in sequence.iter().enumerate().skip(i + 1) {
                if j - i <= config.window && from != to {
                    let count = config.step_decay.powi((j - i) as i32 - 1);
                    counts[[from as usize, to as usize]] += count;
                    counts[[to as usize, from as usize]] += config.symmetric_share * count;
                }
            }
        }
    }
    let total: f64 = popularity.iter().sum();
    let counts = &counts + &(kernel.dot(&counts) * config.kernel_smoothing);
    let mut distinct: Vec<u32> = Vec::new();
    for &item in history.iter().rev() {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    if distinct.is_empty() {
        return popularity.iter().map(|p| p / total).collect();
    }
    let weight = |decay: f64, age: usize| {
        let norm: f64 = (0..distinct.len()).map(|age| decay.powi(age as i32)).sum();
        decay.powi(age as i32) / norm
    };
    let mut probs = vec![0.0; ITEMS];
    for (age, &item) in distinct.iter().enumerate() {
        let (row, i) = (counts.row(item as usize), item as usize);
        for j in 0..ITEMS {
            let prior = (1.0 - config.popularity_share) * kernel[[i, j]]
                + config.popularity_share * popularity[j] / total;
            let (fast, slow) = (config.history_decay, config.slow_history_decay);
            let weight = (1.0 - config.slow_share) * weight(fast, age)
                + config.slow_share * weight(slow, age);
            probs[j] += weight * (row[j] + config.prior_strength * prior)
                / (row.sum() + config.prior_strength);
        }
    }
    probs
}

proptest! {
    #[test]
    fn it_is_the_formula(
        sequences in prop::collection::vec(prop::collection::vec(0_u32..7, 0..9), 0..6),
        history in prop::collection::vec(0_u32..7, 0..6),
        window in 1_usize..5,
        symmetric_share in 0.0..1.0_f64,
        kernel_smoothing in 0.0..2.0_f64,
        slow_share in prop_oneof![Just(0.0), 0.0..=1.0_f64],
    ) {
        let config = NextStepConfig {
            window, symmetric_share, kernel_smoothing, slow_share, ..NextStepConfig::default()
        };
        let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let kernel = Kernel::nearest(embeddings().view(), 3, 6.0).unwrap();
        let model = NextStep::fit(config.clone(), &slices, ITEMS, Some(kernel)).unwrap();
        let mut log_probs = [0.0; ITEMS];
        model.log_probs(&history, &mut log_probs);
        let mut tabulated = [0.0; ITEMS];
        model.clone().tabulated().log_probs(&history, &mut tabulated);
        prop_assert!(log_probs.iter().zip(&tabulated).all(|(a, b)| (a - b).abs() < 1e-6));
        let expected = naive(&config, &sequences, &history);
        prop_assert!((log_probs.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-5);
        for (item, (got, expected)) in log_probs.iter().zip(expected).enumerate() {
            prop_assert!((got.exp() - expected).abs() < 1e-6, "{} for {expected}", got.exp());
            if !history.is_empty() {
                let parts = model.contributions(&history, item as u32).unwrap();
                prop_assert!((parts.iter().sum::<f64>() - got.exp()).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn an_item_without_events_is_recommended_by_its_text() {
    let e = array![[1.0_f32, 0.0], [0.0, 1.0], [0.6, 0.8], [0.95, 0.31]];
    let kernel = Kernel::nearest(e.view(), 3, 6.0).unwrap();
    let sequences: Vec<&[u32]> = vec![&[1, 2], &[2, 1]];
    let model = NextStep::fit(NextStepConfig::default(), &sequences, 4, Some(kernel)).unwrap();
    let mut out = [0.0; 4];
    model.log_probs(&[0], &mut out);
    assert!(out[3] > out[2] && out[2] > out[1]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let sequences: Vec<Vec<u32>> =
        (0..200_u32).map(|u| (0..12).map(|t| (u * 7 + t * t) % 7).collect()).collect();
    let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let fit = || NextStep::fit(NextStepConfig::default(), &slices, ITEMS, None).unwrap();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    assert_eq!(pool(1).install(fit), pool(3).install(fit));
}

fn kernel() -> Kernel {
    Kernel::nearest(embeddings().view(), 3, 6.0).unwrap()
}

fn sequences() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0_u32..7, 0..9), 0..8)
}

fn slices(sequences: &[Vec<u32>]) -> Vec<&[u32]> {
    sequences.iter().map(Vec::as_slice).collect()
}

/// Next-step in its default and as a chain.
fn both(sequences: &[Vec<u32>], kernel: Kernel) -> (NextStep, MarkovChainPosterior) {
    let chain = MarkovChain::new(&[1.0; ITEMS], 0.3, 5.0, Some(kernel.clone())).unwrap();
    let counts = chain.count(&slices(sequences)).unwrap();
    let config = NextStepConfig::default();
    let model = NextStep::fit(config, &slices(sequences), ITEMS, Some(kernel)).unwrap();
    (model, chain.posterior(&counts).unwrap())
}

fn probs(model: &impl Predictive, history: &[u32]) -> Vec<f64> {
    let mut log_probs = vec![0.0; model.item_count()];
    model.log_probs(history, &mut log_probs);
    log_probs.iter().map(|log_prob| log_prob.exp()).collect()
}

proptest! {
    #[test]
    fn counting_at_once_is_one_sequence_after_the_other(
        sequences in sequences(),
        window in 1_usize..12,
        step_decay in 0.1..=1.0_f64,
        symmetric_share in prop_oneof![Just(0.0), 0.0..=1.0_f64],
    ) {
        let config =
            NextStepConfig { window, step_decay, symmetric_share, ..NextStepConfig::default() };
        let family = Transitions::new(config.clone(), ITEMS, Some(kernel())).unwrap();
        let mut belief = Belief::new(&family);
        sequences.iter().for_each(|s| belief.update(&family, &Sequence(s)).unwrap());
        let counts = family.count(&slices(&sequences)).unwrap();
        prop_assert_eq!(belief.evidence(), &counts);
        let fitted = NextStep::fit(config, &slices(&sequences), ITEMS, Some(kernel())).unwrap();
        prop_assert_eq!(&belief.posterior(&family).unwrap(), &fitted);
        prop_assert_eq!(fitted.counts(), counts);
        let json = serde_json::to_string(&fitted).unwrap();
        prop_assert_eq!(serde_json::from_str::<NextStep>(&json).unwrap(), fitted);
    }

    #[test]
    fn permuting_items_permutes_the_probabilities(
        sequences in sequences(),
        history in prop::collection::vec(0_u32..7, 0..6),
        order in Just((0..7_u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let renamed = |items: &[u32]| -> Vec<u32> {
            items.iter().map(|&item| order[item as usize]).collect()
        };
        // No two neighbors are equally far.
        let e = Array2::from_shape_fn((ITEMS, 2), |(item, axis)| {
            let angle = 0.4 * item as f32 + 0.03 * (item * item) as f32;
            if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let mut moved = e.clone();
        (0..ITEMS).for_each(|item| moved.row_mut(order[item] as usize).assign(&e.row(item)));
        let others: Vec<Vec<u32>> = sequences.iter().map(|s| renamed(s)).collect();
        let fit = |sequences: &[Vec<u32>], e: &Array2<f32>| {
            both(sequences, Kernel::nearest(e.view(), 3, 6.0).unwrap())
        };
        let ((model, chain), (moved_model, moved_chain)) = (fit(&sequences, &e), fit(&others, &moved));
        for (got, expected) in [
            (probs(&moved_model, &renamed(&history)), probs(&model, &history)),
            (probs(&moved_chain, &renamed(&history)), probs(&chain, &history)),
        ] {
            for (item, expected) in expected.into_iter().enumerate() {
                prop_assert!((got[order[item] as usize] - expected).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn scaled_embeddings_are_another_temperature(
        scale in 0.1..10.0_f32,
        sequences in sequences(),
        history in prop::collection::vec(0_u32..7, 0..6),
    ) {
        let fit = |scale: f32| {
            let temperature = 6.0 / f64::from(scale * scale);
            both(&sequences, Kernel::nearest((embeddings() * scale).view(), 6, temperature).unwrap())
        };
        let ((model, chain), (scaled_model, scaled_chain)) = (fit(1.0), fit(scale));
        for (got, expected) in [
            (probs(&scaled_model, &history), probs(&model, &history)),
            (probs(&scaled_chain, &history), probs(&chain, &history)),
        ] {
            for (got, expected) in got.iter().zip(expected) {
                prop_assert!((got - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_evidence_of_a_chain_is_the_product_of_its_predictions(
        sequences in sequences(),
        strength in 0.1..30.0_f64,
        share in 0.05..=1.0_f64,
    ) {
        let family = MarkovChain::new(&[3.0, 1.0, 1.0, 2.0, 0.5, 1.0, 9.0], share, strength, Some(kernel())).unwrap();
        let mut belief = Belief::new(&family);
        for sequence in &sequences {
            // Within a sequence each step learns from the ones before.
            let mut expected = belief.log_evidence(&family).unwrap();
            let mut steps = belief.clone();
            for pair in sequence.windows(2) {
                let before = probs(&steps.posterior(&family).unwrap(), &pair[..1]);
                expected += before[pair[1] as usize].ln();
                steps.update(&family, &Sequence(pair)).unwrap();
            }
            belief.update(&family, &Sequence(sequence)).unwrap();
            prop_assert!((belief.log_evidence(&family).unwrap() - expected).abs() < 1e-8);
        }
        let counts = family.count(&slices(&sequences)).unwrap();
        prop_assert_eq!(belief.evidence(), &counts);
        let json = serde_json::to_string(&family).unwrap();
        prop_assert_eq!(serde_json::from_str::<MarkovChain>(&json).unwrap(), family);
    }
}

#[test]
fn a_chain_is_the_special_case_of_next_step() {
    let sequences: Vec<&[u32]> = vec![&[0, 1, 2, 0, 1, 3], &[4, 2, 0, 6, 1, 2]];
    let config = NextStepConfig {
        window: 1,
        symmetric_share: 0.0,
        kernel_smoothing: 0.0,
        // Popularity that doesn't learn.
        popularity_strength: 1e15,
        ..NextStepConfig::default()
    };
    let (share, strength) = (config.popularity_share, config.prior_strength);
    let model = NextStep::fit(config, &sequences, ITEMS, Some(kernel())).unwrap();
    let family = MarkovChain::new(&[1.0; ITEMS], share, strength, Some(kernel())).unwrap();
    let counts = family.count(&sequences).unwrap();
    let chain = Family::posterior(&family, &counts).unwrap();
    for item in 0..ITEMS as u32 {
        let (row, exact) = (model.row(item).unwrap(), chain.row(item).unwrap());
        for (got, expected) in row.concentration().iter().zip(exact.concentration()) {
            assert!((got - expected).abs() < 1e-9);
        }
        for (got, expected) in probs(&chain, &[5, item]).iter().zip(exact.mean()) {
            assert!((got - expected).abs() < 1e-12);
        }
    }
    let prior = family.row(5).unwrap();
    assert_eq!(prior, chain.row(5).unwrap(), "nothing came after this item");
}

#[test]
fn all_sequences_of_a_chain_have_probability_one() {
    let family = MarkovChain::new(&[3.0, 1.0, 2.0], 1.0, 1.5, None).unwrap();
    let mut total = 0.0;
    for code in 0..3_u32.pow(5) {
        let sequence: Vec<u32> =
            std::iter::once(1).chain((0..5).map(|step| code / 3_u32.pow(step) % 3)).collect();
        total += family.log_evidence(&family.count(&[&sequence]).unwrap()).unwrap().exp();
    }
    assert!((total - 1.0).abs() < 1e-10, "{total}");
}

fn draw(shares: &[f64], rng: &mut ChaCha8Rng) -> u32 {
    let mut left = rng.random::<f64>();
    let chosen = shares.iter().position(|share| {
        left -= share;
        left < 0.0
    });
    chosen.unwrap_or(shares.len() - 1) as u32
}

/// One draw of every row.
fn rows(
    row: impl Fn(u32) -> Result<Dirichlet, PosteriorError>,
    items: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<f64>>, PosteriorError> {
    (0..items as u32).map(|item| Ok(row(item)?.sample(rng))).collect()
}

#[test]
fn rows_of_a_chain_are_calibrated() {
    // Rows from the prior, a sequence from the rows, and the rows of the posterior.
    const SMALL: usize = 4;
    let e = Array2::from_shape_fn((SMALL, 2), |(item, axis)| {
        let angle = 0.9 * item as f32;
        if axis == 0 { angle.cos() } else { angle.sin() }
    });
    let kernel = Kernel::nearest(e.view(), 2, 2.0).unwrap();
    let family = MarkovChain::new(&[4.0, 3.0, 2.0, 1.0], 0.5, 3.0, Some(kernel)).unwrap();
    let config = SbcConfig { replicates: 2_000, ..SbcConfig::default() };
    let names = ["P(0|0)", "P(1|2)", "P(3|3)", "log-likelihood"];
    let report = config.run(&names, |rng| {
        let truth = rows(|item| family.row(item), SMALL, rng)?;
        let mut sequence = vec![0];
        for step in 0..25 {
            sequence.push(draw(&truth[sequence[step] as usize], rng));
        }
        let mut belief = Belief::new(&family);
        belief.update(&family, &Sequence(&sequence))?;
        let posterior = belief.posterior(&family)?;
        let quantities = |rows: &[Vec<f64>]| {
            let steps = sequence.windows(2);
            let log_likelihood: f64 =
                steps.map(|pair| rows[pair[0] as usize][pair[1] as usize].ln()).sum();
            vec![rows[0][0], rows[2][1], rows[3][3], log_likelihood]
        };
        let mut draws = Vec::new();
        for _ in 0..config.draws {
            let drawn = rows(|item| posterior.row(item), SMALL, rng)?;
            draws.push(quantities(&drawn));
        }
        Ok(Replicate { truths: quantities(&truth), draws })
    });
    let p_value = report.unwrap().p_value();
    assert!(p_value > 0.01, "{p_value}");
}

/// How often intervals of 50 % and 90 % hold the truth where every event is independent of the
/// others, so that what follows at any distance has one distribution.
fn coverage(window: usize, step_decay: f64, symmetric_share: f64) -> Vec<f64> {
    const SMALL: usize = 5;
    let next_step = NextStepConfig {
        window,
        step_decay,
        symmetric_share,
        kernel_smoothing: 0.0,
        prior_strength: 10.0,
        popularity_strength: 1e15,
        ..NextStepConfig::default()
    };
    let config = CoverageConfig { users: 4_000, ..CoverageConfig::default() };
    let coverage = config.run(|rng| {
        let shares = Dirichlet::from_mean(&[1.0; SMALL], 10.0)?.sample(rng);
        let sequence: Vec<u32> = (0..400).map(|_| draw(&shares, rng)).collect();
        let row = NextStep::fit(next_step.clone(), &[&sequence], SMALL, None)?.row(0)?;
        // Given that the item doesn't follow itself, which it never does here.
        let others = Dirichlet::new(row.concentration()[1..].to_vec())?;
        let truth = shares[1] / (1.0 - shares[0]);
        Ok(vec![Credible::from_cdf(others.marginal_cdf(0, truth), &config.levels)])
    });
    coverage.unwrap().iter().map(|coverage| coverage.coverage).collect()
}

#[test]
fn windows_make_rows_too_sure() {
    let exact = coverage(1, 1.0, 0.0);
    assert!((exact[0] - 0.5).abs() < 0.03 && (exact[1] - 0.9).abs() < 0.02, "{exact:?}");
    let default = coverage(30, 0.8, 0.5);
    // What the docs of `NextStep::row` say.
    assert!((default[0] - 0.42).abs() < 0.03 && (default[1] - 0.80).abs() < 0.03, "{default:?}");
}

#[test]
fn the_slow_timescale_alone_is_the_fast_one_with_its_decay() {
    let sequences: Vec<&[u32]> = vec![&[0, 1, 2, 3], &[3, 4, 5, 0, 1]];
    let fit = |history_decay, slow_history_decay, slow_share| {
        let config = NextStepConfig {
            history_decay,
            slow_history_decay,
            slow_share,
            ..NextStepConfig::default()
        };
        NextStep::fit(config, &sequences, ITEMS, Some(kernel())).unwrap()
    };
    let history = [0, 3, 3, 1, 5, 2];
    let off = probs(&fit(0.5, 0.9, 0.0), &history);
    assert_eq!(off, probs(&fit(0.5, 0.3, 0.0), &history));
    let (fast, slow) = (probs(&fit(0.9, 1.0, 0.0), &history), probs(&fit(0.5, 0.9, 1.0), &history));
    let mixed = probs(&fit(0.5, 0.9, 0.25), &history);
    for item in 0..ITEMS {
        assert!((fast[item] - slow[item]).abs() < 1e-12);
        assert!((mixed[item] - 0.75 * off[item] - 0.25 * slow[item]).abs() < 1e-12);
    }
}

#[test]
fn what_is_old_fades_until_it_is_gone() {
    let family = Transitions::new(NextStepConfig::default(), ITEMS, None).unwrap();
    let mut fading = Fading::new(&family, HalfLife::new(10.0).unwrap(), 0.0).unwrap();
    let (early, late) = ([0, 1, 2, 1, 0], [4, 5, 4]);
    fading.update(&family, &Sequence(&early), 0.0).unwrap();
    fading.update(&family, &Sequence(&late), 10.0).unwrap();
    let faded = fading.belief();
    let counts = faded.evidence();
    assert!(
        (counts.occurrences(0) - 1.0).abs() < 1e-9 && (counts.occurrences(5) - 1.0).abs() < 1e-9
    );
    for time in 1..40 {
        fading.advance(10.0 + f64::from(time)).unwrap();
    }
    // Taking back after many roundings leaves at most as many steps of 2⁻³².
    fading.retract(&family, &Sequence(&early), 0.0).unwrap();
    assert!(fading.belief().evidence().occurrences(0) < 1e-8);
    assert!(fading.belief().evidence().count(0, 1) < 1e-8);
    fading.advance(1e9).unwrap();
    assert_eq!(fading.belief().evidence(), Belief::new(&family).evidence());
}

#[test]
fn senseless_input_is_a_typed_error_and_changes_nothing() {
    let family = Transitions::new(NextStepConfig::default(), ITEMS, Some(kernel())).unwrap();
    let mut belief = Belief::new(&family);
    belief.update(&family, &Sequence(&[0, 1, 2])).unwrap();
    let before = belief.clone();
    let unknown = PosteriorError::UnknownItem { item: 7, items: ITEMS };
    assert_eq!(belief.update(&family, &Sequence(&[0, 7])), Err(unknown.clone()));
    assert_eq!(family.count(&[&[0, 1], &[7]]), Err(unknown.clone()));
    assert!(matches!(
        belief.retract(&family, &Sequence(&[0, 1, 2, 3])),
        Err(PosteriorError::OutOfRange { name: "count of transitions", .. })
    ));
    assert!(belief.update_weighted(&family, &Sequence(&[0, 1]), 1e300).is_err());
    let foreign = PosteriorError::ForeignBelief { family: "transitions" };
    let narrow = NextStepConfig { window: 2, ..NextStepConfig::default() };
    let other = Transitions::new(narrow, ITEMS, Some(kernel())).unwrap();
    assert_eq!(belief.update(&other, &Sequence(&[0])), Err(foreign.clone()));
    // Counts of another window, too, though their shape is the same.
    assert_eq!(Belief::from_evidence(&other, belief.evidence()), Err(foreign));
    let chain = MarkovChain::new(&[1.0; ITEMS], 0.5, 1.0, None).unwrap();
    assert!(chain.log_evidence(belief.evidence()).is_err());
    let larger = Transitions::new(NextStepConfig::default(), 8, None).unwrap();
    assert!(matches!(
        Belief::from_evidence(&larger, belief.evidence()),
        Err(PosteriorError::Length { .. })
    ));
    assert_eq!(belief, before);

    assert!(Transitions::new(NextStepConfig::default(), 0, None).is_err());
    assert!(Transitions::new(NextStepConfig::default(), usize::MAX, None).is_err());
    assert!(Transitions::new(NextStepConfig::default(), 6, Some(kernel())).is_err());
    let bad: [fn(&mut NextStepConfig); 9] = [
        |config| config.window = 0,
        |config| config.step_decay = 0.0,
        |config| config.symmetric_share = 1.1,
        |config| config.kernel_smoothing = f64::INFINITY,
        |config| config.prior_strength = f64::NAN,
        |config| config.popularity_share = 0.0,
        |config| config.history_decay = -1.0,
        |config| config.slow_history_decay = 2.0,
        |config| config.slow_share = f64::NAN,
    ];
    for break_it in bad {
        let mut config = NextStepConfig::default();
        break_it(&mut config);
        assert!(Transitions::new(config, ITEMS, None).is_err());
    }
    for (weights, share, strength) in [
        ([1.0, 0.0], 0.5, 1.0),
        ([1.0, f64::NAN], 0.5, 1.0),
        ([1.0, 1.0], 0.0, 1.0),
        ([1.0, 1.0], 1.0, 0.0),
    ] {
        assert!(MarkovChain::new(&weights, share, strength, None).is_err());
    }
    // A window without end, and a decay that soon counts nothing.
    let endless =
        NextStepConfig { window: usize::MAX, step_decay: 1e-9, ..NextStepConfig::default() };
    let model = NextStep::fit(endless, &[&[0, 1, 2, 3]], ITEMS, None).unwrap();
    assert_eq!(model.counts().count(0, 3), 0.0);
    assert!((model.counts().count(0, 2) - 1e-9).abs() < 2e-10);
    assert_eq!(
        model.contributions(&[0, 9], 1),
        Err(PosteriorError::UnknownItem { item: 9, items: 7 })
    );
    assert!(model.row(7).is_err());
}

#[test]
fn damaged_states_are_typed_errors() {
    let config = NextStepConfig::default();
    let model = NextStep::fit(config, &[&[0, 1, 2], &[2, 0]], ITEMS, Some(kernel())).unwrap();
    let json = serde_json::to_string(&model).unwrap();
    let evidence = serde_json::to_string(&model.counts()).unwrap();
    assert!(json.contains(&evidence));
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"item_count\":7,\"kernel\"", "\"item_count\":70000000000,\"kernel\""),
        ("\"window\":30", "\"window\":31"),
        ("\"window\":30", "\"window\":0"),
        ("\"fingerprint\":", "\"fingerprint\":1"),
        ("\"counting\":", "\"counting\":1"),
        ("\"item_count\":7,\"counting\"", "\"item_count\":8,\"counting\""),
        ("{\"item\":0", "{\"item\":7"),
        ("{\"item\":0", "{\"item\":1"),
        ("\"occurrences\":", "\"occurrences\":-"),
        ("\"counts\":[", "\"counts\":[0,"),
        ("\"counts\":[", "\"counts\":[9223372036854775807,"),
        ("\"counts\":[", "\"counts\":[-"),
        ("\"items\":[1,2]", "\"items\":[2,1]"),
        ("\"items\":[1,2]", "\"items\":[1,7]"),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        assert!(serde_json::from_str::<NextStep>(&damaged).is_err(), "{to}");
    }
    let kernel_json = serde_json::to_string(&kernel()).unwrap();
    assert_eq!(serde_json::from_str::<Kernel>(&kernel_json).unwrap(), kernel());
    for (from, to) in [
        ("\"offsets\":[0,3", "\"offsets\":[0,4"),
        ("\"offsets\":[0,3", "\"offsets\":[0,300"),
        ("\"offsets\":[0,3", "\"offsets\":[3"),
        ("\"offsets\":[0,3,6,9,12,15,18,21]", "\"offsets\":[]"),
        ("\"offsets\":[0", "\"offsets\":[1"),
        ("\"items\":[1", "\"items\":[0"),
        ("\"items\":[1", "\"items\":[7"),
        ("\"items\":[1", "\"items\":[6"),
        ("\"weights\":[0", "\"weights\":[-0"),
        ("\"weights\":[0", "\"weights\":[1e39,0"),
        ("\"weights\":[0", "\"weights\":[9"),
    ] {
        let damaged = kernel_json.replacen(from, to, 1);
        assert_ne!(damaged, kernel_json, "{from}");
        assert!(serde_json::from_str::<Kernel>(&damaged).is_err(), "{to}");
    }
    for bad in [
        vec![vec![(0, 1.0)]],
        vec![vec![(2, 1.0)], vec![]],
        vec![vec![(1, f32::NAN)], vec![]],
        vec![vec![(1, 0.0)], vec![]],
        vec![vec![(2, 1.0), (1, 1.0)], vec![], vec![]],
    ] {
        assert!(Kernel::from_rows(bad).is_err());
    }
    let kernel = Kernel::from_rows(vec![vec![(1, 3.0), (2, 1.0)], vec![], vec![(0, 5.0)]]).unwrap();
    assert_eq!(kernel.row(0).collect::<Vec<_>>(), [(1, 0.75), (2, 0.25)]);
}
