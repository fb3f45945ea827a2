//! The histogram of probability integral transforms, which is flat if the probabilities hold.

use plotters::prelude::{Color, Rectangle};

use super::axis::{Axis, Scale};
use super::chart::{Canvas, Drawn, HUES, INK, MUTED, axes, line};

/// Half the width of the 95 % band of a bin's frequency over the expected one, if `count` draws
/// are uniform over `bins`: 1.96 √((bins − 1) / count).
fn half_band(count: usize, bins: usize) -> f64 {
    1.96 * ((bins - 1) as f64 / count as f64).sqrt()
}

/// The scales; `None` without a draw.
pub(super) fn scales(counts: &[usize]) -> Option<(Axis, Scale, Scale)> {
    let count: usize = counts.iter().sum();
    if count == 0 {
        return None;
    }
    let highest = counts.iter().max().map_or(0.0, |&most| relative(most, count, counts.len()));
    let x = Axis::linear("probability integral transform of the target");
    let band = 1.0 + half_band(count, counts.len());
    let y = Axis::linear("").scale_by_zero([0.0, highest.max(band)])?;
    Some((x, Scale::unit(), y))
}

fn relative(bin: usize, count: usize, bins: usize) -> f64 {
    bin as f64 * bins as f64 / count as f64
}

/// Draws the bins over the band.
pub(super) fn draw(
    canvas: &Canvas<'_>,
    (axis, x, y): &(Axis, Scale, Scale),
    counts: &[usize],
) -> Drawn<()> {
    let chart = axes(canvas, (axis, x), ("frequency / expected frequency", y), (0, 0))?;
    let count: usize = counts.iter().sum();
    let at = |across: f64, up: f64| chart.backend_coord(&(across, up));
    for (bin, &observed) in counts.iter().enumerate() {
        let edge = |bin: usize| bin as f64 / counts.len() as f64;
        let (left, top) = at(edge(bin), relative(observed, count, counts.len()));
        let (right, bottom) = at(edge(bin + 1), 0.0);
        let bar = [(left + 2, top), (right - 2, bottom)];
        canvas.draw(&Rectangle::new(bar, HUES[0].mix(0.75).filled()))?;
    }
    let half = half_band(count, counts.len());
    let band = [at(0.0, 1.0 + half), at(1.0, 1.0 - half)];
    canvas.draw(&Rectangle::new(band, MUTED.mix(0.25).filled()))?;
    line(canvas, vec![at(0.0, 1.0), at(1.0, 1.0)], INK, 2)
}
