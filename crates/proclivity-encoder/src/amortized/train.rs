//! Training on simulated users: minus the log density of their shares.

use burn::tensor::{Tensor, TensorData};
use ndarray::ArrayView2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::{digamma, ln_gamma};

use super::network::Network;
use super::{DirichletNetwork, DirichletNetworkConfig, ShareSimulator, SimulatedUser, softmax};
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
    let network = Network::new(event_vectors.ncols(), config, prior, &mut rng, &burn);
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
            let outputs = network.outputs(event_vectors, &histories(users));
            density(&outputs, network.components, users).0
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
    let outputs = network.forward(event_vectors, &histories(users));
    let shape = outputs.dims();
    let values = host(outputs.clone().inner());
    let (loss, gradient) = density(&values, network.components, users);
    let device = outputs.device().inner();
    let gradient = Tensor::<2>::from_data(TensorData::new(gradient, shape), &device);
    ((outputs * gradient).sum(), loss)
}

/// −Σ log q(θ) over users, and its gradient with respect to the network's outputs.
///
/// # Formula
/// With q = Σₘ wₘ Dirichlet(θ; aₘ), w = softmax(v) and rₘ ∝ wₘ Dirichlet(θ; aₘ): ∂(−log q)/∂vₘ = wₘ − rₘ
/// and ∂(−log q)/∂log aₘₖ = rₘ aₘₖ (ψ(aₘₖ) − ψ(Σⱼ aₘⱼ) − log θₖ).
fn density(outputs: &[f32], components: usize, users: &[SimulatedUser]) -> (f64, Vec<f32>) {
    let mut sum = 0.0;
    let mut gradient = Vec::with_capacity(outputs.len());
    let interests = users.first().map_or(1, |user| user.log_shares.len());
    let rows = outputs.chunks_exact(components * (interests + 1));
    for (output, user) in rows.zip(users) {
        let (logits, log) = output.split_at(components);
        let weights = softmax(logits);
        let concentrations: Vec<f64> = log.iter().map(|&log| f64::from(log).exp()).collect();
        let parts: Vec<&[f64]> = concentrations.chunks_exact(interests).collect();
        let joint: Vec<f64> = weights
            .iter()
            .zip(&parts)
            .map(|(weight, part)| weight.ln() + log_density(part, &user.log_shares))
            .collect();
        let most = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_total = most + joint.iter().map(|log| (log - most).exp()).sum::<f64>().ln();
        sum -= log_total;
        let of = |log: &f64| (log - log_total).exp();
        gradient.extend(weights.iter().zip(&joint).map(|(weight, log)| (weight - of(log)) as f32));
        for (part, responsibility) in parts.iter().zip(joint.iter().map(of)) {
            let total = digamma(part.iter().sum());
            gradient.extend(part.iter().zip(&user.log_shares).map(|(&a, log_share)| {
                (responsibility * a * (digamma(a) - total - log_share)) as f32
            }));
        }
    }
    (sum, gradient)
}

fn log_density(concentration: &[f64], log_shares: &[f64]) -> f64 {
    let parts = concentration.iter().zip(log_shares);
    let parts = parts.map(|(&a, log_share)| (a - 1.0) * log_share - ln_gamma(a)).sum::<f64>();
    ln_gamma(concentration.iter().sum()) + parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_loss_s_difference_quotient() {
        let outputs = [
            0.3, -0.4, 0.2, 1.1, -0.7, 0.5, -0.1, 0.9_f32, -1.0, 0.1, 0.4, 0.0, 0.3, 2.0, 1.0, -0.2,
        ];
        let user = |shares: [f64; 3]| SimulatedUser {
            events: Vec::new(),
            log_shares: shares.map(f64::ln).to_vec(),
        };
        let users = [user([0.2, 0.7, 0.1]), user([0.01, 0.3, 0.69])];
        let (_, gradient) = density(&outputs, 2, &users);
        for place in 0..outputs.len() {
            let moved = |by: f32| {
                let mut moved = outputs;
                moved[place] += by;
                density(&moved, 2, &users).0
            };
            let quotient = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((quotient - f64::from(gradient[place])).abs() < 2e-3, "{place}: {quotient}");
        }
    }
}
