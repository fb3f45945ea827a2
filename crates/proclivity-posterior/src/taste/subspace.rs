//! The mode of one choice in the space of its utilities, whose dimension is that of the set.

use ndarray::ArrayView2;

use super::cholesky::Cholesky;
use crate::PosteriorError;
use crate::log_sum_exp::log_sum_exp;

/// Utilities u of a set's choices before one is chosen: u ~ Normal(mean, covariance), which may be
/// singular.
pub(super) struct Utilities<'a> {
    pub(super) mean: &'a [f64],
    pub(super) covariance: ArrayView2<'a, f64>,
}

/// Where the choice's likelihood times the normal is largest.
pub(super) struct Mode {
    pub(super) utilities: Vec<f64>,
    /// Their softmax.
    pub(super) probabilities: Vec<f64>,
}

const STEPS: usize = 100;

impl Utilities<'_> {
    /// Newton's method with halved steps on u = mean + covariance · a, so that the covariance is never
    /// inverted. At the mode a is the gradient of log softmax, e − p, here within `tolerance`.
    ///
    /// # Formula
    /// With p = softmax(u), W = diag p − p·pᵀ = R·Rᵀ, g = e − p, b = W(u − mean) + g:
    /// a ← (I + W·K)⁻¹·b = b − R·(I + Rᵀ·K·R)⁻¹·Rᵀ·K·b
    pub(super) fn mode(&self, chosen: usize, tolerance: f64) -> Result<Mode, PosteriorError> {
        let mut a = vec![0.0; self.mean.len()];
        let mut moved = a.clone();
        let mut at = self.at(&moved, &a, chosen);
        for _ in 0..STEPS {
            let gradient: Vec<f64> = (0..a.len())
                .map(|i| f64::from(u8::from(i == chosen)) - at.probabilities[i])
                .collect();
            let off = a.iter().zip(&gradient).map(|(a, g)| (a - g).abs()).fold(0.0, f64::max);
            if off <= tolerance {
                return Ok(Mode { utilities: at.utilities, probabilities: at.probabilities });
            }
            let target = self.newton(&at.probabilities, &gradient, &moved)?;
            let direction: Vec<f64> = target.iter().zip(&a).map(|(t, a)| t - a).collect();
            let along = self.times(&direction);
            let mut step = 1.0;
            loop {
                let next: Vec<f64> = a.iter().zip(&direction).map(|(a, d)| a + step * d).collect();
                let to: Vec<f64> = moved.iter().zip(&along).map(|(m, d)| m + step * d).collect();
                let tried = self.at(&to, &next, chosen);
                // Near the mode rounding hides what little is gained.
                let rounding = 1e-12 * (1.0 + at.value.abs());
                if tried.value >= at.value - rounding || step < 1e-9 {
                    (a, moved, at) = (next, to, tried);
                    break;
                }
                step /= 2.0;
            }
        }
        Err(PosteriorError::NotConverged { what: "mode of a choice", steps: STEPS })
    }

    fn at(&self, moved: &[f64], a: &[f64], chosen: usize) -> Point {
        let utilities: Vec<f64> = self.mean.iter().zip(moved).map(|(m, d)| m + d).collect();
        let total = log_sum_exp(&utilities);
        let quadratic: f64 = a.iter().zip(moved).map(|(a, d)| a * d).sum();
        let value = utilities[chosen] - total - quadratic / 2.0;
        let probabilities = utilities.iter().map(|u| (u - total).exp()).collect();
        Point { value, utilities, probabilities }
    }

    fn newton(
        &self,
        p: &[f64],
        gradient: &[f64],
        moved: &[f64],
    ) -> Result<Vec<f64>, PosteriorError> {
        let mean = |values: &[f64]| -> f64 { values.iter().zip(p).map(|(v, p)| v * p).sum() };
        let rows = self.times(p);
        let center = mean(&rows);
        let root: Vec<f64> = p.iter().map(|p| p.sqrt()).collect();
        let factor = Cholesky::new("curvature of a choice", p.len(), |i, j| {
            let centered = self.covariance[[i, j]] - rows[i] - rows[j] + center;
            root[i] * root[j] * centered + f64::from(u8::from(i == j))
        })?;
        let moved_mean = mean(moved);
        let b: Vec<f64> =
            (0..p.len()).map(|i| p[i] * (moved[i] - moved_mean) + gradient[i]).collect();
        let covered = self.times(&b);
        let covered_mean = mean(&covered);
        let solved =
            factor.solve((0..p.len()).map(|i| root[i] * (covered[i] - covered_mean)).collect());
        let total: f64 = solved.iter().zip(&root).map(|(s, r)| s * r).sum();
        Ok((0..p.len()).map(|i| b[i] - root[i] * solved[i] + p[i] * total).collect())
    }

    /// covariance · vector.
    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let row = |row: ndarray::ArrayView1<'_, f64>| -> f64 {
            row.iter().zip(vector).map(|(k, v)| k * v).sum()
        };
        self.covariance.outer_iter().map(row).collect()
    }
}

struct Point {
    /// log softmax of the chosen, less ½ aᵀ·covariance·a.
    value: f64,
    utilities: Vec<f64>,
    probabilities: Vec<f64>,
}
