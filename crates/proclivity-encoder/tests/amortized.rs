//! The amortized posterior against one that is known in closed form.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, ArrayView2, Axis};
use proclivity_encoder::{
    ComputeDevice, DirichletNetwork, DirichletNetworkConfig, EncoderError, ShareSimulator,
    SimulatedUser,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma};
use statrs::function::gamma::{digamma, ln_gamma};

const PRIOR: [f64; 3] = [0.8, 1.5, 0.5];

/// Every event tells its interest, so that the posterior is Dirichlet(a + n).
struct Labelled {
    vectors: Array2<f32>,
}

impl Labelled {
    fn new() -> Self {
        Self { vectors: Array2::eye(3) }
    }
}

impl ShareSimulator for Labelled {
    fn prior(&self) -> &[f64] {
        &PRIOR
    }

    fn event_vectors(&self) -> ArrayView2<'_, f32> {
        self.vectors.view()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> SimulatedUser {
        let rates = PRIOR.map(|a| Gamma::new(a, 1.0).unwrap().sample(rng));
        let total: f64 = rates.iter().sum();
        let events: Vec<u32> = (0..rng.random_range(0..=10))
            .map(|_| {
                let mut left = rng.random::<f64>() * total;
                (0..2)
                    .find(|&k| {
                        left -= rates[k];
                        left < 0.0
                    })
                    .unwrap_or(2) as u32
            })
            .collect();
        // Of the shares themselves: noisy, so that the average over simulated users is at work.
        let log_shares = rates.iter().map(|rate| (rate / total).max(1e-30).ln()).collect();
        SimulatedUser { events, log_shares }
    }
}

fn train(epochs: usize) -> DirichletNetwork {
    let config = DirichletNetworkConfig { epochs, width: 32, components: 1, ..Default::default() };
    let device: ComputeDevice = "flex".parse().unwrap();
    let (network, report) =
        DirichletNetwork::train(&Labelled::new(), &config, &device, &mut |_| {}).unwrap();
    assert_eq!(report.len(), epochs);
    network
}

/// KL(Dirichlet(p) ‖ Dirichlet(q)).
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let (sum_p, sum_q): (f64, f64) = (p.iter().sum(), q.iter().sum());
    let parts = p
        .iter()
        .zip(q)
        .map(|(&p, &q)| ln_gamma(q) - ln_gamma(p) + (p - q) * (digamma(p) - digamma(sum_p)));
    ln_gamma(sum_p) - ln_gamma(sum_q) + parts.sum::<f64>()
}

#[test]
fn the_network_learns_the_exact_posterior_of_labelled_events() {
    let network = train(15);
    let histories: [&[u32]; 5] =
        [&[], &[0], &[2, 2, 2], &[0, 1, 1, 2, 1], &[1, 0, 0, 0, 0, 0, 2, 0]];
    let learned = network.posteriors(&histories).unwrap();
    assert!(learned.weights.iter().all(|&weight| weight == 1.0));
    let learned = learned.concentrations.index_axis_move(Axis(1), 0);
    for (history, learned) in histories.iter().zip(learned.rows()) {
        let mut exact = PRIOR;
        history.iter().for_each(|&event| exact[event as usize] += 1.0);
        let off = divergence(&exact, &learned.to_vec());
        let untaught = divergence(&exact, &PRIOR);
        assert!(off < 0.02, "{history:?}: {learned} for {exact:?}, {off} nats, prior {untaught}");
    }
}

#[test]
fn neither_order_nor_company_nor_a_file_changes_a_user() {
    let network = train(1);
    let alone = network.posteriors(&[&[0, 1, 2]]).unwrap();
    let others: [&[u32]; 3] = [&[2, 2, 2, 2, 2, 2, 1], &[2, 0, 1], &[]];
    let together = network.posteriors(&others).unwrap();
    let (alone, second) = (alone.concentrations, together.concentrations.index_axis(Axis(0), 1));
    for (a, b) in alone.iter().zip(second) {
        assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    network.save(&path).unwrap();
    let loaded = DirichletNetwork::load(&path, &"flex".parse().unwrap()).unwrap();
    assert_eq!(loaded.posteriors(&others).unwrap(), together);
    assert_eq!(train(1).posteriors(&others).unwrap(), together);
}

#[test]
fn what_does_not_fit_is_named() {
    struct Broken(Labelled, SimulatedUser);
    impl ShareSimulator for Broken {
        fn prior(&self) -> &[f64] {
            self.0.prior()
        }
        fn event_vectors(&self) -> ArrayView2<'_, f32> {
            self.0.event_vectors()
        }
        fn draw(&self, _: &mut ChaCha8Rng) -> SimulatedUser {
            self.1.clone()
        }
    }
    let network = train(1);
    let unknown = network.posteriors(&[&[0], &[1, 7]]);
    assert!(matches!(unknown, Err(EncoderError::UnknownEvent { user: 1, event: 7, kinds: 3 })));
    let device: ComputeDevice = "flex".parse().unwrap();
    let good = SimulatedUser { events: vec![0], log_shares: vec![-1.0; 3] };
    for bad in [
        SimulatedUser { events: vec![3], ..good.clone() },
        SimulatedUser { log_shares: vec![-1.0; 2], ..good.clone() },
        SimulatedUser { log_shares: vec![f64::NEG_INFINITY; 3], ..good },
    ] {
        let broken = Broken(Labelled::new(), bad);
        let result = DirichletNetwork::train(&broken, &Default::default(), &device, &mut |_| {});
        let error = result.map(drop).unwrap_err();
        let named = EncoderError::InvalidSimulation { what: "simulated user", index: 0 };
        assert_eq!(error.to_string(), named.to_string());
    }
}
