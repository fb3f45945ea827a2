//! Dot products of a block of items with a few queries, in the widest instructions of the machine.
//!
//! The loops are plain, over fixed numbers of lanes, so that the compiler vectorises them; `pulp`
//! compiles them for each instruction set and picks the best one when the program runs.
//!
//! Each product is one chain of fused multiply-adds per lane, whatever stands beside it in its tile,
//! and the lanes are summed in one order. Its bits therefore depend on the two vectors alone: not on
//! the block, the other queries, the number of threads or the width of the machine's registers.

use pulp::{Simd, WithSimd};

const LANES: usize = 8;
/// Items and queries of a tile: with one register per pair, twelve sums stay in registers, and seven
/// loads serve twelve multiply-adds.
const TILE_ITEMS: usize = 3;
const TILE_QUERIES: usize = 4;
/// Items of a tile for a single query, enough to hide the latency of the additions.
const SINGLE_ITEMS: usize = 4;

/// The scores of `rows` for each query: the dot product, plus the item's bias.
pub(crate) struct Dots<'a> {
    /// `[items, dim]`
    pub(crate) vectors: &'a [f32],
    /// `[items]`
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) dim: usize,
    /// The items to score.
    pub(crate) rows: &'a [u32],
    /// `[queries, dim]`
    pub(crate) queries: &'a [f32],
    /// `[queries, rows]`
    pub(crate) scores: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let count = self.queries.len() / self.dim;
        let paired = if count % TILE_QUERIES == 1 { count - 1 } else { count };
        let mut first_row = 0;
        while first_row < self.rows.len() && paired > 0 {
            for query in (0..paired).step_by(TILE_QUERIES) {
                self.tile::<TILE_ITEMS, TILE_QUERIES>(first_row, query);
            }
            first_row += TILE_ITEMS;
        }
        if paired < count {
            for row in (0..self.rows.len()).step_by(SINGLE_ITEMS) {
                self.tile::<SINGLE_ITEMS, 1>(row, paired);
            }
        }
    }
}

impl Dots<'_> {
    /// A tile that would reach beyond the last row or query repeats it.
    #[inline(always)]
    fn tile<const ITEMS: usize, const QUERIES: usize>(&mut self, row: usize, query: usize) {
        let (dim, rows) = (self.dim, self.rows);
        let last_query = self.queries.len() / dim - 1;
        let items: [usize; ITEMS] =
            std::array::from_fn(|i| rows[(row + i).min(rows.len() - 1)] as usize);
        let queries = self.queries;
        let products = products(
            items.map(|item| &self.vectors[item * dim..][..dim]),
            std::array::from_fn::<_, QUERIES, _>(|q| {
                &queries[(query + q).min(last_query) * dim..][..dim]
            }),
        );
        for (q, products) in products.iter().enumerate().take(last_query + 1 - query) {
            let scores = &mut self.scores[(query + q) * rows.len()..][..rows.len()];
            for ((score, product), item) in scores[row..].iter_mut().zip(products).zip(items) {
                *score = product + self.bias.map_or(0.0, |bias| bias[item]);
            }
        }
    }
}

/// `[QUERIES, ITEMS]`
#[inline(always)]
fn products<const ITEMS: usize, const QUERIES: usize>(
    items: [&[f32]; ITEMS],
    queries: [&[f32]; QUERIES],
) -> [[f32; ITEMS]; QUERIES] {
    let items = items.map(|item| item.as_chunks::<LANES>());
    let queries = queries.map(|query| query.as_chunks::<LANES>());
    let chunks = items[0].0.len();
    let item_chunks = items.map(|(chunks_of, _)| &chunks_of[..chunks]);
    let query_chunks = queries.map(|(chunks_of, _)| &chunks_of[..chunks]);
    let mut sums = [[[0.0_f32; LANES]; ITEMS]; QUERIES];
    for chunk in 0..chunks {
        add(&mut sums, item_chunks.map(|item| item[chunk]), query_chunks.map(|query| query[chunk]));
    }
    if !items[0].1.is_empty() {
        add(&mut sums, items.map(|(_, rest)| padded(rest)), queries.map(|(_, rest)| padded(rest)));
    }
    sums.map(|sums| sums.map(sum))
}

#[inline(always)]
fn add<const ITEMS: usize, const QUERIES: usize>(
    sums: &mut [[[f32; LANES]; ITEMS]; QUERIES],
    items: [[f32; LANES]; ITEMS],
    queries: [[f32; LANES]; QUERIES],
) {
    for q in 0..QUERIES {
        for i in 0..ITEMS {
            for lane in 0..LANES {
                sums[q][i][lane] = items[i][lane].mul_add(queries[q][lane], sums[q][i][lane]);
            }
        }
    }
}

#[inline(always)]
fn padded(rest: &[f32]) -> [f32; LANES] {
    std::array::from_fn(|lane| rest.get(lane).copied().unwrap_or(0.0))
}

#[inline(always)]
fn sum(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
