//! One choice in the space of its utilities, whose dimension is that of the set.

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

/// The normal in the place of the utilities once one was chosen: its mean is mean + covariance · pull,
/// its precision is more by diag p − p·pᵀ.
pub(super) struct Moved {
    pub(super) pull: Vec<f64>,
    pub(super) mean: Vec<f64>,
    pub(super) probabilities: Vec<f64>,
}

const STEPS: usize = 100;

impl Utilities<'_> {
    /// The mode, and from it the mean by the skewness of the likelihood, to first order.
    ///
    /// Newton's method with halved steps on u = mean + covariance · a, so that the covariance is never
    /// inverted. At the mode a is the gradient of log softmax, g = e − p, here within `tolerance`.
    ///
    /// # Formula
    /// a ← a + (I + W·K)⁻¹(g − a), with W = diag p − p·pᵀ, p = softmax(u). From the mode to the mean:
    /// a ← a + (I + W·K)⁻¹t, tᵢ = −½ Σⱼₖ κᵢⱼₖ·Σⱼₖ, with κ the third cumulants of the choice and Σ the
    /// covariance of the utilities at the mode.
    pub(super) fn choose(&self, chosen: usize, tolerance: f64) -> Result<Moved, PosteriorError> {
        let mut a = vec![0.0; self.mean.len()];
        let mut moved = a.clone();
        let mut at = self.at(&moved, &a, chosen);
        let mut curvature = Curvature::new(self, &at.probabilities)?;
        let mut before = f64::INFINITY;
        for _ in 0..STEPS {
            let left: Vec<f64> = (0..a.len())
                .map(|i| f64::from(u8::from(i == chosen)) - at.probabilities[i] - a[i])
                .collect();
            let off = left.iter().fold(0.0, |most: f64, left| most.max(left.abs()));
            if off <= tolerance {
                let curvature = Curvature::new(self, &at.probabilities)?;
                return Ok(self.mean(a, curvature));
            }
            // A step with yesterday's curvature is as good while it gets ten times as near.
            if before < f64::INFINITY && off > 0.1 * before {
                curvature = Curvature::new(self, &at.probabilities)?;
            }
            before = off;
            let direction = curvature.solve(self, &left);
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

    /// From the mode, which has that curvature, to the mean.
    fn mean(&self, mode: Vec<f64>, curvature: Curvature) -> Moved {
        // Σⱼₖ κᵢⱼₖ·Σⱼₖ = hᵢ − pᵢ·Σⱼ hⱼ with hᵢ = (Rᵀ·Σ·R)ᵢᵢ = 1 − ((I + Rᵀ·K·R)⁻¹)ᵢᵢ.
        let shares: Vec<f64> = curvature.factor.inverse_diagonal().map(|kept| 1.0 - kept).collect();
        let total: f64 = shares.iter().sum();
        let skew: Vec<f64> =
            shares.iter().zip(&curvature.p).map(|(share, p)| (p * total - share) / 2.0).collect();
        let further = curvature.solve(self, &skew);
        let pull: Vec<f64> = mode.iter().zip(&further).map(|(a, f)| a + f).collect();
        let mean: Vec<f64> =
            self.mean.iter().zip(self.times(&pull)).map(|(m, moved)| m + moved).collect();
        Moved { pull, mean, probabilities: curvature.p }
    }

    fn at(&self, moved: &[f64], a: &[f64], chosen: usize) -> Point {
        let utilities: Vec<f64> = self.mean.iter().zip(moved).map(|(m, d)| m + d).collect();
        let total = log_sum_exp(&utilities);
        let quadratic: f64 = a.iter().zip(moved).map(|(a, d)| a * d).sum();
        let value = utilities[chosen] - total - quadratic / 2.0;
        Point { value, probabilities: utilities.iter().map(|u| (u - total).exp()).collect() }
    }

    /// covariance · vector, as a sum of rows, which are columns.
    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; vector.len()];
        for (row, value) in self.covariance.outer_iter().zip(vector) {
            sum.iter_mut().zip(row).for_each(|(sum, k)| *sum += value * k);
        }
        sum
    }
}

struct Point {
    /// log softmax of the chosen, less ½ aᵀ·covariance·a.
    value: f64,
    probabilities: Vec<f64>,
}

/// W = diag p − p·pᵀ = R·Rᵀ, R = diag √p − p·√pᵀ.
struct Curvature {
    p: Vec<f64>,
    root: Vec<f64>,
    /// Of I + Rᵀ·K·R.
    factor: Cholesky,
}

impl Curvature {
    fn new(utilities: &Utilities<'_>, p: &[f64]) -> Result<Self, PosteriorError> {
        let rows = utilities.times(p);
        let center = mean(&rows, p);
        let root: Vec<f64> = p.iter().map(|p| p.sqrt()).collect();
        let factor = Cholesky::new("curvature of a choice", p.len(), |i, j| {
            let centered = utilities.covariance[[i, j]] - rows[i] - rows[j] + center;
            root[i] * root[j] * centered + f64::from(u8::from(i == j))
        })?;
        Ok(Self { p: p.to_vec(), root, factor })
    }

    /// (I + W·K)⁻¹·b = b − R·(I + Rᵀ·K·R)⁻¹·Rᵀ·K·b.
    fn solve(&self, utilities: &Utilities<'_>, b: &[f64]) -> Vec<f64> {
        let covered = utilities.times(b);
        let center = mean(&covered, &self.p);
        let inner = covered.iter().zip(&self.root).map(|(c, root)| root * (c - center));
        let solved = self.factor.solve(inner.collect());
        let total: f64 = solved.iter().zip(&self.root).map(|(s, root)| s * root).sum();
        let parts = solved.iter().zip(&self.root).zip(&self.p);
        b.iter().zip(parts).map(|(b, ((s, root), p))| b - root * s + p * total).collect()
    }
}

/// Σ p·v.
fn mean(values: &[f64], p: &[f64]) -> f64 {
    values.iter().zip(p).map(|(v, p)| v * p).sum()
}
