//! The posterior of choices against long runs of Hamiltonian Monte Carlo.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use ndarray::{Array1, Array2, ArrayView1};
use nuts_rs::{
    Chain, CpuLogpFunc, CpuMath, CpuMathError, DiagNutsSettings, HasDims, LogpError, Settings,
};
use proclivity_posterior::{Choice, ChoicePosterior, ChoiceSet, Normal, PosteriorError, Sites};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

struct Density<'a>(ChoicePosterior<'a>, usize);

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Refused(#[from] PosteriorError);

impl LogpError for Refused {
    fn is_recoverable(&self) -> bool {
        false
    }
}

impl HasDims for Density<'_> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), self.1 as u64)])
    }
}

impl CpuLogpFunc for Density<'_> {
    type LogpError = Refused;
    type ExpandedVector = Vec<f64>;
    type FlowParameters = ();

    fn dim(&self) -> usize {
        self.1
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, Refused> {
        let (value, slope) = self.0.log_density(ArrayView1::from(position))?;
        gradient.copy_from_slice(&slope.to_vec());
        Ok(value)
    }

    fn expand_vector<R: rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        position: &[f64],
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(position.to_vec())
    }
}

/// Choices of five items by a fixed taste.
fn choices(dim: usize, count: usize) -> Vec<Choice> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let theta = Array1::from_shape_simple_fn(dim, || normal(&mut rng));
    (0..count)
        .map(|_| {
            let features = Array2::from_shape_simple_fn((5, dim), || normal(&mut rng) as f32);
            let offsets = Array1::from_shape_simple_fn(5, || 0.5 * normal(&mut rng));
            let set = ChoiceSet::new(features, offsets).unwrap();
            let mut left = rng.random::<f64>();
            let chosen = set.log_probs(theta.view()).unwrap().iter().position(|log_prob| {
                left -= log_prob.exp();
                left < 0.0
            });
            set.choose(chosen.unwrap_or(4)).unwrap()
        })
        .collect()
}

/// Mean and variance of each weight, and the Monte Carlo standard error of each mean by batches.
fn by_monte_carlo(family: &Normal, choices: &[Choice]) -> Vec<[f64; 3]> {
    const CHAINS: u64 = 4;
    const DRAWS: usize = 10_000;
    const BATCH: usize = 500;
    let dim = family.dim();
    let mut draws: Vec<Vec<f64>> = Vec::new();
    for chain in 0..CHAINS {
        let settings = DiagNutsSettings {
            num_tune: 1_000,
            num_draws: DRAWS as u64,
            ..DiagNutsSettings::default()
        };
        let density = Density(ChoicePosterior::new(family, choices).unwrap(), dim);
        let mut rng = nuts_rs::rand::rngs::SmallRng::seed_from_u64(chain);
        let mut sampler = settings.new_chain(chain, CpuMath::new(density), &mut rng).unwrap();
        sampler.set_position(&vec![0.0; dim]).unwrap();
        for at in 0..1_000 + DRAWS {
            let (draw, _) = sampler.draw().unwrap();
            if at >= 1_000 {
                draws.push(draw.to_vec());
            }
        }
    }
    let mean = |part: &[Vec<f64>], at: usize| {
        part.iter().map(|draw| draw[at]).sum::<f64>() / part.len() as f64
    };
    (0..dim)
        .map(|at| {
            let center = mean(&draws, at);
            let variance = draws.iter().map(|draw| (draw[at] - center).powi(2)).sum::<f64>()
                / draws.len() as f64;
            let batches: Vec<f64> = draws.chunks(BATCH).map(|batch| mean(batch, at)).collect();
            let count = batches.len() as f64;
            let spread = batches.iter().map(|batch| (batch - center).powi(2)).sum::<f64>();
            [center, variance, (spread / (count - 1.0) / count).sqrt()]
        })
        .collect()
}

#[test]
fn expectation_propagation_and_laplace_are_as_near_to_long_chains_as_their_docs_say() {
    let family = Normal::isotropic(4, 1.0).unwrap();
    let choices = choices(4, 30);
    let laplace = ChoicePosterior::new(&family, &choices).unwrap().laplace().unwrap().posterior;
    let mut sites = Sites::new(&family);
    for (id, choice) in choices.into_iter().enumerate() {
        sites.absorb(&family, id as u64, choice).unwrap();
    }
    let choices = self::choices(4, 30);
    for _ in 0..10 {
        sites.refine(&family).unwrap();
    }
    let refined = sites.posterior(&family).unwrap();
    for (at, [mean, variance, error]) in by_monte_carlo(&family, &choices).into_iter().enumerate() {
        let deviation = variance.sqrt();
        let apart = |ours: f64| (ours - mean).abs() / deviation;
        let scale = |scale: f64| (scale / deviation - 1.0).abs();
        let (ours, theirs) = (refined.marginal(at).unwrap(), laplace.marginal(at).unwrap());
        println!(
            "weight {at}: refined {:.4} sd, {:.4}; laplace {:.4} sd, {:.4}; standard error {:.4} sd",
            apart(ours.location()),
            scale(ours.scale()),
            apart(theirs.location()),
            scale(theirs.scale()),
            error / deviation
        );
        // Four Monte Carlo standard errors, and what the docs allow the approximation.
        assert!(apart(ours.location()) < 4.0 * error / deviation + 0.02);
        assert!(apart(theirs.location()) < 4.0 * error / deviation + 0.3);
        assert!(scale(ours.scale()) < 0.04 && scale(theirs.scale()) < 0.06);
    }
}
