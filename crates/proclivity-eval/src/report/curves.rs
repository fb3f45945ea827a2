//! Plots of points: lines, scatters and reliability diagrams.

use plotters::coord::ranged1d::Ranged;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::{Axis, Scale, drawable};
use super::chart::{
    Canvas, Chart, Drawn, HUES, INK, LINE, MUTED, WIDTH, axes, line, marker, write,
};
use super::label::{Area, GAP, place, width, wrap};
use super::plot::{Point, Series};

/// Series over two axes.
pub(super) struct Curves<'a> {
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    pub(super) series: &'a [Series],
    /// Whether a line goes through each series.
    pub(super) connected: bool,
    /// Whether x and y measure the same, so that both have one scale and a diagonal.
    pub(super) diagonal: bool,
}

/// Lines of a label are at most so wide.
const WIDEST: i32 = 300;

type Pixel = (i32, i32);

struct Label {
    /// What it is about.
    at: Pixel,
    lines: Vec<String>,
    /// Whether it names a series.
    is_name: bool,
}

impl Curves<'_> {
    pub(super) fn height(&self) -> u32 {
        if self.diagonal { 780 } else { 620 }
    }

    /// The scales; `None` without a point to draw.
    pub(super) fn scales(&self) -> Option<(Scale, Scale)> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let drawn = points.filter(|point| drawable(point.x) && drawable(point.y.value));
        let x = drawn.clone().map(|point| point.x);
        let y = drawn.flat_map(|point| [point.y.value, point.y.low, point.y.high]);
        if self.diagonal {
            let scale = self.x.scale(x.chain(y))?;
            return Some((scale.clone(), scale));
        }
        Some((self.x.scale(x)?, self.y.scale_by_zero(y)?))
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>, scales: &(Scale, Scale)) -> Drawn<()> {
        let (x, y) = scales;
        let names = self.series.iter().flat_map(|series| wrap(&series.name, WIDEST, 2));
        let right = names.map(|name| width(&name) + 40).max().unwrap_or(0);
        let chart = axes(canvas, (self.x, x), (&self.y.label, y), (0, right))?;
        if self.diagonal {
            let (x, y) = (x.range(), y.range());
            let corners = [(x.start, y.start), (x.end, y.end)];
            let corners = corners.map(|corner| chart.backend_coord(&corner)).to_vec();
            line(canvas, corners, MUTED, 2)?;
        }
        let (mut obstacles, mut labels) = (Vec::new(), Vec::new());
        for index in 0..self.series.len() {
            self.draw_series(index, canvas, &chart, scales, &mut obstacles, &mut labels)?;
        }
        // Names first: where they stand matters more.
        labels.sort_by_key(|label: &Label| !label.is_name);
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        let bounds = Area([columns.start + 4, rows.start - LINE / 2, WIDTH as i32, rows.end - 4]);
        for label in &labels {
            draw_label(canvas, label, &mut obstacles, bounds)?;
        }
        Ok(())
    }

    /// Draws one series; adds what labels shall not cover, and the labels that it wants.
    fn draw_series(
        &self,
        index: usize,
        canvas: &Canvas<'_>,
        chart: &Chart<'_>,
        (x, y): &(Scale, Scale),
        obstacles: &mut Vec<Area>,
        labels: &mut Vec<Label>,
    ) -> Drawn<()> {
        let series = &self.series[index];
        let hue = HUES[index % HUES.len()];
        // Intervals of several lines at the same x stand side by side.
        let aside = match self.connected && !self.diagonal {
            true => 8 * index as i32 - 4 * (self.series.len() as i32 - 1),
            false => 0,
        };
        let pixel = |across: f64, up: f64| -> Option<Pixel> {
            let (right, down) = chart.backend_coord(&(across, up));
            (drawable(across) && drawable(up)).then_some((right + aside, down))
        };
        let mut previous: Option<Pixel> = None;
        let mut last = None;
        for Point { x: across, y: up, label } in &series.points {
            let at = pixel(*across, up.value);
            // No line goes through what is zero on a logarithmic axis: it would have any slope.
            let joined = at.filter(|_| self.connected && !x.is_off(*across) && !y.is_off(up.value));
            if let (Some(from), Some(to)) = (previous, joined) {
                line(canvas, vec![from, to], hue, 4)?;
                obstacles.extend((0..=16).map(|step| {
                    let part = |from: i32, to: i32| from + (to - from) * step / 16;
                    Area::around((part(from.0, to.0), part(from.1, to.1)), 4)
                }));
            }
            previous = joined;
            let Some(at) = at else { continue };
            let ends = (pixel(*across, up.low), pixel(*across, up.high));
            if let ((Some(low), Some(high)), true) = (ends, up.has_width()) {
                line(canvas, vec![low, high], hue, 3)?;
                obstacles.push(Area([low.0 - 2, high.1, low.0 + 2, low.1]));
            }
            marker(canvas, index, at)?;
            obstacles.push(Area::around(at, 12));
            last = Some(at);
            if let Some(label) = label {
                labels.push(Label { at, lines: wrap(label, WIDEST, 2), is_name: false });
            }
        }
        if let Some(at) = last {
            labels.push(Label { at, lines: wrap(&series.name, WIDEST, 2), is_name: true });
        }
        Ok(())
    }
}

fn draw_label(
    canvas: &Canvas<'_>,
    Label { at, lines, is_name }: &Label,
    obstacles: &mut Vec<Area>,
    bounds: Area,
) -> Drawn<()> {
    let Some(widest) = lines.iter().map(|line| width(line)).max() else { return Ok(()) };
    let size = (widest, LINE * lines.len() as i32);
    let area = place(*at, size, obstacles, bounds);
    let Area([left, top, right, _]) = area;
    obstacles.push(area);
    // What stands to the left ends at the anchor, whatever its width turns out to be.
    let (side, from) = match () {
        () if left > at.0 => (HPos::Left, left),
        () if right < at.0 => (HPos::Right, right),
        () => (HPos::Center, at.0),
    };
    let near = area.closest(*at);
    if (near.0 - at.0).abs().max((near.1 - at.1).abs()) > GAP {
        line(canvas, vec![*at, near], MUTED, 1)?;
    }
    let colour = if *is_name { INK } else { MUTED };
    for (row, words) in lines.iter().enumerate() {
        let at = (from, top + LINE * row as i32 + LINE / 2);
        write(canvas, words, at, colour, (side, VPos::Center))?;
    }
    Ok(())
}
