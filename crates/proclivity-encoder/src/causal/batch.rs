//! A batch: rows of tokens, of which each sees those before it in its own segment and those of a
//! prefix that the row's segments share.

use burn::prelude::*;

use super::tokens::PAD;

/// Rows of one length. Positions are counted within a segment, behind the row's prefix.
#[derive(Debug)]
pub(crate) struct Batch {
    length: usize,
    tokens: Vec<i32>,
    positions: Vec<u32>,
    /// For each token, where its segment begins in the row, and how long the row's prefix is.
    starts: Vec<(u32, u32)>,
    prefix: u32,
}

/// Added to the attention score of what must not be seen. Its exponential is exactly 0, and fast:
/// with a large negative number instead, the C library's underflow took 6 % of training.
const HIDDEN: f32 = f32::NEG_INFINITY;

impl Batch {
    pub(crate) fn new(length: usize) -> Self {
        Self { length, tokens: Vec::new(), positions: Vec::new(), starts: Vec::new(), prefix: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.tokens.len() / self.length.max(1)
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Room left in the last row.
    pub(crate) fn room(&self) -> usize {
        match self.tokens.len() % self.length.max(1) {
            0 => 0,
            used => self.length - used,
        }
    }

    /// Pads the last row, begins another with a prefix that all its segments see, and returns the
    /// place of its first token in the batch.
    pub(crate) fn start_row(&mut self, prefix: &[u32]) -> usize {
        self.finish();
        self.prefix = 0;
        let first = self.push_segment(prefix);
        self.prefix = prefix.len() as u32;
        first
    }

    /// Appends a segment to the row and returns the place of its first token in the batch.
    pub(crate) fn push_segment(&mut self, segment: &[u32]) -> usize {
        let first = self.tokens.len();
        let start = (first % self.length.max(1)) as u32;
        for (offset, &token) in (0_u32..).zip(segment) {
            self.tokens.push(token as i32);
            self.positions.push(self.prefix + offset);
            self.starts.push((start, self.prefix));
        }
        first
    }

    /// Pads the last row.
    pub(crate) fn finish(&mut self) {
        for _ in 0..self.room() {
            let start = (self.tokens.len() % self.length) as u32;
            self.tokens.push(PAD as i32);
            self.positions.push(0);
            self.starts.push((start, 0));
        }
    }

    /// `[rows · length]`
    pub(crate) fn tokens(&self, device: &Device) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(self.tokens.clone(), [self.tokens.len()]), device)
    }

    /// What attention adds to its scores, `[rows, 1, length, length]`.
    pub(crate) fn attention_bias(&self, device: &Device) -> Tensor<4> {
        let length = self.length;
        let mut bias = vec![HIDDEN; self.tokens.len() * length];
        for ((place, row), &(start, prefix)) in
            bias.chunks_exact_mut(length.max(1)).enumerate().zip(&self.starts)
        {
            let here = place % length;
            row[start as usize..=here].fill(0.0);
            row[..prefix as usize].fill(0.0);
        }
        Tensor::from_data(TensorData::new(bias, [self.rows(), 1, length, length]), device)
    }

    /// Cosines and sines of the rotary angles, `[rows, length, 1, half]` each.
    pub(crate) fn rotation(&self, half: usize, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let rates: Vec<f32> =
            (0..half).map(|pair| ROTARY_BASE.powf(-(pair as f32) / half as f32)).collect();
        let most = self.positions.iter().max().map_or(0, |&most| most as usize + 1);
        let table: Vec<(f32, f32)> = (0..most)
            .flat_map(|position| rates.iter().map(move |rate| (position as f32 * rate).sin_cos()))
            .collect();
        let mut sines = Vec::with_capacity(self.positions.len() * half);
        let mut cosines = Vec::with_capacity(self.positions.len() * half);
        for &position in &self.positions {
            for &(sine, cosine) in &table[position as usize * half..][..half] {
                sines.push(sine);
                cosines.push(cosine);
            }
        }
        let shape = [self.rows(), self.length, 1, half];
        let tensor = |values| Tensor::from_data(TensorData::new(values, shape), device);
        (tensor(cosines), tensor(sines))
    }
}

/// Slowest rotation; contexts are short, so it is far below the usual 10,000.
const ROTARY_BASE: f32 = 1000.0;
