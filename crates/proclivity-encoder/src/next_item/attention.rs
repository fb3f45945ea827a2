//! Causal attention of packed windows on the host, with its gradient.

use super::product::{MatMut, MatRef, add_product, product, rows, rows_mut};
use crate::vectorized::{causal_softmax, causal_softmax_backward};

/// Queries of one product: the keys behind the last of them are left out.
const BLOCK: usize = 64;

#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub(super) count: usize,
    /// Of all heads together.
    pub(super) width: usize,
}

/// Some consecutive queries of one window and head.
struct Block {
    /// Their first place in the batch.
    start: usize,
    /// The window's first place.
    window: usize,
    rows: usize,
    /// Keys up to the last query.
    keys: usize,
    /// Columns of the head's queries.
    column: usize,
    /// Where its weights begin.
    weights: usize,
}

impl Heads {
    fn width_of_one(self) -> usize {
        self.width / self.count
    }

    /// What the scores are multiplied by.
    fn scale(self) -> f32 {
        1.0 / (self.width_of_one() as f32).sqrt()
    }

    fn blocks(self, lengths: &[usize]) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (mut window, mut weights) = (0, 0);
        for &length in lengths {
            for head in 0..self.count {
                for first in (0..length).step_by(BLOCK) {
                    let rows = BLOCK.min(length - first);
                    let keys = first + rows;
                    let column = head * self.width_of_one();
                    blocks.push(Block {
                        start: window + first,
                        window,
                        rows,
                        keys,
                        column,
                        weights,
                    });
                    weights += rows * keys;
                }
            }
            window += length;
        }
        blocks
    }

    /// A head's queries, keys and values of a block; `part` is 0, 1 or 2.
    fn part<'a>(self, all: &'a [f32], block: &Block, part: usize) -> MatRef<'a, f32> {
        let (start, count) =
            if part == 0 { (block.start, block.rows) } else { (block.window, block.keys) };
        let column = part * self.width + block.column;
        rows(all, 3 * self.width).submatrix(start, column, count, self.width_of_one())
    }

    fn part_mut<'a>(self, all: &'a mut [f32], block: &Block, part: usize) -> MatMut<'a, f32> {
        let (start, count) =
            if part == 0 { (block.start, block.rows) } else { (block.window, block.keys) };
        let column = part * self.width + block.column;
        rows_mut(all, 3 * self.width).submatrix_mut(start, column, count, self.width_of_one())
    }
}

/// softmax(Q Kᵀ / √head width) V of each window and head, and the softmax's weights, block by block.
///
/// # Shapes
/// `query_key_value` `[places, 3 · width]`, result `[places, width]`
pub(super) fn attention(
    query_key_value: &[f32],
    lengths: &[usize],
    heads: Heads,
) -> (Vec<f32>, Vec<f32>) {
    let blocks = heads.blocks(lengths);
    let mut out = vec![0.0; query_key_value.len() / 3];
    let mut weights =
        vec![0.0; blocks.last().map_or(0, |last| last.weights + last.rows * last.keys)];
    for block in &blocks {
        let scores = &mut weights[block.weights..][..block.rows * block.keys];
        let part = |part| heads.part(query_key_value, block, part);
        product(rows_mut(scores, block.keys), part(0), part(1).transpose());
        causal_softmax(scores, block.keys, block.start - block.window, heads.scale());
        let out = rows_mut(&mut out, heads.width);
        let out = out.submatrix_mut(block.start, block.column, block.rows, heads.width_of_one());
        product(out, rows(scores, block.keys), part(2));
    }
    (out, weights)
}

/// The gradient with respect to queries, keys and values, given the result's.
pub(super) fn attention_backward(
    query_key_value: &[f32],
    weights: &[f32],
    gradient: &[f32],
    lengths: &[usize],
    heads: Heads,
) -> Vec<f32> {
    let mut into = vec![0.0; query_key_value.len()];
    let mut scores = Vec::new();
    for block in &heads.blocks(lengths) {
        let size = block.rows * block.keys;
        let weights = &weights[block.weights..][..size];
        let part = |part| heads.part(query_key_value, block, part);
        let out = rows(gradient, heads.width);
        let out = out.submatrix(block.start, block.column, block.rows, heads.width_of_one());
        scores.resize(size, 0.0);
        product(rows_mut(&mut scores, block.keys), out, part(2).transpose());
        let first = block.start - block.window;
        causal_softmax_backward(weights, &mut scores, block.keys, first, heads.scale());
        let (weights, scores) = (rows(weights, block.keys), rows(&scores, block.keys));
        product(heads.part_mut(&mut into, block, 0), scores, part(1));
        add_product(heads.part_mut(&mut into, block, 1), scores.transpose(), part(0));
        add_product(heads.part_mut(&mut into, block, 2), weights.transpose(), out);
    }
    into
}
