//! Sums of probabilities that are given as logarithms.

use crate::vectorized::exp;

/// log Σ exp, without underflow; −∞ of nothing.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    const CHUNK: usize = 256;
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let mut buffer = [0.0; CHUNK];
    let sums = values.chunks(CHUNK).map(|chunk| {
        let buffer = &mut buffer[..chunk.len()];
        buffer.iter_mut().zip(chunk).for_each(|(to, value)| *to = value - largest);
        exp(buffer);
        buffer.iter().sum::<f64>()
    });
    largest + sums.sum::<f64>().ln()
}
