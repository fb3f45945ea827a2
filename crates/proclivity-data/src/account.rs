//! The fate of every row: accepted, a duplicate, or quarantined.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::{DataError, QuarantinedRow, ReadReport};

/// What to do with a row that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorPolicy {
    /// Stop at the first.
    Fail,
    /// Set it aside with line and reason, and go on.
    Quarantine {
        /// The largest share of all rows that may be set aside, 0 to 1.
        max_share: f64,
    },
}

/// Collects the fate of every row of one or more files.
pub(crate) struct Account {
    policy: ErrorPolicy,
    files: Vec<Arc<str>>,
    /// Rows that are good, and the events or items in them.
    good_rows: usize,
    good: usize,
    quarantined: Vec<QuarantinedRow>,
}

impl Account {
    /// Checks the policy.
    pub(crate) fn new(policy: ErrorPolicy) -> Result<Self, DataError> {
        if let ErrorPolicy::Quarantine { max_share } = policy {
            let valid = (0.0..=1.0).contains(&max_share);
            in_range("max_share", max_share, valid, "0 to 1")?;
        }
        Ok(Self { policy, files: Vec::new(), good_rows: 0, good: 0, quarantined: Vec::new() })
    }

    /// The rows that follow are of this file.
    pub(crate) fn begin(&mut self, file: &Arc<str>) {
        self.files.push(Arc::clone(file));
    }

    /// A row is good, and holds so many events or items.
    pub(crate) fn accept(&mut self, count: usize) {
        self.good_rows += 1;
        self.good += count;
    }

    /// A row can't be used.
    pub(crate) fn refuse(&mut self, row: QuarantinedRow) -> Result<(), DataError> {
        match self.policy {
            ErrorPolicy::Fail => Err(DataError::Row { row: Box::new(row) }),
            ErrorPolicy::Quarantine { .. } => {
                self.quarantined.push(row);
                Ok(())
            }
        }
    }

    /// The report, unless too many rows were bad or none was good.
    pub(crate) fn finish(
        self,
        duplicates: usize,
        untitled: usize,
    ) -> Result<ReadReport, DataError> {
        let report = ReadReport {
            files: self.files,
            accepted: self.good - duplicates,
            duplicates,
            quarantined: self.quarantined,
            untitled,
        };
        let bad_rows = report.quarantined.len();
        let share = bad_rows as f64 / (self.good_rows + bad_rows).max(1) as f64;
        match self.policy {
            ErrorPolicy::Quarantine { max_share } if share > max_share => {
                Err(DataError::TooManyQuarantined { max_share, report: Box::new(report) })
            }
            _ if report.accepted == 0 => {
                Err(DataError::NothingAccepted { report: Box::new(report) })
            }
            _ => Ok(report),
        }
    }
}
