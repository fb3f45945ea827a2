//! The approximate top k by dot product, from a graph of neighbours, and how much of the exact one
//! it finds.

use hnsw_rs::prelude::{Distance, FilterT, Hnsw};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::scan::{Found, lists};
use crate::{Filter, RankError, Scan, ScoredList};

/// Layers of the graph; the library has no more.
const LAYERS: usize = 16;
const LANES: usize = 16;

/// How a graph is built and searched.
///
/// | setting | default | range | |
/// |---|---|---|---|
/// | `neighbors` | 16 | 2 to 255 | links of an item in each layer |
/// | `build_candidates` | 200 | from `neighbors` | items looked at for an item's links |
/// | `search_candidates` | 128 | from 1 | items kept during a search; at least k are |
/// | `exact_up_to` | 10,000 | | with no more items past the mask, all are scanned instead |
/// | `parallel` | false | | builds on all threads, at the price of a graph that depends on their timing |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApproximateConfig {
    /// Links of an item in each layer.
    pub neighbors: usize,
    /// Items looked at for an item's links.
    pub build_candidates: usize,
    /// Items kept during a search.
    pub search_candidates: usize,
    /// With no more items past the mask, all of these are scanned instead.
    pub exact_up_to: usize,
    /// Whether the graph is built on all threads and so depends on their timing.
    pub parallel: bool,
}

impl Default for ApproximateConfig {
    fn default() -> Self {
        Self {
            neighbors: 16,
            build_candidates: 200,
            search_candidates: 128,
            exact_up_to: 10_000,
            parallel: false,
        }
    }
}

impl ApproximateConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// [`RankError::OutOfRange`] names the first that isn't.
    pub fn validate(&self) -> Result<(), RankError> {
        let settings = [
            ("neighbors", self.neighbors, 2..=255, "2 to 255"),
            ("build_candidates", self.build_candidates, self.neighbors..=usize::MAX, "≥ neighbors"),
            ("search_candidates", self.search_candidates, 1..=usize::MAX, "at least 1"),
        ];
        match settings.into_iter().find(|(_, value, allowed, _)| !allowed.contains(value)) {
            Some((name, value, _, range)) => {
                Err(RankError::OutOfRange { name, value: value as f64, expected: range })
            }
            None => Ok(()),
        }
    }

    /// Builds the graph of a scan's items, with a copy of their vectors. A scan of no more than
    /// `exact_up_to` items needs none.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn build<'a>(self, scan: &Scan<'a>) -> Result<Approximate<'a>, RankError> {
        self.validate()?;
        let scan = scan.clone();
        let graph = Hnsw::new(self.neighbors, scan.len(), LAYERS, self.build_candidates, Euclid);
        if scan.len() > self.exact_up_to {
            let norm = (0..scan.len()).map(|item| squared_norm(&scan, item)).fold(0.0, f64::max);
            let place = |item: usize| item_on_sphere(&scan, item, norm);
            if self.parallel {
                // In parts, so that there are no two copies of all vectors beside the graph's.
                for first in (0..scan.len()).step_by(PART) {
                    let part = first..scan.len().min(first + PART);
                    let points: Vec<_> = part.clone().map(place).collect();
                    let points: Vec<_> = points.iter().map(Vec::as_slice).zip(part).collect();
                    graph.parallel_insert_slice(&points);
                }
            } else {
                (0..scan.len()).for_each(|item| graph.insert_slice((&place(item), item)));
            }
        }
        Ok(Approximate { config: self, scan, graph })
    }
}

/// Items inserted in parallel at a time.
const PART: usize = 1 << 14;

/// A graph of items in which a search looks at few of them (hierarchical navigable small world).
///
/// Nearest neighbours by Euclidean distance are the largest dot products once all items are put on
/// one sphere by one more coordinate. What is found is scored as an exact scan scores it, to the bit.
/// What isn't found isn't made up for: [`ScoredList::missing`] counts it, and
/// [`recall`](Self::recall) measures what was missed for something worse.
///
/// Unlike an exact scan, the graph depends on the order of the catalog.
///
/// # Source
/// Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using
/// hierarchical navigable small world graphs"; Bachrach et al. 2014, "Speeding up the Xbox
/// recommender system using a Euclidean transformation for inner-product spaces".
pub struct Approximate<'a> {
    config: ApproximateConfig,
    scan: Scan<'a>,
    graph: Hnsw<'static, f32, Euclid>,
}

impl std::fmt::Debug for Approximate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Approximate").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Approximate<'_> {
    /// As [`Scan::top_k`], of the admissible items that the search finds.
    ///
    /// # Errors
    /// As [`Scan::top_k`], where an overflow counts only among the items found.
    pub fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<ScoredList>, RankError> {
        let scan = &self.scan;
        let admitted = scan.admitted(filter);
        if admitted <= self.config.exact_up_to {
            return scan.top_k(queries, k, filter);
        }
        scan.check(queries, filter)?;
        let candidates = self.config.search_candidates.max(k.min(scan.len()));
        let search = |(index, query): (usize, &[f32])| {
            let seen = filter.seen_by(index);
            let admits = |item: &usize| {
                let item = *item as u32;
                filter.mask.is_none_or(|mask| mask.contains(item))
                    && seen.binary_search(&item).is_err()
            };
            let admits: Option<&dyn FilterT> = Some(&admits);
            let near =
                self.graph.search_filter(&query_on_sphere(query), candidates, candidates, admits);
            let rows: Vec<u32> = near.iter().map(|near| near.get_origin_id() as u32).collect();
            let (mut found, mut scores) = (Found::new(k, scan.ties), Vec::new());
            scan.score(&rows, query, &mut scores);
            found.add(&rows, &scores, seen);
            found
        };
        let found: Vec<_> = queries.par_chunks(scan.dim).enumerate().map(search).collect();
        lists(found.into_iter(), k, admitted, filter)
    }

    /// The share of the exact top `k` that the search finds, over all queries; NaN where no query
    /// has an admissible item.
    ///
    /// An item as good as the exact list's last one counts as found, so that ties don't matter.
    ///
    /// # Errors
    /// As [`Scan::top_k`].
    pub fn recall(&self, queries: &[f32], k: usize, filter: Filter<'_>) -> Result<f64, RankError> {
        let exact = self.scan.top_k(queries, k, filter)?;
        let found = self.top_k(queries, k, filter)?;
        let hits = exact.iter().zip(&found).map(|(exact, found)| {
            let last = exact.items.last().map_or(f64::INFINITY, |scored| scored.score);
            found.items.iter().filter(|scored| scored.score >= last).count()
        });
        let all: usize = exact.iter().map(|list| list.items.len()).sum();
        Ok(hits.sum::<usize>() as f64 / all as f64)
    }
}

/// |x|² + bias²
fn squared_norm(scan: &Scan<'_>, item: usize) -> f64 {
    let vector = &scan.vectors[item * scan.dim..][..scan.dim];
    let bias = scan.bias.map(|bias| bias[item]);
    vector.iter().chain(&bias).map(|&x| f64::from(x).powi(2)).sum()
}

/// \[x, bias, √(r² − |x|² − bias²)\] / r, where r² is the largest |x|² + bias² of all items.
fn item_on_sphere(scan: &Scan<'_>, item: usize, largest: f64) -> Vec<f32> {
    let vector = &scan.vectors[item * scan.dim..][..scan.dim];
    let rest = (largest - squared_norm(scan, item)).max(0.0).sqrt();
    let bias = scan.bias.map_or(0.0, |bias| f64::from(bias[item]));
    // Vectors that are all 0 keep their place: any radius will do for them.
    let radius = if largest > 0.0 { largest.sqrt() } else { 1.0 };
    let vector = vector.iter().map(|&x| f64::from(x));
    vector.chain([bias, rest]).map(|x| (x / radius) as f32).collect()
}

/// \[q, 1, 0\] / √(|q|² + 1)
fn query_on_sphere(query: &[f32]) -> Vec<f32> {
    let radius = (1.0 + query.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>()).sqrt();
    let query = query.iter().map(|&x| f64::from(x));
    query.chain([1.0, 0.0]).map(|x| (x / radius) as f32).collect()
}

struct Euclid;

impl Distance<f32> for Euclid {
    fn eval(&self, left: &[f32], right: &[f32]) -> f32 {
        pulp::Arch::new().dispatch(SquaredDistance(left, right)).sqrt()
    }
}

struct SquaredDistance<'a>(&'a [f32], &'a [f32]);

impl WithSimd for SquaredDistance<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let (lefts, left_rest) = self.0.as_chunks::<LANES>();
        let (rights, right_rest) = self.1.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for (left, right) in lefts.iter().zip(rights) {
            for lane in 0..LANES {
                sums[lane] += (left[lane] - right[lane]).powi(2);
            }
        }
        for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
            sums[lane] += (left - right).powi(2);
        }
        sums.iter().sum()
    }
}
