//! The metrics against other software; its names and versions are in the golden file.

use std::collections::BTreeMap;

use proclivity_eval::metrics::{
    Calibration, Exposure, Forecast, Gain, GradedRanks, Persistence, Pit, PitInterval,
    RelevantRanks, auc, average_precision, by_group, calibration_divergence, catalog_coverage, f1,
    graded_ndcg, hit_rate, intra_list_diversity, ndcg, precision, rank_biased_precision, recall,
    reciprocal_rank,
};
use proclivity_eval::paired_randomization;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rankings: Vec<Ranking>,
    graded: Vec<Graded>,
    aucs: Vec<Auc>,
    exposures: Vec<Exposed>,
    diversities: Vec<Diversity>,
    divergences: Vec<Divergence>,
    uniformities: Vec<Uniformity>,
    groups: Vec<Groups>,
    randomizations: Vec<Randomization>,
    calibrations: Vec<Line>,
}

#[derive(Deserialize)]
struct Ranking {
    list: Vec<u32>,
    relevant: Vec<u32>,
    metrics: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Graded {
    list: Vec<u32>,
    grades: BTreeMap<u32, f64>,
    metrics: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Auc {
    relevant: Vec<f64>,
    others: Vec<f64>,
    auc: f64,
}

#[derive(Deserialize)]
struct Exposed {
    items: usize,
    lists: Vec<Vec<u32>>,
    coverage: f64,
    gini: f64,
    entropy: f64,
}

#[derive(Deserialize)]
struct Diversity {
    embeddings: Vec<Vec<f32>>,
    diversity: f64,
}

#[derive(Deserialize)]
struct Divergence {
    shares: Vec<f64>,
    list: Vec<Vec<f64>>,
    smoothing: f64,
    divergence: f64,
}

#[derive(Deserialize)]
struct Uniformity {
    values: Vec<f64>,
    statistic: f64,
    p_value: f64,
}

#[derive(Deserialize)]
struct Groups {
    values: Vec<Option<f64>>,
    groups: Vec<u8>,
    count: Vec<usize>,
    mean: Vec<f64>,
    standard_error: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Randomization {
    first: Vec<f64>,
    second: Vec<f64>,
    p_value: f64,
}

#[derive(Deserialize)]
struct Line {
    probabilities: Vec<f64>,
    happened: Vec<bool>,
    intercept: f64,
    slope: f64,
}

fn golden() -> serde_json::Result<Golden> {
    serde_json::from_str(include_str!("../reference/golden_metrics.json"))
}

fn close(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{what}: {got}, expected {expected}");
}

fn rank(list: &[u32], item: u32) -> Option<usize> {
    list.iter().position(|&listed| listed == item).map(|position| position + 1)
}

#[test]
fn accuracy_is_that_of_ranx_trec_eval_and_recbole() {
    let golden = golden().unwrap();
    assert_eq!(golden.rankings.len(), 40);
    for ranking in golden.rankings {
        let ranks = ranking.relevant.iter().map(|&item| rank(&ranking.list, item));
        let ranks = RelevantRanks::new(ranks).unwrap();
        assert_eq!(ranking.metrics.len(), 21);
        for (name, &expected) in &ranking.metrics {
            let (metric, k) = name.split_once('@').unwrap_or((name, "1000"));
            let k = k.parse().unwrap();
            let got = match metric {
                "hr" => hit_rate(&ranks, k),
                "precision" => precision(&ranks, k),
                "recall" => recall(&ranks, k),
                "f1" => f1(&ranks, k),
                "ndcg" => ndcg(&ranks, k),
                "map" => average_precision(&ranks, k),
                "mrr" => reciprocal_rank(&ranks),
                "rbp" => rank_biased_precision(&ranks, Persistence::new(0.8).unwrap()),
                _ => panic!("{name} has no counterpart"),
            };
            close(name, got, expected);
        }
    }
}

#[test]
fn graded_ndcg_is_that_of_ranx_trec_eval_and_scikit_learn() {
    let golden = golden().unwrap();
    assert_eq!(golden.graded.len(), 20);
    for case in golden.graded {
        let items = case.grades.iter().map(|(&item, &grade)| (rank(&case.list, item), grade));
        let ranks = GradedRanks::new(items).unwrap();
        assert_eq!(case.metrics.len(), 6);
        for (name, &expected) in &case.metrics {
            let (gain, k) = name.split_once('@').unwrap();
            let gain = if gain == "linear" { Gain::Linear } else { Gain::Exponential };
            close(name, graded_ndcg(&ranks, k.parse().unwrap(), gain), expected);
        }
    }
}

#[test]
fn auc_is_that_of_scikit_learn_and_recbole() {
    for case in golden().unwrap().aucs {
        let got = auc(&case.relevant, case.others).unwrap().unwrap();
        close("auc", got, case.auc);
    }
}

#[test]
fn exposure_is_that_of_recbole_and_scipy() {
    for case in golden().unwrap().exposures {
        let lists = || case.lists.iter().map(|list| list.iter().copied());
        let exposure = Exposure::new(lists(), case.items);
        close("coverage", catalog_coverage(lists(), case.items), case.coverage);
        close("gini", exposure.gini().unwrap(), case.gini);
        close("entropy", exposure.entropy().unwrap(), case.entropy);
    }
}

#[test]
fn diversity_and_divergence_are_those_of_scipy() {
    let golden = golden().unwrap();
    for case in golden.diversities {
        let got = intra_list_diversity(case.embeddings.iter().map(Vec::as_slice)).unwrap();
        // SciPy makes the vectors, of f32, unit ones once more.
        assert!((got.unwrap() - case.diversity).abs() < 1e-6);
    }
    for case in golden.divergences {
        let list = case.list.iter().map(Vec::as_slice);
        let got = calibration_divergence(&case.shares, list, case.smoothing).unwrap();
        close("divergence", got.unwrap(), case.divergence);
    }
}

#[test]
fn the_tests_are_those_of_scipy() {
    let golden = golden().unwrap();
    for case in golden.uniformities {
        let intervals = case.values.iter().map(|&u| PitInterval::new(u, u).unwrap());
        let got = Pit::new(intervals, 0).uniformity().unwrap();
        close("statistic", got.statistic, case.statistic);
        assert!((got.p_value - case.p_value).abs() < 1e-7, "{got:?}, {}", case.p_value);
    }
    for case in golden.randomizations {
        let got = paired_randomization(&case.first, &case.second, 2000, 0).unwrap();
        assert!(got.exact);
        close("p-value", got.p_value, case.p_value);
    }
}

#[test]
fn means_by_group_are_those_of_pandas() {
    for case in golden().unwrap().groups {
        let values: Vec<f64> = case.values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        let means = by_group(&values, &case.groups).unwrap();
        assert_eq!(means.len(), case.count.len());
        for (group, mean) in means {
            let group = usize::from(group);
            assert_eq!(mean.count, case.count[group]);
            close("mean", mean.mean.unwrap(), case.mean[group]);
            match (mean.standard_error, case.standard_error[group]) {
                (Some(got), Some(expected)) => close("standard error", got, expected),
                (got, expected) => assert_eq!(got, expected),
            }
        }
    }
}

#[test]
fn the_calibration_line_is_that_of_scikit_learn() {
    for line in golden().unwrap().calibrations {
        let cases = line.probabilities.iter().zip(&line.happened);
        let forecasts = cases.map(|(&probability, &happened)| Forecast { probability, happened });
        let got = Calibration::measure(forecasts.collect()).unwrap().line.unwrap();
        assert!((got.intercept - line.intercept).abs() < 1e-5, "{got:?}");
        assert!((got.slope - line.slope).abs() < 1e-5, "{got:?}");
    }
}
