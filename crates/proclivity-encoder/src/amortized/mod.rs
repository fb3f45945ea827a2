//! Amortized inference: a network that reads a user's events and returns a mixture of Dirichlet
//! distributions of the shares of interests, trained on simulated users.

mod config;
mod network;
mod store;
mod train;

pub use config::DirichletNetworkConfig;

use ndarray::{Array2, Array3, ArrayView2};
use rand_chacha::ChaCha8Rng;

use crate::training::EpochReport;
use crate::{ComputeDevice, EncoderError, TrainProgress};
use network::Network;

/// A joint distribution of shares and events, from which users can be drawn.
pub trait ShareSimulator: Sync {
    /// The concentration of the Dirichlet prior, a positive number an interest.
    fn prior(&self) -> &[f64];

    /// What the network sees of each kind of event.
    ///
    /// # Shapes
    /// `[kinds of events, features]`
    fn event_vectors(&self) -> ArrayView2<'_, f32>;

    /// Draws a user: shares from the prior, then events from the shares.
    fn draw(&self, rng: &mut ChaCha8Rng) -> SimulatedUser;
}

/// A user of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedUser {
    /// What the user did, as rows of the event vectors; the order says nothing.
    pub events: Vec<u32>,
    /// log θₖ of each interest.
    pub log_shares: Vec<f64>,
}

/// A network from a set of events to a mixture of Dirichlet distributions of shares.
///
/// Each event's vector goes through two layers; their sum over the events, which doesn't depend on
/// the order, and log(1 + number of events) go through two more, to the logarithms of the mixture's
/// weights and concentrations. The exact posterior of unlabelled events is such a mixture, of more
/// components.
///
/// # Formula
/// Training minimises −E log q(θ; x) over simulated pairs of θ and x, which is E KL(P(θ|x) ‖ q(θ; x))
/// plus a constant. The result stands for the posterior of the events that the network has read: using
/// it as a prior and updating it with the same events counts them twice.
///
/// # Source
/// Zaheer et al. 2017, Deep Sets; Papamakarios and Murray 2016, Fast ε-free Inference of Simulation
/// Models with Bayesian Conditional Density Estimation.
#[derive(Debug, Clone)]
pub struct DirichletNetwork {
    network: Network,
    /// `[kinds of events, features]`
    event_vectors: Array2<f32>,
}

impl DirichletNetwork {
    /// Trains a network on users drawn anew for each step. The same simulator, settings and seed give
    /// the same network.
    ///
    /// # Errors
    /// When a setting, the prior, an event vector or a simulated user is out of its range, and when the
    /// loss is no finite number any more.
    pub fn train(
        simulator: &dyn ShareSimulator,
        config: &DirichletNetworkConfig,
        device: &ComputeDevice,
        progress: &mut dyn FnMut(TrainProgress<'_>),
    ) -> Result<(Self, Vec<EpochReport>), EncoderError> {
        train::train(simulator, config, device, progress)
    }

    /// The mixtures for some users.
    ///
    /// # Errors
    /// When an event has no vector.
    pub fn posteriors(&self, histories: &[&[u32]]) -> Result<DirichletMixtures, EncoderError> {
        let kinds = self.event_vectors.nrows();
        for (user, history) in histories.iter().enumerate() {
            if let Some(&event) = history.iter().find(|&&event| event as usize >= kinds) {
                return Err(EncoderError::UnknownEvent { user, event, kinds });
            }
        }
        let (components, interests) = (self.network.components, self.network.interests());
        let mut weights = Vec::with_capacity(histories.len() * components);
        let mut concentrations = Vec::with_capacity(weights.capacity() * interests);
        for histories in histories.chunks(1024) {
            let outputs = self.network.outputs(self.event_vectors.view(), histories);
            for output in outputs.chunks_exact(components * (interests + 1)) {
                let (logits, log) = output.split_at(components);
                weights.extend(softmax(logits));
                concentrations.extend(log.iter().map(|&log| f64::from(log).exp()));
            }
        }
        let users = histories.len();
        let shape = (users, components, interests);
        Ok(DirichletMixtures {
            weights: Array2::from_shape_vec((users, components), weights).unwrap_or_default(),
            concentrations: Array3::from_shape_vec(shape, concentrations).unwrap_or_default(),
        })
    }
}

/// A mixture of Dirichlet distributions for each of some users.
#[derive(Debug, Clone, PartialEq)]
pub struct DirichletMixtures {
    /// `[users, components]`, rows that sum to one.
    pub weights: Array2<f64>,
    /// `[users, components, interests]`
    pub concentrations: Array3<f64>,
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}
