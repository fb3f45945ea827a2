//! P(x|θ): what each interest makes a user choose.

use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{finite, in_range, same_length};
use crate::linear_mixture::fit_weights;
use crate::{Fingerprint, PosteriorError};

/// φₖ(x) = P(item x | interest k), a distribution over items for each interest.
///
/// # Formula
/// P(x|θ) = Σₖ θₖ φₖ(x)
#[derive(Debug, Clone, PartialEq)]
pub struct InterestLikelihood {
    /// [items, interests], so that what one event needs lies together.
    probs: Array2<f64>,
    /// Of what it was made from, as products of matrices may differ in their last bits.
    fingerprint: u64,
}

impl InterestLikelihood {
    /// From non-negative weights of items in each interest; rows are normalised. An item may have
    /// weight zero everywhere: it then has probability zero and can't be observed.
    ///
    /// # Shapes
    /// `weights`: `[interests, items]`
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without interests or items, [`PosteriorError::OutOfRange`] for a
    /// negative or non-finite weight and for an interest without any weight.
    pub fn from_weights(weights: ArrayView2<'_, f64>) -> Result<Self, PosteriorError> {
        if weights.is_empty() {
            return Err(PosteriorError::Empty { what: "interests or items" });
        }
        for &weight in weights {
            let valid = weight >= 0.0 && weight.is_finite();
            in_range("weight of an item", weight, valid, "a finite number from 0")?;
        }
        let fingerprint = Fingerprint::new("weights")
            .with([weights.ncols() as f64])
            .with(weights.iter().copied())
            .finish();
        let mut probs = weights.t().as_standard_layout().into_owned();
        for mut column in probs.columns_mut() {
            let total: f64 = column.sum();
            in_range("total weight of an interest", total, total > 0.0, "a positive number")?;
            column /= total;
        }
        Ok(Self { probs, fingerprint })
    }

    /// From embeddings: an item belongs to an interest as its text is close to the interest's words.
    ///
    /// # Formula
    /// φₖ(x) ∝ popularity(x) · P(k|x), P(k|x) = softmax over k of temperature · eₓ·cₖ
    ///
    /// By Bayes' rule, θ = the shares that interests have in all events makes P(x|θ) the popularity
    /// of x exactly, at any temperature: what an interest's words say about an item is relative to
    /// the other interests, and popularity isn't spent on it.
    ///
    /// # Shapes
    /// `interests`: `[interests, dim]`, `items`: `[items, dim]`, `log_popularity`: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::Length`] when dimensions differ, [`PosteriorError::NotFinite`] for a NaN
    /// or infinity, [`PosteriorError::OutOfRange`] for a negative temperature.
    pub fn from_embeddings(
        interests: ArrayView2<'_, f32>,
        items: ArrayView2<'_, f32>,
        log_popularity: &[f64],
        temperature: f64,
    ) -> Result<Self, PosteriorError> {
        let valid = temperature >= 0.0 && temperature.is_finite();
        in_range("temperature", temperature, valid, "a finite number from 0")?;
        same_length("components of an embedding", interests.ncols(), items.ncols())?;
        same_length("log popularities", items.nrows(), log_popularity.len())?;
        finite("interest embeddings", interests)?;
        finite("item embeddings", items)?;
        let mut weights = interests.dot(&items.t()).mapv(|cosine| f64::from(cosine) * temperature);
        for (mut column, &popularity) in weights.columns_mut().into_iter().zip(log_popularity) {
            let max = column.fold(f64::NEG_INFINITY, |max, &logit| max.max(logit));
            column.mapv_inplace(|logit| (logit - max).exp());
            let scale = popularity.exp() / column.sum();
            column *= scale;
        }
        let fingerprint = Fingerprint::new("embeddings")
            .with(interests.iter().copied().map(f64::from))
            .with(items.iter().copied().map(f64::from))
            .with(log_popularity.iter().copied())
            .with([temperature])
            .finish();
        Ok(Self { fingerprint, ..Self::from_weights(weights.view())? })
    }

    /// A number that two likelihoods share only if they were made from the same.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many interests there are.
    pub fn interest_count(&self) -> usize {
        self.probs.ncols()
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.probs.nrows()
    }

    /// φ₁(x), …, φ_K(x) of one item.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn item(&self, item: u32) -> Result<&[f64], PosteriorError> {
        let (index, items, interests) = (item as usize, self.item_count(), self.interest_count());
        self.probs
            .as_slice()
            .and_then(|all| all.get(index * interests..(index + 1) * interests))
            .ok_or(PosteriorError::UnknownItem { item, items })
    }

    /// Writes log P(x|θ) of every item for given shares θ.
    ///
    /// # Panics
    /// When a length differs.
    pub fn log_probs(&self, shares: &[f64], out: &mut [f64]) {
        assert_eq!(shares.len(), self.interest_count(), "one share for each interest");
        assert_eq!(out.len(), self.item_count(), "one output for each item");
        for (row, out) in self.probs.axis_iter(Axis(0)).zip(out) {
            *out = row.iter().zip(shares).map(|(phi, share)| phi * share).sum::<f64>().ln();
        }
    }

    /// The shares θ under which items are distributed most like a given distribution q: the
    /// projection of a predictive over items, such as a language model's, onto the interests.
    ///
    /// # Formula
    /// argmax over θ of Σₓ q(x) log Σₖ θₖ φₖ(x), by expectation–maximisation; the objective is
    /// concave and each step raises it. Items that no interest can produce are left out.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] unless there is one probability for each item.
    pub fn project(&self, distribution: &[f64]) -> Result<Vec<f64>, PosteriorError> {
        same_length("probabilities of items", self.item_count(), distribution.len())?;
        let columns = self.probs.axis_iter(Axis(0)).zip(distribution.iter().copied());
        let weighted: Vec<_> =
            columns.filter(|(phi, weight)| *weight > 0.0 && phi.sum() > 0.0).collect();
        Ok(fit_weights(self.interest_count(), |weights| {
            let mut next = vec![0.0; weights.len()];
            for (phi, q) in &weighted {
                let total: f64 = phi.iter().zip(weights).map(|(phi, share)| phi * share).sum();
                for ((next, phi), share) in next.iter_mut().zip(phi).zip(weights) {
                    *next += q * phi * share / total;
                }
            }
            next
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn projecting_a_mixture_gives_its_weights_back() {
        let weights = array![[4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [1.0, 3.0, 1.0, 3.0]];
        let likelihood = InterestLikelihood::from_weights(weights.view()).unwrap();
        let shares = [0.6, 0.3, 0.1];
        let mut log_probs = [0.0; 4];
        likelihood.log_probs(&shares, &mut log_probs);
        let q = log_probs.map(f64::exp);
        assert!((q.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (fitted, share) in likelihood.project(&q).unwrap().iter().zip(shares) {
            assert!((fitted - share).abs() < 1e-4, "{fitted} for {share}");
        }
    }

    #[test]
    fn temperature_zero_is_popularity_and_scale_moves_into_temperature() {
        let interests = array![[1.0_f32, 0.0], [0.0, 1.0]];
        let items = array![[0.8_f32, 0.6], [0.0, 1.0], [1.0, 0.0]];
        let popularity: Vec<f64> = [0.5_f64, 0.3, 0.2].map(f64::ln).to_vec();
        let flat =
            InterestLikelihood::from_embeddings(interests.view(), items.view(), &popularity, 0.0)
                .unwrap();
        assert!((flat.item(0).unwrap()[1] - 0.5).abs() < 1e-12);
        // Projecting popularity gives the shares that make it the predictive, at any temperature.
        let sharp =
            InterestLikelihood::from_embeddings(interests.view(), items.view(), &popularity, 9.0)
                .unwrap();
        let shares = sharp.project(&[0.5, 0.3, 0.2]).unwrap();
        let mut log_probs = [0.0; 3];
        sharp.log_probs(&shares, &mut log_probs);
        for (got, expected) in log_probs.iter().zip(&popularity) {
            assert!((got - expected).abs() < 1e-3);
        }
        let one =
            InterestLikelihood::from_embeddings(interests.view(), items.view(), &popularity, 3.0)
                .unwrap();
        let doubled = &items * 2.0;
        let two =
            InterestLikelihood::from_embeddings(interests.view(), doubled.view(), &popularity, 1.5)
                .unwrap();
        assert!((&one.probs - &two.probs).iter().all(|d| d.abs() < 1e-7));
    }

    #[test]
    fn bad_numbers_are_named() {
        let interests = array![[1.0_f32, 0.0]];
        let items = array![[1.0_f32, f32::NAN]];
        assert!(matches!(
            InterestLikelihood::from_embeddings(interests.view(), items.view(), &[0.0], 1.0),
            Err(PosteriorError::NotFinite { what: "item embeddings", row: 0, column: 1, .. })
        ));
        assert!(matches!(
            InterestLikelihood::from_weights(array![[1.0, 0.0], [0.0, 0.0]].view()),
            Err(PosteriorError::OutOfRange { .. })
        ));
    }
}
