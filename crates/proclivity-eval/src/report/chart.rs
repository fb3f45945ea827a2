//! What all plots share: size, colours, text, axes and markers.
//!
//! The backend writes whole numbers only, so that a unit of the drawing is half a pixel. It writes
//! colours as attributes, which the style sheet of the report overrides in the dark.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::{
    Cartesian2d, ChartContext, Circle, Color, DrawingArea, DrawingAreaErrorKind, FontDesc,
    FontFamily, FontStyle, IntoDrawingArea, PathElement, Polygon, RGBColor, SVGBackend, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale};
use super::label::{width, wrap};

pub(super) const WIDTH: u32 = 960;
/// The height of text.
pub(super) const TEXT: i32 = 28;
/// The distance of lines of text.
pub(super) const LINE: i32 = 35;
/// Above the plotting area, for the name of the vertical axis.
const TOP: i32 = 54;
/// Below it, for ticks and the name of the horizontal axis.
pub(super) const BOTTOM: i32 = 96;

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
/// Axes and their text.
pub(super) const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6E);
/// Grid lines and bands.
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xE1, 0xE6);
/// Okabe and Ito's colours, which the colour-blind can tell apart, without the faint yellow.
pub(super) const HUES: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
];

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
pub(super) type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Scale, Scale>>;

/// Draws, and returns what goes between the tags of an `svg` element.
pub(super) fn svg(height: u32, draw: impl FnOnce(&Canvas<'_>) -> Drawn<()>) -> Drawn<String> {
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    draw(&canvas)?;
    canvas.present()?;
    drop(canvas);
    let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
    Ok(inner.trim_end().trim_end_matches("</svg>").trim().to_owned())
}

/// The axes of a plot, with a grid. `left` and `right` are kept free beside what the ticks need.
pub(super) fn axes<'a>(
    canvas: &Canvas<'a>,
    (x_axis, x): (&Axis, &Scale),
    (y_label, y): (&str, &Scale),
    (left, right): (i32, i32),
) -> Drawn<Chart<'a>> {
    let ticks = y.ticks.iter().map(|tick| width(&y.format_ext(tick))).max();
    let left = left + ticks.map_or(0, |ticks| ticks + 22);
    let x = x.clone().thinned(|tick| width(tick) + TEXT, WIDTH as i32 - left - right);
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(if y_label.is_empty() { 8 } else { TOP })
        .margin_right(right.max(24))
        .x_label_area_size(BOTTOM)
        .y_label_area_size(left)
        .build_cartesian_2d(x, y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(MUTED.stroke_width(2))
        .set_all_tick_mark_size(8)
        .label_style(text(MUTED))
        .draw()?;
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let middle = (columns.start + columns.end) / 2;
    let below = (middle, rows.end + BOTTOM - 4);
    write(canvas, &shorten(&x_axis.label), below, MUTED, (HPos::Center, VPos::Bottom))?;
    write(canvas, &shorten(y_label), (4, 4), MUTED, (HPos::Left, VPos::Top))?;
    Ok(chart)
}

fn shorten(label: &str) -> String {
    wrap(label, WIDTH as i32, 1).concat()
}

fn text(colour: RGBColor) -> TextStyle<'static> {
    // The backend divides the size by 1.24.
    let size = 1.24 * f64::from(TEXT);
    FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal).color(&colour)
}

/// Writes text at a point.
pub(super) fn write(
    canvas: &Canvas<'_>,
    words: &str,
    at: (i32, i32),
    colour: RGBColor,
    (horizontal, vertical): (HPos, VPos),
) -> Drawn<()> {
    if words.is_empty() {
        return Ok(());
    }
    let style = text(colour).pos(Pos::new(horizontal, vertical));
    canvas.draw(&Text::new(words, at, style))
}

/// A line through points.
pub(super) fn line(
    canvas: &Canvas<'_>,
    points: Vec<(i32, i32)>,
    colour: RGBColor,
    width: u32,
) -> Drawn<()> {
    canvas.draw(&PathElement::new(points, colour.stroke_width(width)))
}

/// A marker: another shape and colour for each series, up to as many as there are colours.
pub(super) fn marker(canvas: &Canvas<'_>, series: usize, (x, y): (i32, i32)) -> Drawn<()> {
    let style = HUES[series % HUES.len()].filled();
    let polygon = |corners: &[(i32, i32)]| {
        let corners = corners.iter().map(|&(right, down)| (x + right, y + down));
        canvas.draw(&Polygon::new(corners.collect::<Vec<_>>(), style))
    };
    match series % HUES.len() {
        0 => canvas.draw(&Circle::new((x, y), 9, style)),
        1 => polygon(&[(-8, -8), (8, -8), (8, 8), (-8, 8)]),
        2 => polygon(&[(0, -11), (10, 8), (-10, 8)]),
        3 => polygon(&[(0, -12), (12, 0), (0, 12), (-12, 0)]),
        4 => polygon(&[(0, 11), (10, -8), (-10, -8)]),
        _ => polygon(&[(-12, -4), (12, -4), (12, 4), (-12, 4)]),
    }
}
