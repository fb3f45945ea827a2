//! A determinantal point process: the list as a whole probable and diverse.

use serde::{Deserialize, Serialize};

use super::candidates::{Pool, similarity_of};
use crate::error::in_range;
use crate::{RankError, Ranked, Reranked};

/// How [`Dpp`] trades probability for diversity.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `diversity_weight` | 0.3 | 0 leaves the order of probability, 1 asks for diversity alone; 1 − θ of the paper | \[0, 1\] |
/// | `tolerance` | 1e-6 | an item is redundant when no more than this part of it is left unexplained by the chosen ones | \[1e-12, 0.5\] |
///
/// Similarities that are only known to f32's precision need the default tolerance or a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct DppConfig {
    pub diversity_weight: f64,
    pub tolerance: f64,
}

impl Default for DppConfig {
    fn default() -> Self {
        Self { diversity_weight: 0.3, tolerance: 1e-6 }
    }
}

impl DppConfig {
    /// The re-ranker.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] that names the parameter.
    pub fn build(self) -> Result<Dpp, RankError> {
        let Self { diversity_weight, tolerance } = self;
        let valid = (0.0..=1.0).contains(&diversity_weight);
        in_range("diversity_weight", diversity_weight, valid, "in [0, 1]")?;
        in_range("tolerance", tolerance, (1e-12..=0.5).contains(&tolerance), "in [1e-12, 0.5]")?;
        Ok(Dpp { weight: diversity_weight, tolerance })
    }
}

/// Re-ranks by the greedy maximum a posteriori of a determinantal point process.
///
/// # Formula
/// A list R is as good as (1 − λ) · Σ over x in R of log P(x) + λ · log det S_R, with λ the
/// `diversity_weight` and S the similarities. For λ > 0 that is λ · log det L_R for the kernel
/// L = diag(q) S diag(q), q = exp(α · log P), α = (1 − λ) / (2 λ): the paper's with relevance log P
/// and θ = 1 − λ. The greedy next item maximises (1 − λ) · log P(x) + λ · log dₓ², where dₓ² = det
/// S_{R ∪ x} / det S_R comes from a Cholesky factor of S_R that grows by a row an item. It is S that
/// is factorised, not L: however sharp the relevance, nothing overflows and d² has the scale of S.
///
/// S has to be symmetric and positive semidefinite, as cosines are
/// ([`CosineSimilarity`](crate::CosineSimilarity)). The greedy list comes without a bound of its
/// distance from the best one: log det S is submodular but not monotone, and finding the best list
/// is NP-hard.
///
/// # Source
/// L. Chen, G. Zhang and E. Zhou, Fast greedy MAP inference for determinantal point process to improve
/// recommendation diversity, NeurIPS 2018.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dpp {
    weight: f64,
    tolerance: f64,
}

/// A list of a determinantal point process.
#[derive(Debug, Clone, PartialEq)]
pub struct Determinantal {
    /// The list: what the process chose, then what fills it up, the most probable first.
    pub list: Reranked,
    /// How many items the process chose. Those after them are redundant or impossible.
    pub chosen: usize,
    /// log det S of the chosen items; 0, the log determinant of nothing, if there are none.
    pub log_det: f64,
}

impl Dpp {
    /// The best `k` of the candidates, in O(k · n) similarities and O(k² · n) operations.
    ///
    /// `similarity` takes the items' indices, twice the same for the diagonal. An item that is
    /// redundant beside the chosen ones (dₓ² ≤ `tolerance` · s(x, x)) or impossible (P(x) = 0) is
    /// never chosen: once there are only such, they fill up the list by probability, and
    /// [`Determinantal::chosen`] says from where on. With embeddings of dimension d that happens
    /// after at most d items. With `diversity_weight` 0 there is no process, and everything is filled
    /// up. The list holds min(k, n) items; among equals the more probable one is chosen, then the one
    /// that came first.
    ///
    /// # Errors
    /// [`RankError::InvalidProbability`], [`RankError::DuplicateItem`],
    /// [`RankError::InvalidSimilarity`], also for a diagonal that isn't positive, and
    /// [`RankError::NotPositiveSemidefinite`] where the chosen items prove it (a list without this
    /// error is no proof of the contrary).
    pub fn rerank(
        &self,
        candidates: &[Ranked],
        k: usize,
        similarity: impl Fn(u32, u32) -> f64,
    ) -> Result<Determinantal, RankError> {
        let mut pool = Pool::new(candidates)?;
        let by_probability = pool.remaining().to_vec();
        let k_possible = k.min(candidates.len());
        let mut factor = Cholesky::new(candidates, k_possible, &similarity)?;
        pool.keep(|x| self.weight > 0.0 && candidates[x].probability > 0.0);
        let gain = |x: usize, factor: &Cholesky<'_>| {
            let relevance = (1.0 - self.weight) * candidates[x].probability.ln();
            relevance + self.weight * factor.residual[x].ln()
        };

        let mut order = Vec::with_capacity(k_possible);
        let mut log_det = 0.0;
        while order.len() < k_possible {
            pool.keep(|x| factor.residual[x] > self.tolerance * factor.diagonal[x]);
            let Some(chosen) = pool.take_best(|x| gain(x, &factor)) else { break };
            log_det += factor.residual[chosen].ln();
            order.push(chosen);
            factor.add(chosen, pool.remaining(), self.tolerance, &similarity)?;
        }
        let chosen = order.len();
        let mut is_chosen = vec![false; candidates.len()];
        order.iter().for_each(|&x| is_chosen[x] = true);
        let rest = by_probability.into_iter().filter(|&x| !is_chosen[x]);
        order.extend(rest.take(k_possible - chosen));
        let items = order.into_iter().map(|x| candidates[x]).collect();
        Ok(Determinantal { list: Reranked { items, requested: k }, chosen, log_det })
    }
}

/// The Cholesky factor of the chosen items' similarities, and the row that each candidate would add.
struct Cholesky<'a> {
    candidates: &'a [Ranked],
    diagonal: Vec<f64>,
    /// dₓ²: what the chosen items leave unexplained of s(x, x).
    residual: Vec<f64>,
    /// `[n, k]`: the entries of each candidate's row so far.
    rows: Vec<f64>,
    k: usize,
    chosen: usize,
}

impl<'a> Cholesky<'a> {
    fn new(
        candidates: &'a [Ranked],
        k: usize,
        similarity: &impl Fn(u32, u32) -> f64,
    ) -> Result<Self, RankError> {
        let diagonal = candidates.iter().map(|&Ranked { item, .. }| {
            let value = similarity_of(similarity, item, item)?;
            let error = RankError::InvalidSimilarity { a: item, b: item, value };
            if value > 0.0 { Ok(value) } else { Err(error) }
        });
        let diagonal = diagonal.collect::<Result<Vec<f64>, _>>()?;
        let rows = vec![0.0; candidates.len() * k];
        Ok(Self { candidates, residual: diagonal.clone(), diagonal, rows, k, chosen: 0 })
    }

    fn add(
        &mut self,
        chosen: usize,
        remaining: &[usize],
        tolerance: f64,
        similarity: &impl Fn(u32, u32) -> f64,
    ) -> Result<(), RankError> {
        let pivot = self.residual[chosen].sqrt();
        let step = self.chosen;
        let pivot_row = self.rows[chosen * self.k..][..step].to_vec();
        for &x in remaining {
            let alike =
                similarity_of(similarity, self.candidates[x].item, self.candidates[chosen].item)?;
            let row = &mut self.rows[x * self.k..][..=step];
            let explained: f64 = row.iter().zip(&pivot_row).map(|(a, b)| a * b).sum();
            let entry = (alike - explained) / pivot;
            row[step] = entry;
            self.residual[x] -= entry * entry;
            let residual = self.residual[x];
            if residual.is_nan() || residual < -tolerance * self.diagonal[x] {
                let item = self.candidates[x].item;
                return Err(RankError::NotPositiveSemidefinite { item, residual });
            }
        }
        self.chosen += 1;
        Ok(())
    }
}
