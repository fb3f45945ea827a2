//! Coverage: how often credible intervals hold what made the data.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sbc::replicate_rng;
use crate::PosteriorError;
use crate::error::{in_range, same_length};

/// How coverage is counted.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `users` | 10,000 | simulated users | from 1 |
/// | `levels` | 0.5, 0.9 | of the credible intervals | each between 0 and 1 |
/// | `seed` | 0 | of the simulations | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoverageConfig {
    /// Simulated users.
    pub users: usize,
    /// Levels of the credible intervals.
    pub levels: Vec<f64>,
    /// User r draws from stream r of it, whatever the thread.
    pub seed: u64,
}

impl Default for CoverageConfig {
    fn default() -> Self {
        Self { users: 10_000, levels: vec![0.5, 0.9], seed: 0 }
    }
}

/// A true quantity and what a posterior says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Credible {
    /// The quantity that made the data.
    pub truth: f64,
    /// Lower and upper end of one interval for each level, ends included.
    pub intervals: Vec<(f64, f64)>,
}

impl Credible {
    /// Central intervals from P(q ≤ truth|data) of a continuous quantity; their widths are then in
    /// probability.
    pub fn from_cdf(probability: f64, levels: &[f64]) -> Self {
        let central = |level: &f64| (0.5 - 0.5 * level, 0.5 + 0.5 * level);
        Self { truth: probability, intervals: levels.iter().map(central).collect() }
    }
}

impl CoverageConfig {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] names the one that isn't, [`PosteriorError::Empty`] without
    /// levels.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("users", self.users as f64, self.users > 0, "from 1")?;
        for &level in &self.levels {
            in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        }
        if self.levels.is_empty() {
            return Err(PosteriorError::Empty { what: "levels" });
        }
        Ok(())
    }

    /// Counts how many intervals hold their truth, over simulated users.
    ///
    /// The closure simulates one user and returns any number of intervals about them, such as one
    /// for each share.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for 0 users, a level outside of 0 to 1 and a number that is
    /// NaN, [`PosteriorError::Empty`] without levels or intervals, [`PosteriorError::Length`] unless
    /// there is one interval for each level, and the closure's own.
    pub fn run(
        &self,
        user: impl Fn(&mut ChaCha8Rng) -> Result<Vec<Credible>, PosteriorError> + Sync,
    ) -> Result<Vec<Coverage>, PosteriorError> {
        self.validate()?;
        let users: Vec<Vec<Tally>> = (0..self.users)
            .into_par_iter()
            .map(|index| self.tally(&user(&mut replicate_rng(self.seed, index))?))
            .collect::<Result<_, _>>()?;
        (0..self.levels.len())
            .map(|level| {
                Coverage::of(self.levels[level], users.iter().map(|tallies| tallies[level]))
            })
            .collect()
    }

    fn tally(&self, cases: &[Credible]) -> Result<Vec<Tally>, PosteriorError> {
        let mut tallies = vec![Tally::default(); self.levels.len()];
        for case in cases {
            same_length("intervals", self.levels.len(), case.intervals.len())?;
            in_range("truth", case.truth, !case.truth.is_nan(), "a number")?;
            for (tally, &(lower, upper)) in tallies.iter_mut().zip(&case.intervals) {
                let width = upper - lower;
                in_range("width of an interval", width, width >= 0.0, "0 or more")?;
                tally.intervals += 1.0;
                tally.holding += f64::from(u8::from(lower <= case.truth && case.truth <= upper));
                tally.width += width;
            }
        }
        Ok(tallies)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    intervals: f64,
    holding: f64,
    width: f64,
}

/// How many of all intervals of one level hold their truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The level that the intervals claim.
    pub level: f64,
    /// The fraction that hold their truth.
    pub coverage: f64,
    /// Its standard error over users, whose own intervals may depend on each other; with one
    /// interval a user it is the binomial √(p(1 − p)/users).
    pub standard_error: f64,
    /// The mean width: of two methods that cover, the narrower one knows more.
    pub mean_width: f64,
}

impl Coverage {
    fn of(level: f64, users: impl Iterator<Item = Tally> + Clone) -> Result<Self, PosteriorError> {
        let sum = users.clone().fold(Tally::default(), |sum, user| Tally {
            intervals: sum.intervals + user.intervals,
            holding: sum.holding + user.holding,
            width: sum.width + user.width,
        });
        if sum.intervals == 0.0 {
            return Err(PosteriorError::Empty { what: "intervals" });
        }
        let coverage = sum.holding / sum.intervals;
        // The ratio estimator's, with users as clusters.
        let residual = |user: Tally| (user.holding - coverage * user.intervals).powi(2);
        let standard_error = users.map(residual).sum::<f64>().sqrt() / sum.intervals;
        Ok(Self { level, coverage, standard_error, mean_width: sum.width / sum.intervals })
    }
}
