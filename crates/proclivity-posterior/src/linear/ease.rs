//! EASE: the linear model of bags whose items can't explain themselves.

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::accumulate::Occurrences;
use super::config::Precision;
use super::solve::{Real, Solved, add_scaled, factorize};
use super::sparse::{SparseMatrix, added};
use crate::error::{in_range, known_items, same_length};
use crate::{Exact, Family, Fingerprint, PosteriorError, Statistic, fixed};

/// Each item of a bag from the others by ridge regression: B ~ N(0, ridge⁻¹), conditioned on a zero
/// diagonal, columns independent.
///
/// # Formula
/// B = I − P · diag(1 / diag P), P = (XᵀX + ridge · I)⁻¹, with X(u, i) = 1 where bag u has item i
///
/// # Source
/// Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
#[derive(Debug, Clone, PartialEq)]
pub struct Ease {
    items: usize,
    ridge: f64,
    precision: Precision,
}

impl Ease {
    /// The prior over a catalog of `items` items.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without items, [`PosteriorError::OutOfRange`] unless the ridge is
    /// positive.
    pub fn new(items: usize, ridge: f64, precision: Precision) -> Result<Self, PosteriorError> {
        if items == 0 {
            return Err(PosteriorError::Empty { what: "items" });
        }
        in_range("ridge", ridge, ridge > 0.0 && ridge.is_finite(), "a positive number")?;
        Ok(Self { items, ridge, precision })
    }

    /// What many bags add up to: what one by one comes to, to the bit, in parallel.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn evidence(&self, bags: &[&[u32]]) -> Result<EaseEvidence, PosteriorError> {
        let distinct = bags.iter().map(|bag| {
            known_items(bag, self.items)?;
            Ok(bag.iter().copied().collect::<BTreeSet<u32>>().into_iter().collect())
        });
        let distinct: Vec<Vec<u32>> = distinct.collect::<Result<_, PosteriorError>>()?;
        let slices: Vec<&[u32]> = distinct.iter().map(Vec::as_slice).collect();
        Ok(EaseEvidence {
            items: self.items,
            bags: fixed::to_steps("bags", bags.len() as f64)?,
            gram: Occurrences::new(&slices).together(self.items)?,
        })
    }

    /// The model from bags, in one call.
    ///
    /// # Errors
    /// Those of [`Ease::evidence`] and [`Family::posterior`].
    pub fn fit(&self, bags: &[&[u32]]) -> Result<EaseModel, PosteriorError> {
        self.posterior(&self.evidence(bags)?)
    }
}

impl Family for Ease {
    const NAME: &'static str = "ease";
    type Statistic = EaseEvidence;
    type Posterior = EaseModel;

    fn fingerprint(&self) -> u64 {
        Fingerprint::new(Self::NAME).with([self.items as f64, self.ridge]).finish()
    }

    fn nothing(&self) -> EaseEvidence {
        EaseEvidence { items: self.items, bags: 0, gram: SparseMatrix::default() }
    }

    fn posterior(&self, evidence: &EaseEvidence) -> Result<EaseModel, PosteriorError> {
        same_length("items", self.items, evidence.items)?;
        match self.precision {
            Precision::Double => solve::<f64>(self, evidence),
            Precision::Single => solve::<f32>(self, evidence),
        }
    }
}

/// XᵀX of bags, and how many there are, in steps of 2⁻³².
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EaseEvidence {
    items: usize,
    bags: i64,
    /// The upper triangle.
    gram: SparseMatrix,
}

impl Statistic for EaseEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        same_length("items", self.items, other.items)?;
        let bags = added(self.bags, other.bags, weight)?;
        let gram = self.gram.changes(&other.gram, weight)?;
        self.bags = bags;
        self.gram.commit(gram);
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        self.bags = fixed::kept(self.bags, kept);
        self.gram.scale(kept);
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let valid = self.items > 0 && self.items <= u32::MAX as usize;
        in_range("items", self.items as f64, valid, "from 1, below 2³²")?;
        in_range("bags", fixed::from_steps(self.bags), self.bags >= 0, "a number from 0")?;
        self.gram.validate(self.items, self.items, true)
    }
}

/// The items of one user or basket, in any order; a repeated item counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bag<'a>(pub &'a [u32]);

impl Exact<Ease> for Bag<'_> {
    fn statistic(&self, family: &Ease) -> Result<EaseEvidence, PosteriorError> {
        family.evidence(&[self.0])
    }
}

/// Weights from the items of a bag to the others, and their uncertainty.
///
/// # Formula
/// score(j) = xᵀBⱼ with variance σⱼ² (xᵀPx − (xᵀPⱼ)² / Pⱼⱼ), and P = (I − B) · diag(P) is not kept
/// twice; σⱼ² = (1/items + 1 / Pⱼⱼ − ridge) / (1 + bags), where 1 / Pⱼⱼ − ridge is what is left over and
/// the penalty together.
#[derive(Debug, Clone)]
pub struct EaseModel {
    weights: Weights,
    /// diag P
    diagonal: Vec<f64>,
    residual_variances: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Weights {
    Double(Array2<f64>),
    Single(Array2<f32>),
}

impl EaseModel {
    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.diagonal.len()
    }

    /// B(from, to).
    ///
    /// # Panics
    /// When there is no such item.
    pub fn weight(&self, from: u32, to: u32) -> f64 {
        let at = [from as usize, to as usize];
        match &self.weights {
            Weights::Double(weights) => weights[at],
            Weights::Single(weights) => weights[at].value(),
        }
    }

    /// σ² of each item.
    pub fn residual_variances(&self) -> &[f64] {
        &self.residual_variances
    }

    /// The score of every item to be in the bag, given its other items.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn scores(&self, bag: &[u32]) -> Result<Vec<f64>, PosteriorError> {
        Ok(self.scores_of(&self.distinct(bag)?))
    }

    fn scores_of(&self, bag: &BTreeSet<u32>) -> Vec<f64> {
        let mut scores = vec![0.0; self.item_count()];
        for &item in bag {
            let item = item as usize;
            match &self.weights {
                Weights::Double(w) => add_scaled(w.index_axis(Axis(0), item), 1.0, &mut scores),
                Weights::Single(w) => add_scaled(w.index_axis(Axis(0), item), 1.0, &mut scores),
            }
        }
        scores
    }

    /// The variance of every item's score.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn score_variances(&self, bag: &[u32]) -> Result<Vec<f64>, PosteriorError> {
        let bag = self.distinct(bag)?;
        // (xᵀP)ⱼ = Pⱼⱼ (xⱼ − scoreⱼ)
        let mut inverse = self.scores_of(&bag);
        inverse.iter_mut().for_each(|score| *score = -*score);
        bag.iter().for_each(|&item| inverse[item as usize] += 1.0);
        inverse.iter_mut().zip(&self.diagonal).for_each(|(x, diagonal)| *x *= diagonal);
        let whole: f64 = bag.iter().map(|&item| inverse[item as usize]).sum();
        let each = inverse.iter().zip(&self.diagonal).zip(&self.residual_variances);
        Ok(each
            .map(|((x, diagonal), variance)| variance * (whole - x * x / diagonal).max(0.0))
            .collect())
    }

    /// What each position of the bag gives to the score of an item; they sum to the score. A
    /// repeated item's share stands at its first position.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn contributions(&self, bag: &[u32], item: u32) -> Result<Vec<f64>, PosteriorError> {
        known_items(&[item], self.item_count())?;
        let mut left = self.distinct(bag)?;
        let share = |&from: &u32| if left.remove(&from) { self.weight(from, item) } else { 0.0 };
        Ok(bag.iter().map(share).collect())
    }

    fn distinct(&self, bag: &[u32]) -> Result<BTreeSet<u32>, PosteriorError> {
        known_items(bag, self.item_count())?;
        Ok(bag.iter().copied().collect())
    }
}

fn solve<T: Real>(family: &Ease, evidence: &EaseEvidence) -> Result<EaseModel, PosteriorError>
where
    Weights: From<Array2<T>>,
{
    let items = family.items;
    let factor = factorize::<T>(&evidence.gram, items, |_| family.ridge)?;
    let (solved, diagonal) = Solved::new(
        factor,
        items,
        items,
        |columns, right| {
            for item in columns.clone() {
                right[(item, item - columns.start)] = T::of(1.0);
            }
        },
        |item, _, column| {
            let diagonal = column[item].value();
            column.iter_mut().for_each(|p| *p = T::of(-p.value() / diagonal));
            column[item] = T::of(0.0);
            diagonal
        },
    );
    let events = 1.0 + fixed::from_steps(evidence.bags);
    let left_over = diagonal.iter().map(|p| (1.0 / p - family.ridge).max(0.0));
    let residual_variances = left_over.map(|sum| (1.0 / items as f64 + sum) / events).collect();
    Ok(EaseModel { weights: solved.into_weights().into(), diagonal, residual_variances })
}

impl From<Array2<f64>> for Weights {
    fn from(weights: Array2<f64>) -> Self {
        Self::Double(weights)
    }
}

impl From<Array2<f32>> for Weights {
    fn from(weights: Array2<f32>) -> Self {
        Self::Single(weights)
    }
}
