//! The linear model as a family: prior mean and precision, and sequences as exact evidence.

use super::config::LinearConfig;
use super::evidence::LinearEvidence;
use super::model::LinearModel;
use crate::error::{known_items, same_length};
use crate::{Exact, Family, Fingerprint, Kernel, PosteriorError};

/// W ~ N(M, Λ⁻¹) for the weights from the features of a history to every next item.
///
/// A history has a feature for each timescale and item: X(s, i) = Σ decayₛᵃ over the ages
/// a < windowₛ at which item i stands in it, age 0 for the newest. Y is one at the item that came
/// next, else zero. What W becomes is a [`LinearModel`].
///
/// # Formula
/// W = M + (XᵀX + Λ)⁻¹ Xᵀ(Y − X M) = (XᵀX + Λ)⁻¹ (XᵀY + Λ M), with M(s, i, j) = `semantic_weight`ₛ
/// · K(i, j) and Λ = diag(`ridge`ₛ)
///
/// # Memory
/// With p = timescales · items: 12 bytes for each number of XᵀX (upper triangle) and XᵀY that isn't 0,
/// p² numbers for the factor, which is made in place, and p · items for W, which is solved for in
/// blocks of 256 items; while it is, p² more (for a moment twice that) for one timescale of which less
/// than a twentieth of XᵀY isn't 0. 20,000 items in one timescale are at most 10.4 GB in single
/// precision and 13.6 GB in double, when every item met every other. Two timescales of 20,000 items are 9.6 GB in
/// single precision and the evidence, which leaves room in 16 GiB for 600 million pairs that met, of
/// 1.6 billion.
///
/// # Approximation
/// One-hot Y isn't Gaussian: this is a pseudo-likelihood. W is the exact posterior mean of the model
/// as it is written; its intervals are too narrow, by half on ML-1M, and
/// [`IntervalFactor`](crate::IntervalFactor) widens them.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    config: LinearConfig,
    items: usize,
    kernel: Option<Kernel>,
    fingerprint: u64,
}

impl Linear {
    /// The prior over a catalog of `items` items; without a kernel the prior mean is 0.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without items, [`PosteriorError::Length`] when the kernel has
    /// another number of items, and those of [`LinearConfig::validate`].
    pub fn new(
        config: LinearConfig,
        items: usize,
        kernel: Option<Kernel>,
    ) -> Result<Self, PosteriorError> {
        config.validate()?;
        if items == 0 {
            return Err(PosteriorError::Empty { what: "items" });
        }
        let features = items as f64 * config.timescales.len() as f64;
        crate::error::in_range("features", features, features < 2_f64.powi(32), "below 2³²")?;
        if let Some(kernel) = &kernel {
            same_length("items of the kernel", items, kernel.item_count())?;
        }
        let scales = config.timescales.iter();
        let parameters =
            scales.flat_map(|s| [s.decay, s.window as f64, s.ridge, s.semantic_weight]);
        let rows = kernel.iter().flat_map(|kernel| (0..items as u32).flat_map(|i| kernel.row(i)));
        let fingerprint = Fingerprint::new(Self::NAME)
            .with([items as f64])
            .with(parameters)
            .with(rows.flat_map(|(item, weight)| [f64::from(item), f64::from(weight)]))
            .finish();
        Ok(Self { config, items, kernel, fingerprint })
    }

    /// The configuration.
    pub fn config(&self) -> &LinearConfig {
        &self.config
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.items
    }

    pub(super) fn kernel(&self) -> Option<&Kernel> {
        self.kernel.as_ref()
    }

    /// What many sequences add up to, each from the oldest to the newest item: what
    /// [`Belief::update`](crate::Belief::update) one by one comes to, to the bit, in parallel.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog, [`PosteriorError::OutOfRange`] when a
    /// sum passes 2³¹.
    pub fn evidence(&self, sequences: &[&[u32]]) -> Result<LinearEvidence, PosteriorError> {
        for sequence in sequences {
            known_items(sequence, self.items)?;
        }
        LinearEvidence::of(sequences, &self.config.timescales, self.items)
    }

    /// The model from sequences, in one call.
    ///
    /// # Errors
    /// Those of [`Linear::evidence`] and [`Family::posterior`].
    pub fn fit(&self, sequences: &[&[u32]]) -> Result<LinearModel, PosteriorError> {
        self.posterior(&self.evidence(sequences)?)
    }
}

impl Family for Linear {
    const NAME: &'static str = "linear";
    type Statistic = LinearEvidence;
    type Posterior = LinearModel;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> LinearEvidence {
        LinearEvidence::nothing(self.config.timescales.len(), self.items)
    }

    /// Solves for W, in parallel. The result doesn't depend on how many threads there are.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for evidence of another shape,
    /// [`PosteriorError::NotPositiveDefinite`] where XᵀX + Λ can't be factorised, which happens for
    /// evidence that was tampered with, or a ridge too small for the chosen precision.
    fn posterior(&self, evidence: &LinearEvidence) -> Result<LinearModel, PosteriorError> {
        evidence.is_of(self.config.timescales.len(), self.items)?;
        LinearModel::solve(self, evidence)
    }
}

/// A whole sequence of items, from the oldest to the newest: features decay along it, so that it is
/// added and taken back as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearSequence<'a>(pub &'a [u32]);

impl Exact<Linear> for LinearSequence<'_> {
    fn statistic(&self, family: &Linear) -> Result<LinearEvidence, PosteriorError> {
        family.evidence(&[self.0])
    }
}
