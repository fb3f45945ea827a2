//! Expected against observed hits, before and after the splice.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::*;

use crate::style::{BLUE, GREY, ORANGE, Outcome, axes, picture, text};

/// Mean probability and expected over observed hits of groups, by what they are over and by whom.
type Groups = BTreeMap<String, Vec<(String, Vec<(f64, f64)>)>>;

pub(crate) fn draw(csv: &Path, path: &Path) -> Outcome {
    let groups = read(csv)?;
    let mut probs: Vec<f64> = groups.values().flatten().flat_map(|(_, g)| g).map(|g| g.0).collect();
    probs.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (probs.first(), probs.last()) else {
        return Err("no groups with hits".into());
    };
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
        let mut chart = axes(
            panel,
            &format!("deciles of {over}"),
            ((first / 1.5..last * 1.5).log_scale(), (0.25..4.0).log_scale()),
            ("mean probability", if index == 0 { "expected / observed hits" } else { "" }),
            (&|x| format!("{x:.0e}"), &|y| format!("{y}")),
        )?;
        let band = [(first / 1.5, 0.9), (last * 1.5, 1.1)];
        chart.draw_series([Rectangle::new(band, GREY.mix(0.25).filled())])?;
        for ((_, points), colour) in predictives.iter().zip([ORANGE, BLUE]) {
            // What lies beyond is drawn at the edge.
            let points = || points.iter().map(|&(prob, ratio)| (prob, ratio.clamp(0.25, 4.0)));
            chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
            chart.draw_series(points().map(|point| Circle::new(point, 4, colour.filled())))?;
        }
    }
    root.present()?;
    Ok(())
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
