//! The protocol against its definition written out, and its laws.

use std::collections::BTreeSet;

use proclivity_eval::{
    Case, EvalError, Evaluation, FullRankingConfig, Popularity, Random, write_predictions,
};
use proclivity_posterior::{Predictive, Reliability, ReliabilityGroups};
use proclivity_rank::{RankError, TieBreak};
use proptest::prelude::*;

/// The same log probabilities for everybody, but shifted by the history's last item.
struct Table(Vec<f64>);

impl Predictive for Table {
    fn item_count(&self) -> usize {
        self.0.len()
    }
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let shift = history.last().map_or(0, |&item| item as usize);
        for (item, out) in out.iter_mut().enumerate() {
            *out = self.0[(item + shift) % self.0.len()];
        }
    }
}

fn ties(items: usize) -> TieBreak {
    let ids: Vec<String> = (0..items).map(|item| format!("item {item}")).collect();
    TieBreak::new(ids.iter().map(String::as_str), 7)
}

fn evaluate(
    predictive: &dyn Predictive,
    cases: &[Case<'_>],
    config: FullRankingConfig,
) -> Result<Evaluation, EvalError> {
    let items = predictive.item_count();
    let counts: Vec<u64> = (0..items as u64).collect();
    config.build(&counts, &ties(items))?.evaluate(predictive, cases, &|_| ())
}

fn at(cutoffs: &[usize]) -> FullRankingConfig {
    FullRankingConfig { cutoffs: cutoffs.to_vec(), ..Default::default() }
}

proptest! {
    #[test]
    fn it_is_the_definition_written_out(
        weights in prop::collection::vec(0..4_u32, 4..12),
        histories in prop::collection::vec((prop::collection::vec(0..4_u32, 0..6), 0..4_u32), 1..8),
        k in 1..6_usize,
    ) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let table = Table(weights.iter().map(|&w| (f64::from(w) / f64::from(total)).ln()).collect());
        let cases: Vec<Case> = (0..).zip(&histories)
            .map(|(user, (history, target))| Case { user, history, target: *target }).collect();
        let config = FullRankingConfig { reliability: true, ..at(&[k]) };
        let evaluation = evaluate(&table, &cases, config).unwrap();
        let ties = ties(table.item_count());
        let ranking = at(&[k]).build(&vec![1; table.item_count()], &ties).unwrap();
        let ranks = ranking.ranks(&table, &cases).unwrap();
        prop_assert!(evaluation.per_user().iter().map(|user| &user.ranks).eq(&ranks));

        let n = weights.len();
        let (mut hits, mut reciprocal, mut losses, mut misses) = (0.0, 0.0, vec![], 0);
        let mut counted = Reliability::new();
        for (case, result) in cases.iter().zip(evaluation.per_user()) {
            let mut log_probs = vec![0.0; n];
            table.log_probs(case.history, &mut log_probs);
            let p: Vec<f64> = log_probs.iter().map(|p| p.exp()).collect();
            let candidates: Vec<usize> = (0..n).filter(|&i| !case.history.contains(&(i as u32))).collect();
            let mass: f64 = candidates.iter().map(|&i| p[i]).sum();
            prop_assert_eq!(result.list.len(), k.min(candidates.len()));
            for ranked in &result.list {
                prop_assert!(candidates.contains(&(ranked.item as usize)));
                let expected = if mass > 0.0 { p[ranked.item as usize] / mass } else { 0.0 };
                prop_assert!((ranked.probability - expected).abs() < 1e-12);
            }
            let target = case.target as usize;
            if !candidates.contains(&target) {
                misses += 1;
                prop_assert_eq!(result.pit, None);
                prop_assert_eq!(result.ranks.ranks(), &[] as &[usize]);
                continue;
            }
            for &i in candidates.iter().filter(|_| mass > 0.0) {
                counted.add((p[i] / mass).ln(), i == target).unwrap();
            }
            let rank = candidates.iter().filter(|&&i| log_probs[i] >= log_probs[target]).count();
            let above: f64 = candidates.iter().map(|&i| p[i]).filter(|&q| q > p[target]).sum();
            let pit = result.pit.unwrap();
            if mass > 0.0 {
                prop_assert!((pit.low() - above / mass).abs() < 1e-12);
                let tied = candidates.iter().filter(|&&i| log_probs[i] == log_probs[target]);
                let tied = tied.count() as f64 * p[target];
                prop_assert!((pit.high() - (above + tied) / mass).abs() < 1e-12);
            }
            prop_assert_eq!(result.ranks.ranks(), &[rank]);
            if rank <= k {
                hits += 1.0;
            }
            reciprocal += 1.0 / rank as f64;
            losses.push(if p[target] > 0.0 { -(p[target] / mass).ln() } else { f64::INFINITY });
        }
        let whole = |counted: &Reliability| counted.groups(1, ReliabilityGroups::Expected).pop();
        match (whole(evaluation.reliability().unwrap()), whole(&counted)) {
            (Some(got), Some(expected)) => {
                prop_assert_eq!(got.predictions, expected.predictions);
                prop_assert_eq!(got.observed, expected.observed);
                prop_assert!((got.expected - expected.expected).abs() < 1e-9);
            }
            (got, expected) => prop_assert_eq!(got, expected),
        }
        let (summary, users) = (evaluation.summary(), cases.len() as f64);
        prop_assert_eq!(summary.targets_in_history, misses);
        let hit_rate = summary.at_cutoffs[&format!("hr@{k}")];
        prop_assert!((hit_rate - hits / users).abs() < 1e-12);
        prop_assert!((summary.mrr - reciprocal / users).abs() < 1e-12);
        match summary.log_loss {
            None => prop_assert!(losses.is_empty()),
            Some(got) => {
                let expected = losses.iter().sum::<f64>() / losses.len() as f64;
                prop_assert!(got == expected || (got - expected).abs() < 1e-9);
            }
        }
    }
}

/// 200 users over 60 items, histories of 0 to 9 items.
fn histories() -> Vec<(Vec<u32>, u32)> {
    (0..200_u32)
        .map(|user| {
            let history = (0..user % 10).map(|step| (user * 7 + step * step) % 60).collect();
            (history, user * 13 % 60)
        })
        .collect()
}

fn cases(histories: &[(Vec<u32>, u32)]) -> Vec<Case<'_>> {
    let cases = (0..).zip(histories);
    cases.map(|(user, (history, target))| Case { user, history, target: *target }).collect()
}

#[test]
fn threads_and_company_change_nothing() {
    let histories = histories();
    let cases = cases(&histories);
    let random = Random::new(60, 3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&random, &cases, at(&[5, 10])).unwrap())
    };
    let (one, four) = (run(1), run(4));
    assert_eq!(one, four);
    let alone = evaluate(&random, &cases[17..18], at(&[5, 10])).unwrap();
    assert_eq!(alone.per_user(), &one.per_user()[17..18]);
}

#[test]
fn chance_hits_as_chance_does() {
    // 20,000 users with histories of up to three of 100 items: about 97 candidates, so that
    // HR@10 is about .103 with a standard error of .0022, and the log loss ln 97.
    let histories: Vec<[u32; 3]> = (0..20_000).map(|u| [u % 97, u / 97 % 89, u / 8633]).collect();
    let cases: Vec<Case> =
        (0..).zip(&histories).map(|(user, history)| Case { user, history, target: 99 }).collect();
    let evaluation = evaluate(&Random::new(100, 5), &cases, at(&[10])).unwrap();
    let summary = evaluation.summary();
    let candidates = |history: &[u32; 3]| 100 - BTreeSet::from(*history).len();
    let chances = histories.iter().map(|history| 10.0 / candidates(history) as f64);
    let expected = chances.sum::<f64>() / 20_000.0;
    assert!((summary.at_cutoffs["hr@10"] - expected).abs() < 4.0 * 0.0022);
    assert_eq!(summary.at_cutoffs["coverage@10"], 1.0);
    assert!((summary.log_loss.unwrap() - 97.0_f64.ln()).abs() < 1e-3);
    let calibration = &summary.calibration;
    assert!((calibration.expected / calibration.observed as f64 - 1.0).abs() < 0.1);
}

#[test]
fn the_keys_of_the_json_are_the_names_of_the_metrics() {
    let cases = [Case { user: 0, history: &[0], target: 1 }];
    let popularity = Popularity::new(&[5, 3, 1], 0.0).unwrap();
    let evaluation = evaluate(&popularity, &cases, at(&[2, 1, 2])).unwrap();
    let json = serde_json::to_value(evaluation.summary()).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut expected =
        vec!["calibration", "log_loss", "mrr", "short_lists", "targets_in_history", "users"];
    let names = ["hr", "ndcg", "map", "precision", "recall", "f1", "coverage", "gini", "novelty"];
    let at: Vec<String> = names.iter().flat_map(|m| [format!("{m}@1"), format!("{m}@2")]).collect();
    expected.extend(at.iter().map(String::as_str));
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(json["hr@1"], 1.0);
    assert_eq!(json["coverage@2"], 2.0 / 3.0);
    // The target stands first of the items 1 and 2, and these are shown once each.
    assert_eq!(json["map@2"], 1.0);
    assert!((json["gini@2"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-15);
    assert!((json["log_loss"].as_f64().unwrap() + 0.75_f64.ln()).abs() < 1e-12);
    // One candidate of probability 0 among two: the line has nothing to go by.
    assert_eq!(json["calibration"]["count"], 2);
}

#[test]
fn short_lists_and_targets_in_the_history_are_counted() {
    let popularity = Popularity::new(&[5, 3, 1], 1.0).unwrap();
    let cases = [
        Case { user: 0, history: &[0, 1, 2], target: 2 },
        Case { user: 1, history: &[0, 0], target: 0 },
    ];
    let evaluation = evaluate(&popularity, &cases, at(&[2])).unwrap();
    let summary = evaluation.summary();
    assert_eq!((summary.targets_in_history, summary.short_lists), (2, 1));
    assert_eq!((summary.mrr, summary.log_loss), (0.0, None));
    assert!(evaluation.per_user()[0].list.is_empty());
}

#[test]
fn predictions_are_a_json_object_a_line() {
    let popularity = Popularity::new(&[5, 3, 1, 1], 0.0).unwrap();
    let cases = [Case { user: 1, history: &[0], target: 2 }];
    let config = FullRankingConfig { cutoffs: vec![1], list_length: 2, ..Default::default() };
    let evaluation = evaluate(&popularity, &cases, config).unwrap();
    let (users, items) = (["ann", "\"bo\""], ["a", "b", "c", "d"]);
    let mut written = Vec::new();
    let user_id = |user: u32| users[user as usize];
    let item_id = |item: u32| items[item as usize];
    write_predictions(&mut written, &cases, &evaluation, user_id, item_id).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["user"], "\"bo\"");
    assert_eq!(line["history"], serde_json::json!(["a"]));
    assert_eq!(line["target"], "c");
    assert_eq!(line["top"][0][0], "b");
    assert!((line["top"][0][1].as_f64().unwrap() - 0.6).abs() < 1e-12);
    assert_eq!(line["top"].as_array().unwrap().len(), 2);

    let other = [Case { user: 0, ..cases[0] }];
    let result = write_predictions(Vec::new(), &other, &evaluation, user_id, item_id);
    assert!(matches!(result, Err(EvalError::OtherUser { position: 0, .. })));
    let result = write_predictions(Vec::new(), &[], &evaluation, user_id, item_id);
    assert!(matches!(result, Err(EvalError::Length { .. })));
}

#[test]
fn progress_ends_at_the_number_of_cases() {
    let histories = histories();
    let told = std::sync::Mutex::new(Vec::new());
    let protocol_ties = ties(60);
    let protocol = at(&[10]).build(&[1; 60], &protocol_ties).unwrap();
    let progress = |done: usize| told.lock().unwrap().push(done);
    protocol.evaluate(&Random::new(60, 1), &cases(&histories), &progress).unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told.last(), Some(&200));
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
}

#[test]
fn hostile_input_is_refused() {
    let popularity = Popularity::new(&[5, 3], 1.0).unwrap();
    let case = Case { user: 4, history: &[0], target: 1 };
    let run = |cases: &[Case<'_>], cutoffs: &[usize]| evaluate(&popularity, cases, at(cutoffs));
    assert!(matches!(run(&[], &[1]), Err(EvalError::Empty { what: "cases" })));
    assert!(matches!(run(&[case], &[]), Err(EvalError::Empty { what: "cutoffs" })));
    assert!(matches!(run(&[case], &[0, 1]), Err(EvalError::OutOfRange { name: "cutoff", .. })));
    for bad in [Case { target: 2, ..case }, Case { history: &[9], ..case }] {
        let result = run(&[bad], &[1]);
        assert!(matches!(result, Err(EvalError::UnknownItem { user: 4, items: 2, .. })));
    }
    assert!(run(&[case], &[usize::MAX]).is_ok());
    let (two, three) = (ties(2), ties(3));
    let result = at(&[1]).build(&[1, 1], &three);
    assert!(matches!(result, Err(EvalError::Length { expected: 2, got: 3, .. })));
    let protocol = at(&[1]).build(&[1, 1], &two).unwrap();
    let result = protocol.evaluate(&Random::new(3, 1), &[case], &|_| ());
    assert!(matches!(result, Err(EvalError::Length { expected: 2, got: 3, .. })));

    let nan = Table(vec![-1.0, f64::NAN]);
    let result = evaluate(&nan, &[Case { history: &[], ..case }], at(&[1]));
    assert!(matches!(
        result,
        Err(EvalError::Ranking { user: 4, source: RankError::InvalidLogProb { item: 1, .. } })
    ));
}
