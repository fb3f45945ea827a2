//! A data set: what there is, what was done, and the account of reading both.

use proclivity_schema::{Catalog, Log};

use crate::ReadReport;

/// A catalog and a log whose item indices refer to it, as a reader made them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// All items, in the order of the items file.
    pub catalog: Catalog,
    /// All events.
    pub log: Log,
    /// What became of every row of the events.
    pub report: ReadReport,
}
