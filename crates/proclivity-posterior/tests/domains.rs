//! Domains that share a part of the taste: against the regression with all weights side by side, and
//! the limits of sharing all and nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, array};
use proclivity_posterior::{
    Belief, Domains, Family, NormalInverseGamma, NormalInverseGammaPosterior, PosteriorError,
    Rated, RatedIn,
};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIM: usize = 3;

fn shared() -> NormalInverseGamma {
    let precision = array![[2.0, 0.3, 0.0], [0.3, 1.0, -0.2], [0.0, -0.2, 0.5]];
    NormalInverseGamma::new(array![0.5, -1.0, 0.2], precision, 2.0, 1.5).unwrap()
}

/// Features and values of the events of each domain.
type Events = Vec<Vec<([f64; DIM], f64)>>;

fn events(counts: &[usize], rng: &mut impl Rng) -> Events {
    let one = |rng: &mut _| {
        let features = [0; DIM].map(|_| symmetric(rng));
        (features, 2.0 * features[0] - features[1] + symmetric(rng))
    };
    counts.iter().map(|&count| (0..count).map(|_| one(rng)).collect()).collect()
}

fn symmetric(rng: &mut impl Rng) -> f64 {
    rng.random::<f64>() * 4.0 - 2.0
}

fn belief(family: &Domains, events: &Events) -> Belief<Domains> {
    let mut belief = Belief::new(family);
    for (domain, events) in events.iter().enumerate() {
        for (features, value) in events {
            let rated = Rated { features, value: *value };
            belief.update(family, &RatedIn { domain, rated }).unwrap();
        }
    }
    belief
}

/// θ₀, δ₁, δ₂, … in one regression.
struct SideBySide {
    family: NormalInverseGamma,
    belief: Belief<NormalInverseGamma>,
    domains: usize,
}

impl SideBySide {
    fn new(shared: &NormalInverseGamma, variances: &[f64], events: &Events) -> Self {
        let dim = DIM * (variances.len() + 1);
        let mut mean = Array1::zeros(dim);
        mean.slice_mut(ndarray::s![..DIM]).assign(&shared.mean());
        let mut precision = Array2::zeros((dim, dim));
        precision.slice_mut(ndarray::s![..DIM, ..DIM]).assign(&shared.precision());
        for (domain, variance) in variances.iter().enumerate() {
            for i in 0..DIM {
                let at = (domain + 1) * DIM + i;
                precision[[at, at]] = 1.0 / variance;
            }
        }
        let family =
            NormalInverseGamma::new(mean, precision, shared.shape(), shared.scale()).unwrap();
        let mut belief = Belief::new(&family);
        for (domain, events) in events.iter().enumerate() {
            for (features, value) in events {
                let wide = wide(features, Some(domain), variances.len());
                belief.update(&family, &Rated { features: &wide, value: *value }).unwrap();
            }
        }
        Self { family, belief, domains: variances.len() }
    }

    fn agrees(&self, domain: Option<usize>, posterior: &NormalInverseGammaPosterior) {
        let dense = self.belief.posterior(&self.family).unwrap();
        for features in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.3, -0.7, 1.1]] {
            let expected = dense.expected_value(&wide(&features, domain, self.domains)).unwrap();
            let got = posterior.expected_value(&features).unwrap();
            near(got.location(), expected.location(), 1e-7);
            near(got.scale(), expected.scale(), 1e-7);
            near(got.freedom(), expected.freedom(), 1e-9);
        }
    }
}

fn wide(features: &[f64; DIM], domain: Option<usize>, domains: usize) -> Vec<f64> {
    let mut wide = vec![0.0; DIM * (domains + 1)];
    wide[..DIM].copy_from_slice(features);
    if let Some(domain) = domain {
        wide[(domain + 1) * DIM..][..DIM].copy_from_slice(features);
    }
    wide
}

fn near(got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance * (1.0 + expected.abs()),
        "{got} is not {expected}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Marginals, θ₀ and log P(y|X) are those of one regression with all weights side by side.
    #[test]
    fn domains_are_one_regression_on_all_weights(
        seed in any::<u64>(),
        counts in proptest::collection::vec(0..8_usize, 1..5),
        scale in -4.0..4.0_f64,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let variances: Vec<f64> =
            counts.iter().map(|_| (scale + symmetric(&mut rng)).exp()).collect();
        let events = events(&counts, &mut rng);
        let family = Domains::new(shared(), variances.clone()).unwrap();
        let belief = belief(&family, &events);
        let dense = SideBySide::new(&shared(), &variances, &events);
        for (domain, posterior) in belief.posterior(&family).unwrap().iter().enumerate() {
            dense.agrees(Some(domain), posterior);
        }
        let common = family.transfer_to_new(belief.evidence(), 0.0).unwrap();
        dense.agrees(None, &common.posterior(&common.nothing()).unwrap());
        near(
            belief.log_evidence(&family).unwrap(),
            dense.belief.log_evidence(&dense.family).unwrap(),
            1e-6,
        );
    }
}

/// A domain without events: its weights are θ₀ + δ, so that their covariance is θ₀'s plus σ²·variance.
#[test]
fn a_new_domain_hears_of_the_shared_weights() {
    let events = events(&[9, 7, 0], &mut ChaCha8Rng::seed_from_u64(1));
    let family = Domains::new(shared(), vec![0.4, 0.2, 0.7]).unwrap();
    let belief = belief(&family, &events);
    let silent = &belief.posterior(&family).unwrap()[2];
    let of = |prior: NormalInverseGamma| prior.posterior(&prior.nothing()).unwrap();
    let new = of(family.transfer_to_new(belief.evidence(), 0.7).unwrap());
    let common = of(family.transfer_to_new(belief.evidence(), 0.0).unwrap());
    let noise = common.noise_mean().unwrap();
    let expected = common.covariance().unwrap() + Array2::<f64>::eye(DIM) * 0.7 * noise;
    for (i, j) in (0..DIM * DIM).map(|at| (at / DIM, at % DIM)) {
        near(new.covariance().unwrap()[[i, j]], expected[[i, j]], 1e-9);
        near(silent.covariance().unwrap()[[i, j]], expected[[i, j]], 1e-9);
        near(silent.mean()[i], common.mean()[i], 1e-9);
    }
}

/// Variance 0: one regression on all events. A huge variance: each domain's own least squares.
#[test]
fn sharing_goes_from_all_to_nothing() {
    let events = events(&[9, 12], &mut ChaCha8Rng::seed_from_u64(2));
    let pooled = shared();
    let mut all = Belief::new(&pooled);
    for (features, value) in events.iter().flatten() {
        all.update(&pooled, &Rated { features, value: *value }).unwrap();
    }
    let all = all.posterior(&pooled).unwrap();
    for (variance, tolerance) in [(0.0, 1e-9), (1e-9, 1e-6)] {
        let family = Domains::new(shared(), vec![variance; 2]).unwrap();
        for posterior in belief(&family, &events).posterior(&family).unwrap() {
            for i in 0..DIM {
                near(posterior.mean()[i], all.mean()[i], tolerance);
                near(
                    posterior.marginal(i).unwrap().scale(),
                    all.marginal(i).unwrap().scale(),
                    tolerance,
                );
            }
        }
    }
    let family = Domains::new(shared(), vec![1e9; 2]).unwrap();
    let separate = belief(&family, &events).posterior(&family).unwrap();
    for (posterior, own) in separate.iter().zip(&events) {
        let flat = NormalInverseGamma::isotropic(DIM, 1e-9, 1.0, 1.0).unwrap();
        let mut alone = Belief::new(&flat);
        for (features, value) in own {
            alone.update(&flat, &Rated { features, value: *value }).unwrap();
        }
        let alone = alone.posterior(&flat).unwrap();
        for i in 0..DIM {
            near(posterior.mean()[i], alone.mean()[i], 1e-6);
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let none = Domains::new(shared(), vec![]);
    assert_eq!(none.unwrap_err(), PosteriorError::Empty { what: "domains" });
    for variance in [-1.0, f64::NAN, f64::INFINITY] {
        let wrong = Domains::new(shared(), vec![1.0, variance]).unwrap_err();
        assert!(matches!(wrong, PosteriorError::OutOfRange { .. }));
    }
    let family = Domains::new(shared(), vec![1.0; 2]).unwrap();
    let mut belief = Belief::new(&family);
    let rated = Rated { features: &[1.0, 0.0, 0.0], value: 1.0 };
    let unknown = belief.update(&family, &RatedIn { domain: 2, rated });
    assert_eq!(unknown, Err(PosteriorError::Length { what: "domains", expected: 3, got: 2 }));
    let event = RatedIn { domain: 1, rated };
    belief.update(&family, &event).unwrap();
    let wrong = belief.retract(&family, &RatedIn { domain: 0, rated });
    assert!(matches!(wrong, Err(PosteriorError::OutOfRange { .. })));
    belief.retract(&family, &event).unwrap();
    assert_eq!(belief, Belief::new(&family));
    let other = Domains::new(shared(), vec![1.0, 2.0]).unwrap();
    assert!(matches!(belief.posterior(&other), Err(PosteriorError::ForeignBelief { .. })));
    let read: Domains = serde_json::from_str(&serde_json::to_string(&family).unwrap()).unwrap();
    assert_eq!(read, family);
}

/// Evidence is kept as integers: any order, any split, and what was taken back is gone, to the bit.
#[test]
fn domains_are_merged_and_taken_back_to_the_bit() {
    let family = Domains::new(shared(), vec![0.4, 0.2, 0.7]).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (first, second) = (events(&[3, 0, 4], &mut rng), events(&[2, 5, 0], &mut rng));
    let joined: Events =
        second.iter().zip(&first).map(|(b, a)| b.iter().chain(a).copied().collect()).collect();
    let mut merged = belief(&family, &first);
    merged.merge(&belief(&family, &second)).unwrap();
    assert_eq!(merged, belief(&family, &joined));
    for (domain, events) in first.iter().enumerate() {
        for (features, value) in events {
            let rated = Rated { features, value: *value };
            merged.retract(&family, &RatedIn { domain, rated }).unwrap();
        }
    }
    assert_eq!(merged, belief(&family, &second));
    merged.forget(0.0).unwrap();
    assert_eq!(merged.evidence(), &family.nothing());
    let json = serde_json::to_string(&merged).unwrap();
    assert_eq!(serde_json::from_str::<Belief<Domains>>(&json).unwrap(), merged);
    assert!(serde_json::from_str::<Belief<Domains>>(&json[..json.len() - 9]).is_err());
}
