//! Counts of what came after each item, and of the items themselves, in fixed point.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{in_range, known_items, same_length};
use crate::{PosteriorError, Statistic, fixed};

/// What came after one item: items in order of index, each with a count above zero.
///
/// Counts are steps of 2⁻³².
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    occurrences: i64,
    total: i64,
    items: Box<[u32]>,
    counts: Box<[i64]>,
}

impl Row {
    /// A row of items in order of index.
    pub(super) fn new(
        occurrences: i64,
        items: Vec<u32>,
        counts: Vec<i64>,
    ) -> Result<Self, PosteriorError> {
        let total = counts.iter().try_fold(0_i64, |total, &count| total.checked_add(count));
        let total = total.ok_or_else(|| out_of_range(f64::INFINITY))?;
        Ok(Self { occurrences, total, items: items.into(), counts: counts.into() })
    }

    /// The same row, its items named anew in the same order.
    pub(super) fn renamed(mut self, names: &[u32]) -> Self {
        self.items.iter_mut().for_each(|item| *item = names[*item as usize]);
        self
    }

    /// How often the item itself occurred.
    pub(super) fn occurrences(&self) -> f64 {
        fixed::from_steps(self.occurrences)
    }

    /// The sum of the counts.
    pub(super) fn total(&self) -> f64 {
        fixed::from_steps(self.total)
    }

    /// How often one item came after this one.
    pub(super) fn count(&self, item: u32) -> f64 {
        let found = self.items.binary_search(&item);
        found.map_or(0.0, |found| fixed::from_steps(self.counts[found]))
    }

    /// Every item that came after this one, with its count.
    pub(super) fn counts(&self) -> impl ExactSizeIterator<Item = (u32, f64)> + '_ {
        self.items.iter().zip(&self.counts).map(|(&item, &count)| (item, fixed::from_steps(count)))
    }

    /// Adds `weight` times each count.
    pub(super) fn add_to(&self, out: &mut [f64], weight: f64) {
        let weight = weight * fixed::from_steps(1);
        for (&item, &count) in self.items.iter().zip(&self.counts) {
            out[item as usize] += weight * count as f64;
        }
    }

    fn is_empty(&self) -> bool {
        self.occurrences == 0 && self.items.is_empty()
    }

    /// This row and `weight` times another.
    fn plus(&self, other: &Self, weight: f64) -> Result<Self, PosteriorError> {
        let size = self.items.len() + other.items.len();
        let (mut items, mut counts) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut push = |item: u32, count: i64| {
            if count > 0 {
                items.push(item);
                counts.push(count);
            }
        };
        let mut ours = self.items.iter().copied().zip(self.counts.iter().copied()).peekable();
        for (&item, &more) in other.items.iter().zip(&other.counts) {
            while let Some((item, count)) = ours.next_if(|&(ours, _)| ours < item) {
                push(item, count);
            }
            let count = ours.next_if(|&(ours, _)| ours == item).map_or(0, |(_, count)| count);
            push(item, added(count, more, weight)?);
        }
        ours.for_each(|(item, count)| push(item, count));
        Self::new(added(self.occurrences, other.occurrences, weight)?, items, counts)
    }

    fn scaled(&self, kept: f64) -> Self {
        let scale = |count: i64| fixed::kept(count, kept);
        let pairs = self.items.iter().zip(&self.counts).map(|(&item, &count)| (item, scale(count)));
        let (items, counts): (Vec<u32>, Vec<i64>) = pairs.filter(|&(_, count)| count > 0).unzip();
        let total = counts.iter().sum();
        let occurrences = scale(self.occurrences);
        Self { occurrences, total, items: items.into(), counts: counts.into() }
    }

    fn validate(&self, item: u32, item_count: usize) -> Result<(), PosteriorError> {
        known_items(&[item], item_count)?;
        known_items(&self.items, item_count)?;
        same_length("counts of a row", self.items.len(), self.counts.len())?;
        let ordered = self.items.windows(2).all(|pair| pair[0] < pair[1]);
        in_range("items of a row", f64::from(item), ordered, "each once, in order of index")?;
        in_range("row", f64::from(item), !self.is_empty(), "one with events")?;
        let occurrences = self.occurrences;
        in_range("occurrences", fixed::from_steps(occurrences), occurrences >= 0, "from 0")?;
        match self.counts.iter().find(|&&count| count <= 0) {
            Some(&count) => Err(out_of_range(fixed::from_steps(count))),
            None => Ok(()),
        }
    }
}

/// `sum + weight · steps`, unless more is taken back than there is. What is weighted is rounded, and
/// what a sum of rounded counts lacks of rounded parts isn't there either.
fn added(sum: i64, steps: i64, weight: f64) -> Result<i64, PosteriorError> {
    const ROUNDED: i64 = 1 << 16;
    let lacking = if weight.fract() == 0.0 { 0 } else { ROUNDED };
    match fixed::added(sum, steps, weight) {
        Some(sum) if sum >= -lacking => Ok(sum.max(0)),
        Some(sum) => Err(out_of_range(fixed::from_steps(sum))),
        None => Err(out_of_range(f64::INFINITY)),
    }
}

fn out_of_range(value: f64) -> PosteriorError {
    PosteriorError::OutOfRange {
        name: "count of transitions",
        value,
        expected: "no less than was seen, and below 2³¹",
    }
}

/// How often items occurred, and what came after each: sparse, in steps of 2⁻³².
///
/// A row that didn't change is shared, not copied: a predictive made of these counts costs a
/// pointer for each item, and adding a sequence touches the rows of its own items only.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Saved<Vec<SavedRow<Vec<u32>, Vec<i64>>>>")]
pub struct TransitionCounts {
    item_count: usize,
    /// How it was counted: counts of another window don't add up with these.
    counting: u64,
    rows: BTreeMap<u32, Arc<Row>>,
}

impl TransitionCounts {
    pub(super) fn new(
        item_count: usize,
        counting: u64,
        rows: impl IntoIterator<Item = (u32, Row)>,
    ) -> Self {
        let rows = rows.into_iter().filter(|(_, row)| !row.is_empty());
        Self { item_count, counting, rows: rows.map(|(item, row)| (item, Arc::new(row))).collect() }
    }

    /// Counts of the same kind as others, from rows that are shared.
    pub(super) fn shared<'a>(
        kind: &Self,
        rows: impl IntoIterator<Item = (u32, &'a Arc<Row>)>,
    ) -> Self {
        let rows = rows.into_iter().filter(|(_, row)| !row.is_empty());
        let rows = rows.map(|(item, row)| (item, Arc::clone(row))).collect();
        Self { rows, ..*kind }
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.item_count
    }

    /// How many different transitions there are: what the counts take in memory is 12 bytes each.
    pub fn transition_count(&self) -> usize {
        self.rows.values().map(|row| row.items.len()).sum()
    }

    /// How often an item occurred.
    pub fn occurrences(&self, item: u32) -> f64 {
        self.rows.get(&item).map_or(0.0, |row| row.occurrences())
    }

    /// How often one item came after another.
    pub fn count(&self, from: u32, to: u32) -> f64 {
        self.rows.get(&from).map_or(0.0, |row| row.count(to))
    }

    /// The rows that aren't empty.
    pub(super) fn rows(&self) -> &BTreeMap<u32, Arc<Row>> {
        &self.rows
    }

    /// Whether these are counts of a family's own kind.
    pub(super) fn are_of(
        &self,
        family: &'static str,
        item_count: usize,
        counting: u64,
    ) -> Result<(), PosteriorError> {
        same_length("items", item_count, self.item_count)?;
        if self.counting == counting {
            Ok(())
        } else {
            Err(PosteriorError::ForeignBelief { family })
        }
    }
}

impl Statistic for TransitionCounts {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        other.are_of("transitions", self.item_count, self.counting)?;
        let sum = |(&item, more): (&u32, &Arc<Row>)| match self.rows.get(&item) {
            None if weight == 1.0 => Ok((item, Arc::clone(more))),
            None => Ok((item, Arc::new(Row::default().plus(more, weight)?))),
            Some(row) => Ok((item, Arc::new(row.plus(more, weight)?))),
        };
        let changed = other.rows.iter().map(sum).collect::<Result<Vec<_>, PosteriorError>>()?;
        for (item, row) in changed {
            if row.is_empty() {
                self.rows.remove(&item);
            } else {
                self.rows.insert(item, row);
            }
        }
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        self.rows.retain(|_, row| {
            *row = Arc::new(row.scaled(kept));
            !row.is_empty()
        });
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        self.rows.iter().try_for_each(|(&item, row)| row.validate(item, self.item_count))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "TransitionCounts")]
struct Saved<Rows> {
    item_count: usize,
    counting: u64,
    rows: Rows,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Row")]
struct SavedRow<Items, Counts> {
    item: u32,
    occurrences: i64,
    items: Items,
    counts: Counts,
}

impl Serialize for TransitionCounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.rows.iter().map(|(&item, row)| SavedRow {
            item,
            occurrences: row.occurrences,
            items: &row.items,
            counts: &row.counts,
        });
        let rows: Vec<_> = rows.collect();
        Saved { item_count: self.item_count, counting: self.counting, rows }.serialize(serializer)
    }
}

impl TryFrom<Saved<Vec<SavedRow<Vec<u32>, Vec<i64>>>>> for TransitionCounts {
    type Error = PosteriorError;
    fn try_from(saved: Saved<Vec<SavedRow<Vec<u32>, Vec<i64>>>>) -> Result<Self, PosteriorError> {
        let mut rows = BTreeMap::new();
        for row in saved.rows {
            let SavedRow { item, occurrences, items, counts } = row;
            let row = Arc::new(Row::new(occurrences, items, counts)?);
            if rows.insert(item, row).is_some() {
                in_range("row", f64::from(item), false, "given once")?;
            }
        }
        let counts = Self { item_count: saved.item_count, counting: saved.counting, rows };
        counts.validate()?;
        Ok(counts)
    }
}
