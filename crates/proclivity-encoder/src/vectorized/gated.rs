//! The gated linear unit of Llama (Shazeer 2020).

use pulp::{Arch, Simd, WithSimd};

use super::exp;

/// gate · σ(gate) · up of each row, row by row.
///
/// # Shapes
/// `[rows, 2 · width]`, gates before ups → `[rows, width]`
pub(crate) fn gated(gate_up: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    Arch::new().dispatch(Gated { gate_up, width, out: &mut out });
    out
}

struct Gated<'a> {
    gate_up: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl WithSimd for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.gate_up.chunks_exact(2 * self.width);
        for (row, out) in rows.zip(self.out.chunks_exact_mut(self.width)) {
            let (gates, ups) = row.split_at(self.width);
            for ((out, &gate), &up) in out.iter_mut().zip(gates).zip(ups) {
                // exp takes what isn't above 0.
                let e = exp(-gate.abs());
                let positive = 1.0 / (1.0 + e);
                let sigmoid = if gate >= 0.0 { positive } else { e * positive };
                *out = gate * sigmoid * up;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_the_swish_of_the_gate_times_up() {
        let row: Vec<f32> = (0..80).map(|at| at as f32 * 0.37 - 11.0).collect();
        for (at, got) in gated(&row, 40).into_iter().enumerate() {
            let (gate, up) = (f64::from(row[at]), f64::from(row[40 + at]));
            let expected = gate / (1.0 + (-gate).exp()) * up;
            assert!((f64::from(got) - expected).abs() < 1e-5, "{got} for {expected}");
        }
        assert!(gated(&[-1e30, 1.0], 1)[0].abs() < 1e-6);
    }
}
