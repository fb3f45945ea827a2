//! What a belief, a likelihood or a model of this crate refuses.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

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
    /// A belief that began from another prior, or is of another family.
    #[error(
        "the belief is not one of this family `{family}` with this prior: read it with the model that made it"
    )]
    ForeignBelief {
        /// The family that was to read it.
        family: &'static str,
    },
    /// A saved state of another version.
    #[error(
        "the state has version {got}, this release reads {expected}: make it anew from the events"
    )]
    Version {
        /// The version that is read.
        expected: u32,
        /// The version found.
        got: u32,
    },
    /// The probability of evidence that was weighted or partly forgotten.
    #[error(
        "weighted or partly forgotten evidence has no probability: ask for the prequential log loss"
    )]
    Weighted,
    /// An event that isn't in the log.
    #[error("event {id} is not in the log")]
    UnknownEvent {
        /// The event's number.
        id: u64,
    },
    /// An event that is in the log already.
    #[error("event {id} is in the log already")]
    DuplicateEvent {
        /// The event's number.
        id: u64,
    },
    /// A matrix that is not positive definite, so that there is no posterior.
    #[error("{what} is not positive definite")]
    NotPositiveDefinite {
        /// The matrix.
        what: &'static str,
    },
    /// An iteration that didn't arrive.
    #[error("{what} did not converge in {steps} steps")]
    NotConverged {
        /// What was computed.
        what: &'static str,
        /// How many steps were made.
        steps: usize,
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

/// `Ok` when two lengths agree.
pub(crate) fn same_length(
    what: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), PosteriorError> {
    if expected == got { Ok(()) } else { Err(PosteriorError::Length { what, expected, got }) }
}

/// `Ok` when an array has only finite numbers.
pub(crate) fn finite(what: &'static str, array: ArrayView2<'_, f32>) -> Result<(), PosteriorError> {
    let bad =
        array.axis_iter(Axis(0)).into_par_iter().enumerate().find_map_first(|(row, values)| {
            let column = values.iter().position(|value| !value.is_finite())?;
            Some((row, column, f64::from(values[column])))
        });
    match bad {
        Some((row, column, value)) => Err(PosteriorError::NotFinite { what, row, column, value }),
        None => Ok(()),
    }
}
