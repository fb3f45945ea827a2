//! Training on simulated users: minus the log density of their shares.

use burn::tensor::{Tensor, TensorData};
use ndarray::ArrayView2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::{digamma, ln_gamma};

use super::network::Network;
use super::{DirichletNetwork, DirichletNetworkConfig, ShareSimulator, SimulatedUser};
use crate::causal::host;
use crate::training::{BatchGradients, EpochReport, Run, Task, Validation, fit, in_shards};
use crate::{ComputeDevice, EncoderError, TrainProgress};

/// Halves of a batch that are computed side by side.
const SHARDS: usize = 2;

pub(super) fn train(
    simulator: &dyn ShareSimulator,
    config: &DirichletNetworkConfig,
    device: &ComputeDevice,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<(DirichletNetwork, Vec<EpochReport>), EncoderError> {
    config.validate()?;
    let (prior, event_vectors) = (simulator.prior(), simulator.event_vectors());
    let invalid = |what, index| EncoderError::InvalidSimulation { what, index };
    if prior.is_empty() {
        return Err(invalid("prior", 0));
    }
    if let Some(index) = prior.iter().position(|a| !(a.is_finite() && *a > 0.0)) {
        return Err(invalid("prior", index));
    }
    if event_vectors.is_empty() {
        return Err(invalid("event vector", 0));
    }
    if let Some(index) =
        event_vectors.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()))
    {
        return Err(invalid("event vector", index));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(config.optimizer.seed);
    let burn = device.burn().clone().inner();
    let network = Network::new(event_vectors.ncols(), config.width, prior, &mut rng, &burn);
    let validation = DirichletTask::draw(simulator, config, 0, config.validation_users)?;
    let task = DirichletTask { simulator, config, validation };
    let run = Run { optimizer: &config.optimizer, directory: None, fingerprint: String::new() };
    let (network, epochs) = fit(network, &task, &run, progress)?;
    Ok((DirichletNetwork { network, event_vectors: event_vectors.to_owned() }, epochs))
}

struct DirichletTask<'a> {
    simulator: &'a dyn ShareSimulator,
    config: &'a DirichletNetworkConfig,
    validation: Vec<SimulatedUser>,
}

impl DirichletTask<'_> {
    /// Users of a stream of random numbers; the first is validation's.
    fn draw(
        simulator: &dyn ShareSimulator,
        config: &DirichletNetworkConfig,
        stream: u64,
        count: usize,
    ) -> Result<Vec<SimulatedUser>, EncoderError> {
        let mut rng = ChaCha8Rng::seed_from_u64(config.optimizer.seed);
        rng.set_stream(stream + 1);
        let (interests, kinds) = (simulator.prior().len(), simulator.event_vectors().nrows());
        let mut users = Vec::with_capacity(count);
        for index in 0..count {
            let user = simulator.draw(&mut rng);
            let shares = user.log_shares.len() == interests
                && user.log_shares.iter().all(|log| log.is_finite());
            if !shares || user.events.iter().any(|&event| event as usize >= kinds) {
                return Err(EncoderError::InvalidSimulation { what: "simulated user", index });
            }
            users.push(user);
        }
        Ok(users)
    }
}

impl Task<Network> for DirichletTask<'_> {
    /// The stream of random numbers of its users.
    type Batch = u64;

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn batches(&self, epoch: usize) -> Vec<u64> {
        let steps = self.config.steps_per_epoch;
        (0..steps).map(|step| (epoch * steps + step) as u64 + 1).collect()
    }

    fn gradients(
        &self,
        network: &Network,
        stream: &u64,
        _seed: u64,
    ) -> Result<BatchGradients, EncoderError> {
        let users = Self::draw(self.simulator, self.config, *stream, self.config.users_per_step)?;
        let event_vectors = self.simulator.event_vectors();
        let shards = users.chunks(users.len().div_ceil(SHARDS)).collect();
        in_shards(network, shards, |network, _, users: &[SimulatedUser]| {
            let (tensor, loss) = loss(network, event_vectors, users);
            Ok((tensor, loss, users.len()))
        })
    }

    fn validate(&self, network: &Network) -> Result<Validation, EncoderError> {
        let event_vectors = self.simulator.event_vectors();
        let losses = self.validation.chunks(1024).map(|users| {
            let log = network.log_concentrations(event_vectors, &histories(users));
            density(&log, users).0
        });
        Ok(Validation::of_loss(losses.sum::<f64>() / self.validation.len() as f64))
    }
}

fn histories(users: &[SimulatedUser]) -> Vec<&[u32]> {
    users.iter().map(|user| user.events.as_slice()).collect()
}

/// A tensor whose gradient is that of the sum of losses, and that sum.
fn loss(
    network: &Network,
    event_vectors: ArrayView2<'_, f32>,
    users: &[SimulatedUser],
) -> (Tensor<1>, f64) {
    let log = network.forward(event_vectors, &histories(users));
    let shape = log.dims();
    let (loss, gradient) = density(&host(log.clone().inner()), users);
    let gradient = Tensor::<2>::from_data(TensorData::new(gradient, shape), &log.device().inner());
    ((log * gradient).sum(), loss)
}

/// −Σ log Dirichlet(θ; a) over users, and its gradient with respect to log a.
///
/// # Formula
/// With L = Σₖ log Γ(aₖ) − log Γ(Σₖ aₖ) − Σₖ (aₖ − 1) log θₖ,
/// ∂L/∂log aₖ = aₖ (ψ(aₖ) − ψ(Σⱼ aⱼ) − log θₖ).
fn density(log_concentrations: &[f32], users: &[SimulatedUser]) -> (f64, Vec<f32>) {
    let mut sum = 0.0;
    let mut gradient = Vec::with_capacity(log_concentrations.len());
    let interests = users.first().map_or(1, |user| user.log_shares.len());
    for (log, user) in log_concentrations.chunks_exact(interests).zip(users) {
        let concentration: Vec<f64> = log.iter().map(|&log| f64::from(log).exp()).collect();
        let total: f64 = concentration.iter().sum();
        sum -= ln_gamma(total);
        for (&a, &log_share) in concentration.iter().zip(&user.log_shares) {
            sum += ln_gamma(a) - (a - 1.0) * log_share;
            gradient.push((a * (digamma(a) - digamma(total) - log_share)) as f32);
        }
    }
    (sum, gradient)
}
