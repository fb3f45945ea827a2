//! The Plackett–Luce policy: a softmax that is drawn from without replacement.

use proclivity_posterior::log_sum_exp;
use rand::distr::Open01;
use rand::{Rng, RngExt};

use crate::RankError;
use crate::top_k::log_mass;

/// A random ranking: each place is drawn by softmax from the items that are left.
///
/// Its propensities are exact, whatever the catalog's size, so that its logs can be evaluated
/// off-policy. Every item whose score is above −∞ has a chance; with a low temperature a chance so
/// small that no log will hold it.
///
/// # Formula
/// P(x₁, …, x_k) = Πⱼ exp(s(xⱼ)/temperature) / Σ over y ∉ {x₁, …, xⱼ₋₁} of exp(s(y)/temperature)
///
/// # Source
/// R. L. Plackett. *The analysis of permutations.* Applied Statistics 24(2), 1975; R. D. Luce.
/// *Individual choice behavior.* 1959.
#[derive(Debug, Clone, PartialEq)]
pub struct PlackettLuce {
    /// −∞ where an item is inadmissible or impossible.
    log_probs: Vec<f64>,
    possible: usize,
}

impl PlackettLuce {
    /// The policy over the admissible items; a score of −∞ makes an item impossible.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] unless the temperature is positive and finite,
    /// [`RankError::InvalidScore`] when any item, admissible or not, has NaN or +∞,
    /// [`RankError::Empty`] when no item is possible.
    pub fn new(
        scores: &[f64],
        temperature: f64,
        admissible: impl Fn(u32) -> bool,
    ) -> Result<Self, RankError> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(RankError::OutOfRange {
                name: "temperature",
                value: temperature,
                expected: "a positive, finite number",
            });
        }
        let mut log_probs = Vec::with_capacity(scores.len());
        let mut largest = f64::NEG_INFINITY;
        for (item, &value) in scores.iter().enumerate() {
            if value.is_nan() || value == f64::INFINITY {
                return Err(RankError::InvalidScore { item, value });
            }
            let score = if admissible(item as u32) { value } else { f64::NEG_INFINITY };
            largest = largest.max(score);
            log_probs.push(score);
        }
        if largest == f64::NEG_INFINITY {
            return Err(RankError::Empty { what: "possible items" });
        }
        // The largest first, so that no quotient overflows.
        log_probs.iter_mut().for_each(|score| *score = (*score - largest) / temperature);
        let total = log_sum_exp(&log_probs);
        log_probs.iter_mut().for_each(|score| *score -= total);
        let possible = log_probs.iter().filter(|value| value.is_finite()).count();
        Ok(Self { log_probs, possible })
    }

    /// log P(x stands first) of every item, −∞ where it never does.
    pub fn log_probs(&self) -> &[f64] {
        &self.log_probs
    }

    /// How many items can be listed: a list of more is short.
    pub fn possible(&self) -> usize {
        self.possible
    }

    /// One list of the `k` first places, of all possible items if these are fewer.
    ///
    /// The largest of the log probabilities with independent Gumbel noise, in O(n + k log k).
    ///
    /// # Source
    /// J. I. Yellott, Journal of Mathematical Psychology 15, 1977; W. Kool, H. van Hoof and
    /// M. Welling. *Stochastic beams and where to find them.* ICML 2019.
    pub fn sample<R: Rng + ?Sized>(&self, k: usize, rng: &mut R) -> Vec<u32> {
        let mut perturbed: Vec<(f64, u32)> = Vec::with_capacity(self.possible);
        for (item, &log_prob) in (0_u32..).zip(&self.log_probs) {
            if log_prob.is_finite() {
                let uniform: f64 = rng.sample(Open01);
                perturbed.push((log_prob - (-uniform.ln()).ln(), item));
            }
        }
        let descending = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if 0 < k && k < perturbed.len() {
            perturbed.select_nth_unstable_by(k - 1, descending);
        }
        perturbed.truncate(k);
        perturbed.sort_unstable_by(descending);
        perturbed.into_iter().map(|(_, item)| item).collect()
    }

    /// P(xⱼ at place j | x₁, …, xⱼ₋₁ before it) of each place of a list, whose product is the
    /// list's probability; 0 from where the policy could not have made the list.
    ///
    /// That of the first place is also the probability to stand there. Those of later places are
    /// *conditional*: the item–position model needs [`Propensities`](crate::Propensities) instead.
    ///
    /// # Errors
    /// [`RankError::UnknownItem`] outside of the catalog, [`RankError::DuplicateItem`] for an item that
    /// is listed twice.
    pub fn propensities(&self, list: &[u32]) -> Result<Vec<f64>, RankError> {
        let mut listed = vec![false; self.log_probs.len()];
        for &item in list {
            let items = listed.len();
            let Some(seen) = listed.get_mut(item as usize) else {
                return Err(RankError::UnknownItem { item, items });
            };
            if std::mem::replace(seen, true) {
                return Err(RankError::DuplicateItem { item });
            }
        }
        // From the end, so that what is left is a sum and never a difference from 1.
        let mut left = log_mass(&self.log_probs, |item| !listed[item as usize]);
        let mut propensities: Vec<f64> = list
            .iter()
            .rev()
            .map(|&item| {
                let log_prob = self.log_probs[item as usize];
                left = log_sum_exp(&[left, log_prob]);
                if log_prob.is_finite() { (log_prob - left).exp() } else { 0.0 }
            })
            .collect();
        propensities.reverse();
        if let Some(impossible) = propensities.iter().position(|&propensity| propensity == 0.0) {
            propensities[impossible..].fill(0.0);
        }
        Ok(propensities)
    }
}
