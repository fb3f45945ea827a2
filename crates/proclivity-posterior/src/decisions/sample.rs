//! Thompson sampling: one joint draw of θ decides about all items.

use ndarray::ArrayView2;
use rand::{Rng, RngExt};

use crate::error::in_range;
use crate::{
    Dirichlet, DirichletMixture, FinitePosterior, GammaRates, InterestLikelihood, PosteriorError,
};

/// A posterior that can be drawn from.
pub trait Sample {
    /// What is drawn, θ.
    type Draw;

    /// One joint draw.
    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Self::Draw;
}

impl Sample for Dirichlet {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.sample(rng)
    }
}

impl Sample for DirichletMixture {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        let weights = self.components().iter().map(|(weight, _)| *weight);
        self.components()[categorical(weights, rng)].1.sample(rng)
    }
}

/// Draws shares.
impl Sample for GammaRates {
    type Draw = Vec<f64>;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<f64> {
        self.sample(rng)
    }
}

/// Draws the index of a hypothesis.
impl Sample for FinitePosterior {
    type Draw = usize;

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> usize {
        categorical(self.log_probs().iter().map(|log_prob| log_prob.exp()), rng)
    }
}

/// An index by weights that sum to 1. Rounding may leave a rest: it goes to the last that has any.
fn categorical<R: Rng + ?Sized>(weights: impl Iterator<Item = f64>, rng: &mut R) -> usize {
    let mut left = rng.random::<f64>();
    let mut chosen = 0;
    for (index, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        chosen = index;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

/// What a draw of θ says of each item of a catalog.
pub trait Score<Draw: ?Sized> {
    /// How many items there are.
    fn item_count(&self) -> usize;

    /// Writes the score of every item.
    ///
    /// # Panics
    /// When the draw or `out` has another length than the catalog needs.
    fn scores(&self, draw: &Draw, out: &mut [f64]);
}

/// log P(x|θ).
impl Score<Vec<f64>> for InterestLikelihood {
    fn item_count(&self) -> usize {
        self.item_count()
    }

    fn scores(&self, draw: &Vec<f64>, out: &mut [f64]) {
        self.log_probs(draw, out);
    }
}

/// Linear scores θᵀw of items by their weights: `[items, parameters]`.
impl Score<Vec<f64>> for ArrayView2<'_, f64> {
    fn item_count(&self) -> usize {
        self.nrows()
    }

    fn scores(&self, draw: &Vec<f64>, out: &mut [f64]) {
        assert_eq!(out.len(), self.nrows(), "one score for each item");
        assert_eq!(draw.len(), self.ncols(), "one parameter for each weight of an item");
        for (out, weights) in out.iter_mut().zip(self.rows()) {
            *out = weights.iter().zip(draw).map(|(weight, parameter)| weight * parameter).sum();
        }
    }
}

/// What each hypothesis says of the items: `[hypotheses, items]`.
impl Score<usize> for ArrayView2<'_, f64> {
    fn item_count(&self) -> usize {
        self.ncols()
    }

    fn scores(&self, draw: &usize, out: &mut [f64]) {
        assert_eq!(out.len(), self.ncols(), "one score for each item");
        out.iter_mut().zip(self.row(*draw)).for_each(|(out, score)| *out = *score);
    }
}

/// Scores of all items under one draw of θ: the best of them is shown as often as it is believed to
/// be the best.
///
/// Draw once for a page: items of one page then agree on who the user is.
pub fn thompson_scores<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    items: &impl Score<P::Draw>,
    rng: &mut R,
) -> Vec<f64> {
    let mut scores = vec![0.0; items.item_count()];
    items.scores(&posterior.draw(rng), &mut scores);
    scores
}

/// P(item is the best) of each item, by draws; of equal scores the first counts.
///
/// # Errors
/// [`PosteriorError::OutOfRange`] for 0 draws, [`PosteriorError::Empty`] without items.
pub fn best_probabilities<P: Sample, R: Rng + ?Sized>(
    posterior: &P,
    items: &impl Score<P::Draw>,
    draws: usize,
    rng: &mut R,
) -> Result<Vec<f64>, PosteriorError> {
    in_range("draws", draws as f64, draws > 0, "from 1")?;
    if items.item_count() == 0 {
        return Err(PosteriorError::Empty { what: "items" });
    }
    let mut scores = vec![0.0; items.item_count()];
    let mut wins = vec![0_u32; items.item_count()];
    for _ in 0..draws {
        items.scores(&posterior.draw(rng), &mut scores);
        let best = (1..scores.len())
            .fold(0, |best, item| if scores[item] > scores[best] { item } else { best });
        wins[best] += 1;
    }
    Ok(wins.into_iter().map(|wins| f64::from(wins) / draws as f64).collect())
}
