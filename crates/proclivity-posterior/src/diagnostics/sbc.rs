//! Simulation-based calibration: are posteriors right about data that the model itself made?

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::uniformity::{Uniformity, UniformityBand};
use crate::PosteriorError;
use crate::error::{in_range, same_length};

/// How calibration is run.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `replicates` | 1,000 | simulated data sets | from 1 |
/// | `draws` | 99 | draws from each posterior | from 1 |
/// | `seed` | 0 | of the simulations | any |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SbcConfig {
    /// Simulated data sets.
    pub replicates: usize,
    /// Draws from each posterior; one more is how many ranks there are.
    pub draws: usize,
    /// Replicate r draws from stream r of it, whatever the thread.
    pub seed: u64,
}

impl Default for SbcConfig {
    fn default() -> Self {
        Self { replicates: 1_000, draws: 99, seed: 0 }
    }
}

/// One simulated data set: its true quantities, and the same quantities under its posterior.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicate {
    /// Quantities q(θ, data) of the θ that made the data: `[quantities]`.
    pub truths: Vec<f64>,
    /// The same quantities of draws from P(θ|data): `[draws, quantities]`.
    pub draws: Vec<Vec<f64>>,
}

impl Replicate {
    /// From exact posterior distribution functions instead of draws: P(q ≤ truth|data) of each
    /// quantity, which must be continuous.
    pub fn from_cdf(probabilities: Vec<f64>, draws: usize) -> Self {
        let cut = |draw: usize| (draw + 1) as f64 / (draws + 1) as f64;
        let grid = (0..draws).map(|draw| vec![cut(draw); probabilities.len()]).collect();
        Self { truths: probabilities, draws: grid }
    }
}

impl SbcConfig {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] names the one that isn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("replicates", self.replicates as f64, self.replicates > 0, "from 1")?;
        in_range("draws", self.draws as f64, self.draws > 0, "from 1")
    }

    /// Ranks each true quantity among its posterior draws; they are uniform if the posterior is
    /// right.
    ///
    /// The closure draws θ from the prior, data from P(data|θ), and then independent draws from what
    /// is claimed to be P(θ|data): thin a chain until they are. Take log P(data|θ) among the
    /// quantities: without it a posterior that ignores the data passes. Ties are broken at random,
    /// so discrete quantities are fine.
    ///
    /// # Example
    /// A Beta posterior of a coin's bias:
    /// ```
    /// use proclivity_posterior::{Dirichlet, Replicate, SbcConfig};
    /// use rand::RngExt;
    ///
    /// let config = SbcConfig { replicates: 500, ..SbcConfig::default() };
    /// let prior = Dirichlet::new(vec![2.0, 3.0])?;
    /// let report = config.run(&["bias", "log-likelihood"], |rng| {
    ///     let truth = prior.sample(rng);
    ///     let heads = (0..10).filter(|_| rng.random::<f64>() < truth[0]).count() as f64;
    ///     let posterior = Dirichlet::new(vec![2.0 + heads, 3.0 + 10.0 - heads])?;
    ///     let quantities =
    ///         |p: &[f64]| vec![p[0], heads * p[0].ln() + (10.0 - heads) * p[1].ln()];
    ///     Ok(Replicate {
    ///         truths: quantities(&truth),
    ///         draws: (0..config.draws).map(|_| quantities(&posterior.sample(rng))).collect(),
    ///     })
    /// })?;
    /// assert!(report.p_value() > 0.01);
    /// # Ok::<(), proclivity_posterior::PosteriorError>(())
    /// ```
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for 0 replicates or draws and for a quantity that is no
    /// number, [`PosteriorError::Empty`] without names, [`PosteriorError::Length`] when a replicate
    /// has other numbers of quantities or draws, and the closure's own.
    ///
    /// # Source
    /// S. Talts, M. Betancourt, D. Simpson, A. Vehtari and A. Gelman. *Validating Bayesian inference
    /// algorithms with simulation-based calibration.* arXiv:1804.06788, 2018; M. Modrák et al.
    /// *Simulation-based calibration checking for Bayesian computation: the choice of test quantities
    /// shapes sensitivity.* Bayesian Analysis 20(2), 2025, for quantities of the data and for ties.
    pub fn run(
        &self,
        names: &[&str],
        replicate: impl Fn(&mut ChaCha8Rng) -> Result<Replicate, PosteriorError> + Sync,
    ) -> Result<SbcReport, PosteriorError> {
        self.validate()?;
        if names.is_empty() {
            return Err(PosteriorError::Empty { what: "quantities" });
        }
        let ranks: Vec<Vec<usize>> = (0..self.replicates)
            .into_par_iter()
            .map(|index| {
                let mut rng = replicate_rng(self.seed, index);
                let replicate = replicate(&mut rng)?;
                self.ranks(names.len(), &replicate, &mut rng)
            })
            .collect::<Result<_, _>>()?;
        let quantity = |(quantity, name): (usize, &&str)| {
            let mut counts = vec![0; self.draws + 1];
            ranks.iter().for_each(|ranks| counts[ranks[quantity]] += 1);
            SbcQuantity { name: (*name).to_owned(), uniformity: Uniformity::of(&counts), counts }
        };
        Ok(SbcReport { quantities: names.iter().enumerate().map(quantity).collect() })
    }

    /// How many draws lie below each truth; of those equal to it, a random part.
    fn ranks(
        &self,
        quantities: usize,
        replicate: &Replicate,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<usize>, PosteriorError> {
        same_length("true quantities", quantities, replicate.truths.len())?;
        same_length("posterior draws", self.draws, replicate.draws.len())?;
        let (mut below, mut ties) = (vec![0; quantities], vec![0; quantities]);
        for draw in std::iter::once(&replicate.truths).chain(&replicate.draws) {
            same_length("quantities of a draw", quantities, draw.len())?;
            for (quantity, (&value, &truth)) in draw.iter().zip(&replicate.truths).enumerate() {
                in_range("quantity", value, !value.is_nan(), "a number")?;
                below[quantity] += usize::from(value < truth);
                ties[quantity] += usize::from(value == truth);
            }
        }
        // The truth is among its own ties, so they are at least 1.
        Ok(below.iter().zip(ties).map(|(below, ties)| below + rng.random_range(0..ties)).collect())
    }
}

/// The generator of one replicate: results don't depend on which thread takes which.
pub(super) fn replicate_rng(seed: u64, replicate: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(replicate as u64);
    rng
}

/// How calibrated each quantity is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SbcReport {
    /// In the order of their names.
    pub quantities: Vec<SbcQuantity>,
}

impl SbcReport {
    /// The probability of ranks this uneven if every posterior is right: the smallest p-value of
    /// both tests over all quantities, by Bonferroni.
    pub fn p_value(&self) -> f64 {
        let tests = |quantity: &SbcQuantity| {
            let uniformity = &quantity.uniformity;
            uniformity.chi_squared_p_value.min(uniformity.ecdf_p_value)
        };
        let smallest = self.quantities.iter().map(tests).fold(1.0, f64::min);
        (smallest * 2.0 * self.quantities.len() as f64).min(1.0)
    }
}

/// The ranks of one quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SbcQuantity {
    /// What it is called.
    pub name: String,
    /// How many replicates had each rank: `[draws + 1]`.
    pub counts: Vec<u64>,
    /// Tests of whether they are uniform.
    pub uniformity: Uniformity,
}

impl SbcQuantity {
    /// The ranks in so many bins of nearly equal width, at least 1 and at most one a rank.
    ///
    /// A hill says that the posterior is too wide, a valley that it is too narrow, a slope that it
    /// is shifted.
    pub fn histogram(&self, bins: usize) -> Vec<u64> {
        super::uniformity::binned(&self.counts, bins)
    }

    /// Where the ranks' distribution function stays with a given probability, at all ranks at once.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for a level outside of 0 to 1.
    pub fn band(&self, level: f64) -> Result<UniformityBand, PosteriorError> {
        UniformityBand::new(self.counts.iter().sum::<u64>() as usize, self.counts.len(), level)
    }
}
