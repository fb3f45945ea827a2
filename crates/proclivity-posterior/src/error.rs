//! What a belief, a likelihood or a model of this crate refuses.

/// An error of the posterior, with the value that caused it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PosteriorError {
    /// A parameter outside its range.
    #[error("{name} is {value}, expected {expected}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// Two lengths that have to agree.
    #[error("{what}: {got} where {expected} were expected")]
    Length {
        /// What is counted.
        what: &'static str,
        /// The length it has to have.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// Something that may not be empty.
    #[error("there are no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A number that is not finite, at a position of an array.
    #[error("{what}[{row}, {column}] is {value}, expected a finite number")]
    NotFinite {
        /// The array.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// An item outside of the catalog.
    #[error("item {item} is outside of the catalog of {items} items")]
    UnknownItem {
        /// The item's index.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// An item that no interest can produce, so that observing it is impossible.
    #[error("item {item} has probability zero under every interest")]
    ImpossibleItem {
        /// The item's index.
        item: u32,
    },
}

/// `Ok` when `valid`, else the error that names the parameter.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    valid: bool,
    expected: &'static str,
) -> Result<(), PosteriorError> {
    if valid { Ok(()) } else { Err(PosteriorError::OutOfRange { name, value, expected }) }
}

/// `Ok` when every history names only items of the catalog.
pub(crate) fn known_items(history: &[u32], items: usize) -> Result<(), PosteriorError> {
    match history.iter().find(|&&item| item as usize >= items) {
        Some(&item) => Err(PosteriorError::UnknownItem { item, items }),
        None => Ok(()),
    }
}
