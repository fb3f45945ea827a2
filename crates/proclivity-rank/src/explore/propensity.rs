//! How probable it is that a random policy shows an item, by drawing its lists again.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::RankError;

/// How propensities are estimated.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `draws` | 10,000 | how many lists are drawn | from 1 |
/// | `seed` | 0 | the only source of chance | any |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct PropensityConfig {
    pub draws: u32,
    pub seed: u64,
}

impl Default for PropensityConfig {
    fn default() -> Self {
        Self { draws: 10_000, seed: 0 }
    }
}

impl PropensityConfig {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), RankError> {
        if self.draws == 0 {
            return Err(RankError::OutOfRange { name: "draws", value: 0.0, expected: "from 1" });
        }
        Ok(())
    }

    /// The propensities of a policy, such as [`thompson_list`](crate::thompson_list), whose lists
    /// have no closed form.
    ///
    /// `list` makes one list with the chance it is given; draw r has stream r of the seed.
    ///
    /// # Errors
    /// [`RankError::DuplicateItem`] for a list with an item twice, those of `list` and of
    /// [`validate`](Self::validate).
    pub fn estimate(
        &self,
        mut list: impl FnMut(&mut ChaCha8Rng) -> Result<Vec<u32>, RankError>,
    ) -> Result<Propensities, RankError> {
        self.validate()?;
        let mut counts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for draw in 0..self.draws {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(u64::from(draw));
            let items = list(&mut rng)?;
            for (position, &item) in items.iter().enumerate() {
                if items[..position].contains(&item) {
                    return Err(RankError::DuplicateItem { item });
                }
                let places = counts.entry(item).or_default();
                if places.len() <= position {
                    places.resize(position + 1, 0);
                }
                places[position] += 1;
            }
        }
        Ok(Propensities { draws: self.draws, counts })
    }
}

/// A probability with its Monte Carlo error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propensity {
    /// The part of the draws in which it happened.
    pub probability: f64,
    /// √(p(1 − p)/draws) with half a draw added to either side of p, so that neither never nor
    /// always passes for certain.
    pub standard_error: f64,
}

/// How often each item was drawn to each place: *marginal* propensities, whatever stands elsewhere.
///
/// # Approximation
/// Dividing by an estimate of p overestimates 1/p, on average by the part (1 − p)/(p · draws): take
/// many times 1/p draws. Off-policy errors don't include what propensities are off by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propensities {
    draws: u32,
    counts: BTreeMap<u32, Vec<u32>>,
}

impl Propensities {
    /// P(the item stands at this place), places from 0.
    pub fn at(&self, position: usize, item: u32) -> Propensity {
        let places = self.counts.get(&item);
        self.of(places.and_then(|places| places.get(position)).copied().unwrap_or(0))
    }

    /// P(the item is listed at all).
    pub fn shown(&self, item: u32) -> Propensity {
        self.of(self.counts.get(&item).map_or(0, |places| places.iter().sum()))
    }

    fn of(&self, count: u32) -> Propensity {
        let (count, draws) = (f64::from(count), f64::from(self.draws));
        let inner = (count + 0.5) / (draws + 1.0);
        Propensity {
            probability: count / draws,
            standard_error: (inner * (1.0 - inner) / draws).sqrt(),
        }
    }
}
