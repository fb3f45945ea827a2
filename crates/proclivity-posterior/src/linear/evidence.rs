//! What sequences add up to for the linear model.

use serde::{Deserialize, Serialize};

use super::accumulate::Occurrences;
use super::config::Timescale;
use super::sparse::{SparseMatrix, added};
use crate::error::{in_range, same_length};
use crate::fixed;
use crate::{PosteriorError, Statistic};

/// XᵀX, XᵀY, the diagonal of YᵀY and how many rows there are, in steps of 2⁻³².
///
/// It is kept sparse: 12 bytes for each pair of features, and of a feature and an item, that ever
/// met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearEvidence {
    timescales: usize,
    rows: i64,
    /// Diagonal of YᵀY: how often each item came next.
    targets: Vec<i64>,
    /// The upper triangle of XᵀX.
    gram: SparseMatrix,
    cross: SparseMatrix,
}

impl LinearEvidence {
    pub(super) fn nothing(timescales: usize, items: usize) -> Self {
        Self {
            timescales,
            rows: 0,
            targets: vec![0; items],
            gram: SparseMatrix::default(),
            cross: SparseMatrix::default(),
        }
    }

    /// Of sequences whose items are known to be in the catalog.
    pub(super) fn of(
        sequences: &[&[u32]],
        timescales: &[Timescale],
        items: usize,
    ) -> Result<Self, PosteriorError> {
        let mut counts = vec![0_u32; items];
        let targets = sequences.iter().flat_map(|sequence| sequence.iter().skip(1));
        targets.for_each(|&item| counts[item as usize] += 1);
        let rows: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let occurrences = Occurrences::new(sequences);
        Ok(Self {
            timescales: timescales.len(),
            rows: fixed::to_steps("events", rows as f64)?,
            targets: counts
                .into_iter()
                .map(|count| fixed::to_steps("events", f64::from(count)))
                .collect::<Result<_, _>>()?,
            gram: occurrences.gram(timescales, items)?,
            cross: occurrences.cross(timescales, items)?,
        })
    }

    /// How many events had one before them.
    pub fn row_count(&self) -> f64 {
        fixed::from_steps(self.rows)
    }

    /// How often each item came after another.
    pub fn target_counts(&self) -> impl Iterator<Item = f64> + '_ {
        self.targets.iter().map(|&steps| fixed::from_steps(steps))
    }

    /// How many numbers of XᵀX (upper triangle) and of XᵀY are kept.
    pub fn stored_numbers(&self) -> (usize, usize) {
        (self.gram.len(), self.cross.len())
    }

    pub(super) fn gram(&self) -> &SparseMatrix {
        &self.gram
    }

    pub(super) fn cross(&self) -> &SparseMatrix {
        &self.cross
    }

    pub(super) fn is_of(&self, timescales: usize, items: usize) -> Result<(), PosteriorError> {
        same_length("timescales", timescales, self.timescales)?;
        same_length("items", items, self.targets.len())
    }
}

impl Statistic for LinearEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        self.is_of(other.timescales, other.targets.len())?;
        let rows = added(self.rows, other.rows, weight)?;
        let counts = self.targets.iter().zip(&other.targets);
        let targets =
            counts.map(|(&count, &more)| added(count, more, weight)).collect::<Result<_, _>>()?;
        let gram = self.gram.changes(&other.gram, weight)?;
        let cross = self.cross.changes(&other.cross, weight)?;
        (self.rows, self.targets) = (rows, targets);
        self.gram.commit(gram);
        self.cross.commit(cross);
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        self.rows = fixed::kept(self.rows, kept);
        self.targets.iter_mut().for_each(|count| *count = fixed::kept(*count, kept));
        self.gram.scale(kept);
        self.cross.scale(kept);
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let items = self.targets.len();
        let features = self.timescales.checked_mul(items).filter(|&n| n <= u32::MAX as usize);
        let valid = features.is_some_and(|features| features > 0);
        in_range("features", self.timescales as f64 * items as f64, valid, "from 1, below 2³²")?;
        for &count in self.targets.iter().chain([&self.rows]) {
            in_range("events", fixed::from_steps(count), count >= 0, "a number from 0")?;
        }
        let features = features.unwrap_or(0);
        self.gram.validate(features, features, true)?;
        self.cross.validate(features, items, false)
    }
}
