//! Matrix products of slices on the host, on one thread: shards of a batch go side by side.

use faer::linalg::matmul::matmul;
use faer::{Accum, Par};
pub(super) use faer::{MatMut, MatRef};

/// A row-major matrix of so many columns.
pub(super) fn rows(values: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / columns, columns)
}

/// The same, to write to.
pub(super) fn rows_mut(values: &mut [f32], columns: usize) -> MatMut<'_, f32> {
    let count = values.len() / columns;
    MatMut::from_row_major_slice_mut(values, count, columns)
}

/// left · right
pub(super) fn product(into: MatMut<'_, f32>, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    matmul(into, Accum::Replace, left, right, 1.0, Par::Seq);
}

/// Adds left · right.
pub(super) fn add_product(into: MatMut<'_, f32>, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    matmul(into, Accum::Add, left, right, 1.0, Par::Seq);
}
