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
/// Items of a tile for a single query, which waits for memory: several rows at a time would break up
/// the one stream that the processor fetches ahead of, which halves the speed.
const SINGLE_ITEMS: usize = 1;

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
        for row in (0..self.rows.len()).step_by(TILE_ITEMS) {
            for query in (0..paired).step_by(TILE_QUERIES) {
                self.tile::<TILE_ITEMS, TILE_QUERIES>(row, query);
            }
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
        let mut items = [0; ITEMS];
        let mut item_vectors = [&[][..]; ITEMS];
        for i in 0..ITEMS {
            items[i] = rows[(row + i).min(rows.len() - 1)] as usize;
            item_vectors[i] = &self.vectors[items[i] * dim..][..dim];
        }
        let mut query_vectors = [&[][..]; QUERIES];
        for (q, vector) in query_vectors.iter_mut().enumerate() {
            *vector = &self.queries[(query + q).min(last_query) * dim..][..dim];
        }
        let products = products(item_vectors, query_vectors, dim);
        for (q, products) in products.iter().enumerate().take(last_query + 1 - query) {
            let scores = &mut self.scores[(query + q) * rows.len()..][..rows.len()];
            for i in 0..ITEMS.min(rows.len() - row) {
                scores[row + i] = products[i] + self.bias.map_or(0.0, |bias| bias[items[i]]);
            }
        }
    }
}

/// `[QUERIES, ITEMS]`
#[inline(always)]
fn products<const ITEMS: usize, const QUERIES: usize>(
    items: [&[f32]; ITEMS],
    queries: [&[f32]; QUERIES],
    dim: usize,
) -> [[f32; ITEMS]; QUERIES] {
    let mut sums = [[[0.0_f32; LANES]; ITEMS]; QUERIES];
    let chunks = dim / LANES;
    let mut item_chunks = [&[][..]; ITEMS];
    for i in 0..ITEMS {
        item_chunks[i] = &items[i].as_chunks::<LANES>().0[..chunks];
    }
    let mut query_chunks = [&[][..]; QUERIES];
    for q in 0..QUERIES {
        query_chunks[q] = &queries[q].as_chunks::<LANES>().0[..chunks];
    }
    for chunk in 0..chunks {
        let mut of_items = [[0.0; LANES]; ITEMS];
        for i in 0..ITEMS {
            of_items[i] = item_chunks[i][chunk];
        }
        for q in 0..QUERIES {
            add(&mut sums[q], &of_items, &query_chunks[q][chunk]);
        }
    }
    if !dim.is_multiple_of(LANES) {
        let mut of_items = [[0.0; LANES]; ITEMS];
        for i in 0..ITEMS {
            of_items[i] = padded(&items[i][chunks * LANES..]);
        }
        for q in 0..QUERIES {
            add(&mut sums[q], &of_items, &padded(&queries[q][chunks * LANES..]));
        }
    }
    let mut products = [[0.0; ITEMS]; QUERIES];
    for q in 0..QUERIES {
        for i in 0..ITEMS {
            products[q][i] = sum(sums[q][i]);
        }
    }
    products
}

#[inline(always)]
fn add<const ITEMS: usize>(
    sums: &mut [[f32; LANES]; ITEMS],
    items: &[[f32; LANES]; ITEMS],
    query: &[f32; LANES],
) {
    for i in 0..ITEMS {
        for lane in 0..LANES {
            sums[i][lane] = items[i][lane].mul_add(query[lane], sums[i][lane]);
        }
    }
}

#[inline(always)]
fn padded(rest: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes.iter_mut().zip(rest).for_each(|(lane, value)| *lane = *value);
    lanes
}

#[inline(always)]
fn sum(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
