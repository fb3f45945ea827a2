//! The one way from rows to a log: each row is accepted, a duplicate, or quarantined.

use std::io::Read;

use proclivity_schema::{Action, Log, LogBuilder, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::table::{Fault, Table};
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

/// Collects the fate of every row.
pub(crate) struct Account {
    file: String,
    policy: ErrorPolicy,
    builder: LogBuilder,
    pushed: usize,
    quarantined: Vec<QuarantinedRow>,
}

/// What a row says.
pub(crate) type Parsed = (UserId, Option<Timestamp>, Action);

impl Account {
    /// Checks the policy.
    pub(crate) fn new(file: &str, policy: ErrorPolicy) -> Result<Self, DataError> {
        if let ErrorPolicy::Quarantine { max_share } = policy {
            let valid = (0.0..=1.0).contains(&max_share);
            in_range("max_share", max_share, valid, "0 to 1")?;
        }
        Ok(Self {
            file: file.to_owned(),
            policy,
            builder: LogBuilder::new(),
            pushed: 0,
            quarantined: Vec::new(),
        })
    }

    /// Enters all rows that are left in a table.
    pub(crate) fn read<R: Read>(
        &mut self,
        table: &mut Table<R>,
        parse: impl Fn(&Table<R>) -> Result<Parsed, Fault>,
    ) -> Result<(), DataError> {
        while table.advance()? {
            match (parse(table), self.policy) {
                (Ok(parsed), _) => self.push(parsed, || table.line())?,
                (Err(fault), ErrorPolicy::Fail) => return Err(table.fault(fault)),
                (Err(fault), ErrorPolicy::Quarantine { .. }) => {
                    self.quarantined.push(table.quarantined(fault));
                }
            }
        }
        Ok(())
    }

    /// Enters one event.
    pub(crate) fn push(
        &mut self,
        (user, time, action): Parsed,
        line: impl FnOnce() -> u64,
    ) -> Result<(), DataError> {
        self.pushed += 1;
        self.builder.push(user, time, action).map_err(|source| DataError::Schema {
            file: self.file.clone(),
            line: line(),
            source,
        })
    }

    /// The log without exact duplicates, the first of each kept.
    pub(crate) fn finish_distinct(mut self) -> Result<(Log, ReadReport), DataError> {
        let duplicates = self.builder.remove_duplicates();
        self.finish(duplicates)
    }

    /// The log as it is, for files whose order is all there is: there a repeat is an event.
    pub(crate) fn finish_repeating(self) -> Result<(Log, ReadReport), DataError> {
        self.finish(0)
    }

    fn finish(self, duplicates: usize) -> Result<(Log, ReadReport), DataError> {
        let report = ReadReport {
            file: self.file.clone(),
            accepted: self.pushed - duplicates,
            duplicates,
            quarantined: self.quarantined,
            untitled: 0,
        };
        let share = report.quarantined.len() as f64 / report.read().max(1) as f64;
        match self.policy {
            ErrorPolicy::Quarantine { max_share } if share > max_share => {
                Err(DataError::TooManyQuarantined {
                    file: self.file,
                    max_share,
                    report: Box::new(report),
                })
            }
            _ if report.accepted == 0 => {
                Err(DataError::EmptyLog { file: self.file, report: Box::new(report) })
            }
            _ => Ok((self.builder.build(), report)),
        }
    }
}
