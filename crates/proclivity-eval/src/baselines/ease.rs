//! EASE, read as probabilities.

use proclivity_posterior::{EaseModel, Predictive};

use super::Popularity;
use super::popularity::check_share;
use crate::EvalError;

/// A fitted EASE, whose scores are no probabilities, mixed with popularity to a distribution.
///
/// # Formula
/// P(x | history) = (1 − w) · max(sₓ, 0) / Σ max(s, 0) + w · popularity(x), with w the share of
/// popularity and s the scores of the history as a bag
///
/// Where no score is above 0, such as without a history, it is popularity alone. Unless w is 0,
/// items without a positive score are ordered by popularity.
///
/// # Example
/// ```
/// use proclivity_eval::{EaseBaseline, Popularity};
/// use proclivity_posterior::{Ease, Precision, Predictive};
///
/// let train: [&[u32]; 3] = [&[0, 1], &[0, 1, 2], &[2, 3]];
/// let model = Ease::new(4, 1.0, Precision::Double)?.fit(&train)?;
/// let ease = EaseBaseline::new(model, Popularity::new(&[2, 2, 2, 1], 1.0)?, 0.1)?;
/// let mut log_probs = [0.0; 4];
/// ease.log_probs(&[0], &mut log_probs);
/// assert!(log_probs[1] > log_probs[2] && log_probs[2] > log_probs[3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// H. Steck. *Embarrassingly shallow autoencoders for sparse data.* WWW 2019. The mixture is ours.
#[derive(Debug, Clone)]
pub struct EaseBaseline {
    model: EaseModel,
    popularity: Popularity,
    popularity_share: f64,
}

impl EaseBaseline {
    /// From a fitted model and the popularity in the same catalog; a tenth of it is usual.
    ///
    /// # Errors
    /// [`EvalError::Length`] for another catalog, [`EvalError::OutOfRange`] for a share outside of
    /// 0 to 1.
    pub fn new(
        model: EaseModel,
        popularity: Popularity,
        popularity_share: f64,
    ) -> Result<Self, EvalError> {
        check_share(popularity_share)?;
        let (expected, got) = (model.item_count(), popularity.item_count());
        if expected != got {
            return Err(EvalError::Length { what: "items with a popularity", expected, got });
        }
        Ok(Self { model, popularity, popularity_share })
    }
}

impl Predictive for EaseBaseline {
    fn item_count(&self) -> usize {
        self.model.item_count()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let items = self.item_count();
        assert!(history.iter().all(|&item| (item as usize) < items), "an item outside the catalog");
        // What `scores` refuses are items outside the catalog alone.
        out.copy_from_slice(&self.model.scores(history).unwrap_or_default());
        self.popularity.mix(self.popularity_share, out);
    }
}
