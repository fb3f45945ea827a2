//! A boost for what is new, as a tilt of the probabilities.

use serde::{Deserialize, Serialize};

use super::candidates::{Pool, by_probability};
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked};

/// How much [`Freshness`] boosts what is new, and for how long.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `boost` | 0.7 | β: the log odds that an item of age 0 gains on a timeless one; .7 doubles the odds | \[0, 50\] |
/// | `half_life` | 30 | the age at which half of the boost is left, in the unit of the ages | above 0, finite |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct FreshnessConfig {
    pub boost: f64,
    pub half_life: f64,
}

impl Default for FreshnessConfig {
    fn default() -> Self {
        Self { boost: 0.7, half_life: 30.0 }
    }
}

impl FreshnessConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<Freshness, RankError> {
        let Self { boost, half_life } = self;
        in_range("boost", boost, (0.0..=50.0).contains(&boost), "in [0, 50]")?;
        let valid = half_life > 0.0 && half_life.is_finite();
        in_range("half_life", half_life, valid, "above 0 and finite")?;
        Ok(Freshness { boost, half_life })
    }
}

/// Re-ranks by probabilities that are tilted to what is new.
///
/// # Formula
/// log P′(x) = log P(x) + β · f(x) − log Z, with freshness f(x) = 2^(−age / half-life). Of all
/// distributions with at least the mean freshness of P′, P′ is the one of least divergence
/// KL(P′ ‖ P): an exponential tilt. The boost is bounded, so that a probable classic stays: no odds
/// change by more than e^β.
///
/// # Source
/// I. Csiszár, I-divergence geometry of probability distributions and minimization problems, Annals
/// of Probability 1975, for the tilt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freshness {
    boost: f64,
    half_life: f64,
}

impl Freshness {
    /// β · f of an item of an age; an item from the future has age 0, one of infinite age no boost.
    ///
    /// Added to the log probabilities of a whole catalog before [`top_k`](crate::top_k), it tilts
    /// exactly, and what is new can enter the list from any rank:
    ///
    /// ```
    /// use proclivity_rank::{FreshnessConfig, TieBreak, top_k};
    ///
    /// let freshness = FreshnessConfig { boost: 1.0, half_life: 30.0 }.build()?;
    /// let mut log_probs = [0.5, 0.3, 0.2].map(f64::ln);
    /// for (log_prob, age) in log_probs.iter_mut().zip([300.0, 365.0, 0.0]) {
    ///     *log_prob += freshness.log_boost(age);
    /// }
    /// let ties = TieBreak::new(["a", "b", "c"].into_iter(), 7);
    /// let ranking = top_k(&log_probs, 3, |_| true, &ties)?;
    /// let order: Vec<u32> = ranking.items.iter().map(|ranked| ranked.item).collect();
    /// assert_eq!(order, [2, 0, 1]);
    /// # Ok::<(), proclivity_rank::RankError>(())
    /// ```
    pub fn log_boost(&self, age: f64) -> f64 {
        self.boost * (-age.max(0.0) / self.half_life).exp2()
    }

    /// The best `k` of the candidates by tilted probability, in O(n log n).
    ///
    /// `age` takes the item's index. The candidates' probabilities are tilted among themselves and
    /// keep their sum, as if those of all other items stayed as they are. The list holds min(k, n)
    /// items; equally probable ones stay in the order of their former probabilities, then of the
    /// candidates.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`], [`RankError::DuplicateItem`] or [`RankError::InvalidAge`].
    pub fn rerank(
        &self,
        candidates: &[Ranked],
        k: usize,
        age: impl Fn(u32) -> f64,
    ) -> Result<Reranked, RankError> {
        let pool = Pool::new(candidates)?;
        let tilted = pool.remaining().iter().map(|&position| {
            let Ranked { item, probability } = candidates[position];
            let age = age(item);
            if age.is_nan() {
                return Err(RankError::InvalidAge { item, value: age });
            }
            // The boost is at most 50, and e^50 times a probability is far from overflowing.
            Ok(Ranked { item, probability: probability * self.log_boost(age).exp() })
        });
        let mut items = tilted.collect::<Result<Vec<_>, _>>()?;
        // In the same order, so that a boost of 0 changes nothing, not even the last bit.
        let mass: f64 = pool.remaining().iter().map(|&x| candidates[x].probability).sum();
        let tilted_mass: f64 = items.iter().map(|x| x.probability).sum();
        let normalizer = mass / tilted_mass.max(f64::MIN_POSITIVE);
        for ranked in &mut items {
            ranked.probability = (ranked.probability * normalizer).min(1.0);
        }
        // Stable, so that equals stay in their order.
        items.sort_by(by_probability);
        items.truncate(k);
        Ok(Reranked { items, requested: k })
    }
}
