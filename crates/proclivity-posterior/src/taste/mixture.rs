//! Several interests in embedding space, their number inferred: a Gibbs sampler of a mixture of
//! softmax choices, and what it says whatever the components are called.

use ndarray::{Array1, Array2};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{in_range, same_length};
use crate::log_sum_exp::log_sum_exp;
use crate::{Choice, ChoiceSet, Family, Normal, NormalPosterior, PosteriorError};

/// How the mixture of interests is sampled.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `components` | 8 | the most interests there can be, M | 1 to 65,535 |
/// | `concentration` | 0.1 | of the weights, α: n events come from about 1 + α·ln n interests a priori | above 0 |
/// | `chains` | 4 | independent chains: even ones start from one interest, odd ones from many | from 1 |
/// | `burn_in` | 500 | sweeps before the first that counts, of each chain | from 0 |
/// | `draws` | 1000 | sweeps that are kept, of each chain | from 4 |
/// | `thinning` | 1 | sweeps for each that is kept | from 1 |
///
/// # Formula
/// π ~ Dirichlet(α/M, …, α/M), θₘ ~ prior, zₙ ~ π, P(xₙ|zₙ = m) = softmax(φθₘ + offset)
///
/// As M grows this is a Dirichlet process of concentration α, and the number of interests depends on
/// it: of 20 users each with 1, 2 and 3 distinct interests and 60 choices from sets of 8 in two
/// dimensions, the most probable number was the true one for 19, 19 and 20 at α = 0.1, and for 2, 0
/// and 0 at α = 1, where a choice that surprises an interest makes its own
/// (`tests/taste_mixture.rs`, an ignored test).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasteMixtureConfig {
    /// The most interests there can be.
    pub components: usize,
    /// Concentration of the weights.
    pub concentration: f64,
    /// Independent chains.
    pub chains: usize,
    /// Sweeps before the first that counts.
    pub burn_in: usize,
    /// Sweeps that are kept, of each chain.
    pub draws: usize,
    /// Sweeps for each that is kept.
    pub thinning: usize,
}

impl Default for TasteMixtureConfig {
    fn default() -> Self {
        Self {
            components: 8,
            concentration: 0.1,
            chains: 4,
            burn_in: 500,
            draws: 1000,
            thinning: 1,
        }
    }
}

impl TasteMixtureConfig {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first that lies outside its range.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        let valid = (1..=usize::from(u16::MAX)).contains(&self.components);
        in_range("components", self.components as f64, valid, "a number from 1 to 65,535")?;
        let valid = self.concentration > 0.0 && self.concentration.is_finite();
        in_range("concentration", self.concentration, valid, "a finite number above 0")?;
        in_range("chains", self.chains as f64, self.chains >= 1, "a number from 1")?;
        in_range("draws", self.draws as f64, self.draws >= 4, "a number from 4")?;
        in_range("thinning", self.thinning as f64, self.thinning >= 1, "a number from 1")
    }

    /// Samples P(z, θ|X) with the weights π integrated out.
    ///
    /// One sweep draws every assignment given the others (Gibbs), then every θₘ that has events by an
    /// elliptical slice step and every other one from the prior. Each step leaves the posterior as it
    /// is, so the draws are exact in the limit; nothing is tuned. Chains run in parallel, and the
    /// result doesn't depend on how many threads there are.
    ///
    /// # Approximation
    /// Monte Carlo only: [`TasteMixture::r_hat`] tells whether chains that started from one interest
    /// and from many agree. A new interest is born from a draw of the prior, which becomes rare in
    /// many dimensions: project embeddings to some tens at most.
    ///
    /// # Source
    /// Neal (2000), algorithm 8; Murray, Adams and MacKay (2010), elliptical slice sampling;
    /// Rousseau and Mengersen (2011), overfitted mixtures.
    ///
    /// # Errors
    /// Those of [`TasteMixtureConfig::validate`], and [`PosteriorError::Length`] for an event of
    /// another dimension than the prior's.
    pub fn sample<R: Rng + ?Sized>(
        &self,
        prior: &Normal,
        events: &[Choice],
        rng: &mut R,
    ) -> Result<TasteMixture, PosteriorError> {
        self.validate()?;
        for event in events {
            same_length("features of choices", prior.dim(), event.set().features().ncols())?;
        }
        let prior = &prior.posterior(&prior.nothing())?;
        let seeds: Vec<u64> = (0..self.chains).map(|_| rng.random()).collect();
        let chains: Vec<Vec<Draw>> = seeds
            .into_par_iter()
            .enumerate()
            .map(|(chain, seed)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let spread = if chain % 2 == 0 { 1 } else { self.components };
                let mut state = State::start(self, prior, events, spread, &mut rng);
                (0..self.burn_in).for_each(|_| state.sweep(&mut rng));
                let draw = |_| {
                    (0..self.thinning).for_each(|_| state.sweep(&mut rng));
                    state.draw()
                };
                (0..self.draws).map(draw).collect()
            })
            .collect();
        Ok(TasteMixture { prior_count: self.concentration / self.components as f64, chains })
    }
}

/// A chain on its way.
struct State<'a> {
    prior: &'a NormalPosterior,
    events: &'a [Choice],
    /// α/M.
    prior_count: f64,
    assignments: Vec<u16>,
    counts: Vec<u32>,
    thetas: Vec<Array1<f64>>,
    /// log P(xₙ|θₘ), `[components][events]`.
    log_likelihoods: Vec<Vec<f64>>,
}

impl<'a> State<'a> {
    fn start(
        config: &TasteMixtureConfig,
        prior: &'a NormalPosterior,
        events: &'a [Choice],
        spread: usize,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let thetas: Vec<_> = (0..config.components).map(|_| prior.sample(rng)).collect();
        let log_likelihoods = thetas.iter().map(|theta| log_likelihoods(events, theta)).collect();
        let assignments: Vec<u16> =
            (0..events.len()).map(|event| (event % spread) as u16).collect();
        let mut counts = vec![0; config.components];
        assignments.iter().for_each(|&m| counts[usize::from(m)] += 1);
        let prior_count = config.concentration / config.components as f64;
        Self { prior, events, prior_count, assignments, counts, thetas, log_likelihoods }
    }

    fn sweep(&mut self, rng: &mut ChaCha8Rng) {
        let mut weights = vec![0.0; self.counts.len()];
        for event in 0..self.events.len() {
            self.counts[usize::from(self.assignments[event])] -= 1;
            for (m, weight) in weights.iter_mut().enumerate() {
                *weight = (f64::from(self.counts[m]) + self.prior_count).ln()
                    + self.log_likelihoods[m][event];
            }
            let m = categorical(&weights, rng);
            self.assignments[event] = m as u16;
            self.counts[m] += 1;
        }
        for m in 0..self.counts.len() {
            if self.counts[m] == 0 {
                self.thetas[m] = self.prior.sample(rng);
                self.log_likelihoods[m] = log_likelihoods(self.events, &self.thetas[m]);
            } else {
                self.slice(m, rng);
            }
        }
    }

    /// One elliptical slice step of θₘ: an ellipse through it and a draw of the prior, searched from a
    /// random angle by shrinking towards where it is.
    fn slice(&mut self, m: usize, rng: &mut ChaCha8Rng) {
        let mine = |log_likelihoods: &[f64]| -> f64 {
            let assigned = self.assignments.iter().zip(log_likelihoods);
            assigned.filter(|(z, _)| usize::from(**z) == m).map(|(_, value)| value).sum()
        };
        let height = mine(&self.log_likelihoods[m]) + (1.0 - rng.random::<f64>()).ln();
        let mean = self.prior.mean();
        let centred = &self.thetas[m] - &mean;
        let other = self.prior.sample(rng) - mean;
        let mut angle = rng.random::<f64>() * std::f64::consts::TAU;
        let (mut lower, mut upper) = (angle - std::f64::consts::TAU, angle);
        // A bracket of no width is where θₘ is now.
        while upper - lower > f64::EPSILON {
            let theta = &mean + &(&centred * angle.cos() + &other * angle.sin());
            let log_likelihoods = log_likelihoods(self.events, &theta);
            if mine(&log_likelihoods) > height {
                (self.thetas[m], self.log_likelihoods[m]) = (theta, log_likelihoods);
                return;
            }
            if angle < 0.0 {
                lower = angle
            } else {
                upper = angle
            }
            angle = lower + (upper - lower) * rng.random::<f64>();
        }
    }

    fn draw(&self) -> Draw {
        let assigned = self.assignments.iter().enumerate();
        let log_likelihood = assigned.map(|(n, &m)| self.log_likelihoods[usize::from(m)][n]).sum();
        Draw {
            assignments: self.assignments.clone(),
            counts: self.counts.clone(),
            thetas: self.thetas.clone(),
            log_likelihood,
        }
    }
}

fn log_likelihoods(events: &[Choice], theta: &Array1<f64>) -> Vec<f64> {
    let of = |event: &Choice| {
        let utilities = event.set().utilities(theta.view());
        utilities[event.chosen()] - log_sum_exp(&utilities)
    };
    events.iter().map(of).collect()
}

fn categorical(log_weights: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let most = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = log_weights.iter().map(|weight| (weight - most).exp()).sum();
    let mut left = rng.random::<f64>() * total;
    for (index, weight) in log_weights.iter().enumerate() {
        left -= (weight - most).exp();
        if left < 0.0 {
            return index;
        }
    }
    log_weights.len() - 1
}

/// One kept sweep. Its labels mean nothing outside of it.
#[derive(Debug, Clone, PartialEq)]
struct Draw {
    assignments: Vec<u16>,
    counts: Vec<u32>,
    thetas: Vec<Array1<f64>>,
    log_likelihood: f64,
}

impl Draw {
    fn interests(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }
}

/// Draws of P(z, θ|X), read only through what doesn't depend on the names of components.
#[derive(Debug, Clone, PartialEq)]
pub struct TasteMixture {
    prior_count: f64,
    chains: Vec<Vec<Draw>>,
}

impl TasteMixture {
    fn draws(&self) -> impl Iterator<Item = &Draw> {
        self.chains.iter().flatten()
    }

    fn draw_count(&self) -> f64 {
        self.chains.iter().map(Vec::len).sum::<usize>() as f64
    }

    /// P(k interests have events | X), at index k from 0 to `components`.
    pub fn interest_counts(&self) -> Vec<f64> {
        let components = self.draws().next().map_or(0, |draw| draw.counts.len());
        let mut probs = vec![0.0; components + 1];
        self.draws().for_each(|draw| probs[draw.interests()] += 1.0 / self.draw_count());
        probs
    }

    /// E\[number of interests that have events | X\].
    pub fn expected_interests(&self) -> f64 {
        self.interest_counts().iter().enumerate().map(|(count, prob)| count as f64 * prob).sum()
    }

    /// How many interests have events in each draw, chain after chain.
    pub fn interest_trace(&self) -> Vec<usize> {
        self.draws().map(Draw::interests).collect()
    }

    /// P(two events come from one interest | X).
    ///
    /// # Shapes
    /// result: `[events, events]`, symmetric, 1 on the diagonal
    pub fn co_clustering(&self) -> Array2<f64> {
        let events = self.draws().next().map_or(0, |draw| draw.assignments.len());
        let mut together = Array2::zeros((events, events));
        for Draw { assignments, .. } in self.draws() {
            for ((i, j), count) in together.indexed_iter_mut() {
                *count += f64::from(u8::from(assignments[i] == assignments[j]));
            }
        }
        together / self.draw_count()
    }

    /// log P(x|X) of each choice of a set that the user is shown next.
    ///
    /// # Formula
    /// P(x|X) = E\[Σₘ (nₘ + α/M)/(n + α) · softmax(φθₘ + offset)(x) | X\]
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for a set of another dimension.
    pub fn predict(&self, set: &ChoiceSet) -> Result<Vec<f64>, PosteriorError> {
        let mut probs = vec![0.0; set.offsets().len()];
        for draw in self.draws() {
            let events = f64::from(draw.counts.iter().sum::<u32>());
            let total = events + self.prior_count * draw.counts.len() as f64;
            for (theta, &count) in draw.thetas.iter().zip(&draw.counts) {
                let share = (f64::from(count) + self.prior_count) / total;
                let log_probs = set.log_probs(theta.view())?;
                probs.iter_mut().zip(log_probs).for_each(|(p, log)| *p += share * log.exp());
            }
        }
        Ok(probs.iter().map(|prob| (prob / self.draw_count()).ln()).collect())
    }

    /// log P(X|z, θ) of each draw, chain after chain.
    pub fn log_likelihood_trace(&self) -> Vec<f64> {
        self.draws().map(|draw| draw.log_likelihood).collect()
    }

    /// The larger R̂ of the number of interests and of log P(X|z, θ): above 1.01 the chains disagree
    /// and need more sweeps. Each chain counts as two halves.
    ///
    /// # Source
    /// Gelman et al. (2013), section 11.4
    pub fn r_hat(&self) -> f64 {
        let trace = |of: fn(&Draw) -> f64| -> f64 {
            let halves = self.chains.iter().flat_map(|chain| chain.chunks_exact(chain.len() / 2));
            split_r_hat(&halves.map(|half| half.iter().map(of).collect()).collect::<Vec<_>>())
        };
        trace(|draw| draw.interests() as f64).max(trace(|draw| draw.log_likelihood))
    }
}

/// √(pooled variance / variance within), 1 for a constant.
fn split_r_hat(halves: &[Vec<f64>]) -> f64 {
    let length = halves.first().map_or(0, Vec::len) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let variance = |values: &[f64]| {
        let centre = mean(values);
        values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() - 1) as f64
    };
    let within = mean(&halves.iter().map(|half| variance(half)).collect::<Vec<_>>());
    let between = variance(&halves.iter().map(|half| mean(half)).collect::<Vec<_>>());
    if within == 0.0 && between == 0.0 {
        return 1.0;
    }
    ((length - 1.0) / length + between / within).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use ndarray::array;

    use super::*;

    /// Every draw under its own new names of the components: nothing that is said may change.
    #[test]
    fn names_of_components_mean_nothing() {
        let set = ChoiceSet::new(array![[1.0_f32], [-1.0], [0.3]], array![0.0, 0.2, 0.1]).unwrap();
        let events: Vec<_> = (0..9).map(|event| set.clone().choose(event % 3).unwrap()).collect();
        let config =
            TasteMixtureConfig { components: 4, burn_in: 20, draws: 30, ..Default::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mixture =
            config.sample(&Normal::isotropic(1, 0.2).unwrap(), &events, &mut rng).unwrap();
        let mut renamed = mixture.clone();
        for (index, draw) in renamed.chains.iter_mut().flatten().enumerate() {
            draw.assignments.iter_mut().for_each(|m| *m = (*m + index as u16) % 4);
            draw.counts.rotate_right(index % 4);
            draw.thetas.rotate_right(index % 4);
        }
        assert_eq!(renamed.interest_counts(), mixture.interest_counts());
        assert_eq!(renamed.co_clustering(), mixture.co_clustering());
        assert_eq!(renamed.r_hat(), mixture.r_hat());
        let pairs = renamed.predict(&set).unwrap().into_iter().zip(mixture.predict(&set).unwrap());
        pairs.for_each(|(got, expected)| assert!((got - expected).abs() < 1e-12));
    }
}
