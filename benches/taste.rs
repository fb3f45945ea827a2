//! One choice into taste of low rank, and one rating into linear regression.
#![expect(clippy::expect_used, reason = "a bench that can't be set up has to stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
use proclivity_posterior::{Belief, Choice, ChoiceSet, LowRankNormal, NormalInverseGamma, Rated};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Choices from sets of unit embeddings.
fn choices(dim: usize, size: usize) -> Vec<Choice> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut choice = || {
        let mut features = Array2::from_shape_simple_fn((size, dim), || rng.random::<f32>() - 0.5);
        for mut row in features.outer_iter_mut() {
            row /= row.dot(&row).sqrt();
        }
        let set = ChoiceSet::new(features, Array1::zeros(size)).expect("finite features");
        set.choose(rng.random_range(0..size)).expect("a choice of the set")
    };
    (0..64).map(|_| choice()).collect()
}

fn taste(criterion: &mut Criterion) {
    let choices = choices(384, 32);
    for rank in [2, 8] {
        let mut belief = LowRankNormal::isotropic(384, 0.25, rank).expect("a valid prior");
        choices.iter().for_each(|choice| belief.absorb(choice).expect("a mode"));
        let id = format!("one event into taste/d=384, 32 choices, rank {rank}");
        let mut at = 0;
        criterion.bench_function(&id, |bencher| {
            bencher.iter(|| {
                at = (at + 1) % choices.len();
                belief.absorb(black_box(&choices[at])).expect("a mode");
            });
        });
    }
    let family = NormalInverseGamma::isotropic(32, 1.0, 2.0, 1.0).expect("a valid prior");
    let mut belief = Belief::new(&family);
    let features = [0.1; 32];
    criterion.bench_function("one rating into regression/d=32", |bencher| {
        bencher
            .iter(|| belief.update(&family, &Rated { features: black_box(&features), value: 1.0 }));
    });
}

criterion_group!(benches, taste);
criterion_main!(benches);
