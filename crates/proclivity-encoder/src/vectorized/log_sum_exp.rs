//! The logarithm of a softmax's denominator.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, exp};

/// ln Σ exp of some numbers.
pub(crate) fn log_sum_exp(values: &[f32]) -> f64 {
    Arch::new().dispatch(LogSumExp(values))
}

struct LogSumExp<'a>(&'a [f32]);

impl WithSimd for LogSumExp<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut most = [f32::NEG_INFINITY; LANES];
        for chunk in chunks {
            for lane in 0..LANES {
                most[lane] = most[lane].max(chunk[lane]);
            }
        }
        let most = most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total: f64 = rest.iter().map(|&x| f64::from(exp(x - most))).sum();
        // Sums of some hundreds are exact enough in f32.
        for group in chunks.chunks(64) {
            let mut sums = [0.0; LANES];
            for chunk in group {
                for lane in 0..LANES {
                    sums[lane] += exp(chunk[lane] - most);
                }
            }
            total += sums.iter().map(|&sum: &f32| f64::from(sum)).sum::<f64>();
        }
        f64::from(most) + total.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_of_the_sum_is_that_of_f64() {
        let values: Vec<f32> = (0..3001).map(|at| ((at * 7919) % 1013) as f32 / 40.0).collect();
        let expected = values.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
        assert!((log_sum_exp(&values) - expected).abs() < 1e-6);
    }
}
