//! Sparse matrices in fixed point: sums of outer products of sparse rows.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;
use crate::fixed;

/// A matrix of positive numbers and zeros. Only the positive ones are kept, so that equal matrices
/// are equal to the bit however they came about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SparseMatrix {
    rows: BTreeMap<u32, SparseRow>,
}

/// Columns in order, and what stands there in steps of 2⁻³².
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SparseRow {
    pub(super) columns: Vec<u32>,
    pub(super) steps: Vec<i64>,
}

impl SparseRow {
    fn push(&mut self, column: u32, steps: i64) {
        if steps != 0 {
            self.columns.push(column);
            self.steps.push(steps);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.columns.iter().copied().zip(self.steps.iter().copied())
    }

    /// Columns within a range, with their values.
    pub(super) fn within(
        &self,
        range: std::ops::Range<usize>,
    ) -> impl Iterator<Item = (usize, f64)> + '_ {
        let start = self.columns.partition_point(|&column| (column as usize) < range.start);
        let rest = self.columns[start..].iter().zip(&self.steps[start..]);
        rest.take_while(move |&(&column, _)| (column as usize) < range.end)
            .map(|(&column, &steps)| (column as usize, fixed::from_steps(steps)))
    }

    fn plus(&self, other: &Self, weight: f64) -> Result<Self, PosteriorError> {
        let mut sum = Self::default();
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let (column, old, new) = match (left.peek().copied(), right.peek().copied()) {
                (Some((l, steps)), Some((r, _))) if l < r => (left.next(), (l, steps, 0)).1,
                (Some((l, steps)), Some((r, more))) if l == r => {
                    (left.next(), right.next(), (l, steps, more)).2
                }
                (Some((l, steps)), None) => (left.next(), (l, steps, 0)).1,
                (_, Some((r, more))) => (right.next(), (r, 0, more)).1,
                (None, None) => return Ok(sum),
            };
            sum.push(column, added(old, new, weight)?);
        }
    }
}

/// A sum that stays a sum of what was seen: never negative, never past 64 bits.
pub(super) fn added(sum: i64, steps: i64, weight: f64) -> Result<i64, PosteriorError> {
    let result = fixed::added(sum, steps, weight).filter(|&sum| sum >= 0);
    result.ok_or(PosteriorError::OutOfRange {
        name: "evidence",
        value: fixed::from_steps(sum) + weight * fixed::from_steps(steps),
        expected: "no less than 0 and below 2³¹",
    })
}

impl SparseMatrix {
    /// From rows in any order.
    pub(super) fn from_rows(rows: impl IntoIterator<Item = (u32, SparseRow)>) -> Self {
        let filled = rows.into_iter().filter(|(_, row)| !row.columns.is_empty());
        Self { rows: filled.collect() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &SparseRow)> {
        self.rows.iter().map(|(&index, row)| (index as usize, row))
    }

    /// How many numbers are kept.
    pub(super) fn len(&self) -> usize {
        self.rows.values().map(|row| row.columns.len()).sum()
    }

    /// The rows that adding `weight` times another matrix changes.
    pub(super) fn changes(
        &self,
        other: &Self,
        weight: f64,
    ) -> Result<Vec<(u32, SparseRow)>, PosteriorError> {
        let nothing = SparseRow::default();
        let rows: Vec<_> = other.rows.iter().collect();
        rows.into_par_iter()
            .map(|(&index, row)| {
                Ok((index, self.rows.get(&index).unwrap_or(&nothing).plus(row, weight)?))
            })
            .collect()
    }

    pub(super) fn commit(&mut self, changes: Vec<(u32, SparseRow)>) {
        for (index, row) in changes {
            if row.columns.is_empty() {
                self.rows.remove(&index);
            } else {
                self.rows.insert(index, row);
            }
        }
    }

    pub(super) fn scale(&mut self, kept: f64) {
        for row in self.rows.values_mut() {
            let mut scaled = SparseRow::default();
            for (column, steps) in row.iter() {
                scaled.push(column, fixed::kept(steps, kept));
            }
            *row = scaled;
        }
        self.rows.retain(|_, row| !row.columns.is_empty());
    }

    /// Whether it has the shape, its columns are in order and its numbers positive.
    pub(super) fn validate(
        &self,
        rows: usize,
        columns: usize,
        upper: bool,
    ) -> Result<(), PosteriorError> {
        for (&index, row) in &self.rows {
            let valid = (index as usize) < rows && !row.columns.is_empty();
            in_range("row of the evidence", f64::from(index), valid, "a row that has features")?;
            crate::error::same_length("numbers of a row", row.columns.len(), row.steps.len())?;
            let mut expected = if upper { index } else { 0 };
            for (column, steps) in row.iter() {
                let valid = column >= expected && (column as usize) < columns;
                in_range("column of the evidence", f64::from(column), valid, "one in order")?;
                in_range("evidence", fixed::from_steps(steps), steps > 0, "a positive number")?;
                expected = column + 1;
            }
        }
        Ok(())
    }
}

/// Sums up one row with all its columns at hand, and takes out those that were touched.
pub(super) struct RowSum {
    steps: Vec<i64>,
    touched: Vec<u32>,
    overflow: bool,
}

impl RowSum {
    pub(super) fn new(columns: usize) -> Self {
        Self { steps: vec![0; columns], touched: Vec::new(), overflow: false }
    }

    #[inline]
    pub(super) fn add(&mut self, column: usize, steps: i64) {
        let sum = &mut self.steps[column];
        if *sum == 0 {
            self.touched.push(column as u32);
        }
        let overflow;
        (*sum, overflow) = sum.overflowing_add(steps);
        self.overflow |= overflow;
    }

    /// The row, with nothing left here.
    pub(super) fn take(&mut self) -> Result<SparseRow, PosteriorError> {
        let valid = !std::mem::take(&mut self.overflow);
        in_range("evidence", f64::INFINITY, valid, "below 2³¹")?;
        let mut row = SparseRow::default();
        if self.touched.len() * 16 > self.steps.len() {
            self.touched.clear();
            for (column, steps) in self.steps.iter_mut().enumerate() {
                row.push(column as u32, std::mem::take(steps));
            }
        } else {
            self.touched.sort_unstable();
            for column in self.touched.drain(..) {
                row.push(column, std::mem::take(&mut self.steps[column as usize]));
            }
        }
        row.columns.shrink_to_fit();
        row.steps.shrink_to_fit();
        Ok(row)
    }
}
