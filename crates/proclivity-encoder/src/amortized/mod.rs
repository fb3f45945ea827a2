//! Amortized inference: a network that reads a user's events and returns a Dirichlet distribution of
//! the shares of interests, trained on simulated users.

mod config;
mod network;
mod store;
mod train;

pub use config::DirichletNetworkConfig;

use ndarray::{Array2, ArrayView2};
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
    /// log θₖ, or its expectation given whatever the simulator knows beside the events: the better
    /// choice, as it has less noise and the same minimum (Rao–Blackwell). With known interests behind the
    /// events that is ψ(aₖ + nₖ) − ψ(Σⱼ aⱼ + nⱼ).
    pub log_shares: Vec<f64>,
}

/// A network from a set of events to the concentration of a Dirichlet distribution of shares.
///
/// Each event's vector goes through two layers; their sum over the events, which doesn't depend on
/// the order, and log(1 + number of events) go through two more, to the logarithm of the concentration.
///
/// # Formula
/// Training minimises −E log Dirichlet(θ; a(x)) over simulated pairs of θ and x. That is
/// E KL(P(θ|x) ‖ Dirichlet(a(x))) plus a constant: the best a(x) has the exact posterior's E log θₖ.
/// Its output stands for the posterior of the events that it has read: using it as a prior and
/// updating it with the same events counts them twice.
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

    /// The concentrations for some users.
    ///
    /// # Shapes
    /// `[histories.len(), interests]`
    ///
    /// # Errors
    /// When an event has no vector.
    pub fn concentrations(&self, histories: &[&[u32]]) -> Result<Array2<f64>, EncoderError> {
        let kinds = self.event_vectors.nrows();
        for (user, history) in histories.iter().enumerate() {
            if let Some(&event) = history.iter().find(|&&event| event as usize >= kinds) {
                return Err(EncoderError::UnknownEvent { user, event, kinds });
            }
        }
        let interests = self.network.interests();
        let mut values = Vec::with_capacity(histories.len() * interests);
        for histories in histories.chunks(1024) {
            let log = self.network.log_concentrations(self.event_vectors.view(), histories);
            values.extend(log.into_iter().map(|log| f64::from(log).exp()));
        }
        let rows = values.len() / interests;
        Ok(Array2::from_shape_vec((rows, interests), values).unwrap_or_default())
    }
}
