//! The proper special case of next-step: a Markov chain whose rows are exact Dirichlets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::counting::Counting;
use super::counts::Row;
use super::family::{Sequence, catalog_size};
use super::prior::RowPrior;
use super::{Kernel, TransitionCounts};
use crate::error::{in_range, known_items, same_length};
use crate::{Conjugate, Dirichlet, Exact, Family, Fingerprint, PosteriorError, Predictive};

/// Each item's successor, drawn from its row: unit counts, no window, no smoothing.
///
/// Every row is an exact Dirichlet, so that its intervals and samples and the probability of the
/// evidence mean what they say; [`NextStep`](crate::NextStep) ranks better. Here an item may follow
/// itself. The first item of a sequence is given, not drawn.
///
/// # Formula
/// Row i ~ Dirichlet(strength · p₀(·|i)) with p₀(j|i) = (1 − g) K(i, j) + g · popularity(j), and
/// P(X | rows) = Πᵢⱼ row(i)ⱼ^C(i, j)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct MarkovChain {
    prior: RowPrior,
    counting: Counting,
    fingerprint: u64,
}

impl MarkovChain {
    /// A prior by weights of popularity, which are normalised and don't learn: popularity has
    /// `popularity_share` of each row's prior and the kernel the rest, and a row is worth
    /// `strength` events.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without items, [`PosteriorError::Length`] when the kernel has
    /// another number of items, [`PosteriorError::OutOfRange`] for a weight or a strength that
    /// isn't positive and finite and for a share outside of (0, 1].
    pub fn new(
        popularity: &[f64],
        popularity_share: f64,
        strength: f64,
        kernel: Option<Kernel>,
    ) -> Result<Self, PosteriorError> {
        catalog_size(popularity.len())?;
        if let Some(kernel) = &kernel {
            same_length("items of the kernel", popularity.len(), kernel.item_count())?;
        }
        let valid = popularity_share > 0.0 && popularity_share <= 1.0;
        in_range("popularity_share", popularity_share, valid, "in (0, 1]")?;
        Dirichlet::from_mean(popularity, strength)?;
        let total: f64 = popularity.iter().sum();
        // What was normalised before stays as it is to the last bit, so that it is read as itself.
        let total = if (total - 1.0).abs() < 1e-9 { 1.0 } else { total };
        let popularity: Vec<f64> = popularity.iter().map(|weight| weight / total).collect();
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(popularity.iter().copied())
            .with([popularity_share, strength])
            .with(kernel.iter().flat_map(Kernel::numbers))
            .finish();
        let kernel = kernel.map(Arc::new);
        let prior = RowPrior { kernel, popularity, share: popularity_share, strength };
        Ok(Self { prior, counting: Counting::unit(), fingerprint })
    }

    /// The prior of what comes after an item.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn row(&self, item: u32) -> Result<Dirichlet, PosteriorError> {
        known_items(&[item], self.prior.popularity.len())?;
        Dirichlet::new(self.prior.concentrations(item))
    }

    /// The counts of many sequences at once, in parallel.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn count(&self, sequences: &[&[u32]]) -> Result<TransitionCounts, PosteriorError> {
        self.counting.sequences(sequences, self.prior.popularity.len())
    }

    fn own(&self, evidence: &TransitionCounts) -> Result<(), PosteriorError> {
        evidence.are_of(Self::NAME, self.prior.popularity.len(), self.counting.fingerprint())
    }
}

impl Family for MarkovChain {
    const NAME: &'static str = "markov_chain";
    type Statistic = TransitionCounts;
    type Posterior = MarkovChainPosterior;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> TransitionCounts {
        TransitionCounts::new(self.prior.popularity.len(), self.counting.fingerprint(), [])
    }

    fn posterior(&self, counts: &TransitionCounts) -> Result<MarkovChainPosterior, PosteriorError> {
        self.own(counts)?;
        Ok(MarkovChainPosterior { prior: self.prior.clone(), counts: counts.clone() })
    }
}

impl Conjugate for MarkovChain {
    /// log P(X) of the sequences given their first items, in nats.
    fn log_evidence(&self, counts: &TransitionCounts) -> Result<f64, PosteriorError> {
        self.own(counts)?;
        let row = |(&from, row): (&u32, &Arc<Row>)| {
            let total = self.prior.total(from);
            let gained = |(to, count): (u32, f64)| {
                let concentration = self.prior.concentration(from, to);
                ln_gamma(concentration + count) - ln_gamma(concentration)
            };
            let rows: f64 = row.counts().map(gained).sum();
            rows + ln_gamma(total) - ln_gamma(total + row.total())
        };
        Ok(counts.rows().iter().map(row).sum())
    }
}

impl Exact<MarkovChain> for Sequence<'_> {
    fn statistic(&self, family: &MarkovChain) -> Result<TransitionCounts, PosteriorError> {
        family.counting.sequence(self.0, family.prior.popularity.len())
    }
}

/// P(rows|X): what comes after each item, and how sure that is.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkovChainPosterior {
    prior: RowPrior,
    counts: TransitionCounts,
}

impl MarkovChainPosterior {
    /// What comes after one item: its mean, marginals and samples.
    ///
    /// # Shapes
    /// concentrations: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn row(&self, item: u32) -> Result<Dirichlet, PosteriorError> {
        known_items(&[item], self.prior.popularity.len())?;
        let mut concentrations = self.prior.concentrations(item);
        if let Some(row) = self.counts.rows().get(&item) {
            row.add_to(&mut concentrations, 1.0);
        }
        Dirichlet::new(concentrations)
    }
}

impl Predictive for MarkovChainPosterior {
    fn item_count(&self) -> usize {
        self.prior.popularity.len()
    }

    /// The mean of the newest item's row; popularity for an empty history.
    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.item_count(), "one output for each item");
        let Some(&newest) = history.last() else {
            out.iter_mut().zip(&self.prior.popularity).for_each(|(out, share)| *out = share.ln());
            return;
        };
        let row = self.counts.rows().get(&newest);
        let total = self.prior.total(newest) + row.map_or(0.0, |row| row.total());
        out.copy_from_slice(&self.prior.concentrations(newest));
        if let Some(row) = row {
            row.add_to(out, 1.0);
        }
        out.iter_mut().for_each(|out| *out = (*out / total).ln());
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "MarkovChain")]
struct Saved {
    popularity: Vec<f64>,
    popularity_share: f64,
    strength: f64,
    kernel: Option<Kernel>,
}

impl TryFrom<Saved> for MarkovChain {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        Self::new(&saved.popularity, saved.popularity_share, saved.strength, saved.kernel)
    }
}

impl From<MarkovChain> for Saved {
    fn from(family: MarkovChain) -> Self {
        let RowPrior { kernel, popularity, share, strength } = family.prior;
        let kernel = kernel.map(Arc::unwrap_or_clone);
        Self { popularity, popularity_share: share, strength, kernel }
    }
}
