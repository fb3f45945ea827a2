//! Prior against posterior of three interests: densities with 90 % intervals.

use std::path::Path;

use ndarray::array;
use plotters::prelude::*;
use proclivity_posterior::{Dirichlet, InterestLikelihood, ShareInterval, exact_shares};
use statrs::distribution::{Beta, Continuous};

use crate::style::{BLUE, ORANGE, Outcome, axes, picture, text};

pub(crate) fn draw(path: &Path) -> Outcome {
    let names = ["space opera", "cosy crime", "cooking"];
    let phi = array![
        [9.0, 6.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0, 2.0, 8.0, 6.0, 3.0, 1.0, 2.0],
        [1.0, 1.0, 1.0, 4.0, 3.0, 6.0, 6.0, 2.0],
    ];
    let likelihood = InterestLikelihood::from_weights(phi.view())?;
    let prior = Dirichlet::new(vec![1.5, 2.0, 2.5])?;
    let history = [0, 1, 0, 3, 0, 2, 1, 4, 0, 1, 0, 1];
    let before = exact_shares(&prior, &likelihood, &[], usize::MAX)?;
    let after = exact_shares(&prior, &likelihood, &history, usize::MAX)?;
    let density = |components: &[(f64, Dirichlet)], k: usize, share: f64| -> f64 {
        let part = |(weight, dirichlet): &(f64, Dirichlet)| {
            let a = dirichlet.concentration()[k];
            Beta::new(a, dirichlet.strength() - a).map_or(0.0, |beta| weight * beta.pdf(share))
        };
        components.iter().map(part).sum()
    };
    let shares = || (0..=200).map(|step| f64::from(step) / 200.0);
    let beliefs = [
        ("prior, Dirichlet(1.5, 2, 2.5)", &before, ORANGE, -0.25),
        ("posterior after 12 events", &after, BLUE, -0.55),
    ];
    let mut top = 0.0_f64;
    for (_, belief, ..) in &beliefs {
        for k in 0..names.len() {
            let highest = shares().map(|share| density(belief.components(), k, share));
            top = highest.fold(top, f64::max);
        }
    }

    let root = picture(path, (900, 300));
    let (legend, panels) = root.split_vertically(34);
    for (index, (name, _, colour, _)) in beliefs.iter().enumerate() {
        let x = 60 + 270 * index as i32;
        legend.draw(&Rectangle::new([(x, 14), (x + 22, 18)], colour.filled()))?;
        legend.draw(&Text::new(*name, (x + 30, 9), text(14)))?;
    }
    legend.draw(&Text::new("bars: mean and 90 % interval", (600, 9), text(14)))?;
    for (k, panel) in panels.split_evenly((1, 3)).iter().enumerate() {
        let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
        let positive = |y: &f64| if *y < 0.0 { String::new() } else { format!("{y:.0}") };
        let y_label = if k == 0 { "density" } else { "" };
        let mut chart = axes(
            panel,
            names[k],
            (0.0..1.0, -0.8..top * 1.05),
            ("share of the user's events", y_label),
            (&percent, &positive),
        )?;
        for &(_, belief, colour, height) in &beliefs {
            let curve = shares().map(|share| (share, density(belief.components(), k, share)));
            let style = colour.stroke_width(2);
            let filled = AreaSeries::new(curve, 0.0, colour.mix(0.16)).border_style(style);
            chart.draw_series(filled)?;
            let ShareInterval { mean, lower, upper } = belief.intervals(0.9)?[k];
            let ends = vec![(lower, height), (upper, height)];
            chart.draw_series(LineSeries::new(ends, colour.stroke_width(3)))?;
            chart.draw_series([Circle::new((mean, height), 5, colour.filled())])?;
        }
    }
    root.present()?;
    Ok(())
}
