//! The incremental Cholesky against determinants computed from scratch.

use proclivity_rank::{CosineSimilarity, Dpp, DppConfig, RankError, Ranked};
use proptest::prelude::*;

use crate::{candidates, embeddings, ids};

fn dpp(diversity_weight: f64) -> Dpp {
    DppConfig { diversity_weight, ..DppConfig::default() }.build().unwrap()
}

/// log |det| by Gaussian elimination with partial pivoting; −∞ for a singular matrix.
fn log_det(items: &[u32], similarity: impl Fn(u32, u32) -> f64) -> f64 {
    let n = items.len();
    let mut matrix: Vec<Vec<f64>> =
        items.iter().map(|&a| items.iter().map(|&b| similarity(a, b)).collect()).collect();
    let mut log_det = 0.0;
    for column in 0..n {
        let size = |row: &usize| matrix[*row][column].abs();
        let pivot = (column..n).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap();
        matrix.swap(column, pivot);
        log_det += matrix[column][column].abs().ln();
        if log_det == f64::NEG_INFINITY {
            return log_det;
        }
        let pivot_row = matrix[column].clone();
        for row in &mut matrix[column + 1..] {
            let factor = row[column] / pivot_row[column];
            row.iter_mut().zip(&pivot_row).for_each(|(x, y)| *x -= factor * y);
        }
    }
    log_det
}

fn objective(list: &[Ranked], weight: f64, similarity: impl Fn(u32, u32) -> f64) -> f64 {
    let relevance: f64 = list.iter().map(|x| x.probability.ln()).sum();
    let diversity = log_det(&ids(list), similarity);
    (1.0 - weight) * relevance + weight * diversity
}

proptest! {
    #[test]
    fn it_is_the_naive_greedy_algorithm(
        candidates in candidates(1..20),
        k in 0..24_usize,
        weight in prop_oneof![0.01..1.0, Just(1.0)],
        rows in embeddings(6),
    ) {
        let cosine = CosineSimilarity::new(&rows, 6).unwrap();
        let similarity = |a, b| cosine.between(a, b);
        let result = dpp(weight).rerank(&candidates, k, similarity).unwrap();
        let list = &result.list.items;
        let chosen = &list[..result.chosen];
        prop_assert_eq!(list.len(), k.min(candidates.len()));
        // Six numbers an item: the seventh is in the span of the others.
        prop_assert!(result.chosen <= 6);
        prop_assert!((result.log_det - log_det(&ids(chosen), similarity)).abs() < 1e-6);

        for place in 0..result.chosen {
            let mut tried = chosen[..place].to_vec();
            let mut value = |x: Ranked| {
                tried.truncate(place);
                tried.push(x);
                objective(&tried, weight, similarity)
            };
            let of_chosen = value(chosen[place]);
            for &x in candidates.iter().filter(|x| !chosen[..place].contains(x)) {
                prop_assert!(x.probability == 0.0 || value(x) <= of_chosen + 1e-6);
            }
        }
        // What fills up is redundant, impossible, or beyond k; and in order of probability.
        for &x in &list[result.chosen..] {
            let all: Vec<Ranked> = chosen.iter().copied().chain([x]).collect();
            let left = log_det(&ids(&all), similarity) - log_det(&ids(chosen), similarity);
            prop_assert!(x.probability == 0.0 || left < 2e-6_f64.ln());
        }
        let fill = list[result.chosen..].windows(2);
        prop_assert!(fill.into_iter().all(|x| x[0].probability >= x[1].probability));
        let mut items = ids(list);
        items.sort_unstable();
        items.dedup();
        prop_assert_eq!(items.len(), list.len());
    }

    #[test]
    fn weight_0_keeps_the_order_and_a_small_weight_nearly(
        candidates in candidates(0..40),
        rows in embeddings(2),
    ) {
        let cosine = CosineSimilarity::new(&rows, 2).unwrap();
        let result = dpp(0.0).rerank(&candidates, 40, |a, b| cosine.between(a, b)).unwrap();
        prop_assert_eq!(result.list.items, &candidates[..]);
        prop_assert_eq!((result.chosen, result.log_det), (0, 0.0));

        let unlike = |a, b| f64::from(u8::from(a == b));
        let result = dpp(0.5).rerank(&candidates, 40, unlike).unwrap();
        prop_assert_eq!(result.list.items, &candidates[..]);
        let possible = candidates.iter().filter(|x| x.probability > 0.0);
        prop_assert_eq!((result.chosen, result.log_det), (possible.count(), 0.0));
    }
}

/// exp(α · relevance) with θ, as the paper writes it, by a dense determinant of L.
#[test]
fn the_objective_is_the_papers_log_det_of_l() {
    let rows: Vec<f32> = (0..12_u8).map(|x| f32::from(x * x).cos()).collect();
    let cosine = CosineSimilarity::new(&rows, 4).unwrap();
    let list: Vec<Ranked> = [0.5, 0.2, 0.1]
        .into_iter()
        .zip(0..)
        .map(|(probability, item)| Ranked { item, probability })
        .collect();
    let theta = 0.6;
    let alpha = theta / (2.0 * (1.0 - theta));
    let quality = |item: u32| (alpha * list[item as usize].probability.ln()).exp();
    let of_l = log_det(&[0, 1, 2], |a, b| quality(a) * cosine.between(a, b) * quality(b));
    let ours = objective(&list, 1.0 - theta, |a, b| cosine.between(a, b));
    assert!(((1.0 - theta) * of_l - ours).abs() < 1e-12);
}

#[test]
fn twins_fill_up_and_are_counted() {
    let candidates: Vec<Ranked> =
        (0..5).map(|item| Ranked { item, probability: 0.3 - 0.05 * f64::from(item) }).collect();
    // Items 0, 1 and 3 are the same thing.
    let rows = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let cosine = CosineSimilarity::new(&rows, 3).unwrap();
    let result = dpp(0.3).rerank(&candidates, 5, |a, b| cosine.between(a, b)).unwrap();
    assert_eq!(ids(&result.list.items), [0, 2, 4, 1, 3]);
    assert_eq!((result.chosen, result.log_det), (3, 0.0));
}

#[test]
fn relevance_of_any_sharpness_overflows_nothing() {
    let candidates: Vec<Ranked> = (0..4)
        .map(|item| Ranked { item, probability: 1e-300_f64.powf(f64::from(item) / 3.0) })
        .collect();
    let rows = [1.0, 0.0, 0.6, 0.8, -0.8, 0.6, 0.0, 1.0];
    let cosine = CosineSimilarity::new(&rows, 2).unwrap();
    let result = dpp(1e-6).rerank(&candidates, 4, |a, b| cosine.between(a, b)).unwrap();
    assert_eq!(ids(&result.list.items), [0, 1, 2, 3]);
    assert!(result.log_det.is_finite());
}

#[test]
fn what_is_not_positive_semidefinite_is_refused_where_it_shows() {
    let candidates = [(0, 0.5), (1, 0.3)].map(|(item, probability)| Ranked { item, probability });
    let refused = dpp(0.5).rerank(&candidates, 2, |a, b| if a == b { 1.0 } else { 1.5 });
    assert!(matches!(refused, Err(RankError::NotPositiveSemidefinite { item: 1, .. })));
    let huge = dpp(0.5).rerank(&candidates, 2, |a, b| if a == b { 1.0 } else { f64::MAX });
    assert!(matches!(huge, Err(RankError::NotPositiveSemidefinite { item: 1, .. })));
    let empty_diagonal = dpp(0.5).rerank(&candidates, 2, |_, _| 0.0);
    assert!(matches!(empty_diagonal, Err(RankError::InvalidSimilarity { a: 0, b: 0, .. })));
}
