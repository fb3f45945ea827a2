//! One event into a belief, the exact posterior, and one predictive of next-step.
#![expect(clippy::expect_used, reason = "a bench that can't be set up has to stop")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use proclivity_posterior::{
    AssumedDensity, Chosen, Dirichlet, InterestLikelihood, InterestModel, NextStep, NextStepConfig,
    Predictive, exact_shares,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn likelihood(interests: usize, items: usize) -> InterestLikelihood {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let weights = Array2::from_shape_simple_fn((interests, items), || rng.random::<f64>());
    InterestLikelihood::from_weights(weights.view()).expect("positive weights")
}

fn belief(criterion: &mut Criterion) {
    for interests in [16, 256] {
        let prior = Dirichlet::new(vec![0.1; interests]).expect("positive concentrations");
        let model = InterestModel::new(prior, likelihood(interests, 1_000)).expect("one prior");
        criterion.bench_function(&format!("one event into interests/K={interests}"), |bencher| {
            // Of a belief that has seen events, each time the same: counts may not run over.
            let mut belief = AssumedDensity::new(&model);
            for item in 0..1_000 {
                belief.absorb(&model, &Chosen { item, weight: 10.0 }).expect("possible items");
            }
            bencher.iter_batched_ref(
                || belief.clone(),
                |belief| belief.absorb(&model, &Chosen { item: black_box(7), weight: 1.0 }),
                BatchSize::SmallInput,
            );
        });
    }
    let likelihood = likelihood(10, 1_000);
    let prior = Dirichlet::new(vec![0.2; 10]).expect("positive concentrations");
    criterion.bench_function("exact posterior/K=10, 3 events", |bencher| {
        bencher.iter(|| exact_shares(&prior, &likelihood, black_box(&[1, 2, 3]), 10_000));
    });
}

fn next_step(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let items = 10_000;
    let sequences: Vec<Vec<u32>> =
        (0..20_000).map(|_| (0..10).map(|_| rng.random_range(0..items as u32)).collect()).collect();
    let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let fit = || NextStep::fit(NextStepConfig::default(), &slices, items, None);
    criterion.bench_function("fit next-step/200,000 events, 10,000 items", |bencher| {
        bencher.iter(fit);
    });
    let model = fit().expect("valid sequences");
    let mut out = vec![0.0; items];
    criterion.bench_function("next-step predictive/10,000 items", |bencher| {
        bencher.iter(|| model.log_probs(black_box(&sequences[0]), &mut out));
    });
}

criterion_group!(benches, belief, next_step);
criterion_main!(benches);
