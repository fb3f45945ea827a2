//! Symmetric matrices in fixed point: the upper triangle, row by row.

use crate::error::same_length;
use crate::{PosteriorError, fixed};

/// How many entries the upper triangle of a matrix has.
pub(super) fn len(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

/// Where an entry is; any order of row and column.
pub(super) fn at(dim: usize, row: usize, column: usize) -> usize {
    let (row, column) = (row.min(column), row.max(column));
    row * (2 * dim + 1 - row) / 2 + column - row
}

/// The places of the diagonal.
pub(super) fn diagonal(dim: usize) -> impl Iterator<Item = usize> {
    (0..dim).map(move |row| at(dim, row, row))
}

/// The number of rows of a triangle of so many entries.
///
/// # Errors
/// [`PosteriorError::Length`] where there is none.
pub(super) fn dim(what: &'static str, entries: usize) -> Result<usize, PosteriorError> {
    // The root of an f64 may be off by one.
    let near = ((8.0 * entries as f64 + 1.0).sqrt() / 2.0 - 0.5).round() as usize;
    same_length(what, len(near), entries)?;
    Ok(near)
}

/// `sum + weight · steps` of each entry.
///
/// # Errors
/// [`PosteriorError::Length`], [`PosteriorError::OutOfRange`] past ±2³¹.
pub(super) fn added(
    what: &'static str,
    sum: &[i64],
    steps: &[i64],
    weight: f64,
) -> Result<Vec<i64>, PosteriorError> {
    same_length(what, sum.len(), steps.len())?;
    let refused = |steps: i64| PosteriorError::OutOfRange {
        name: what,
        value: fixed::from_steps(steps),
        expected: "sums within ±2³¹",
    };
    let entries = sum.iter().zip(steps);
    entries
        .map(|(&sum, &steps)| fixed::added(sum, steps, weight).ok_or_else(|| refused(steps)))
        .collect()
}

/// Each entry times `kept`.
pub(super) fn scale(sum: &mut [i64], kept: f64) {
    for steps in sum {
        *steps = fixed::weighted(*steps, kept).unwrap_or(*steps);
    }
}

/// `Ok` for what a sum of squares can be. Forgetting rounds, so that what was forgotten in many
/// small parts and is taken back in one can leave up to 2⁻²⁰ below 0.
///
/// # Errors
/// [`PosteriorError::OutOfRange`].
pub(super) fn not_negative(what: &'static str, steps: i64) -> Result<(), PosteriorError> {
    let value = fixed::from_steps(steps);
    crate::error::in_range(what, value, steps >= -4096, "no more taken back than was seen")
}
