//! Expected against observed hits, before and after the splice.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::*;

use crate::style::{BLUE, GREY, ORANGE, Outcome, axes, picture, text};

/// Mean probability and expected over observed hits of groups, by what they are over and by whom.
type Groups = BTreeMap<String, Vec<(String, Vec<(f64, f64)>)>>;

pub(crate) fn draw(csv: &Path, path: &Path) -> Outcome {
    let groups = read(csv)?;
    if groups.is_empty() {
        return Err("no groups with hits".into());
    }
    let root = picture(path, (900, 340));
    let (legend, panels) = root.split_vertically(34);
    let names = groups.values().next().into_iter().flatten().map(|(name, _)| name);
    for (index, (name, colour)) in names.zip([ORANGE, BLUE]).enumerate() {
        let x = 60 + 260 * index as i32;
        legend.draw(&Rectangle::new([(x, 14), (x + 22, 18)], colour.filled()))?;
        legend.draw(&Text::new(name.as_str(), (x + 30, 9), text(14)))?;
    }
    legend.draw(&Rectangle::new([(600, 10), (622, 22)], GREY.mix(0.25).filled()))?;
    legend.draw(&Text::new("within 10 %", (630, 9), text(14)))?;
    let cells = panels.split_evenly((1, groups.len()));
    for (index, (panel, (over, predictives))) in cells.iter().zip(&groups).enumerate() {
        let logs = predictives.iter().flat_map(|(_, points)| points).map(|point| point.0.log10());
        let first = logs.clone().fold(f64::INFINITY, f64::min) - 0.2;
        let last = logs.fold(f64::NEG_INFINITY, f64::max) + 0.2;
        let mut chart = axes(
            panel,
            &format!("deciles of {over}"),
            (first..last, -2.0..2.0),
            ("mean probability", if index == 0 { "expected / observed hits" } else { "" }),
            (&probability, &|y| format!("{}", y.exp2())),
        )?;
        let band = [(first, 0.9_f64.log2()), (last, 1.1_f64.log2())];
        chart.draw_series([Rectangle::new(band, GREY.mix(0.25).filled())])?;
        for ((_, points), colour) in predictives.iter().zip([ORANGE, BLUE]) {
            // What lies beyond is drawn at the edge.
            let point = |&(prob, ratio): &(f64, f64)| (prob.log10(), ratio.log2().clamp(-2.0, 2.0));
            let line = LineSeries::new(points.iter().map(point), colour.stroke_width(2));
            chart.draw_series(line)?;
            let circles = points.iter().map(point).map(|at| Circle::new(at, 4, colour.filled()));
            chart.draw_series(circles)?;
        }
    }
    root.present()?;
    Ok(())
}

/// A power of ten as a percentage.
fn probability(log: &f64) -> String {
    let percent = 100.0 * 10.0_f64.powf(*log);
    let digits = (-percent.log10().floor()).max(0.0) as usize;
    format!("{percent:.digits$} %")
}

/// Columns `predictive,over,group,predictions,expected,observed`, in any order.
fn read(path: &Path) -> Result<Groups, Box<dyn std::error::Error>> {
    let mut reader = csv::Reader::from_path(path)?;
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        let at = header.iter().position(|column| column == name);
        at.ok_or_else(|| format!("{} has no column {name}", path.display()))
    };
    let [predictive, over] = [column("predictive")?, column("over")?];
    let [predictions, expected, observed] =
        [column("predictions")?, column("expected")?, column("observed")?];
    let mut groups = Groups::new();
    for record in reader.records() {
        let record = record?;
        let number = |column: usize| record[column].parse::<f64>();
        let (count, expected, observed) =
            (number(predictions)?, number(expected)?, number(observed)?);
        if count <= 0.0 || observed <= 0.0 {
            continue;
        }
        let predictives = groups.entry(record[over].to_owned()).or_default();
        let name = &record[predictive];
        if predictives.last().is_none_or(|(last, _)| last != name) {
            predictives.push((name.to_owned(), Vec::new()));
        }
        if let Some((_, points)) = predictives.last_mut() {
            points.push((expected / count, expected / observed));
        }
    }
    Ok(groups)
}
