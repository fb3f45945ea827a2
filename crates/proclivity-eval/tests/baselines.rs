//! The baselines against their definitions written out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proclivity_eval::{
    Axis, EaseBaseline, EvalError, FullRankingConfig, ItemKnn, ItemKnnConfig, Popularity, Random,
    Recency, Split, Targets, coordinate_search,
};
use proclivity_posterior::{Ease, HalfLife, Precision, Predictive};
use proclivity_rank::TieBreak;
use proptest::prelude::*;

fn log_probs(predictive: &dyn Predictive, history: &[u32]) -> Vec<f64> {
    let mut out = vec![f64::NAN; predictive.item_count()];
    predictive.log_probs(history, &mut out);
    let total: f64 = out.iter().map(|p| p.exp()).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    out
}

fn close(got: &[f64], expected: &[f64]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(got, expected)| (got.exp() - expected).abs() < 1e-12)
}

fn slices<T>(lists: &[Vec<T>]) -> Vec<&[T]> {
    lists.iter().map(Vec::as_slice).collect()
}

fn counts(sequences: &[Vec<u32>], items: usize) -> Vec<u64> {
    let mut counts = vec![0; items];
    sequences.iter().flatten().for_each(|&item| counts[item as usize] += 1);
    counts
}

#[test]
fn popularity_is_the_smoothed_share() {
    let popularity = Popularity::new(&[6, 3, 0], 1.0).unwrap();
    assert!(close(&log_probs(&popularity, &[0]), &[7.0 / 12.0, 4.0 / 12.0, 1.0 / 12.0]));
    let unsmoothed = Popularity::new(&[1, 0], 0.0).unwrap();
    assert_eq!(log_probs(&unsmoothed, &[]), [0.0, f64::NEG_INFINITY]);
}

#[test]
fn popularity_refuses_what_has_no_distribution() {
    assert!(matches!(Popularity::new(&[], 1.0), Err(EvalError::Empty { .. })));
    for (counts, smoothing) in [([0], 0.0), ([1], -0.5), ([1], f64::NAN), ([1], f64::INFINITY)] {
        let result = Popularity::new(&counts, smoothing);
        assert!(matches!(result, Err(EvalError::OutOfRange { .. })));
    }
}

#[test]
fn chance_depends_on_seed_and_history_alone_and_is_uniform() {
    let random = Random::new(100, 1);
    let first = log_probs(&random, &[3, 4]);
    assert_eq!(first, log_probs(&random, &[3, 4]));
    assert_ne!(first, log_probs(&random, &[4, 3]));
    assert_ne!(first, log_probs(&Random::new(100, 2), &[3, 4]));
    assert!(first.iter().all(|p| (p + 100.0_f64.ln()).abs() < 2e-6));
    let mut distinct = first;
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    assert_eq!(distinct.len(), 100);
}

const ITEMS: usize = 6;

fn any_sequences() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..ITEMS as u32, 0..7), 1..12)
}

proptest! {
    #[test]
    fn recency_is_its_formula(
        sequences in any_sequences(), steps in prop::collection::vec(0..5_i64, 84), half_life in 0.5..9.0_f64,
    ) {
        let sequences_of = slices(&sequences);
        let mut steps = steps.into_iter();
        let times: Vec<Vec<i64>> = sequences.iter().map(|sequence| {
            sequence.iter().scan(-9, |at, _| { *at += steps.next()?; Some(*at) }).collect()
        }).collect();
        let last = times.iter().flatten().max().copied().unwrap_or(0);
        let (mut by_time, mut by_position) = ([1.0; ITEMS], [1.0; ITEMS]);
        for (sequence, times) in sequences.iter().zip(&times) {
            for (place, (&item, time)) in sequence.iter().zip(times).enumerate() {
                by_time[item as usize] += 0.5_f64.powf((last - time) as f64 / half_life);
                let later = (sequence.len() - place - 1) as f64;
                by_position[item as usize] += 0.5_f64.powf(later / half_life);
            }
        }
        let fit = |half_life| {
            let half_life = HalfLife::new(half_life).unwrap();
            let timed = Recency::by_time(&sequences_of, &slices(&times), ITEMS, half_life, 1.0);
            let placed = Recency::by_position(&sequences_of, ITEMS, half_life, 1.0);
            (timed.unwrap(), placed.unwrap())
        };
        let (timed, placed) = fit(half_life);
        for (recency, weights) in [(timed, by_time), (placed, by_position)] {
            let total: f64 = weights.iter().sum();
            prop_assert!(close(&log_probs(&recency, &[1]), &weights.map(|weight| weight / total)));
        }
        let popularity = Popularity::new(&counts(&sequences, ITEMS), 1.0).unwrap();
        let (timed, placed) = fit(f64::INFINITY);
        prop_assert_eq!(log_probs(&timed, &[]), log_probs(&popularity, &[]));
        prop_assert_eq!(log_probs(&placed, &[]), log_probs(&popularity, &[]));
    }

    #[test]
    fn item_knn_is_its_formula(
        sequences in any_sequences(),
        history in prop::collection::vec(0..ITEMS as u32, 0..5),
        neighbors in 1..7_usize,
        shrinkage in prop_oneof![Just(0.0), 0.0..20.0_f64],
        share in 0.0..1.0_f64,
    ) {
        let bags: Vec<BTreeSet<u32>> = sequences.iter().map(|s| s.iter().copied().collect()).collect();
        let users = |items: &[u32]| {
            bags.iter().filter(|bag| items.iter().all(|item| bag.contains(item))).count() as f64
        };
        let similarity = |i: u32, j: u32| match users(&[i, j]) {
            0.0 => 0.0,
            both => both / ((users(&[i]) * users(&[j])).sqrt() + shrinkage),
        };
        let popularity = Popularity::new(&counts(&sequences, ITEMS), 1.0).unwrap();
        let popular: Vec<f64> = log_probs(&popularity, &[]).iter().map(|p| p.exp()).collect();
        let config = ItemKnnConfig { neighbors, shrinkage, popularity_share: share };
        let knn = config.fit(&slices(&sequences), popularity).unwrap();

        let mut scores = [0.0; ITEMS];
        for &i in &history.iter().copied().collect::<BTreeSet<u32>>() {
            let others = (0..ITEMS as u32).filter(|&j| j != i && similarity(i, j) > 0.0);
            let near: Vec<(u32, f64)> = others.map(|j| (j, similarity(i, j))).collect();
            // A neighbour has fewer than `neighbors` others above it.
            let kept = near.iter().filter(|(_, s)| near.iter().filter(|(_, t)| t > s).count() < neighbors);
            let mut expected: Vec<(u32, f64)> = kept.copied().collect();
            let mut got = knn.neighbors(i).to_vec();
            got.sort_unstable_by_key(|&(item, _)| item);
            expected.sort_unstable_by_key(|&(item, _)| item);
            prop_assert_eq!(&got, &expected);
            expected.iter().for_each(|&(j, s)| scores[j as usize] += s);
        }
        let total: f64 = scores.iter().sum();
        let mixed: Vec<f64> = scores.iter().zip(&popular).map(|(s, p)| {
            if total > 0.0 { (1.0 - share) * s / total + share * p } else { *p }
        }).collect();
        prop_assert!(close(&log_probs(&knn, &history), &mixed));
    }

    #[test]
    fn ease_is_its_scores_mixed_with_popularity(
        sequences in any_sequences(),
        history in prop::collection::vec(0..ITEMS as u32, 0..5),
        share in 0.0..=1.0_f64,
    ) {
        let popularity = Popularity::new(&counts(&sequences, ITEMS), 1.0).unwrap();
        let popular: Vec<f64> = log_probs(&popularity, &[]).iter().map(|p| p.exp()).collect();
        let model = Ease::new(ITEMS, 2.0, Precision::Double).unwrap().fit(&slices(&sequences)).unwrap();
        let scores: Vec<f64> = model.scores(&history).unwrap().iter().map(|s| s.max(0.0)).collect();
        let total: f64 = scores.iter().sum();
        let mixed: Vec<f64> = scores.iter().zip(&popular).map(|(s, p)| {
            if total > 0.0 { (1.0 - share) * s / total + share * p } else { *p }
        }).collect();
        let ease = EaseBaseline::new(model, popularity, share).unwrap();
        prop_assert!(close(&log_probs(&ease, &history), &mixed));
    }

    #[test]
    fn neither_threads_nor_the_order_of_users_change_item_knn(
        (sequences, other) in any_sequences().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
    ) {
        let popularity = Popularity::new(&counts(&sequences, ITEMS), 1.0).unwrap();
        let fit = |sequences: &[Vec<u32>], threads: usize| -> ItemKnn {
            let config = ItemKnnConfig { neighbors: 2, ..Default::default() };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| config.fit(&slices(sequences), popularity.clone()).unwrap())
        };
        let (one, other) = (fit(&sequences, 1), fit(&other, 3));
        for item in 0..ITEMS as u32 {
            prop_assert_eq!(log_probs(&one, &[item, 0]), log_probs(&other, &[item, 0]));
        }
    }
}

#[test]
fn hostile_input_is_refused() {
    let popularity = || Popularity::new(&[2, 1], 1.0).unwrap();
    let fit = |config: ItemKnnConfig, sequences: &[&[u32]]| {
        config.fit(sequences, popularity()).unwrap_err()
    };
    let default = ItemKnnConfig::default;
    let bad = [
        ItemKnnConfig { neighbors: 0, ..default() },
        ItemKnnConfig { shrinkage: -1.0, ..default() },
        ItemKnnConfig { shrinkage: f64::NAN, ..default() },
        ItemKnnConfig { popularity_share: 1.5, ..default() },
        ItemKnnConfig { popularity_share: f64::NAN, ..default() },
    ];
    for config in bad {
        assert!(matches!(fit(config, &[&[0]]), EvalError::OutOfRange { .. }));
    }
    let unknown = EvalError::UnknownItem { user: 1, item: 2, items: 2 }.to_string();
    assert_eq!(fit(default(), &[&[0], &[0, 2]]).to_string(), unknown);

    let half_life = HalfLife::new(3.0).unwrap();
    let result = Recency::by_position(&[&[0], &[0, 2]], 2, half_life, 1.0);
    assert_eq!(result.unwrap_err().to_string(), unknown);
    let by_time = |times: &[&[i64]]| Recency::by_time(&[&[0, 1]], times, 2, half_life, 1.0);
    assert!(matches!(by_time(&[]), Err(EvalError::Length { .. })));
    assert!(matches!(by_time(&[&[2, 1]]), Err(EvalError::TimeReversed { position: 1, .. })));
    // The widest of ages is a number like others.
    assert!(by_time(&[&[i64::MIN, i64::MAX]]).is_ok());
    assert!(matches!(Recency::by_position(&[], 0, half_life, 1.0), Err(EvalError::Empty { .. })));

    let model = Ease::new(3, 1.0, Precision::Double).unwrap().fit(&[&[0, 1]]).unwrap();
    let result = EaseBaseline::new(model.clone(), popularity(), 0.1);
    assert!(matches!(result, Err(EvalError::Length { expected: 3, got: 2, .. })));
    let popularity = Popularity::new(&[1, 1, 1], 0.0).unwrap();
    let result = EaseBaseline::new(model, popularity, -0.1);
    assert!(matches!(result, Err(EvalError::OutOfRange { name: "popularity_share", .. })));
}

/// Recommenders by leave-one-out on MovieLens-100K, the mixtures' parameters chosen on validation.
#[test]
#[ignore = "reads the folder that PROCLIVITY_DATA names"]
fn on_movielens() {
    let folder = std::env::var("PROCLIVITY_DATA").expect("PROCLIVITY_DATA names a folder");
    let file = std::fs::read_to_string(format!("{folder}/ml-100k/ml-100k.inter")).unwrap();
    let mut events: Vec<[i64; 4]> = Vec::new();
    for (row, line) in (0..).zip(file.lines().skip(1)) {
        let field: Vec<i64> = line.split('\t').map(|field| field.parse().unwrap()).collect();
        // By user, time and row.
        events.push([field[0], field[3], row, field[1]]);
    }
    events.sort_unstable();
    let (users, items) = (943, 1682);
    let (mut sequences, mut times) = (vec![vec![]; users], vec![vec![]; users]);
    for [user, time, _, item] in events {
        sequences[user as usize - 1].push(item as u32 - 1);
        times[user as usize - 1].push(time);
    }
    let names: Vec<String> = (1..=items).map(|item| item.to_string()).collect();
    let ties = TieBreak::new(names.iter().map(String::as_str), 0);
    let (sequences, times) = (slices(&sequences), slices(&times));
    // Nine tenths of the events are before the second cut, eight before the first.
    let mut all: Vec<i64> = times.iter().copied().flatten().copied().collect();
    all.sort_unstable();
    let cuts = [all[80_000], all[90_000]];
    let at_times =
        |targets| Split::at_times(&sequences, &times, cuts[0], cuts[1], targets).unwrap();
    let splits = [
        ("leave-one-out", Split::leave_one_out(&sequences)),
        ("global time, first", at_times(Targets::First)),
        ("global time, every", at_times(Targets::Every)),
    ];
    for (name, split) in splits {
        println!(
            "{name}: {} validation cases, {} test cases",
            split.validation.len(),
            split.test.len()
        );
        let mut item_counts = vec![0; items];
        split.train.iter().copied().flatten().for_each(|&item| item_counts[item as usize] += 1);
        let ranking = FullRankingConfig::default().build(&item_counts, &ties).unwrap();
        let popularity = || Popularity::new(&item_counts, 1.0).unwrap();
        let report = |name: &str, predictive: &dyn Predictive| {
            let evaluation = ranking.evaluate(predictive, &split.test, &|_| ()).unwrap();
            let at = |metric| evaluation.summary().get(metric).unwrap();
            println!(
                "{name:<12} HR@10 {:.4} · NDCG@10 {:.4} · log loss {:.3}",
                at("hr@10"),
                at("ndcg@10"),
                evaluation.summary().log_loss.unwrap()
            );
            at("ndcg@10")
        };
        let chosen = |predictive: &dyn Predictive| {
            let evaluation = ranking.evaluate(predictive, &split.validation, &|_| ()).unwrap();
            evaluation.summary().get("ndcg@10").unwrap()
        };

        let chance = report("random", &Random::new(items, 1));
        let popular = report("popularity", &popularity());

        let train_times: Vec<&[i64]> =
            times.iter().zip(&split.train).map(|(times, items)| &times[..items.len()]).collect();
        let recent = |days: f64| {
            let half_life = HalfLife::new(days * 86_400.0).unwrap();
            Recency::by_time(&split.train, &train_times, items, half_life, 1.0).unwrap()
        };
        let axes = [Axis {
            name: "days",
            values: vec![1.0, 7.0, 30.0, 90.0, 365.0],
            set: |p: &mut f64, v| *p = v,
        }];
        let search = coordinate_search(
            30.0,
            &axes,
            1,
            |&days| Ok::<_, ()>(chosen(&recent(days))),
            |_, _, _| (),
        );
        let days = search.unwrap().best;
        println!("half-life {days} days");
        let fading = report("recency", &recent(days));

        let axes = [
            Axis {
                name: "neighbors",
                values: vec![20.0, 50.0, 100.0, 200.0, 500.0],
                set: |p: &mut ItemKnnConfig, v| p.neighbors = v as usize,
            },
            Axis {
                name: "shrinkage",
                values: vec![0.0, 10.0, 50.0, 200.0],
                set: |p, v| p.shrinkage = v,
            },
            Axis {
                name: "popularity_share",
                values: vec![0.02, 0.05, 0.1, 0.2, 0.4],
                set: |p, v| p.popularity_share = v,
            },
        ];
        let knn = |config: &ItemKnnConfig| config.clone().fit(&split.train, popularity()).unwrap();
        let search = coordinate_search(
            ItemKnnConfig::default(),
            &axes,
            2,
            |config| Ok::<_, ()>(chosen(&knn(config))),
            |_, _, _| (),
        );
        let default = report("item-kNN, default", &knn(&ItemKnnConfig::default()));
        let config = search.unwrap().best;
        println!("{config:?}");
        report("item-kNN", &knn(&config));

        let ease = |&[ridge, share]: &[f64; 2]| {
            let model =
                Ease::new(items, ridge, Precision::Double).unwrap().fit(&split.train).unwrap();
            EaseBaseline::new(model, popularity(), share).unwrap()
        };
        let axes = [
            Axis {
                name: "ridge",
                values: vec![10.0, 30.0, 100.0, 300.0, 1000.0],
                set: |p: &mut [f64; 2], v| p[0] = v,
            },
            Axis { name: "popularity_share", values: vec![0.02, 0.1, 0.3], set: |p, v| p[1] = v },
        ];
        let search = coordinate_search(
            [300.0, 0.1],
            &axes,
            2,
            |p| Ok::<_, ()>(chosen(&ease(p))),
            |_, _, _| (),
        );
        let parameters = search.unwrap().best;
        println!("ridge {} share {}", parameters[0], parameters[1]);
        let closed_form = report("EASE", &ease(&parameters));
        // A film's fame passes: by time, popularity of all the past is of little use.
        match name {
            "leave-one-out" => {
                assert!(chance < popular && popular < default && popular < closed_form);
            }
            _ => assert!(fading > popular),
        }
    }
}
