//! The metrics against ranx, trec_eval and scikit-learn; versions in the golden file.

use std::collections::BTreeMap;

use proclivity_eval::metrics::{
    Calibration, Forecast, RelevantRanks, f1, hit_rate, ndcg, precision, recall, reciprocal_rank,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rankings: Vec<Ranking>,
    calibrations: Vec<Line>,
}

#[derive(Deserialize)]
struct Ranking {
    list: Vec<u32>,
    relevant: Vec<u32>,
    metrics: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Line {
    probabilities: Vec<f64>,
    happened: Vec<bool>,
    intercept: f64,
    slope: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../reference/golden_metrics.json")).unwrap()
}

#[test]
fn accuracy_is_that_of_ranx_and_trec_eval() {
    let golden = golden();
    assert_eq!(golden.rankings.len(), 40);
    for ranking in golden.rankings {
        let rank = |item: &u32| ranking.list.iter().position(|listed| listed == item);
        let ranks = ranking.relevant.iter().map(|item| rank(item).map(|position| position + 1));
        let ranks = RelevantRanks::new(ranks).unwrap();
        assert_eq!(ranking.metrics.len(), 16);
        for (name, &expected) in &ranking.metrics {
            let (metric, k) = name.split_once('@').unwrap_or((name, "0"));
            let k = k.parse().unwrap();
            let got = match metric {
                "hr" => hit_rate(&ranks, k),
                "precision" => precision(&ranks, k),
                "recall" => recall(&ranks, k),
                "f1" => f1(&ranks, k),
                "ndcg" => ndcg(&ranks, k),
                "mrr" => reciprocal_rank(&ranks),
                _ => panic!("{name} has no counterpart"),
            };
            assert!((got - expected).abs() < 1e-9, "{name}: {got}, expected {expected}");
        }
    }
}

#[test]
fn the_calibration_line_is_that_of_scikit_learn() {
    for line in golden().calibrations {
        let cases = line.probabilities.iter().zip(&line.happened);
        let forecasts = cases.map(|(&probability, &happened)| Forecast { probability, happened });
        let got = Calibration::measure(forecasts.collect()).unwrap().line.unwrap();
        assert!((got.intercept - line.intercept).abs() < 1e-5, "{got:?}");
        assert!((got.slope - line.slope).abs() < 1e-5, "{got:?}");
    }
}
