//! Horizontal bars from zero, with intervals.

use plotters::prelude::{Color, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::{Axis, Scale, drawable};
use super::chart::{BOTTOM, Canvas, Drawn, HUES, INK, LINE, MUTED, axes, line, write};
use super::label::{width, wrap};
use super::plot::Bar;

/// Labels stand to the left of the bars, in lines of at most so many units.
const LABEL: i32 = 360;

/// How tall the plot of these bars is.
pub(super) fn height(bars: &[Bar]) -> u32 {
    8 + BOTTOM as u32 + row_height(bars) as u32 * bars.len() as u32
}

fn row_height(bars: &[Bar]) -> i32 {
    let lines = bars.iter().map(|bar| wrap(&bar.label, LABEL, 2).len()).max();
    18 + LINE * lines.unwrap_or(1).max(1) as i32
}

/// The scale, with zero on it; `None` without a bar to draw.
pub(super) fn scale(axis: &Axis, bars: &[Bar]) -> Option<Scale> {
    let drawn = bars.iter().map(|bar| bar.value).filter(|bar| drawable(bar.value));
    let values: Vec<f64> = drawn.flat_map(|bar| [bar.value, bar.low, bar.high]).collect();
    axis.scale(values.iter().copied())?;
    axis.scale_by_zero(values.into_iter().chain([0.0]))
}

/// Draws the bars, each with its label to the left and its number to the right.
pub(super) fn draw(canvas: &Canvas<'_>, axis: &Axis, scale: &Scale, bars: &[Bar]) -> Drawn<()> {
    let labels: Vec<Vec<String>> = bars.iter().map(|bar| wrap(&bar.label, LABEL, 2)).collect();
    let numbers: Vec<String> = bars.iter().map(|bar| axis.format.write(bar.value.value)).collect();
    let left = labels.iter().flatten().map(|label| width(label)).max().unwrap_or(0) + 20;
    let right = numbers.iter().map(|number| width(number)).max().unwrap_or(0) + 28;
    let rows = Scale::rows(bars.len());
    let chart = axes(canvas, (axis, scale), ("", &rows), (left, right))?;
    let (columns, area) = chart.plotting_area().get_pixel_range();
    for (row, (bar, (lines, number))) in bars.iter().zip(labels.iter().zip(&numbers)).enumerate() {
        let up = bars.len() as f64 - row as f64 - 0.5;
        let (origin, middle) = chart.backend_coord(&(0.0, up));
        let across = |value: f64| drawable(value).then(|| chart.backend_coord(&(value, up)).0);
        let top = middle - LINE * lines.len() as i32 / 2 + LINE / 2;
        for (position, words) in lines.iter().enumerate() {
            let at = (columns.start - 16, top + LINE * position as i32);
            write(canvas, words, at, INK, (HPos::Right, VPos::Center))?;
        }
        let beside = (columns.end + right - 4, middle);
        write(canvas, number, beside, INK, (HPos::Right, VPos::Center))?;
        let Some(end) = across(bar.value.value) else { continue };
        // A bar whose interval holds zero claims nothing.
        let hue = match bar.value.has_width() && bar.value.low <= 0.0 && bar.value.high >= 0.0 {
            true => MUTED,
            false if bar.value.value < 0.0 => HUES[1],
            false => HUES[0],
        };
        let corners = [(origin.min(end), middle - 13), (origin.max(end), middle + 13)];
        canvas.draw(&Rectangle::new(corners, hue.mix(0.75).filled()))?;
        if let (Some(low), Some(high), true) =
            (across(bar.value.low), across(bar.value.high), bar.value.has_width())
        {
            line(canvas, vec![(low, middle), (high, middle)], INK, 3)?;
            for end in [low, high] {
                line(canvas, vec![(end, middle - 7), (end, middle + 7)], INK, 3)?;
            }
        }
    }
    let (origin, _) = chart.backend_coord(&(0.0, 0.0));
    line(canvas, vec![(origin, area.start), (origin, area.end)], INK, 2)
}
