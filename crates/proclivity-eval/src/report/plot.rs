//! The plots of a report, and the numbers behind them.

use super::axis::Axis;
use super::curves::Curves;
use super::{Cell, Column, Format, Interval, Table, bars, chart, pit};
use crate::EvalError;
use crate::metrics::CalibrationBin;

/// A point of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Where it lies along the horizontal axis.
    pub x: f64,
    /// Where it lies along the vertical axis, with its interval.
    pub y: Interval,
    /// What stands beside it, if anything.
    pub label: Option<String>,
}

impl Point {
    /// A point without a label; `y` may be a plain number.
    pub fn new(x: f64, y: impl Into<Interval>) -> Self {
        Self { x, y: y.into(), label: None }
    }

    /// This point with a label beside it.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What stands beside its last point; may be empty.
    pub name: String,
    /// The points, in the order in which a line goes through them.
    pub points: Vec<Point>,
}

impl Series {
    /// Points under a name.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = Point>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What stands beside it.
    pub label: String,
    /// How long it is.
    pub value: Interval,
}

impl Bar {
    /// A bar; `value` may be a plain number.
    pub fn new(label: impl Into<String>, value: impl Into<Interval>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// A plot. Six series can be told apart by shape and colour. What is not finite is not drawn, and is "–" among the numbers beside the plot.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Plot {
    /// A line through the points of each series; where a point is missing, it breaks.
    Lines {
        /// The horizontal axis.
        x: Axis,
        /// The vertical axis.
        y: Axis,
        /// The lines.
        series: Vec<Series>,
    },
    /// The points of each series.
    Scatter {
        /// The horizontal axis.
        x: Axis,
        /// The vertical axis.
        y: Axis,
        /// The points.
        series: Vec<Series>,
    },
    /// Horizontal bars from zero, grey where the interval holds zero.
    Bars {
        /// The axis along the bars.
        x: Axis,
        /// The bars, from the top.
        bars: Vec<Bar>,
    },
    /// Mean stated probability against the share that happened, with Wilson intervals, on
    /// logarithmic axes. Calibrated probabilities lie on the diagonal.
    Reliability {
        /// The bins of each forecaster, such as [`Calibration::deciles`], by its name.
        ///
        /// [`Calibration::deciles`]: crate::metrics::Calibration::deciles
        forecasters: Vec<(String, Vec<CalibrationBin>)>,
    },
    /// How often the probability integral transform of a target fell into each of these equally
    /// wide bins from 0 to 1, with the 95 % band (of each bin by itself) of calibrated
    /// probabilities.
    Pit {
        /// How often, by bin.
        counts: Vec<usize>,
    },
}

/// A plot as the inside of an `svg` element.
pub(super) struct Drawing {
    pub(super) height: u32,
    pub(super) svg: String,
}

impl Plot {
    /// Draws the plot; `None` where there is nothing to draw.
    pub(super) fn draw(&self) -> Result<Option<Drawing>, EvalError> {
        let (height, svg) = match self {
            Self::Lines { x, y, series } => {
                return curves(&Curves { x, y, series, connected: true, diagonal: false });
            }
            Self::Scatter { x, y, series } => {
                return curves(&Curves { x, y, series, connected: false, diagonal: false });
            }
            Self::Reliability { forecasters } => {
                let (x, y) = reliability_axes();
                let series = &reliability_series(forecasters)?;
                return curves(&Curves { x: &x, y: &y, series, connected: true, diagonal: true });
            }
            Self::Bars { x, bars } => {
                let Some(scale) = bars::scale(x, bars) else { return Ok(None) };
                let height = bars::height(bars);
                (height, chart::svg(height, |canvas| bars::draw(canvas, x, &scale, bars)))
            }
            Self::Pit { counts } => {
                let Some(scales) = pit::scales(counts) else { return Ok(None) };
                (560, chart::svg(560, |canvas| pit::draw(canvas, &scales, counts)))
            }
        };
        Ok(Some(Drawing { height, svg: svg.map_err(|error| EvalError::Render(error.into()))? }))
    }

    /// What the plot shows, in a sentence for those who cannot see it.
    pub(super) fn description(&self) -> String {
        let names = |series: &mut dyn Iterator<Item = &str>| {
            let names: Vec<&str> = series.filter(|name| !name.is_empty()).collect();
            if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
        };
        let what = match self {
            Self::Lines { x, y, series } => {
                let names = names(&mut series.iter().map(|series| series.name.as_str()));
                format!("Lines of {} over {}{names}", y.label, x.label)
            }
            Self::Scatter { x, y, series } => {
                let names = names(&mut series.iter().map(|series| series.name.as_str()));
                format!("Points of {} over {}{names}", y.label, x.label)
            }
            Self::Bars { x, bars } => format!("{} bars of {}", bars.len(), x.label),
            Self::Reliability { forecasters } => {
                let names = names(&mut forecasters.iter().map(|(name, _)| name.as_str()));
                format!("Reliability diagram{names}")
            }
            Self::Pit { counts } => format!("Histogram of {} bins", counts.len()),
        };
        format!("{what}. The numbers are in the table below.")
    }

    /// The numbers that the plot shows.
    pub(super) fn numbers(&self) -> Result<Table, EvalError> {
        match self {
            Self::Lines { x, y, series } | Self::Scatter { x, y, series } => {
                points_table(x, y, series)
            }
            Self::Reliability { forecasters } => {
                let (x, y) = reliability_axes();
                points_table(&x, &y, &reliability_series(forecasters)?)
            }
            Self::Bars { x, bars } => {
                let has_intervals = bars.iter().any(|bar| bar.value.has_width());
                let mut columns = vec![Column::text("bar")];
                columns.extend(interval_columns(x, has_intervals));
                let mut table = Table::new(columns);
                for Bar { label, value } in bars {
                    let mut row: Vec<Cell> = vec![label.as_str().into()];
                    row.extend(interval_cells(value, has_intervals));
                    table.row(row)?;
                }
                Ok(table)
            }
            Self::Pit { counts } => {
                let share = Format::Decimals(2);
                let mut table = Table::new([
                    Column::number("from", share),
                    Column::number("to", share),
                    Column::number("targets", Format::Decimals(0)),
                    Column::number("expected", Format::Decimals(1)),
                ]);
                let bins = counts.len() as f64;
                let expected = counts.iter().sum::<usize>() as f64 / bins;
                for (bin, &count) in counts.iter().enumerate() {
                    let [from, to] = [bin, bin + 1].map(|edge| edge as f64 / bins);
                    table.row([from.into(), to.into(), count.into(), expected.into()])?;
                }
                Ok(table)
            }
        }
    }
}

fn curves(curves: &Curves<'_>) -> Result<Option<Drawing>, EvalError> {
    let Some(scales) = curves.scales() else { return Ok(None) };
    let height = curves.height();
    let svg = chart::svg(height, |canvas| curves.draw(canvas, &scales));
    Ok(Some(Drawing { height, svg: svg.map_err(|error| EvalError::Render(error.into()))? }))
}

fn reliability_axes() -> (Axis, Axis) {
    let axis = |label| Axis::logarithmic(label).with_format(Format::Significant(3));
    (axis("mean stated probability"), axis("share that happened"))
}

fn reliability_series(
    forecasters: &[(String, Vec<CalibrationBin>)],
) -> Result<Vec<Series>, EvalError> {
    let point = |bin: &CalibrationBin| {
        let y = Interval::rate(bin.observed, bin.count)?;
        Ok(Point::new(bin.expected / bin.count as f64, y))
    };
    let series = |(name, bins): &(String, Vec<CalibrationBin>)| {
        let points: Result<Vec<Point>, EvalError> = bins.iter().map(point).collect();
        Ok(Series::new(name, points?))
    };
    forecasters.iter().map(series).collect()
}

/// Columns for a number and, where there are any, the ends of its interval.
fn interval_columns(axis: &Axis, has_intervals: bool) -> impl Iterator<Item = Column> {
    let names = [axis.label.as_str(), "lower end", "upper end"];
    names.map(|name| Column::number(name, axis.format)).into_iter().take(shown(has_intervals))
}

fn interval_cells(interval: &Interval, has_intervals: bool) -> impl Iterator<Item = Cell> {
    let [low, high] = [interval.low, interval.high].map(|end| interval.has_width().then_some(end));
    [interval.value.into(), low.into(), high.into()].into_iter().take(shown(has_intervals))
}

fn shown(has_intervals: bool) -> usize {
    if has_intervals { 3 } else { 1 }
}

fn points_table(x: &Axis, y: &Axis, series: &[Series]) -> Result<Table, EvalError> {
    let points = || series.iter().flat_map(|series| &series.points);
    let has_names = series.iter().any(|series| !series.name.is_empty());
    let has_labels = points().any(|point| point.label.is_some());
    let has_intervals = points().any(|point| point.y.has_width());
    let mut columns = Vec::new();
    columns.extend(has_names.then(|| Column::text("series")));
    columns.extend(has_labels.then(|| Column::text("point")));
    columns.push(Column::number(&x.label, x.format));
    columns.extend(interval_columns(y, has_intervals));
    let mut table = Table::new(columns);
    for Series { name, points } in series {
        for point in points {
            let mut row: Vec<Cell> = Vec::new();
            row.extend(has_names.then(|| name.as_str().into()));
            row.extend(has_labels.then(|| point.label.as_deref().unwrap_or("").into()));
            row.push(point.x.into());
            row.extend(interval_cells(&point.y, has_intervals));
            table.row(row)?;
        }
    }
    Ok(table)
}
