//! Newton's method for a convex function of few parameters, some with a lower bound.

use faer::prelude::Solve;
use faer::{Mat, Side};
use rayon::prelude::*;

use crate::PosteriorError;

/// How many events are summed in one go; fixed, so that the sum doesn't depend on threads.
const CHUNK: usize = 512;

/// A function's value, gradient and Hessian.
#[derive(Debug, Clone)]
pub(crate) struct Quadratic {
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
    /// Row by row.
    pub(crate) hessian: Vec<f64>,
}

impl Quadratic {
    pub(crate) fn zeros(parameters: usize) -> Self {
        let (gradient, hessian) = (vec![0.0; parameters], vec![0.0; parameters * parameters]);
        Self { value: 0.0, gradient, hessian }
    }

    /// The sum of what `add` adds for each event, in parallel.
    pub(crate) fn sum<T: Sync>(
        events: &[T],
        parameters: usize,
        add: impl Fn(&mut Self, &T) + Sync,
    ) -> Self {
        let chunks: Vec<Self> = events
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut total = Self::zeros(parameters);
                chunk.iter().for_each(|event| add(&mut total, event));
                total
            })
            .collect();
        chunks.iter().fold(Self::zeros(parameters), Self::add)
    }

    fn add(mut self, other: &Self) -> Self {
        self.value += other.value;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(a, b)| *a += b);
        self.hessian.iter_mut().zip(&other.hessian).for_each(|(a, b)| *a += b);
        self
    }

    /// Adds precision/2 · (parameter − center)² for one parameter.
    pub(crate) fn add_ridge(&mut self, parameter: usize, offset: f64, precision: f64) {
        self.value += 0.5 * precision * offset * offset;
        self.gradient[parameter] += precision * offset;
        self.hessian[parameter * (self.gradient.len() + 1)] += precision;
    }
}

/// The minimum of a convex function over parameters that are at least `lower`.
///
/// Each step solves for the parameters that aren't held at their bound and backtracks until the
/// function falls enough (Bertsekas 1982, projected Newton).
///
/// # Errors
/// [`PosteriorError::NotPositiveDefinite`] and [`PosteriorError::NotConverged`].
pub(crate) fn minimize(
    what: &'static str,
    start: &[f64],
    lower: &[f64],
    function: impl Fn(&[f64]) -> Quadratic,
) -> Result<Vec<f64>, PosteriorError> {
    const STEPS: usize = 100;
    const HALVINGS: usize = 50;
    const ARRIVED: f64 = 1e-12;
    const ENOUGH: f64 = 1e-4;
    let mut point: Vec<f64> = start.iter().zip(lower).map(|(x, low)| x.max(*low)).collect();
    let mut at = function(&point);
    for _ in 0..STEPS {
        let free: Vec<usize> =
            (0..point.len()).filter(|&i| point[i] > lower[i] || at.gradient[i] < 0.0).collect();
        let width = point.len();
        let hessian =
            Mat::from_fn(free.len(), free.len(), |i, j| at.hessian[free[i] * width + free[j]]);
        let gradient = Mat::from_fn(free.len(), 1, |i, _| at.gradient[free[i]]);
        let factor =
            hessian.llt(Side::Lower).map_err(|_| PosteriorError::NotPositiveDefinite { what })?;
        let step = factor.solve(&gradient);
        let decrease: f64 = (0..free.len()).map(|i| step[(i, 0)] * gradient[(i, 0)]).sum();
        if decrease.is_nan() {
            return Err(PosteriorError::NotConverged { what, steps: STEPS });
        }
        if decrease <= ARRIVED * (1.0 + at.value.abs()) {
            return Ok(point);
        }
        let mut length = 1.0;
        let mut found = None;
        for _ in 0..HALVINGS {
            let mut next = point.clone();
            for (i, &parameter) in free.iter().enumerate() {
                next[parameter] = (next[parameter] - length * step[(i, 0)]).max(lower[parameter]);
            }
            let there = function(&next);
            let along: f64 =
                (0..width).map(|i| at.gradient[i] * (point[i] - next[i])).sum::<f64>().max(0.0);
            if there.value <= at.value - ENOUGH * along && next != point {
                found = Some((next, there));
                break;
            }
            length *= 0.5;
        }
        match found {
            Some((next, there)) => (point, at) = (next, there),
            // The value has no more digits to fall by.
            None if decrease <= 1e-6 * (1.0 + at.value.abs()) => return Ok(point),
            None => break,
        }
    }
    Err(PosteriorError::NotConverged { what, steps: STEPS })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (x − 1)² + (y + 2)² + xy: without bounds at (8/3, −10/3), with y ≥ 0 at (1, 0).
    fn bowl(point: &[f64]) -> Quadratic {
        let (x, y) = (point[0], point[1]);
        Quadratic {
            value: (x - 1.0).powi(2) + (y + 2.0).powi(2) + x * y,
            gradient: vec![2.0 * (x - 1.0) + y, 2.0 * (y + 2.0) + x],
            hessian: vec![2.0, 1.0, 1.0, 2.0],
        }
    }

    #[test]
    fn it_finds_the_minimum_with_and_without_a_bound() {
        let low = f64::NEG_INFINITY;
        let free = minimize("bowl", &[0.0, 0.0], &[low, low], bowl).unwrap();
        assert!((free[0] - 8.0 / 3.0).abs() < 1e-9 && (free[1] + 10.0 / 3.0).abs() < 1e-9);
        let bounded = minimize("bowl", &[5.0, 5.0], &[low, 0.0], bowl).unwrap();
        assert!((bounded[0] - 1.0).abs() < 1e-9 && bounded[1] == 0.0);
    }
}
