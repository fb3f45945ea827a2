//! How transitions are counted: each row summed on its own, in whole steps, so that no order matters.

use rayon::prelude::*;

use super::config::NextStepConfig;
use super::counts::{Row, TransitionCounts};
use crate::error::{in_range, known_items};
use crate::{Fingerprint, PosteriorError, fixed};

/// What a transition counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counting {
    window: usize,
    step_decay: f64,
    symmetric_share: f64,
    /// Whether an item may follow itself.
    repeats: bool,
    fingerprint: u64,
}

/// The steps that an item counts at one distance after another, and before it.
#[derive(Clone, Copy)]
struct Distance {
    after: i64,
    before: i64,
}

/// One thread's dense row, zero but while a row is summed.
struct Scratch {
    sums: Vec<i64>,
    touched: Vec<u32>,
}

impl Scratch {
    fn new(items: usize) -> Self {
        Self { sums: vec![0; items], touched: Vec::new() }
    }

    fn add(&mut self, item: u32, steps: i64) {
        let sum = &mut self.sums[item as usize];
        if *sum == 0 && steps > 0 {
            self.touched.push(item);
        }
        *sum += steps;
    }

    fn take(&mut self) -> (Vec<u32>, Vec<i64>) {
        self.touched.sort_unstable();
        let counts = self.touched.iter().map(|&item| std::mem::take(&mut self.sums[item as usize]));
        let counts = counts.collect();
        let items = self.touched.as_slice().to_vec();
        self.touched.clear();
        (items, counts)
    }
}

impl Counting {
    pub(super) fn windowed(config: &NextStepConfig) -> Self {
        Self::new(config.window, config.step_decay, config.symmetric_share, false)
    }

    /// Each item's successor, once.
    pub(super) fn unit() -> Self {
        Self::new(1, 1.0, 0.0, true)
    }

    fn new(window: usize, step_decay: f64, symmetric_share: f64, repeats: bool) -> Self {
        let fingerprint = Fingerprint::new("counting")
            .with([window as f64, step_decay, symmetric_share, f64::from(u8::from(repeats))])
            .finish();
        Self { window, step_decay, symmetric_share, repeats, fingerprint }
    }

    /// A number for this way of counting.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Counts of one sequence.
    pub(super) fn sequence(
        &self,
        sequence: &[u32],
        item_count: usize,
    ) -> Result<TransitionCounts, PosteriorError> {
        known_items(sequence, item_count)?;
        // A catalog of the sequence's own items, in their order.
        let mut items = sequence.to_vec();
        items.sort_unstable();
        items.dedup();
        let local = |item: &u32| items.partition_point(|other| other < item) as u32;
        let local: Vec<u32> = sequence.iter().map(local).collect();
        let sequences = [local.as_slice()];
        let counted = Occurrences::new(self, &sequences, items.len())?;
        let mut scratch = Scratch::new(items.len());
        let rows = (0..items.len() as u32)
            .map(|item| {
                let row = counted.row(item, &mut scratch)?.renamed(&items);
                Ok((items[item as usize], row))
            })
            .collect::<Result<Vec<_>, PosteriorError>>()?;
        Ok(TransitionCounts::new(item_count, self.fingerprint, rows))
    }

    /// Counts of many sequences, rows in parallel.
    pub(super) fn sequences(
        &self,
        sequences: &[&[u32]],
        item_count: usize,
    ) -> Result<TransitionCounts, PosteriorError> {
        sequences.par_iter().try_for_each(|sequence| known_items(sequence, item_count))?;
        let counted = Occurrences::new(self, sequences, item_count)?;
        let rows = (0..item_count as u32)
            .into_par_iter()
            .map_init(
                || Scratch::new(item_count),
                |scratch, item| Ok((item, counted.row(item, scratch)?)),
            )
            .collect::<Result<Vec<_>, PosteriorError>>()?;
        Ok(TransitionCounts::new(item_count, self.fingerprint, rows))
    }

    /// What each distance counts, as far as anything is counted within sequences of a length.
    fn distances(&self, longest: usize) -> Result<Vec<Distance>, PosteriorError> {
        let mut decay = 1.0;
        let mut distances = Vec::new();
        for _ in 0..self.window.min(longest) {
            let after = fixed::to_steps("step_decay", decay)?;
            let before = fixed::to_steps("symmetric_share", self.symmetric_share * decay)?;
            if after == 0 {
                break;
            }
            distances.push(Distance { after, before });
            decay *= self.step_decay;
        }
        Ok(distances)
    }
}

/// Where each item occurs.
struct Occurrences<'a> {
    sequences: &'a [&'a [u32]],
    distances: Vec<Distance>,
    repeats: bool,
    /// The most steps that one occurrence can count.
    most: i128,
    offsets: Vec<usize>,
    places: Vec<(u32, u32)>,
}

impl<'a> Occurrences<'a> {
    fn new(
        counting: &Counting,
        sequences: &'a [&'a [u32]],
        item_count: usize,
    ) -> Result<Self, PosteriorError> {
        let longest = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
        for (name, length) in [("sequences", sequences.len()), ("longest sequence", longest)] {
            in_range(name, length as f64, u32::try_from(length).is_ok(), "below 2³²")?;
        }
        let distances = counting.distances(longest)?;
        let mut offsets = vec![0; item_count + 1];
        for &item in sequences.iter().copied().flatten() {
            offsets[item as usize + 1] += 1;
        }
        for item in 0..item_count {
            offsets[item + 1] += offsets[item];
        }
        let mut next = offsets.clone();
        let mut places = vec![(0, 0); offsets[item_count]];
        for (sequence, items) in (0_u32..).zip(sequences) {
            for (position, &item) in (0_u32..).zip(*items) {
                places[next[item as usize]] = (sequence, position);
                next[item as usize] += 1;
            }
        }
        let most = distances.iter().map(|d| i128::from(d.after) + i128::from(d.before)).sum();
        Ok(Self { sequences, distances, repeats: counting.repeats, most, offsets, places })
    }

    fn row(&self, item: u32, scratch: &mut Scratch) -> Result<Row, PosteriorError> {
        let range = self.offsets[item as usize]..self.offsets[item as usize + 1];
        let places = &self.places[range];
        // Then no sum of the row can overflow, nor can the number of occurrences.
        let most = places.len() as i128 * self.most.max(1 << 32);
        in_range("transitions of an item", most as f64, most <= i64::MAX.into(), "below 2³¹")?;
        for &(sequence, position) in places {
            let (before, rest) = self.sequences[sequence as usize].split_at(position as usize);
            for (&other, distance) in rest[1..].iter().zip(&self.distances) {
                if other != item || self.repeats {
                    scratch.add(other, distance.after);
                }
            }
            for (&other, distance) in before.iter().rev().zip(&self.distances) {
                if other != item || self.repeats {
                    scratch.add(other, distance.before);
                }
            }
        }
        let (items, counts) = scratch.take();
        Row::new((places.len() as i64) << 32, items, counts)
    }
}
