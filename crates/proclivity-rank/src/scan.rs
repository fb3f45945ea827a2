//! The exact top k by dot product: every admissible item is scored.

use rayon::prelude::*;

use crate::best::Best;
use crate::dot::Dots;
use crate::{ItemMask, RankError, Scored, ScoredList, TieBreak};

/// Queries that read a block of items together.
const GROUP: usize = 32;
/// Bytes of the items of a block, which stay in a core's cache while a group of queries reads them.
const BLOCK_BYTES: usize = 1 << 17;
/// Scores that are compared with the threshold at once.
const CHUNK: usize = 16;

/// Which items a query may get; by default all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// The items that every query may get. Others aren't even read.
    pub mask: Option<&'a ItemMask>,
    /// For each query the items that it may not get, such as those that the user has seen: strictly
    /// ascending.
    pub seen: Option<&'a [&'a [u32]]>,
}

impl<'a> Filter<'a> {
    pub(crate) fn seen_by(&self, query: usize) -> &'a [u32] {
        self.seen.map_or(&[], |seen| seen[query])
    }
}

/// Item vectors to be scanned by queries.
///
/// # Formula
/// score(q, x) = Σ over d of q\[d\] · x\[d\], plus the bias of x
///
/// # Shapes
/// `vectors`: `[items, dim]`; `bias`: `[items]`; the items in the order of their indices.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    pub(crate) vectors: &'a [f32],
    pub(crate) dim: usize,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) ties: &'a TieBreak,
    /// Items of a block.
    block: usize,
}

impl<'a> Scan<'a> {
    /// Over the vectors of the items that `ties` orders.
    ///
    /// # Errors
    /// [`RankError::Length`] when `dim` is 0 or `vectors` isn't of that many numbers an item;
    /// [`RankError::NotFinite`] when one of them is NaN or infinite.
    pub fn new(vectors: &'a [f32], dim: usize, ties: &'a TieBreak) -> Result<Self, RankError> {
        same("numbers of an item vector, at least", 1, dim.min(1))?;
        same("numbers of the item vectors", ties.len().saturating_mul(dim), vectors.len())?;
        all_finite("item vectors", vectors)?;
        let block = (BLOCK_BYTES / size_of::<f32>() / dim).clamp(CHUNK, 4096);
        Ok(Self { vectors, dim, bias: None, ties, block })
    }

    /// Adds to each score what is said of its item, such as a weight times its log popularity.
    ///
    /// # Errors
    /// [`RankError::Length`] when there isn't one number an item, [`RankError::NotFinite`] when one
    /// of them is NaN or infinite.
    pub fn with_bias(self, bias: &'a [f32]) -> Result<Self, RankError> {
        same("biases of items", self.len(), bias.len())?;
        all_finite("biases of items", bias)?;
        Ok(Self { bias: Some(bias), ..self })
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.ties.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.ties.is_empty()
    }

    /// The `k` admissible items of the highest score for each query, in descending order, equal
    /// scores in the order of the tie-break.
    ///
    /// Runs on the current rayon pool. Needs O(queries · k + threads · (k + block)) memory beyond
    /// its input. The result has the same bits for any number of threads and any other queries
    /// beside a query: each score is summed in an order that depends on `dim` alone.
    ///
    /// # Shapes
    /// `queries`: `[queries, dim]`; result: a list a query
    ///
    /// # Errors
    /// [`RankError::Length`] when `queries` isn't of `dim` numbers a query, or the filter is of
    /// another number of items or queries; [`RankError::NotFinite`] when a query has NaN or an
    /// infinity; [`RankError::SeenItem`] when seen items don't ascend or don't exist;
    /// [`RankError::ScoreOverflow`] when the score of an admissible item is beyond f32.
    pub fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<ScoredList>, RankError> {
        self.check(queries, filter)?;
        let groups: Vec<Vec<Found<'_>>> = queries
            .par_chunks(GROUP * self.dim)
            .enumerate()
            .map(|(group, queries)| {
                let seen = filter.seen.map(|seen| &seen[group * GROUP..]);
                self.group(queries, k, Filter { seen, ..filter })
            })
            .collect();
        lists(groups.into_iter().flatten(), k, self.admitted(filter), filter)
    }

    /// How many items the filter's mask admits.
    pub(crate) fn admitted(&self, filter: Filter<'_>) -> usize {
        filter.mask.map_or(self.len(), ItemMask::count)
    }

    pub(crate) fn check(&self, queries: &[f32], filter: Filter<'_>) -> Result<(), RankError> {
        same("numbers of the queries", queries.len().next_multiple_of(self.dim), queries.len())?;
        all_finite("queries", queries)?;
        if let Some(mask) = filter.mask {
            same("items of the mask", self.len(), mask.len())?;
        }
        if let Some(seen) = filter.seen {
            same("queries with seen items", queries.len() / self.dim, seen.len())?;
            for (query, seen) in seen.iter().enumerate() {
                let ascends = |at: usize| at == 0 || seen[at - 1] < seen[at];
                let valid = |at: usize| ascends(at) && (seen[at] as usize) < self.len();
                if let Some(position) = (0..seen.len()).find(|&at| !valid(at)) {
                    return Err(RankError::SeenItem { query, position, item: seen[position] });
                }
            }
        }
        Ok(())
    }

    /// Scores `rows` for the queries into `scores`, `[queries, rows]`.
    pub(crate) fn score(&self, rows: &[u32], queries: &[f32], scores: &mut Vec<f32>) {
        let Self { vectors, bias, dim, .. } = *self;
        scores.resize(queries.len() / dim * rows.len(), 0.0);
        pulp::Arch::new().dispatch(Dots { vectors, bias, dim, rows, queries, scores });
    }

    fn group<'s>(&'s self, queries: &[f32], k: usize, filter: Filter<'_>) -> Vec<Found<'s>> {
        let nothing = || -> Vec<Found<'s>> {
            queries.chunks(self.dim).map(|_| Found::new(k, self.ties)).collect()
        };
        let blocks = self.len().div_ceil(self.block);
        (0..blocks)
            .into_par_iter()
            .fold(
                || (nothing(), Vec::new(), Vec::new()),
                |(mut found, mut rows, mut scores), block| {
                    let items = block * self.block..self.len().min((block + 1) * self.block);
                    let items = items.start as u32..items.end as u32;
                    rows.clear();
                    match filter.mask {
                        None => rows.extend(items),
                        Some(mask) => rows.extend(items.filter(|&item| mask.contains(item))),
                    }
                    self.score(&rows, queries, &mut scores);
                    for (query, found) in found.iter_mut().enumerate() {
                        let scores = &scores[query * rows.len()..][..rows.len()];
                        found.add(&rows, scores, filter.seen_by(query));
                    }
                    (found, rows, scores)
                },
            )
            .map(|(found, ..)| found)
            .reduce(nothing, |mut left, right| {
                left.iter_mut().zip(right).for_each(|(left, right)| left.merge(right));
                left
            })
    }
}

/// A list for each query; `admitted` items get past the filter's mask.
pub(crate) fn lists<'a>(
    found: impl Iterator<Item = Found<'a>>,
    k: usize,
    admitted: usize,
    filter: Filter<'_>,
) -> Result<Vec<ScoredList>, RankError> {
    let list = |(query, found): (usize, Found<'_>)| {
        if let Some(item) = found.overflow {
            return Err(RankError::ScoreOverflow { query, item });
        }
        let seen = filter.seen_by(query).iter();
        let excluded = seen.filter(|&&item| filter.mask.is_none_or(|mask| mask.contains(item)));
        let items = found.best.into_sorted().into_iter();
        Ok(ScoredList {
            items: items.map(|(item, score)| Scored { item, score: f64::from(score) }).collect(),
            requested: k,
            admissible: admitted - excluded.count(),
        })
    };
    found.enumerate().map(list).collect()
}

/// What a query has found in a part of the items.
pub(crate) struct Found<'a> {
    best: Best<'a, f32>,
    /// The first admissible item whose score isn't finite.
    overflow: Option<u32>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(k: usize, ties: &'a TieBreak) -> Self {
        Self { best: Best::new(k, ties), overflow: None }
    }

    /// `rows` are the items that are scored, `seen` those of them that don't count.
    pub(crate) fn add(&mut self, rows: &[u32], scores: &[f32], seen: &[u32]) {
        for (rows, scores) in rows.chunks(CHUNK).zip(scores.chunks(CHUNK)) {
            let threshold = self.best.threshold().unwrap_or(f32::NEG_INFINITY);
            // Almost always none can enter, which is found out without a branch per score.
            let below = |score: &f32| score.is_finite() & (*score < threshold);
            if scores.iter().fold(true, |all, score| all & below(score)) {
                continue;
            }
            for (&item, &score) in rows.iter().zip(scores) {
                if !below(&score) && seen.binary_search(&item).is_err() {
                    if score.is_finite() {
                        self.best.push(item, score);
                    } else {
                        self.overflow = Some(self.overflow.map_or(item, |first| first.min(item)));
                    }
                }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.best.merge(other.best);
        self.overflow = self.overflow.into_iter().chain(other.overflow).min();
    }
}

fn same(what: &'static str, expected: usize, got: usize) -> Result<(), RankError> {
    if got == expected { Ok(()) } else { Err(RankError::Length { what, expected, got }) }
}

fn all_finite(what: &'static str, values: &[f32]) -> Result<(), RankError> {
    const PART: usize = 1 << 14;
    // Without an early exit the loop is vectorised.
    let bad = |part: &[f32]| !part.iter().fold(true, |all, value| all & value.is_finite());
    let Some(part) = values.par_chunks(PART).position_first(bad) else { return Ok(()) };
    let first = part * PART;
    let within = values[first..].iter().position(|value| !value.is_finite());
    let position = first + within.unwrap_or(0);
    Err(RankError::NotFinite { what, position, value: f64::from(values[position]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_block_changes_no_bit() -> Result<(), RankError> {
        let (items, dim) = (700, 13);
        let value = |at: usize| ((at * 7_919 % 1_009) as f32).sin();
        let vectors: Vec<f32> = (0..items * dim).map(value).collect();
        let queries: Vec<f32> = (0..35 * dim).map(|at| value(at + 31)).collect();
        let ids: Vec<String> = (0..items).map(|item| item.to_string()).collect();
        let ties = TieBreak::new(ids.iter().map(String::as_str), 5);
        let mut scan = Scan::new(&vectors, dim, &ties)?;
        let expected = scan.top_k(&queries, 9, Filter::default())?;
        for block in [1, 2, 16, 17, 699, 4096] {
            scan.block = block;
            assert_eq!(scan.top_k(&queries, 9, Filter::default())?, expected, "{block}");
        }
        Ok(())
    }
}
