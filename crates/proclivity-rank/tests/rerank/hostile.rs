//! What the re-rankers refuse, and with which facts.

use proclivity_rank::{
    CategoryCapConfig, CosineSimilarity, DppConfig, ExposureCapConfig, FreshnessConfig,
    InterestCalibrationConfig, MmrConfig, RankError, Ranked, TieBreak,
};

const LIST: [Ranked; 2] =
    [Ranked { item: 4, probability: 0.6 }, Ranked { item: 9, probability: 0.4 }];

/// What each re-ranker says of a list.
fn errors_of(list: &[Ranked]) -> [RankError; 6] {
    let users = TieBreak::new(["user"].into_iter(), 7);
    let uniform = [0.5, 0.5];
    let calibration = InterestCalibrationConfig::default().build().unwrap();
    [
        MmrConfig::default().build().unwrap().rerank(list, 2, |_, _| 0.0).unwrap_err(),
        DppConfig::default().build().unwrap().rerank(list, 2, |_, _| 1.0).unwrap_err(),
        calibration.rerank(list, 2, &uniform, |_| &uniform).unwrap_err(),
        FreshnessConfig::default().build().unwrap().rerank(list, 2, |_| 0.0).unwrap_err(),
        CategoryCapConfig::default().build().unwrap().rerank(list, 2, Some).unwrap_err(),
        ExposureCapConfig { max_share: 1.0 }
            .build()
            .unwrap()
            .rerank(&[list], 2, |item| item, &users)
            .unwrap_err(),
    ]
}

#[test]
fn lists_are_of_distinct_items_with_probabilities() {
    for value in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        for error in errors_of(&[LIST[0], Ranked { item: 9, probability: value }]) {
            assert!(matches!(error, RankError::InvalidProbability { item: 9, .. }), "{error}");
        }
    }
    for error in errors_of(&[LIST[0], LIST[0]]) {
        assert_eq!(error, RankError::DuplicateItem { item: 4 });
    }
}

#[test]
fn no_candidates_and_no_places_make_an_empty_list() {
    let mmr = MmrConfig::default().build().unwrap();
    assert!(mmr.rerank(&[], 3, |_, _| f64::NAN).unwrap().is_short());
    assert!(!mmr.rerank(&LIST, 0, |_, _| f64::NAN).unwrap().is_short());
    let dpp = DppConfig::default().build().unwrap();
    let nothing = dpp.rerank(&LIST, 0, |_, _| 1.0).unwrap();
    assert_eq!((nothing.list.items.len(), nothing.chosen, nothing.log_det), (0, 0, 0.0));
    let cap = ExposureCapConfig::default().build().unwrap();
    let users = TieBreak::new(std::iter::empty(), 7);
    let nothing = cap.rerank::<Vec<Ranked>>(&[], 3, |item| item, &users).unwrap();
    assert_eq!((nothing.lists.len(), nothing.largest_share()), (0, 0.0));
}

#[test]
fn similarities_are_finite() {
    for value in [f64::NAN, f64::INFINITY] {
        let mmr = MmrConfig::default().build().unwrap();
        let refused = mmr.rerank(&LIST, 2, |_, _| value);
        assert!(matches!(refused, Err(RankError::InvalidSimilarity { a: 9, b: 4, .. })));
        let dpp = DppConfig::default().build().unwrap();
        let refused = dpp.rerank(&LIST, 2, |a, b| if a == b { 1.0 } else { value });
        assert!(matches!(refused, Err(RankError::InvalidSimilarity { a: 9, b: 4, .. })));
        let rows = [1.0, 0.0, value as f32, 0.0];
        let refused = CosineSimilarity::new(&rows, 2);
        assert!(matches!(refused, Err(RankError::InvalidEmbedding { item: 1 })));
    }
    for (rows, dim, got) in [(3, 2, 1), (3, 0, 3)] {
        let rows = vec![1.0; rows];
        let refused = CosineSimilarity::new(&rows, dim).unwrap_err();
        let what = "numbers in the last embedding";
        assert_eq!(refused, RankError::Length { what, expected: dim, got });
    }
}

#[test]
fn shares_are_distributions() {
    let calibration = InterestCalibrationConfig::default().build().unwrap();
    let uniform = [0.5, 0.5];
    for bad in [&[0.5, 0.4][..], &[1.5, -0.5], &[f64::NAN, 1.0], &[]] {
        let refused = calibration.rerank(&LIST, 2, bad, |_| &uniform);
        assert!(matches!(refused, Err(RankError::InvalidShares { item: None, .. })));
        let refused = calibration.rerank(&LIST, 2, &uniform, |item| {
            if item == 9 && bad.len() == 2 { bad } else { &uniform }
        });
        let of_item = matches!(refused, Err(RankError::InvalidShares { item: Some(9), .. }));
        assert_eq!(of_item, bad.len() == 2);
    }
    let refused = calibration.rerank(&LIST, 2, &uniform, |_| &[1.0]);
    assert!(matches!(refused, Err(RankError::Length { expected: 2, got: 1, .. })));
    let refused = calibration.divergence(&[], &uniform, |_| &uniform).unwrap_err();
    assert_eq!(refused.to_string(), "there are no items in the list");
    let refused = calibration.rerank(&LIST, 2, &[0.7, 0.4], |_| &uniform).unwrap_err();
    assert!(refused.to_string().starts_with("the shares of the user sum to 1.1"));
}

#[test]
fn ages_are_numbers_and_batches_have_an_order_and_room() {
    let freshness = FreshnessConfig::default().build().unwrap();
    let refused = freshness.rerank(&LIST, 2, |_| f64::NAN);
    assert!(matches!(refused, Err(RankError::InvalidAge { item: 4, .. })));

    let cap = ExposureCapConfig { max_share: 0.4 }.build().unwrap();
    let users = TieBreak::new(["a"].into_iter(), 7);
    let refused = cap.rerank(&[LIST, LIST], 2, |item| item, &users);
    assert!(matches!(refused, Err(RankError::Length { expected: 2, got: 1, .. })));
    let refused = cap.rerank(&[LIST], 2, |item| item, &users);
    assert!(matches!(refused, Err(RankError::OutOfRange { name: "max_share", .. })));
}

#[test]
fn every_parameter_has_a_range_and_every_config_reads_its_own_json() {
    let out_of_range = |error: RankError, expected: &str| {
        assert!(matches!(error, RankError::OutOfRange { name, .. } if name == expected), "{error}");
    };
    for weight in [-0.1, 1.1, f64::NAN] {
        let mmr = MmrConfig { diversity_weight: weight };
        out_of_range(mmr.build().unwrap_err(), "diversity_weight");
        let dpp = DppConfig { diversity_weight: weight, ..DppConfig::default() };
        out_of_range(dpp.build().unwrap_err(), "diversity_weight");
        let dpp = DppConfig { tolerance: weight, ..DppConfig::default() };
        out_of_range(dpp.build().unwrap_err(), "tolerance");
        let defaults = InterestCalibrationConfig::default();
        let config = InterestCalibrationConfig { divergence_weight: weight, ..defaults };
        out_of_range(config.build().unwrap_err(), "divergence_weight");
        let config = InterestCalibrationConfig { smoothing: weight, ..defaults };
        out_of_range(config.build().unwrap_err(), "smoothing");
        let cap = ExposureCapConfig { max_share: weight };
        out_of_range(cap.build().unwrap_err(), "max_share");
    }
    for value in [-1.0, f64::INFINITY, f64::NAN] {
        let config = FreshnessConfig { boost: value, ..FreshnessConfig::default() };
        out_of_range(config.build().unwrap_err(), "boost");
        let config = FreshnessConfig { half_life: value, ..FreshnessConfig::default() };
        out_of_range(config.build().unwrap_err(), "half_life");
    }
    let cap = CategoryCapConfig { max_per_category: 0 };
    out_of_range(cap.build().unwrap_err(), "max_per_category");

    let dpp: DppConfig = serde_json::from_str(r#"{"tolerance": 0.001}"#).unwrap();
    assert_eq!(dpp, DppConfig { tolerance: 0.001, ..DppConfig::default() });
    assert!(serde_json::from_str::<MmrConfig>(r#"{"lambda": 0.5}"#).is_err());
}
