//! Choices from logged sets: the softmax likelihood of θ, and the normal site that stands for one choice.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::subspace::Utilities;
use super::{Normal, NormalEvidence};
use crate::error::same_length;
use crate::log_sum_exp::log_sum_exp;
use crate::{Approximate, Family, PosteriorError};

/// What could be chosen: the features of each item of the set, and what speaks for it besides θ.
///
/// # Formula
/// P(x|θ, C) = softmax over x ∈ C of θ·φ(x) + offset(x), offset(x) = log popularity(x) − log q(x),
/// with q(x) the probability that the set was made with x; a full catalogue has q = 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct ChoiceSet {
    features: Array2<f32>,
    offsets: Array1<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    features: Array2<f32>,
    offsets: Array1<f64>,
}

impl ChoiceSet {
    /// A set of items.
    ///
    /// # Shapes
    /// `features`: `[choices, dim]`; `offsets`: `[choices]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`], [`PosteriorError::Length`], [`PosteriorError::NotFinite`].
    pub fn new(features: Array2<f32>, offsets: Array1<f64>) -> Result<Self, PosteriorError> {
        if features.is_empty() {
            return Err(PosteriorError::Empty { what: "choices" });
        }
        same_length("offsets of choices", features.nrows(), offsets.len())?;
        if let Some(((row, column), value)) =
            features.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let (what, value) = ("features", f64::from(*value));
            return Err(PosteriorError::NotFinite { what, row, column, value });
        }
        if let Some((row, &value)) = offsets.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(PosteriorError::NotFinite { what: "offsets", row, column: 0, value });
        }
        Ok(Self { features: features.as_standard_layout().into_owned(), offsets })
    }

    /// The event that one of the items was chosen.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] when the set has no such item.
    pub fn choose(self, chosen: usize) -> Result<Choice, PosteriorError> {
        Choice::new(self, chosen)
    }

    /// The features of each choice.
    ///
    /// # Shapes
    /// Result: `[choices, dim]`
    pub fn features(&self) -> ArrayView2<'_, f32> {
        self.features.view()
    }

    /// The offset of each choice.
    pub fn offsets(&self) -> ArrayView1<'_, f64> {
        self.offsets.view()
    }

    /// log P(x|θ, C) of each choice. The mean of its exponentials over draws of θ is the predictive.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for weights of another dimension.
    pub fn log_probs(&self, theta: ArrayView1<'_, f64>) -> Result<Vec<f64>, PosteriorError> {
        same_length("weights", self.features.ncols(), theta.len())?;
        let mut log_probs = self.utilities(theta);
        let total = log_sum_exp(&log_probs);
        log_probs.iter_mut().for_each(|log_prob| *log_prob -= total);
        Ok(log_probs)
    }

    /// θ·φ(x) + offset(x).
    pub(super) fn utilities(&self, theta: ArrayView1<'_, f64>) -> Vec<f64> {
        let utility = |row: ArrayView1<'_, f32>| -> f64 {
            row.iter().zip(&theta).map(|(&x, t)| f64::from(x) * t).sum()
        };
        self.features.outer_iter().zip(&self.offsets).map(|(row, o)| utility(row) + o).collect()
    }

    /// √pₓ · (φ(x) − φ̄) of each choice, φ̄ the mean under p, and φ̄. The Gram matrix of the rows is the
    /// precision Φᵀ(diag p − p·pᵀ)Φ.
    ///
    /// # Shapes
    /// Result: `[choices, dim]` and `[dim]`
    pub(super) fn spread(&self, probabilities: &[f64]) -> (Array2<f64>, Array1<f64>) {
        let mut rows = self.features.mapv(f64::from);
        let mean = ArrayView1::from(probabilities).dot(&rows);
        for (mut row, p) in rows.outer_iter_mut().zip(probabilities) {
            row -= &mean;
            row *= p.sqrt();
        }
        (rows, mean)
    }
}

impl TryFrom<Unchecked> for ChoiceSet {
    type Error = PosteriorError;
    fn try_from(of: Unchecked) -> Result<Self, PosteriorError> {
        Self::new(of.features, of.offsets)
    }
}

impl From<ChoiceSet> for Unchecked {
    fn from(set: ChoiceSet) -> Self {
        Self { features: set.features, offsets: set.offsets }
    }
}

/// One event: which item of a set was chosen.
///
/// # Approximation
/// Its site has the curvature of log P(x|θ, C) at the mode of cavity · likelihood, and moves the mean by
/// what the likelihood's skewness makes of it, to first order. With two features, five choices a set
/// and 20 events, the mean is off by .11 posterior standard deviations after one pass and .01 after
/// [`Sites::refine`](crate::Sites::refine), where Laplace's method is off by .17, and standard
/// deviations by 9 % and 2 %: `approximations_are_off_quadrature_by_little` in `tests/taste.rs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedChoice", into = "UncheckedChoice")]
pub struct Choice {
    set: ChoiceSet,
    chosen: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedChoice {
    set: ChoiceSet,
    chosen: usize,
}

impl Choice {
    fn new(set: ChoiceSet, chosen: usize) -> Result<Self, PosteriorError> {
        let items = set.offsets.len();
        if chosen < items {
            Ok(Self { set, chosen })
        } else {
            Err(PosteriorError::UnknownItem { item: chosen as u32, items })
        }
    }

    /// What could be chosen.
    pub fn set(&self) -> &ChoiceSet {
        &self.set
    }

    /// Which item was.
    pub fn chosen(&self) -> usize {
        self.chosen
    }
}

impl TryFrom<UncheckedChoice> for Choice {
    type Error = PosteriorError;
    fn try_from(of: UncheckedChoice) -> Result<Self, PosteriorError> {
        Self::new(of.set, of.chosen)
    }
}

impl From<Choice> for UncheckedChoice {
    fn from(choice: Choice) -> Self {
        Self { set: choice.set, chosen: choice.chosen }
    }
}

impl Approximate<Normal> for Choice {
    fn site(
        &self,
        family: &Normal,
        cavity: &NormalEvidence,
    ) -> Result<NormalEvidence, PosteriorError> {
        let set = &self.set;
        same_length("features", family.dim(), set.features.ncols())?;
        let cavity = family.posterior(cavity)?;
        let half = cavity.factor().half_solve_columns(set.features.mapv(f64::from).t());
        let at_mean = set.utilities(cavity.mean());
        let moved = Utilities { mean: &at_mean, covariance: half.t().dot(&half).view() }
            .choose(self.chosen, 1e-12)?;
        let p = &moved.probabilities;
        let (rows, _) = set.spread(p);
        // Precision · θ at the new mean, and what pulls it there from the cavity's.
        let told: Vec<f64> = moved.mean.iter().zip(&set.offsets).map(|(u, o)| u - o).collect();
        let center: f64 = told.iter().zip(p).map(|(u, p)| u * p).sum();
        let mut shift = ArrayView1::from(&moved.pull).dot(&set.features.mapv(f64::from));
        for (row, (u, p)) in rows.outer_iter().zip(told.iter().zip(p)) {
            shift.scaled_add(p.sqrt() * (u - center), &row);
        }
        let precision = rows.t().dot(&rows);
        NormalEvidence::new(&shift.to_vec(), |i, j| precision[[i, j]])
    }
}
