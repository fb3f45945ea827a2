//! Colours that stand out from white and from black alike, and axes without clutter.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontDesc, TextStyle};

/// Text and axes.
pub(crate) const GREY: RGBColor = RGBColor(118, 128, 138);
/// What is right, or known after the data.
pub(crate) const BLUE: RGBColor = RGBColor(47, 129, 247);
/// What is wrong, or was believed before the data.
pub(crate) const ORANGE: RGBColor = RGBColor(226, 113, 29);

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// An empty picture without a ground.
pub(crate) fn picture(path: &Path, size: (u32, u32)) -> Area<'_> {
    SVGBackend::new(path, size).into_drawing_area()
}

/// Grey text.
pub(crate) fn text(size: u32) -> TextStyle<'static> {
    FontDesc::from(("sans-serif", size)).color(&GREY)
}

/// How a tick is written.
pub(crate) type Format<'a> = &'a dyn Fn(&f64) -> String;
pub(crate) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Axes with their labels; a caption above.
pub(crate) fn axes<'a, 'b>(
    area: &'a Area<'b>,
    caption: &str,
    (x, y): (Range<f64>, Range<f64>),
    (x_label, y_label): (&str, &str),
    (x_format, y_format): (Format<'_>, Format<'_>),
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(caption, text(15))
        .margin(8)
        .margin_right(14)
        .x_label_area_size(40)
        .y_label_area_size(if y_label.is_empty() { 34 } else { 52 })
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&x_format)
        .y_label_formatter(&y_format)
        .axis_style(GREY)
        .label_style(text(12))
        .axis_desc_style(text(13))
        .draw()?;
    Ok(chart)
}
