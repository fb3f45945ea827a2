//! A data set: what there is, what was done, and the account of reading both.

use proclivity_schema::{Catalog, Log};

use crate::ReadReport;

/// A catalog and a log whose item indices refer to it, as a reader made them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// All items, in the order of their file, or of first appearance where there is none.
    pub catalog: Catalog,
    /// All events.
    pub log: Log,
    /// What became of every row of the events.
    pub report: ReadReport,
    /// What became of every row of the items, where they have a file.
    pub item_report: Option<ReadReport>,
}

impl Dataset {
    /// How many items have no title and carry [`UNTITLED`](crate::UNTITLED) in its place.
    pub fn untitled(&self) -> usize {
        self.item_report.as_ref().unwrap_or(&self.report).untitled()
    }
}
