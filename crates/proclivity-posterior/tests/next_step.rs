//! Next-step: the sparse computation against the formula written out, and its laws.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{Kernel, NextStep, NextStepConfig, Predictive};
use proptest::prelude::*;

const ITEMS: usize = 7;

fn embeddings() -> Array2<f32> {
    Array2::from_shape_fn((ITEMS, 2), |(item, axis)| {
        let angle = 0.5 * item as f32;
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
    let norm: f64 = (0..distinct.len()).map(|age| config.history_decay.powi(age as i32)).sum();
    let mut probs = vec![0.0; ITEMS];
    for (age, &item) in distinct.iter().enumerate() {
        let (row, i) = (counts.row(item as usize), item as usize);
        for j in 0..ITEMS {
            let prior = (1.0 - config.popularity_share) * kernel[[i, j]]
                + config.popularity_share * popularity[j] / total;
            probs[j] += config.history_decay.powi(age as i32) / norm
                * (row[j] + config.prior_strength * prior)
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
    ) {
        let config = NextStepConfig {
            window, symmetric_share, kernel_smoothing, ..NextStepConfig::default()
        };
        let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let kernel = Kernel::nearest(embeddings().view(), 3, 6.0).unwrap();
        let model = NextStep::fit(config.clone(), &slices, ITEMS, Some(kernel)).unwrap();
        let mut log_probs = [0.0; ITEMS];
        model.log_probs(&history, &mut log_probs);
        let expected = naive(&config, &sequences, &history);
        prop_assert!((log_probs.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-5);
        for (item, (got, expected)) in log_probs.iter().zip(expected).enumerate() {
            prop_assert!((got.exp() - expected).abs() < 1e-5, "{} for {expected}", got.exp());
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
