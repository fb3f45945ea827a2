//! Next-step as a family: counts of transitions under a prior made of texts and popularity.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::counting::Counting;
use super::{Kernel, NextStep, NextStepConfig, TransitionCounts};
use crate::error::{in_range, same_length};
use crate::{Exact, Family, Fingerprint, PosteriorError};

/// What follows an item, to be counted: the prior of every row and the way of counting.
///
/// A [`Belief`](crate::Belief) of this family takes whole [`Sequence`]s and gives them back to the
/// last bit: what an event counts depends on its neighbours, so single events can't be taken back.
/// Its posterior is the predictive [`NextStep`].
///
/// The windowed counts are a composite likelihood without a probability of the evidence, and
/// the family isn't [`Conjugate`](crate::Conjugate): [`MarkovChain`](crate::MarkovChain) is the
/// special case that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Transitions {
    config: NextStepConfig,
    counting: Counting,
    item_count: usize,
    kernel: Option<Arc<Kernel>>,
    fingerprint: u64,
}

impl Transitions {
    /// A prior over the rows of a catalog. Without a kernel, popularity is the whole prior.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without items, [`PosteriorError::Length`] when the kernel has
    /// another number of items, [`PosteriorError::OutOfRange`] for a bad configuration.
    pub fn new(
        config: NextStepConfig,
        item_count: usize,
        kernel: Option<Kernel>,
    ) -> Result<Self, PosteriorError> {
        config.validate()?;
        catalog_size(item_count)?;
        if let Some(kernel) = &kernel {
            same_length("items of the kernel", item_count, kernel.item_count())?;
        }
        let fingerprint = Fingerprint::new(Self::NAME)
            .with(config.parameters())
            .with([item_count as f64])
            .with(kernel.iter().flat_map(Kernel::numbers))
            .finish();
        let counting = Counting::windowed(&config);
        Ok(Self { config, counting, item_count, kernel: kernel.map(Arc::new), fingerprint })
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.item_count
    }

    /// The configuration.
    pub fn config(&self) -> &NextStepConfig {
        &self.config
    }

    /// What items' texts are close.
    pub fn kernel(&self) -> Option<&Kernel> {
        self.kernel.as_deref()
    }

    pub(super) fn shared_kernel(&self) -> Option<Arc<Kernel>> {
        self.kernel.clone()
    }

    /// The counts of many sequences at once, in parallel: to the last bit those of one after the
    /// other, whatever the number of threads.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the catalog.
    pub fn count(&self, sequences: &[&[u32]]) -> Result<TransitionCounts, PosteriorError> {
        self.counting.sequences(sequences, self.item_count)
    }
}

impl Family for Transitions {
    const NAME: &'static str = "transitions";
    type Statistic = TransitionCounts;
    type Posterior = NextStep;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> TransitionCounts {
        TransitionCounts::new(self.item_count, self.counting.fingerprint(), [])
    }

    fn posterior(&self, evidence: &TransitionCounts) -> Result<NextStep, PosteriorError> {
        evidence.are_of(Self::NAME, self.item_count, self.counting.fingerprint())?;
        Ok(NextStep::new(self, evidence))
    }
}

/// What one user did, from the oldest to the newest item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence<'a>(pub &'a [u32]);

impl Exact<Transitions> for Sequence<'_> {
    fn statistic(&self, family: &Transitions) -> Result<TransitionCounts, PosteriorError> {
        family.counting.sequence(self.0, family.item_count)
    }
}

/// `Ok` for a number of items from 1 to 2³².
pub(super) fn catalog_size(items: usize) -> Result<(), PosteriorError> {
    if items == 0 {
        return Err(PosteriorError::Empty { what: "items" });
    }
    in_range("items", items as f64, u32::try_from(items).is_ok(), "below 2³²")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Transitions")]
struct Saved {
    config: NextStepConfig,
    item_count: usize,
    kernel: Option<Kernel>,
}

impl TryFrom<Saved> for Transitions {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        Self::new(saved.config, saved.item_count, saved.kernel)
    }
}

impl From<Transitions> for Saved {
    fn from(family: Transitions) -> Self {
        let kernel = family.kernel.map(Arc::unwrap_or_clone);
        Self { config: family.config, item_count: family.item_count, kernel }
    }
}
