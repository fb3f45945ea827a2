//! Simulation-based calibration: histograms of ranks, and their distribution functions, with bands.

use std::path::Path;

use ndarray::array;
use plotters::prelude::*;
use proclivity_posterior::{
    Belief, Dirichlet, GibbsConfig, InterestLikelihood, InterestModel, PosteriorError, Replicate,
    SbcConfig, SbcQuantity,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::style::{BLUE, GREY, ORANGE, Outcome, axes, picture, text};

const BINS: usize = 20;
const LEVEL: f64 = 0.95;

pub(crate) fn draw(path: &Path) -> Outcome {
    let phi = array![
        [9.0, 6.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0, 2.0, 8.0, 6.0, 3.0, 1.0, 2.0],
        [1.0, 1.0, 1.0, 4.0, 3.0, 6.0, 6.0, 2.0],
    ];
    let likelihood = InterestLikelihood::from_weights(phi.view())?;
    let model = InterestModel::new(Dirichlet::new(vec![1.0, 0.5, 0.8])?, likelihood)?;
    let config = SbcConfig { replicates: 2_000, ..SbcConfig::default() };
    let before = Belief::new(&model).posterior(&model)?;
    let gibbs = GibbsConfig { burn_in: 100, draws: config.draws, thinning: 20 };
    let sampled = calibrate(&config, &model, |history, rng| {
        let draws = gibbs.sample(&before, model.likelihood(), history, rng)?;
        Ok(draws.shares().rows().into_iter().map(|draw| draw.to_vec()).collect())
    })?;
    let filtered = calibrate(&config, &model, |history, rng| {
        let posterior = model.belief(history)?.posterior(&model)?;
        Ok((0..config.draws).map(|_| posterior.sample(rng)).collect())
    })?;
    let columns = [
        ("Gibbs: a share", &sampled[0], BLUE),
        ("Gibbs: log-likelihood", &sampled[1], BLUE),
        ("running belief: a share, too narrow", &filtered[0], ORANGE),
    ];

    let root = picture(path, (960, 520));
    let (legend, panels) = root.split_vertically(30);
    legend.draw(&Rectangle::new([(60, 9), (82, 21)], GREY.mix(0.25).filled()))?;
    let note = format!(
        "where {:.0} % of right posteriors stay throughout; {} replicates of 12 events",
        100.0 * LEVEL,
        config.replicates
    );
    legend.draw(&Text::new(note, (90, 9), text(14)))?;
    let cells = panels.split_evenly((2, 3));
    for (column, (caption, quantity, colour)) in columns.into_iter().enumerate() {
        let p_value = quantity.uniformity.ecdf_p_value;
        let p_value =
            if p_value < 0.001 { "< 0.001".to_owned() } else { format!("= {p_value:.2}") };
        let label = |text: &'static str| if column == 0 { text } else { "" };
        histogram(&cells[column], caption, label("replicates"), quantity, colour)?;
        let caption = format!("its distribution, p {p_value}");
        distribution(&cells[3 + column], &caption, label("too many below"), quantity, colour)?;
    }
    root.present()?;
    Ok(())
}

/// Ranks of a share and of the log-likelihood among draws given 12 events of a simulated user.
fn calibrate(
    config: &SbcConfig,
    model: &InterestModel,
    draws: impl Fn(&[u32], &mut ChaCha8Rng) -> Result<Vec<Vec<f64>>, PosteriorError> + Sync,
) -> Result<Vec<SbcQuantity>, PosteriorError> {
    let report = config.run(&["share", "log-likelihood"], |rng| {
        let truth = model.prior().sample(rng);
        let mut log_probs = vec![0.0; model.likelihood().item_count()];
        model.likelihood().log_probs(&truth, &mut log_probs);
        let event = |rng: &mut ChaCha8Rng| {
            let mut left = rng.random::<f64>();
            let item = log_probs.iter().position(|log_prob| {
                left -= log_prob.exp();
                left < 0.0
            });
            item.unwrap_or(log_probs.len() - 1) as u32
        };
        let history: Vec<u32> = (0..12).map(|_| event(rng)).collect();
        let quantities = |shares: &Vec<f64>| {
            let mut log_probs = vec![0.0; log_probs.len()];
            model.likelihood().log_probs(shares, &mut log_probs);
            vec![shares[0], history.iter().map(|&item| log_probs[item as usize]).sum()]
        };
        let draws = draws(&history, rng)?;
        Ok(Replicate { truths: quantities(&truth), draws: draws.iter().map(quantities).collect() })
    })?;
    Ok(report.quantities)
}

fn histogram(
    area: &crate::style::Area<'_>,
    caption: &str,
    y_label: &str,
    quantity: &SbcQuantity,
    colour: RGBColor,
) -> Outcome {
    let counts = quantity.histogram(BINS);
    let total: u64 = counts.iter().sum();
    // Bonferroni over the bins.
    let bin = Binomial::new(1.0 / BINS as f64, total)?;
    let tail = 0.5 * (1.0 - LEVEL) / BINS as f64;
    let (low, high) = (bin.inverse_cdf(tail) as f64, bin.inverse_cdf(1.0 - tail) as f64);
    let top = 3.5 * total as f64 / BINS as f64;
    let mut chart = axes(
        area,
        caption,
        (0.0..100.0, 0.0..top),
        ("rank of the truth among 99 draws", y_label),
        (&|x| format!("{x:.0}"), &|y| format!("{y:.0}")),
    )?;
    let width = 100.0 / BINS as f64;
    chart.draw_series(counts.iter().enumerate().map(|(bin, &count)| {
        let x = bin as f64 * width;
        let corners = [(x + 0.4, 0.0), (x + width - 0.4, (count as f64).min(top))];
        Rectangle::new(corners, colour.mix(0.8).filled())
    }))?;
    chart.draw_series([Rectangle::new([(0.0, low), (100.0, high)], GREY.mix(0.25).filled())])?;
    Ok(())
}

/// The distribution function less that of uniform ranks.
fn distribution(
    area: &crate::style::Area<'_>,
    caption: &str,
    y_label: &str,
    quantity: &SbcQuantity,
    colour: RGBColor,
) -> Outcome {
    let total: u64 = quantity.counts.iter().sum();
    let band = quantity.band(LEVEL)?;
    let mut chart = axes(
        area,
        caption,
        (0.0..100.0, -0.15..0.15),
        ("rank of the truth among 99 draws", y_label),
        (&|x| format!("{x:.0}"), &|y| format!("{:+.0} %", 100.0 * y)),
    )?;
    let less = |(fraction, value): (&f64, &f64)| (100.0 * fraction, value - fraction);
    let upper = band.fractions.iter().zip(&band.upper).map(less);
    let lower = band.fractions.iter().zip(&band.lower).map(less).rev();
    let outline: Vec<_> =
        [(0.0, 0.0)].into_iter().chain(upper).chain([(100.0, 0.0)]).chain(lower).collect();
    chart.draw_series([Polygon::new(outline, GREY.mix(0.25))])?;
    let mut below = 0;
    let curve = quantity.counts.iter().enumerate().map(|(rank, count)| {
        below += count;
        let fraction = (rank + 1) as f64 / quantity.counts.len() as f64;
        (100.0 * fraction, below as f64 / total as f64 - fraction)
    });
    let curve: Vec<_> = [(0.0, 0.0)].into_iter().chain(curve).collect();
    chart.draw_series(LineSeries::new(curve, colour.stroke_width(2)))?;
    Ok(())
}
