//! The ensemble on walks around a ring: every item is followed by its right neighbour more often
//! than not, and items that stand close have close texts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::slice;

use ndarray::{Array1, Array2, Axis};
use proclivity::encoder::{
    ComputeDevice, NextItemConfig, NextItemData, NextItemModel, NextItemTraining, OptimizerConfig,
};
use proclivity::eval::metrics::ndcg;
use proclivity::eval::{Case, FullRankingConfig};
use proclivity::posterior::{
    HypothesisConfig, HypothesisScores, LinearConfig, LogLinearPool, NextStepConfig, Predictive,
};
use proclivity::rank::TieBreak;
use proclivity::text::TfIdf;
use proclivity::{
    EnsembleConfig, EnsembleData, EnsembleSearch, ItemTexts, MemberConfig, ProclivityError,
    WeightedMember, item_counts,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 400;

fn walks(users: usize) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let walk = |_| {
        let mut at = rng.random_range(0..ITEMS as u32);
        let step =
            |rng: &mut ChaCha8Rng| if rng.random_bool(0.7) { 1 } else { rng.random_range(2..6) };
        (0..9)
            .map(|_| {
                at = (at + step(&mut rng)) % ITEMS as u32;
                at
            })
            .collect()
    };
    (0..users).map(walk).collect()
}

fn texts() -> ItemTexts {
    let angle = |item: usize| item as f32 / ITEMS as f32 * std::f32::consts::TAU;
    let embeddings = Array2::from_shape_fn((ITEMS, 2), |(item, axis)| {
        if axis == 0 { angle(item).cos() } else { angle(item).sin() }
    });
    ItemTexts::new(Some(embeddings), Some(tf_idf()), 5, 6.0).unwrap()
}

/// Items of a ring's quarter share a word, neighbours on the ring another.
fn tf_idf() -> TfIdf {
    let text = |item: usize| format!("quarter{} pair{}", item / (ITEMS / 4), item / 2);
    let texts: Vec<String> = (0..ITEMS).map(text).collect();
    TfIdf::new(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Training sequences, validation and test of leave-one-out.
fn split(walks: &[Vec<u32>]) -> (Vec<&[u32]>, Vec<Case<'_>>, Vec<Case<'_>>) {
    let case = |(user, walk): (usize, &'_ Vec<u32>), held: usize| -> (u32, usize, u32) {
        let place = walk.len() - held;
        (user as u32, place, walk[place])
    };
    let cases = |held| {
        let of = walks.iter().enumerate().map(|one| (case(one, held), one.1));
        of.map(|((user, place, target), walk)| Case { user, history: &walk[..place], target })
            .collect::<Vec<_>>()
    };
    (walks.iter().map(|walk| &walk[..walk.len() - 2]).collect(), cases(2), cases(1))
}

fn ties() -> TieBreak {
    let ids: Vec<String> = (0..ITEMS).map(|item| item.to_string()).collect();
    TieBreak::new(ids.iter().map(String::as_str), 0)
}

#[test]
fn the_chosen_ensemble_is_no_worse_than_any_member_and_does_not_depend_on_threads() {
    let walks = walks(300);
    let (train, validation, test) = split(&walks);
    let texts = texts();
    let data = EnsembleData { items: ITEMS, texts: Some(&texts), sequence: &[], hypotheses: None };
    let choose = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let search = EnsembleSearch::default();
        pool.install(|| search.run(&data, &train, &validation, &ties(), &mut |_, _| ()).unwrap())
    };
    let selection = choose(1);
    assert_eq!(selection, choose(3));
    // What leaving members out may cost.
    let worth = EnsembleSearch::default().worth;
    for trial in &selection.tried {
        assert!(trial.ndcg <= selection.ndcg + worth, "{trial:?}");
    }

    let counts = item_counts(&train, ITEMS);
    let ties = ties();
    let ranking = FullRankingConfig::default().build(&counts, &ties).unwrap();
    let behind: Vec<&[u32]> = train.iter().map(|walk| &walk[..walk.len() - 1]).collect();
    let fit = |sequences: &[&[u32]]| selection.config.fit(sequences, &data).unwrap();
    let pooled = ranking.evaluate(&fit(&train), &test, &|_| {}).unwrap();
    let calibration = fit(&behind).calibration(&validation).unwrap();
    let calibrated = fit(&train).calibrated(calibration).unwrap();
    let evaluation = ranking.evaluate(&calibrated, &test, &|_| {}).unwrap();
    // The list is the pool's; the probabilities are better than the pool's and than chance.
    for (ours, pools) in evaluation.per_user().iter().zip(pooled.per_user()) {
        let items = |list: &[proclivity::rank::Ranked]| -> Vec<u32> {
            list.iter().map(|ranked| ranked.item).collect()
        };
        assert_eq!(items(&ours.list), items(&pools.list));
    }
    let loss = |of: &proclivity::eval::Evaluation| of.summary().log_loss.unwrap();
    assert!(loss(&evaluation) < (ITEMS as f64 - 8.0).ln() - 0.5);
    assert!(loss(&evaluation) < loss(&pooled));
    // Members that state probabilities have the log loss that is measured of them alone.
    let of_members = calibrated.member_log_losses(&test).unwrap();
    assert_eq!(of_members.len(), selection.config.members.len());
    for (WeightedMember { member, .. }, got) in selection.config.members.iter().zip(of_members) {
        assert!(loss(&evaluation) < got + 0.01, "{member:?}: {got}");
        if matches!(member, MemberConfig::NextStep(_) | MemberConfig::Popularity { .. }) {
            let alone = EnsembleConfig::single(member.clone()).fit(&train, &data).unwrap();
            let alone = loss(&ranking.evaluate(&alone, &test, &|_| {}).unwrap());
            assert!((got - alone).abs() < 1e-9, "{member:?}: {got} for {alone}");
        }
    }
}

#[test]
fn the_ndcg_of_the_choice_is_that_of_a_ranking_of_all_items() {
    let walks = walks(200);
    let (train, validation, _) = split(&walks);
    let is_new = |case: &Case<'_>| !case.history.contains(&case.target);
    let validation: Vec<Case<'_>> = validation.into_iter().filter(is_new).collect();
    let texts = texts();
    let data = EnsembleData { items: ITEMS, texts: Some(&texts), sequence: &[], hypotheses: None };
    let ties = ties();
    let ranking = FullRankingConfig::default().build(&item_counts(&train, ITEMS), &ties).unwrap();
    let ranked = |ensemble: &proclivity::Ensemble<'_>| {
        let ranks = ranking.ranks(ensemble, &validation).unwrap();
        ranks.iter().map(|ranks| ndcg(ranks, 10)).sum::<f64>() / ranks.len() as f64
    };
    // Few rivals of many items: what a search counts at first is more than what a ranking does.
    let search = EnsembleSearch { top: 10, ..EnsembleSearch::default() };
    let chosen = search.run(&data, &train, &validation, &ties, &mut |_, _| ()).unwrap();
    let fitted = chosen.config.fit(&train, &data).unwrap();
    assert!((ranked(&fitted) - chosen.ndcg).abs() < 1e-12);
    // Parameters that were chosen in the pool are no worse than those that are best alone.
    let mut alone: Vec<proclivity::Trial> = Vec::new();
    for trial in &chosen.tried {
        match alone.iter_mut().find(|best| best.member.name() == trial.member.name()) {
            Some(best) if trial.ndcg > best.ndcg => *best = trial.clone(),
            Some(_) => {}
            None => alone.push(trial.clone()),
        }
    }
    alone.sort_by(|a, b| b.ndcg.total_cmp(&a.ndcg));
    let weighted = alone.into_iter().map(|of| WeightedMember { member: of.member, weight: 1.0 });
    let alone = EnsembleConfig { members: weighted.collect() }.fit(&train, &data).unwrap();
    let (_, ndcg) = search.weigh(alone, &validation).unwrap();
    assert!(chosen.tried_in_pool.len() > 10 && chosen.ndcg > ndcg - search.worth);
    // Nor is a second pass worse than one.
    let once = EnsembleSearch { passes: 1, ..search.clone() };
    let once = once.run(&data, &train, &validation, &ties, &mut |_, _| ()).unwrap();
    assert!(chosen.tried_in_pool.starts_with(&once.tried_in_pool));
    assert!(chosen.ndcg > once.ndcg - search.worth);

    let turned: Vec<f64> = chosen.config.weights().iter().map(|weight| -weight).collect();
    let start = LogLinearPool::new(turned).unwrap();
    let turned = fitted.with_pool(start).unwrap();
    let (weighed, found) = search.weigh(turned, &validation).unwrap();
    assert!((ranked(&weighed) - found).abs() < 1e-12);
}

#[test]
fn a_pool_is_the_weighted_sum_of_its_members_and_probabilities_sum_to_one() {
    let walks = walks(60);
    let (train, validation, _) = split(&walks);
    let texts = texts();
    let data = EnsembleData { items: ITEMS, texts: Some(&texts), sequence: &[], hypotheses: None };
    let members = [
        (MemberConfig::NextStep(NextStepConfig::default()), 1.0),
        (MemberConfig::Linear(LinearConfig::default()), 0.4),
        (MemberConfig::Ease { ridge: 10.0 }, 0.2),
        (MemberConfig::Text { decay: 0.7 }, 0.5),
        (MemberConfig::TfIdf { decay: 0.7 }, 0.3),
        (MemberConfig::Popularity { strength: 40.0 }, -0.2),
    ];
    let weighted = |(member, weight)| WeightedMember { member, weight };
    let config = EnsembleConfig { members: members.into_iter().map(weighted).collect() };
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<EnsembleConfig>(&json).unwrap(), config);

    let histories: Vec<&[u32]> = vec![&[3, 4, 5], &[], &[39, 0]];
    let ensemble = config.fit(&train, &data).unwrap();
    let scores = ensemble.member_scores(&histories).unwrap();
    for (at, member) in config.members.iter().enumerate() {
        let alone = EnsembleConfig::single(member.member.clone()).fit(&train, &data).unwrap();
        let own = alone.member_scores(&histories).unwrap();
        assert_eq!(own.index_axis(Axis(1), 0), scores.index_axis(Axis(1), at));
        let unknown = alone.member_scores(&[&[3, ITEMS as u32]]);
        assert!(matches!(unknown, Err(ProclivityError::Posterior(_))), "{:?}", member.member);
    }
    let mut out = vec![0.0; ITEMS];
    for (history, scores) in histories.iter().zip(scores.outer_iter()) {
        ensemble.log_probs(history, &mut out);
        let sum = |item: usize| -> f64 {
            config.weights().iter().zip(scores.column(item)).map(|(w, s)| w * s).sum()
        };
        for item in 1..ITEMS {
            assert!((out[item] - out[0] - (sum(item) - sum(0))).abs() < 1e-9);
        }
        assert!((out.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
    }
    let calibration = ensemble.calibration(&validation).unwrap();
    let calibrated = ensemble.calibrated(calibration).unwrap();
    for history in histories {
        calibrated.log_probs(history, &mut out);
        assert!((out.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(history.iter().all(|&item| out[item as usize] == f64::NEG_INFINITY));
    }
}

#[test]
fn tf_idf_is_a_member_and_half_of_the_kernel() {
    let (both, tf_idf) = (texts(), tf_idf());
    let data = EnsembleData { items: ITEMS, texts: Some(&both), sequence: &[], hypotheses: None };
    let member = EnsembleConfig::single(MemberConfig::TfIdf { decay: 0.5 });
    let said = member.fit(&[], &data).unwrap().member_scores(&[&[7, 20, 21]]).unwrap();
    let mut expected = vec![0.0; ITEMS];
    for (item, cosine) in tf_idf.cosines([(21, 1.0), (20, 0.5), (7, 0.25)]) {
        expected[item as usize] = 6.0 * f64::from(cosine);
    }
    assert_eq!(said.iter().copied().collect::<Vec<f64>>(), expected);
    assert!(expected[20] > expected[22] && expected[22] > 0.0 && expected[ITEMS - 1] == 0.0);

    let (one, other) = (both.without_tf_idf().unwrap(), both.without_embeddings().unwrap());
    assert_eq!(both.kernel(), &one.kernel().mean(other.kernel()).unwrap());
    assert!(one.tf_idf().is_none() && other.embeddings().is_none());
    assert!(matches!(one.without_embeddings(), Err(ProclivityError::Empty { .. })));
    let more = TfIdf::new(&["word"; ITEMS + 1]);
    let mismatch = ItemTexts::new(both.embeddings().cloned(), Some(more), 5, 6.0);
    assert!(matches!(mismatch, Err(ProclivityError::Posterior(_))));
    let alone = EnsembleData { texts: Some(&one), ..data };
    assert!(matches!(member.fit(&[], &alone), Err(ProclivityError::Empty { .. })));
    for decay in [0.0, 5.0, f64::NAN] {
        let member = EnsembleConfig::single(MemberConfig::TfIdf { decay });
        assert!(matches!(member.fit(&[], &data), Err(ProclivityError::Posterior(_))));
    }
}

/// The ring's two halves as hypotheses.
fn halves() -> HypothesisScores {
    let names = ["left", "right"].map(str::to_owned).to_vec();
    let of = |(half, item): (usize, usize)| if item / (ITEMS / 2) == half { 1.0 } else { 0.0 };
    let scores = Array2::from_shape_fn((2, ITEMS), of);
    HypothesisScores::new(names, scores, Array1::zeros(ITEMS)).unwrap()
}

#[test]
fn hypotheses_are_a_member_that_is_tried_and_says_what_its_model_says() {
    let walks = walks(120);
    let (train, validation, _) = split(&walks);
    let scores = halves();
    let data = EnsembleData { items: ITEMS, texts: None, sequence: &[], hypotheses: Some(&scores) };
    let search = EnsembleSearch::default();
    let chosen = search.run(&data, &train, &validation, &ties(), &mut |_, _| ()).unwrap();
    let config = |member: &MemberConfig| match member {
        MemberConfig::Hypotheses(config) => Some(*config),
        _ => None,
    };
    let tried: Vec<_> = chosen.tried.iter().filter_map(|trial| config(&trial.member)).collect();
    assert_eq!(tried.len(), 9);
    for config in [tried[0], tried[8]] {
        let member = EnsembleConfig::single(MemberConfig::Hypotheses(config));
        let json = serde_json::to_string(&member).unwrap();
        assert_eq!(serde_json::from_str::<EnsembleConfig>(&json).unwrap(), member);
        let ensemble = member.fit(&train, &data).unwrap();
        let model = config.fit(&train, &scores).unwrap();
        let histories: [&[u32]; 2] = [&[3, 4, 5], &[]];
        let said = ensemble.member_scores(&histories).unwrap();
        for (history, said) in histories.iter().zip(said.outer_iter()) {
            assert_eq!(said.row(0).to_vec(), model.predict(history).unwrap());
        }
        assert!(matches!(
            ensemble.member_scores(&[&[ITEMS as u32]]),
            Err(ProclivityError::Posterior(_))
        ));
    }
}

fn encoder(train: &[&[u32]], seed: u64) -> NextItemModel {
    let vectors = texts().embeddings().unwrap().clone();
    let device: ComputeDevice = "flex".parse().unwrap();
    let data = NextItemData { sequences: train, validation: &[], item_vectors: vectors.view() };
    let config = NextItemConfig { width: 8, feed_forward: 8, length: 8, ..Default::default() };
    let optimizer = OptimizerConfig { seed, ..NextItemTraining::default().optimizer };
    let training = NextItemTraining { epochs: 1, optimizer, ..Default::default() };
    NextItemModel::train(&data, &config, &training, &device, None, &mut |_| {}).unwrap().0
}

#[test]
fn sequence_encoders_are_averaged_in_probability() {
    let walks = walks(30);
    let (train, ..) = split(&walks);
    let (first, second) = (encoder(&train, 1), encoder(&train, 2));
    let histories: Vec<&[u32]> = vec![&[3, 4, 5], &[], &[39, 0]];
    let scores = |sequence: &[NextItemModel]| {
        let data = EnsembleData { items: ITEMS, texts: None, sequence, hypotheses: None };
        let ensemble = EnsembleConfig::single(MemberConfig::Sequence).fit(&train, &data).unwrap();
        ensemble.member_scores(&histories).unwrap().index_axis_move(Axis(1), 0)
    };
    let alone = [scores(slice::from_ref(&first)), scores(slice::from_ref(&second))];
    let twice = scores(&[first.clone(), first.clone()]);
    let both = scores(&[first, second]);
    assert!(alone[0].iter().zip(&alone[1]).any(|(a, b)| (a - b).abs() > 1e-3));
    for (((a, b), twice), both) in alone[0].iter().zip(&alone[1]).zip(&twice).zip(&both) {
        assert!((a - twice).abs() < 1e-6);
        assert!((both - (0.5 * (a.exp() + b.exp())).ln()).abs() < 1e-6);
    }
}

#[test]
fn what_is_chosen_does_not_depend_on_which_scores_are_kept() {
    let walks = walks(60);
    let (train, validation, _) = split(&walks);
    let encoders = [encoder(&train, 1), encoder(&train, 2)];
    let data = EnsembleData { items: ITEMS, texts: None, sequence: &encoders, hypotheses: None };
    let choose = |histories: usize| {
        let search =
            EnsembleSearch { kept_scores: histories * ITEMS, passes: 1, ..Default::default() };
        search.run(&data, &train, &validation, &ties(), &mut |_, _| ()).unwrap()
    };
    let chosen = choose(60);
    assert!(chosen.config.members.iter().any(|of| of.member == MemberConfig::Sequence));
    assert!([0, 7].map(choose).iter().all(|other| *other == chosen));
    let mut ensemble = chosen.config.fit(&train, &data).unwrap();
    let before = ensemble.member_scores(&[&[3, 4]]).unwrap();
    (ensemble, _) = EnsembleSearch::default().weigh(ensemble, &validation).unwrap();
    assert_eq!(ensemble.member_scores(&[&[3, 4]]).unwrap(), before);
    let unknown = [Case { user: 0, history: &[ITEMS as u32], target: 1 }];
    let unknown = EnsembleSearch::default().weigh(ensemble, &unknown);
    assert!(matches!(unknown, Err(ProclivityError::Posterior(_))));
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let texts = texts();
    let train: Vec<&[u32]> = vec![&[1, 2, 3]];
    let data = EnsembleData { items: ITEMS, texts: None, sequence: &[], hypotheses: None };
    let fit = |member, data: &EnsembleData<'_>| {
        EnsembleConfig::single(member).fit(&train, data).map(|_| ())
    };
    let empty =
        |what: &str, result| matches!(result, Err(ProclivityError::Empty { what: w }) if w == what);
    assert!(empty("embeddings of item texts", fit(MemberConfig::Text { decay: 0.5 }, &data)));
    assert!(empty("sequence encoders", fit(MemberConfig::Sequence, &data)));
    let hypotheses = || MemberConfig::Hypotheses(HypothesisConfig::default());
    assert!(empty("hypotheses", fit(hypotheses(), &data)));
    let scores = halves();
    let smaller = EnsembleData { items: 3, hypotheses: Some(&scores), ..data };
    let count = fit(hypotheses(), &smaller);
    assert!(matches!(count, Err(ProclivityError::Count { expected: 3, got: ITEMS, .. })));
    let smaller = EnsembleData { items: 3, texts: Some(&texts), sequence: &[], hypotheses: None };
    let text = MemberConfig::Text { decay: 0.5 };
    assert!(matches!(
        fit(text, &smaller),
        Err(ProclivityError::Count { expected: 3, got: ITEMS, .. })
    ));
    assert!(matches!(
        fit(MemberConfig::Ease { ridge: 0.0 }, &data),
        Err(ProclivityError::Posterior(_))
    ));
    let nothing = EnsembleConfig::default().fit(&train, &data).map(|_| ());
    assert!(matches!(nothing, Err(ProclivityError::Posterior(_))));
}
