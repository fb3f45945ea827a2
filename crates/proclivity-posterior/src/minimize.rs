//! The minimum of a function of one number: a scan for where it lies, golden sections for how exactly.

use crate::PosteriorError;

/// Where a function is least, and how small it is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minimum {
    pub(crate) at: f64,
    pub(crate) value: f64,
}

/// The least value found on an ascending grid and by golden sections between the neighbours of its
/// best point, until they lie within `tolerance`.
///
/// Needs no derivative, bears values of +∞, and finds minima on the boundary. A function with
/// several minima needs a grid that tells them apart.
pub(crate) fn minimize(
    mut function: impl FnMut(f64) -> Result<f64, PosteriorError>,
    grid: &[f64],
    tolerance: f64,
) -> Result<Minimum, PosteriorError> {
    let mut best = Minimum { at: f64::NAN, value: f64::INFINITY };
    let mut index = 0;
    for (position, &at) in grid.iter().enumerate() {
        let value = function(at)?;
        if value < best.value || position == 0 {
            (best, index) = (Minimum { at, value }, position);
        }
    }
    let mut low = grid[index.saturating_sub(1)];
    let mut high = grid[(index + 1).min(grid.len() - 1)];
    let section = (5.0_f64.sqrt() - 1.0) / 2.0;
    let mut left = high - section * (high - low);
    let mut right = low + section * (high - low);
    let (mut at_left, mut at_right) = (function(left)?, function(right)?);
    loop {
        for (at, value) in [(left, at_left), (right, at_right)] {
            if value < best.value {
                best = Minimum { at, value };
            }
        }
        if high - low <= tolerance {
            return Ok(best);
        }
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - section * (high - low);
            at_left = function(left)?;
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + section * (high - low);
            at_right = function(right)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_inside_and_on_the_boundary_are_found() {
        let grid: Vec<f64> = (0..=8).map(f64::from).collect();
        for truth in [0.0, 0.3, std::f64::consts::PI, 8.0] {
            let found = minimize(|x| Ok((x - truth).powi(2)), &grid, 1e-6).unwrap();
            assert!((found.at - truth).abs() < 1e-5, "{} for {truth}", found.at);
        }
        let cliff = |x: f64| Ok(if x < 2.5 { f64::INFINITY } else { x });
        assert!((minimize(cliff, &grid, 1e-6).unwrap().at - 2.5).abs() < 1e-5);
    }
}
