//! The linear model: sums against the dense matrices, solutions against the equations they solve,
//! and its laws.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, Axis, s};
use proclivity_posterior::{
    Bag, Belief, Ease, EaseEvidence, Family, IntervalFactor, Kernel, Linear, LinearConfig,
    LinearEvidence, LinearModel, LinearSequence, PosteriorError, Precision, Predictive, Statistic,
    Timescale, positive_log_scores,
};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 6;

fn kernel() -> Kernel {
    let embeddings = Array2::from_shape_fn((ITEMS, 2), |(item, axis)| {
        let angle = 0.5 * item as f32;
        if axis == 0 { angle.cos() } else { angle.sin() }
    });
    Kernel::nearest(embeddings.view(), 3, 6.0).unwrap()
}

fn config(decays: [f64; 2], windows: [usize; 2]) -> LinearConfig {
    let scale = |at: usize, ridge, semantic_weight| Timescale {
        decay: decays[at],
        window: windows[at],
        ridge,
        semantic_weight,
    };
    LinearConfig { timescales: vec![scale(0, 2.0, 0.3), scale(1, 5.0, 0.1)], ..Default::default() }
}

fn family(config: &LinearConfig) -> Linear {
    Linear::new(config.clone(), ITEMS, Some(kernel())).unwrap()
}

fn slices(sequences: &[Vec<u32>]) -> Vec<&[u32]> {
    sequences.iter().map(Vec::as_slice).collect()
}

fn sequences(longest: usize) -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..ITEMS as u32, 0..longest), 0..7)
}

/// The features as they are documented.
fn features(config: &LinearConfig, history: &[u32]) -> Array1<f64> {
    let mut x = Array1::zeros(config.timescales.len() * ITEMS);
    for (block, scale) in config.timescales.iter().enumerate() {
        for (age, &item) in history.iter().rev().take(scale.window).enumerate() {
            x[block * ITEMS + item as usize] += scale.decay.powi(age as i32);
        }
    }
    x
}

fn design(config: &LinearConfig, sequences: &[Vec<u32>]) -> (Array2<f64>, Array2<f64>) {
    let mut x = Array2::zeros((0, config.timescales.len() * ITEMS));
    let mut y = Array2::zeros((0, ITEMS));
    for sequence in sequences {
        for next in 1..sequence.len() {
            x.push_row(features(config, &sequence[..next]).view()).unwrap();
            let mut target = Array1::zeros(ITEMS);
            target[sequence[next] as usize] = 1.0;
            y.push_row(target.view()).unwrap();
        }
    }
    (x, y)
}

fn prior_mean(config: &LinearConfig) -> Array2<f64> {
    let mut mean = Array2::zeros((config.timescales.len() * ITEMS, ITEMS));
    for (block, scale) in config.timescales.iter().enumerate() {
        for from in 0..ITEMS {
            for (to, weight) in kernel().row(from as u32) {
                mean[[block * ITEMS + from, to as usize]] =
                    scale.semantic_weight * f64::from(weight);
            }
        }
    }
    mean
}

fn ridge(config: &LinearConfig) -> Array2<f64> {
    let diagonal = config.timescales.iter().flat_map(|scale| [scale.ridge; ITEMS]);
    Array2::from_diag(&diagonal.collect::<Array1<f64>>())
}

/// Gauss–Jordan: A⁻¹B for positive definite A.
fn solve(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let n = a.nrows();
    let mut all = ndarray::concatenate![Axis(1), *a, *b];
    for pivot in 0..n {
        let scaled = &all.row(pivot) / all[[pivot, pivot]];
        all.row_mut(pivot).assign(&scaled);
        for row in (0..n).filter(|&row| row != pivot) {
            let factor = all[[row, pivot]];
            all.row_mut(row).scaled_add(-factor, &scaled);
        }
    }
    all.slice(s![.., n..]).to_owned()
}

fn weights(model: &LinearModel, timescales: usize) -> Array2<f64> {
    Array2::from_shape_fn((timescales * ITEMS, ITEMS), |(feature, to)| {
        model.weight(feature / ITEMS, (feature % ITEMS) as u32, to as u32)
    })
}

fn largest_difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |largest, x| x.abs().max(largest))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_the_formula_with_dense_matrices(
        sequences in sequences(14),
        decays in [0.1..=1.0_f64, 0.1..=1.0_f64],
        windows in [1_usize..6, 1_usize..9],
        history in prop::collection::vec(0..ITEMS as u32, 0..12),
    ) {
        let config = config(decays, windows);
        let model = family(&config).fit(&slices(&sequences)).unwrap();
        let (x, y) = design(&config, &sequences);
        let (mean, ridge) = (prior_mean(&config), ridge(&config));
        let precision = x.t().dot(&x) + &ridge;
        let expected = &mean + &solve(&precision, &x.t().dot(&(&y - &x.dot(&mean))));
        let got = weights(&model, 2);
        prop_assert!(largest_difference(&got, &expected) < 1e-7);

        let residual = &y - &x.dot(&got);
        let moved = &got - &mean;
        let left_over = (&residual * &residual).sum_axis(Axis(0))
            + (&moved * &ridge.dot(&moved)).sum_axis(Axis(0));
        let row = features(&config, &history);
        let spread = row.dot(&solve(&precision, &row.view().insert_axis(Axis(1)).to_owned()).column(0));
        let scores = model.scores(&history).unwrap();
        let variances = model.score_variances(&history).unwrap();
        for item in 0..ITEMS {
            let noise = (1.0 / ITEMS as f64 + left_over[item]) / (1.0 + x.nrows() as f64);
            prop_assert!((model.residual_variances()[item] - noise).abs() < 1e-7);
            prop_assert!((variances[item] - noise * spread).abs() < 1e-7);
            prop_assert!((scores[item] - row.dot(&got.column(item))).abs() < 1e-10);
            let parts = model.contributions(&history, item as u32).unwrap();
            prop_assert!((parts.iter().sum::<f64>() - scores[item]).abs() < 1e-12);
        }
    }

    #[test]
    fn laws_of_sequences_hold_to_the_bit(
        sequences in sequences(20),
        gone in sequences(20),
        seed in 0_u64..1000,
    ) {
        let family = family(&config([0.8, 0.97], [4, 7]));
        let batch = family.evidence(&slices(&sequences)).unwrap();
        let mut mixed: Vec<(&[u32], bool)> = slices(&sequences).into_iter().map(|s| (s, true)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for sequence in &gone {
            // Taken back at some time after it was seen.
            let at = rng.random_range(0..=mixed.len());
            mixed.insert(at, (sequence, true));
            let later = rng.random_range(at + 1..=mixed.len());
            mixed.insert(later, (sequence, false));
        }
        let mut stream = Belief::new(&family);
        for (sequence, seen) in mixed {
            if seen {
                stream.update(&family, &LinearSequence(sequence)).unwrap();
            } else {
                stream.retract(&family, &LinearSequence(sequence)).unwrap();
            }
        }
        prop_assert_eq!(stream.evidence(), &batch);

        let middle = sequences.len() / 2;
        let part = |part: &[Vec<u32>]| {
            Belief::from_evidence(&family, &family.evidence(&slices(part)).unwrap()).unwrap()
        };
        let mut merged = part(&sequences[middle..]);
        merged.merge(&part(&sequences[..middle])).unwrap();
        prop_assert_eq!(merged.evidence(), &batch);
        merged.forget(0.0).unwrap();
        prop_assert_eq!(merged.evidence(), &family.nothing());
    }

    #[test]
    fn items_have_no_order(sequences in sequences(12), shift in 1..ITEMS as u32) {
        let config = config([0.7, 0.9], [3, 6]);
        let family = Linear::new(config.clone(), ITEMS, None).unwrap();
        let turned = |items: &[u32]| -> Vec<u32> {
            items.iter().map(|item| (item + shift) % ITEMS as u32).collect()
        };
        let model = family.fit(&slices(&sequences)).unwrap();
        let other: Vec<Vec<u32>> = sequences.iter().map(|items| turned(items)).collect();
        let other = family.fit(&slices(&other)).unwrap();
        let history = [0, 3, 2];
        let (scores, moved) = (model.scores(&history).unwrap(), other.scores(&turned(&history)).unwrap());
        for item in 0..ITEMS {
            prop_assert!((scores[item] - moved[(item + shift as usize) % ITEMS]).abs() < 1e-10);
        }
    }

    #[test]
    fn ease_is_the_ridge_of_each_column_without_itself(
        bags in prop::collection::vec(prop::collection::vec(0..ITEMS as u32, 0..6), 0..12),
        bag in prop::collection::vec(0..ITEMS as u32, 0..6),
    ) {
        let lambda = 1.5;
        let family = Ease::new(ITEMS, lambda, Precision::Double).unwrap();
        let model = family.fit(&slices(&bags)).unwrap();
        let mut x = Array2::<f64>::zeros((bags.len(), ITEMS));
        for (row, bag) in bags.iter().enumerate() {
            bag.iter().for_each(|&item| x[[row, item as usize]] = 1.0);
        }
        let mut query = Array1::<f64>::zeros(ITEMS);
        bag.iter().for_each(|&item| query[item as usize] = 1.0);
        let (scores, variances) = (model.scores(&bag).unwrap(), model.score_variances(&bag).unwrap());
        for to in 0..ITEMS {
            let others: Vec<usize> = (0..ITEMS).filter(|&from| from != to).collect();
            let z = x.select(Axis(1), &others);
            let precision = z.t().dot(&z) + Array2::<f64>::eye(ITEMS - 1) * lambda;
            let target = x.column(to).insert_axis(Axis(1)).to_owned();
            let b = solve(&precision, &z.t().dot(&target));
            for (&from, expected) in others.iter().zip(b.column(0)) {
                prop_assert!((model.weight(from as u32, to as u32) - expected).abs() < 1e-10);
            }
            prop_assert_eq!(model.weight(to as u32, to as u32), 0.0);
            let residual = &target - &z.dot(&b);
            let left_over = (&residual * &residual).sum() + lambda * (&b * &b).sum();
            let noise = (1.0 / ITEMS as f64 + left_over) / (1.0 + bags.len() as f64);
            prop_assert!((model.residual_variances()[to] - noise).abs() < 1e-10);
            let q = query.select(Axis(0), &others).insert_axis(Axis(1));
            let spread = (&q * &solve(&precision, &q)).sum();
            prop_assert!((variances[to] - noise * spread).abs() < 1e-10);
            let parts = model.contributions(&bag, to as u32).unwrap();
            prop_assert!((parts.iter().sum::<f64>() - scores[to]).abs() < 1e-12);
        }

        let mut stream = Belief::new(&family);
        let gone = Bag(&bag);
        stream.update(&family, &gone).unwrap();
        for bag in bags.iter().rev() {
            stream.update(&family, &Bag(bag)).unwrap();
        }
        stream.retract(&family, &gone).unwrap();
        prop_assert_eq!(stream.evidence(), &family.evidence(&slices(&bags)).unwrap());
    }

    #[test]
    fn damaged_states_are_errors(position in 0_usize..4000, byte in 0_u8..128) {
        let family = family(&config([0.8, 0.97], [4, 7]));
        let mut belief = Belief::new(&family);
        belief.update(&family, &LinearSequence(&[0, 1, 2, 5, 1])).unwrap();
        let text = serde_json::to_string(&belief).unwrap();
        let back: Belief<Linear> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &belief);
        let mut bytes = text.into_bytes();
        let position = position % bytes.len();
        bytes[position] = byte;
        if let Ok(damaged) = serde_json::from_slice::<Belief<Linear>>(&bytes) {
            // What still reads either solves or says why it doesn't.
            let _ = damaged.posterior(&family);
            let _ = belief.merge(&damaged);
        }
    }
}

/// 300 users whose next item is likely the one after the last.
fn simulated(users: usize, rng: &mut impl Rng) -> Vec<Vec<u32>> {
    let sequence = |rng: &mut dyn Rng| {
        let mut items = vec![rng.random_range(0..ITEMS as u32)];
        for _ in 0..rng.random_range(1..15) {
            let last = items[items.len() - 1];
            let next =
                if rng.random_bool(0.6) { last + 1 } else { rng.random_range(0..ITEMS as u32) };
            items.push(next % ITEMS as u32);
        }
        items
    };
    (0..users).map(|_| sequence(rng)).collect()
}

#[test]
fn the_gradient_of_the_objective_is_zero_at_the_weights() {
    let config = config([0.8, 0.97], [4, 7]);
    let sequences = simulated(30, &mut ChaCha8Rng::seed_from_u64(1));
    let model = family(&config).fit(&slices(&sequences)).unwrap();
    let (x, y) = design(&config, &sequences);
    let (mean, ridge) = (prior_mean(&config), ridge(&config));
    // −log P(Y, W) in units of σ² / 2.
    let objective = |w: &Array2<f64>| {
        let (residual, moved) = (&y - &x.dot(w), w - &mean);
        (&residual * &residual).sum() + (&moved * &ridge.dot(&moved)).sum()
    };
    let at = weights(&model, 2);
    for feature in 0..2 * ITEMS {
        for item in 0..ITEMS {
            let step = 1e-4;
            let (mut more, mut less) = (at.clone(), at.clone());
            more[[feature, item]] += step;
            less[[feature, item]] -= step;
            let gradient = (objective(&more) - objective(&less)) / (2.0 * step);
            assert!(gradient.abs() < 1e-6, "{gradient}");
            assert!(objective(&more) > objective(&at));
        }
    }
}

#[test]
fn without_evidence_or_with_an_endless_ridge_it_is_the_prior_mean() {
    let mut config = config([0.8, 0.97], [4, 7]);
    let family_without = family(&config);
    let model = Belief::new(&family_without).posterior(&family_without).unwrap();
    assert!(largest_difference(&weights(&model, 2), &prior_mean(&config)) < 1e-15);
    config.timescales.iter_mut().for_each(|scale| scale.ridge = 1e12);
    let sequences = simulated(30, &mut ChaCha8Rng::seed_from_u64(2));
    let model = family(&config).fit(&slices(&sequences)).unwrap();
    assert!(largest_difference(&weights(&model, 2), &prior_mean(&config)) < 1e-9);
}

#[test]
fn samples_have_the_moments_of_the_posterior() {
    const DRAWS: usize = 20_000;
    let config = config([0.8, 0.97], [4, 7]);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let model = family(&config).fit(&slices(&simulated(30, &mut rng))).unwrap();
    let history = [1, 4, 4, 2];
    let x = features(&config, &history);
    let (scores, variances) =
        (model.scores(&history).unwrap(), model.score_variances(&history).unwrap());
    let check = |item: usize, draws: &[f64]| {
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        let error = (variances[item] / DRAWS as f64).sqrt();
        assert!((mean - scores[item]).abs() < 4.0 * error, "{mean} for {}", scores[item]);
        let error = variances[item] * (2.0 / DRAWS as f64).sqrt();
        assert!((variance - variances[item]).abs() < 4.0 * error);
    };
    let item = 3;
    let draws: Vec<f64> = (0..DRAWS)
        .map(|_| x.dot(&Array1::from(model.sample_weights(item, &mut rng).unwrap())))
        .collect();
    check(item as usize, &draws);
    let draws: Vec<Vec<f64>> =
        (0..DRAWS).map(|_| model.sample_scores(&history, &mut rng).unwrap()).collect();
    for item in 0..ITEMS {
        check(item, &draws.iter().map(|draw| draw[item]).collect::<Vec<_>>());
    }
}

#[test]
fn single_precision_is_close_and_threads_do_not_change_a_bit() {
    let double = config([0.8, 0.97], [4, 7]);
    let single = LinearConfig { precision: Precision::Single, ..double.clone() };
    let sequences = simulated(300, &mut ChaCha8Rng::seed_from_u64(4));
    let slices = slices(&sequences);
    let history = [0, 1, 2];
    let scores = |config| family(config).fit(&slices).unwrap().scores(&history).unwrap();
    for (double, single) in scores(&double).iter().zip(scores(&single)) {
        assert!((double - single).abs() < 1e-5);
    }
    let many: Vec<Vec<u32>> =
        (0..300_u32).map(|u| (0..40).map(|t| (u * u + t * t * t) % 400).collect()).collect();
    let many: Vec<&[u32]> = many.iter().map(Vec::as_slice).collect();
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let family = Linear::new(LinearConfig::default(), 400, None).unwrap();
        pool.install(|| family.fit(&many).unwrap().scores(&history).unwrap())
    };
    assert_eq!(fit(1), fit(3));
    assert_eq!(fit(1), fit(2));
    let ease = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let family = Ease::new(400, 50.0, Precision::Single).unwrap();
        pool.install(|| family.fit(&many).unwrap().scores(&history).unwrap())
    };
    assert_eq!(ease(1), ease(3));
}

#[test]
fn the_interval_factor_repairs_the_coverage_it_was_fitted_for() {
    let config = config([0.8, 0.97], [4, 7]);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let family = family(&config);
    let mut differences = |pairs: usize| -> Vec<f64> {
        let pair = |rng: &mut ChaCha8Rng| {
            let fit = |rng: &mut ChaCha8Rng| family.fit(&slices(&simulated(100, rng))).unwrap();
            let (first, second, held_out) = (fit(rng), fit(rng), simulated(20, rng));
            let events = held_out.iter().map(|s| (&s[..s.len() - 1], s[s.len() - 1]));
            first.standardized_differences(&second, &events.collect::<Vec<_>>()).unwrap()
        };
        (0..pairs).flat_map(|_| pair(&mut rng)).collect()
    };
    let (fitted, held_out) = (differences(600), differences(600));
    let factor = IntervalFactor::fit(&fitted, 0.9).unwrap();
    let after = factor.coverage(&held_out, 0.9).unwrap();
    let before = IntervalFactor::default().coverage(&held_out, 0.9).unwrap();
    assert!((after - 0.9).abs() < 0.02, "{before} before, {after} after");
}

#[test]
fn probabilities_sum_to_one_and_positive_parts_have_a_floor() {
    let model = family(&config([0.8, 0.97], [4, 7])).fit(&[&[0, 1, 2, 3, 1]]).unwrap();
    let mut log_probs = vec![0.0; ITEMS];
    model.log_probs(&[1, 2], &mut log_probs);
    assert!((log_probs.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
    let mut scores = vec![-0.5, 0.0, 0.25];
    positive_log_scores(&mut scores, 1e-4).unwrap();
    assert_eq!(scores, [1e-4_f64.ln(), 1e-4_f64.ln(), 0.25_f64.ln()]);
    assert!(positive_log_scores(&mut scores, 0.0).is_err());
}

#[test]
fn what_is_wrong_is_said() {
    let good = config([0.8, 0.97], [4, 7]);
    let family = family(&good);
    let bad = |change: &dyn Fn(&mut LinearConfig)| {
        let mut config = good.clone();
        change(&mut config);
        Linear::new(config, ITEMS, None).is_err()
    };
    assert!(bad(&|config| config.timescales.clear()));
    assert!(bad(&|config| config.temperature = 0.0));
    for value in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        assert!(bad(&|config| config.timescales[0].decay = value));
        assert!(bad(&|config| config.timescales[1].ridge = value));
    }
    assert!(bad(&|config| config.timescales[0].window = 0));
    assert!(bad(&|config| config.timescales[0].window = 513));
    assert!(Linear::new(good.clone(), 0, None).is_err());
    assert!(Linear::new(good.clone(), ITEMS + 1, Some(kernel())).is_err());
    let unknown = PosteriorError::UnknownItem { item: 6, items: ITEMS };
    assert_eq!(family.fit(&[&[1, 6]]).unwrap_err(), unknown);

    let mut belief = Belief::new(&family);
    belief.update(&family, &LinearSequence(&[1, 2, 3])).unwrap();
    let before = belief.clone();
    assert!(belief.retract(&family, &LinearSequence(&[2, 1])).is_err());
    assert_eq!(belief, before);
    let model = belief.posterior(&family).unwrap();
    assert_eq!(model.scores(&[6]).unwrap_err(), unknown);
    assert_eq!(model.contributions(&[1], 6).unwrap_err(), unknown);
    assert_eq!(model.scores(&[]).unwrap(), [0.0; ITEMS]);

    let other = Linear::new(config([0.8, 0.96], [4, 7]), ITEMS, Some(kernel())).unwrap();
    assert!(matches!(belief.posterior(&other), Err(PosteriorError::ForeignBelief { .. })));
    let without = Linear::new(good, ITEMS, None).unwrap();
    assert!(matches!(belief.posterior(&without), Err(PosteriorError::ForeignBelief { .. })));
}

#[test]
fn evidence_that_no_events_add_up_to_is_refused() {
    let read = |text: &str| serde_json::from_str::<LinearEvidence>(text).unwrap();
    let one = 1_i64 << 32;
    let with = |gram: &str| {
        read(&format!(
            r#"{{"timescales":1,"rows":{one},"targets":[0,{one}],"gram":{gram},"cross":{{}}}}"#
        ))
    };
    with(&format!(r#"{{"0":{{"columns":[0,1],"steps":[{one},1]}}}}"#)).validate().unwrap();
    for damaged in [
        r#"{"1":{"columns":[0],"steps":[1]}}"#,
        r#"{"0":{"columns":[1,0],"steps":[1,1]}}"#,
        r#"{"0":{"columns":[0,2],"steps":[1,1]}}"#,
        r#"{"0":{"columns":[0],"steps":[1,1]}}"#,
        r#"{"0":{"columns":[0],"steps":[-1]}}"#,
        r#"{"0":{"columns":[],"steps":[]}}"#,
        r#"{"2":{"columns":[2],"steps":[1]}}"#,
    ] {
        assert!(with(damaged).validate().is_err(), "{damaged}");
    }
    // In order and positive, but no XᵀX: there is no factor, and no panic.
    let timescale = Timescale { ridge: 1.0, ..Timescale::default() };
    let config = LinearConfig { timescales: vec![timescale], ..Default::default() };
    let family = Linear::new(config, 2, None).unwrap();
    let forged = with(&format!(r#"{{"0":{{"columns":[1],"steps":[{}]}}}}"#, one * 5));
    let error = family.posterior(&forged).unwrap_err();
    assert!(matches!(error, PosteriorError::NotPositiveDefinite { .. }));
    let evidence = r#"{"items":2,"bags":-1,"gram":{}}"#;
    assert!(serde_json::from_str::<EaseEvidence>(evidence).unwrap().validate().is_err());
    assert!(Ease::new(3, 0.0, Precision::Double).is_err());
    assert!(Ease::new(0, 1.0, Precision::Double).is_err());
}
