//! XᵀX and XᵀY of decayed histories without making X: each pair of events of a sequence adds a
//! geometric sum that depends on their distance and on where the sequence ends, and nothing else.

use rayon::prelude::*;

use super::config::Timescale;
use super::sparse::{RowSum, SparseMatrix, SparseRow};
use crate::PosteriorError;
use crate::fixed::to_steps;

/// One event: item, sequence, position.
type Occurrence = (u32, u32, u32);

/// Where each item occurs. Rows of the sums are made one by one, each in the order of its item's
/// occurrences, so that they don't depend on threads; in fixed point they wouldn't anyway.
pub(super) struct Occurrences<'a> {
    sequences: &'a [&'a [u32]],
    events: Vec<Occurrence>,
}

impl<'a> Occurrences<'a> {
    pub(super) fn new(sequences: &'a [&'a [u32]]) -> Self {
        let mut events: Vec<Occurrence> = (0_u32..)
            .zip(sequences)
            .flat_map(|(sequence, items)| {
                (0_u32..).zip(*items).map(move |(position, &item)| (item, sequence, position))
            })
            .collect();
        events.par_sort_unstable();
        Self { sequences, events }
    }

    fn rows(
        &self,
        columns: usize,
        sum: impl Fn(&[Occurrence], &mut RowSum) + Sync,
    ) -> Result<Vec<(u32, SparseRow)>, PosteriorError> {
        let items: Vec<&[Occurrence]> = self.events.chunk_by(|a, b| a.0 == b.0).collect();
        items
            .into_par_iter()
            .map_init(
                || RowSum::new(columns),
                |row, occurrences| {
                    sum(occurrences, row);
                    Ok((occurrences[0].0, row.take()?))
                },
            )
            .collect()
    }

    /// The upper triangle of XᵀX, where a row of X stands for each event that has one after it.
    pub(super) fn gram(
        &self,
        timescales: &[Timescale],
        items: usize,
    ) -> Result<SparseMatrix, PosteriorError> {
        let mut all = Vec::new();
        for (block, fast) in timescales.iter().enumerate() {
            let tables = timescales[block..].iter().map(|slow| PairTable::new(fast, slow));
            let tables: Vec<PairTable> = tables.collect::<Result<_, _>>()?;
            let rows = self.rows((timescales.len() - block) * items, |occurrences, row| {
                for (other, table) in tables.iter().enumerate() {
                    for &(item, sequence, position) in occurrences {
                        let sequence = self.sequences[sequence as usize];
                        table.pairs(sequence, position as usize, |near, steps| {
                            if other > 0 || near >= item {
                                row.add(other * items + near as usize, steps);
                            }
                        });
                    }
                }
            })?;
            let first = (block * items) as u32;
            all.extend(rows.into_iter().map(|(item, mut row)| {
                row.columns.iter_mut().for_each(|column| *column += first);
                (first + item, row)
            }));
        }
        Ok(SparseMatrix::from_rows(all))
    }

    /// XᵀY, where a row of Y is one at the item that came next.
    pub(super) fn cross(
        &self,
        timescales: &[Timescale],
        items: usize,
    ) -> Result<SparseMatrix, PosteriorError> {
        let mut all = Vec::new();
        for (block, timescale) in timescales.iter().enumerate() {
            let decays = timescale.weights().map(|weight| to_steps("decay", weight));
            let decays: Vec<i64> = decays.collect::<Result<_, _>>()?;
            let rows = self.rows(items, |occurrences, row| {
                for &(_, sequence, position) in occurrences {
                    let after = &self.sequences[sequence as usize][position as usize + 1..];
                    for (&next, &steps) in after.iter().zip(&decays) {
                        row.add(next as usize, steps);
                    }
                }
            })?;
            let first = (block * items) as u32;
            all.extend(rows.into_iter().map(|(item, row)| (first + item, row)));
        }
        Ok(SparseMatrix::from_rows(all))
    }

    /// XᵀX of bags: how many have both items. Upper triangle.
    pub(super) fn together(&self, items: usize) -> Result<SparseMatrix, PosteriorError> {
        let one = to_steps("count", 1.0)?;
        let rows = self.rows(items, |occurrences, row| {
            for &(item, bag, position) in occurrences {
                // Bags are in order of index: what comes from here on is the upper triangle.
                debug_assert_eq!(self.sequences[bag as usize][position as usize], item);
                for &other in &self.sequences[bag as usize][position as usize..] {
                    row.add(other as usize, one);
                }
            }
        })?;
        Ok(SparseMatrix::from_rows(rows))
    }
}

/// Σₜ fastᵗ⁻ˢ · slowᵗ⁻ˢ′ over the rows t whose windows hold both s and s′, by s′ − s and by how many
/// rows there are. Each is rounded to 2⁻³² once.
struct PairTable {
    fast_window: usize,
    slow_window: usize,
    /// `[fast_window + slow_window − 1, rows]`, flat.
    sums: Vec<i64>,
    stride: usize,
}

impl PairTable {
    fn new(fast: &Timescale, slow: &Timescale) -> Result<Self, PosteriorError> {
        let stride = fast.window.min(slow.window);
        let mut sums = Vec::with_capacity((fast.window + slow.window) * stride);
        for shift in 0..fast.window + slow.window - 1 {
            // s′ − s = shift − (slow.window − 1); the first row is at the later of the two.
            let behind_fast = shift.saturating_sub(slow.window - 1) as i32;
            let behind_slow = (slow.window - 1).saturating_sub(shift) as i32;
            let mut term = fast.decay.powi(behind_fast) * slow.decay.powi(behind_slow);
            let mut sum = 0.0;
            for _ in 0..stride {
                sum += term;
                sums.push(to_steps("product of decays", sum)?);
                term *= fast.decay * slow.decay;
            }
        }
        Ok(Self { fast_window: fast.window, slow_window: slow.window, sums, stride })
    }

    /// Calls `add` with every item that shares rows with the one at `position`.
    #[inline]
    fn pairs(&self, sequence: &[u32], position: usize, mut add: impl FnMut(u32, i64)) {
        // The last event comes before nothing: there is no row at it.
        let rows = sequence.len() - 1;
        let fast_end = (position + self.fast_window).min(rows);
        let start = (position + 1).saturating_sub(self.slow_window);
        for (near, &item) in (start..).zip(&sequence[start..fast_end.max(start)]) {
            let end = fast_end.min(near + self.slow_window);
            let shared = end - position.max(near);
            let shift = near + self.slow_window - 1 - position;
            if shared > 0 {
                add(item, self.sums[shift * self.stride + shared - 1]);
            }
        }
    }
}
