//! Trains a network that reads a history and returns the posterior of a user's interests, and says
//! how far it is from the exact one.
//!
//! ```text
//! cargo run --release --example train_posterior [-- --out posterior.safetensors]
//! ```
//!
//! The users are simulated: three interests choose among eight items, and no event tells which of
//! them was behind it.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use ndarray::{Array2, ArrayView2, Axis, array};
use proclivity::encoder::{
    ComputeDevice, DirichletNetwork, DirichletNetworkConfig, ShareSimulator, SimulatedUser,
    TrainProgress,
};
use proclivity::posterior::{
    CoverageConfig, Credible, Dirichlet, DirichletMixture, InterestLikelihood, InterestModel,
    PosteriorError, Replicate, SbcConfig, exact_shares,
};
use proclivity_examples::{progress_bar, tell};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::digamma;

/// Trains a network that returns posteriors of interests.
#[derive(Parser)]
struct Arguments {
    /// The file for the network.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Dirichlet distributions in each mixture.
    #[arg(long, default_value_t = 4)]
    components: usize,
    /// Epochs of training.
    #[arg(long, default_value_t = 20)]
    epochs: usize,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
}

/// Most events of a simulated user.
const EVENTS: usize = 12;
const SEED_OF_COMPARISON: u64 = 1;

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

struct Shop {
    model: InterestModel,
    /// log P(x|k) of each item.
    vectors: Array2<f32>,
}

struct User {
    shares: Vec<f64>,
    history: Vec<u32>,
}

impl Shop {
    fn new() -> Result<Self, PosteriorError> {
        // Three interests choose among eight items; the last two interests have much in common.
        let weights: Array2<f64> = array![
            [9.0, 6.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            [1.0, 1.0, 2.0, 8.0, 6.0, 3.0, 1.0, 2.0],
            [1.0, 1.0, 1.0, 4.0, 3.0, 6.0, 6.0, 2.0],
        ];
        let likelihood = InterestLikelihood::from_weights(weights.view())?;
        let vectors = Array2::from_shape_fn((8, 3), |(item, interest)| {
            (weights[[interest, item]] / weights.row(interest).sum()).ln() as f32
        });
        let model = InterestModel::new(Dirichlet::new(vec![1.0, 0.5, 0.8])?, likelihood)?;
        Ok(Self { model, vectors })
    }

    fn user<R: Rng>(&self, rng: &mut R) -> User {
        let shares = self.model.prior().sample(rng);
        let history = (0..rng.random_range(1..=EVENTS)).map(|_| {
            let interest = categorical(&shares, rng);
            let items = self.vectors.column(interest);
            categorical(&items.mapv(|log| f64::from(log).exp()).to_vec(), rng) as u32
        });
        let history = history.collect();
        User { shares, history }
    }

    fn exact(&self, history: &[u32]) -> Result<DirichletMixture, PosteriorError> {
        exact_shares(self.model.prior(), self.model.likelihood(), history, usize::MAX)
    }

    /// Σ log P(x|θ), without which a posterior that ignores the events would pass.
    fn quantities(&self, shares: &[f64], history: &[u32]) -> Vec<f64> {
        let of_event = |&event: &u32| {
            let items = self.vectors.row(event as usize);
            shares.iter().zip(items).map(|(share, &log)| share * f64::from(log).exp()).sum::<f64>()
        };
        let log_likelihood = history.iter().map(|event| of_event(event).ln()).sum();
        shares.iter().copied().chain([log_likelihood]).collect()
    }
}

impl ShareSimulator for Shop {
    fn prior(&self) -> &[f64] {
        self.model.prior().concentration()
    }

    fn event_vectors(&self) -> ArrayView2<'_, f32> {
        self.vectors.view()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> SimulatedUser {
        let User { history, shares } = self.user(rng);
        SimulatedUser {
            events: history,
            log_shares: shares.iter().map(|share| share.ln()).collect(),
        }
    }
}

/// What is compared: a distribution of the shares of a user with a history.
type Posterior<'a> = dyn Fn(&[u32]) -> Result<DirichletMixture, PosteriorError> + Sync + 'a;

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let shop = Shop::new()?;
    let config = DirichletNetworkConfig {
        epochs: arguments.epochs,
        components: arguments.components,
        ..Default::default()
    };
    let bar = progress_bar(0, "training");
    let (network, epochs) =
        DirichletNetwork::train(&shop, &config, &arguments.device, &mut |progress| {
            if let TrainProgress::Step { step, steps, .. } = progress {
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
            }
        })?;
    bar.finish();
    let seconds: f64 = epochs.iter().map(|epoch| epoch.seconds).sum();
    println!(
        "{} users simulated, {seconds:.0} s.\n",
        config.epochs * config.steps_per_epoch * config.users_per_step
    );
    if let Some(path) = &arguments.out {
        network.save(path)?;
    }

    // A network isn't shared between threads.
    let network = Mutex::new(network);
    let learned = |history: &[u32]| {
        let network = network.lock().unwrap_or_else(PoisonError::into_inner);
        let found = network.posteriors(&[history]);
        let parts = found.iter().flat_map(|found| {
            let concentrations = found.concentrations.index_axis(Axis(0), 0);
            found
                .weights
                .row(0)
                .into_iter()
                .copied()
                .zip(concentrations.outer_iter())
                .map(|(weight, a)| Ok((weight, Dirichlet::new(a.to_vec())?)))
                .collect::<Vec<_>>()
        });
        DirichletMixture::new(parts.collect::<Result<_, _>>()?)
    };
    let one = |dirichlet| DirichletMixture::new(vec![(1.0, dirichlet)]);
    let running = |history: &[u32]| {
        let rates = shop.model.belief(history)?.posterior(&shop.model)?;
        one(Dirichlet::new(rates.concentration().to_vec())?)
    };
    let prior = |_: &[u32]| one(shop.model.prior().clone());
    println!("| posterior | KL(exact ‖ it), nats | 50 % | 90 % | SBC, p |\n|---|---|---|---|---|");
    row("exact", &shop, &|history| shop.exact(history))?;
    row("network", &shop, &learned)?;
    row("best Dirichlet", &shop, &|history| one(best_dirichlet(&shop.exact(history)?)?))?;
    row("running belief", &shop, &running)?;
    row("prior", &shop, &prior)
}

fn row(name: &str, shop: &Shop, posterior: &Posterior<'_>) -> Result<(), Box<dyn Error>> {
    let (divergence, error) = divergence(shop, posterior)?;
    let config = CoverageConfig { seed: SEED_OF_COMPARISON, ..CoverageConfig::default() };
    let coverage = config.run(|rng| {
        let user = shop.user(rng);
        let posterior = posterior(&user.history)?;
        let cdf =
            |(k, &share)| Credible::from_cdf(posterior.marginal_cdf(k, share), &config.levels);
        Ok(user.shares.iter().enumerate().map(cdf).collect())
    })?;
    let config = SbcConfig { replicates: 4000, seed: SEED_OF_COMPARISON, ..SbcConfig::default() };
    let sbc = config.run(&["θ₁", "θ₂", "θ₃", "log-likelihood"], |rng| {
        let user = shop.user(rng);
        let posterior = posterior(&user.history)?;
        let draws = (0..config.draws).map(|_| {
            let shares = sample(&posterior, rng);
            shop.quantities(&shares, &user.history)
        });
        let draws = draws.collect();
        Ok(Replicate { truths: shop.quantities(&user.shares, &user.history), draws })
    })?;
    println!(
        "| {name} | {divergence:.4} ± {error:.4} | {:.1} | {:.1} | {:.2e} |",
        100.0 * coverage[0].coverage,
        100.0 * coverage[1].coverage,
        sbc.p_value()
    );
    Ok(())
}

/// KL(exact ‖ posterior) over users, by draws from the exact one, with its standard error.
fn divergence(shop: &Shop, posterior: &Posterior<'_>) -> Result<(f64, f64), Box<dyn Error>> {
    const USERS: usize = 2000;
    const DRAWS: usize = 200;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED_OF_COMPARISON);
    let mut values = Vec::with_capacity(USERS);
    for _ in 0..USERS {
        let history = shop.user(&mut rng).history;
        let (exact, other) = (shop.exact(&history)?, posterior(&history)?);
        let mut sum = 0.0;
        for _ in 0..DRAWS {
            let shares = sample(&exact, &mut rng);
            sum += log_density(&exact, &shares) - log_density(&other, &shares);
        }
        values.push(sum / DRAWS as f64);
    }
    let mean = values.iter().sum::<f64>() / USERS as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / USERS as f64;
    Ok((mean, (variance / USERS as f64).sqrt()))
}

/// The Dirichlet distribution nearest to the exact posterior, the best that one component can be: it has
/// the same E log θₖ, found by Minka's fixed point ψ(aₖ) = ψ(Σⱼ aⱼ) + E log θₖ.
fn best_dirichlet(exact: &DirichletMixture) -> Result<Dirichlet, PosteriorError> {
    let mut log_shares = vec![0.0; exact.interest_count()];
    for (weight, part) in exact.components() {
        let total = digamma(part.strength());
        for (log, &a) in log_shares.iter_mut().zip(part.concentration()) {
            *log += weight * (digamma(a) - total);
        }
    }
    let mut concentration = vec![1.0; log_shares.len()];
    for _ in 0..1000 {
        let total = digamma(concentration.iter().sum());
        let next: Vec<f64> = log_shares.iter().map(|log| inverse_digamma(total + log)).collect();
        let moved = next.iter().zip(&concentration).map(|(a, b)| (a / b - 1.0).abs());
        let moved = moved.fold(0.0, f64::max);
        concentration = next;
        if moved < 1e-6 {
            break;
        }
    }
    Dirichlet::new(concentration)
}

/// By bisection of log a.
fn inverse_digamma(value: f64) -> f64 {
    let (mut low, mut high) = (-12.0_f64, 12.0_f64);
    for _ in 0..36 {
        let middle = 0.5 * (low + high);
        if digamma(middle.exp()) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high)).exp()
}

fn sample<R: Rng>(mixture: &DirichletMixture, rng: &mut R) -> Vec<f64> {
    let weights: Vec<f64> = mixture.components().iter().map(|(weight, _)| *weight).collect();
    mixture.components()[categorical(&weights, rng)].1.sample(rng)
}

fn log_density(mixture: &DirichletMixture, shares: &[f64]) -> f64 {
    let of_component = |(weight, part): &(f64, Dirichlet)| {
        let powers = part.concentration().iter().zip(shares);
        let powers = powers.map(|(a, share)| (a - 1.0) * share.ln()).sum::<f64>();
        weight.ln() + powers - part.log_partition()
    };
    let logs: Vec<f64> = mixture.components().iter().map(of_component).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

fn categorical<R: Rng>(probs: &[f64], rng: &mut R) -> usize {
    let mut left = rng.random::<f64>() * probs.iter().sum::<f64>();
    let chosen = probs.iter().position(|prob| {
        left -= prob;
        left < 0.0
    });
    chosen.unwrap_or(probs.len() - 1)
}
