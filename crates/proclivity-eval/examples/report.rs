//! A report with every kind of table and plot, of numbers drawn by chance:
//! `cargo run --release -p proclivity-eval --features report --example report -- report.html`
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;

use proclivity_eval::metrics::{Calibration, CalibrationBin, Forecast};
use proclivity_eval::paired_bootstrap;
use proclivity_eval::report::{
    Axis, Bar, Cell, Column, Format, Interval, Plot, Point, Report, Series, Table,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SHARE: Format = Format::Decimals(4);

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("where shall the report be written?")?;
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut report = Report::new("A sample report").with_summary(
        "Every kind of table and plot that a report can hold. The numbers are drawn by chance \
         from a fixed seed and say nothing about any recommender.",
    );
    report.table("Accuracy", "Test items of 22,363 users, ranked over 12,101 items.", accuracy()?);
    ablation(&mut report, &mut rng)?;
    probabilities(&mut report, &mut rng)?;
    coverage(&mut report, &mut rng)?;
    trade_offs(&mut report);
    cold_users(&mut report)?;
    environment(&mut report)?;
    report.write(&path)?;
    println!("{path}");
    Ok(())
}

fn accuracy() -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new([
        Column::text("recommender"),
        Column::text("source"),
        Column::number("HR@10", SHARE).highest_is_best(),
        Column::number("NDCG@10", SHARE).highest_is_best(),
        Column::number("MRR", SHARE).highest_is_best(),
        Column::number("log loss", Format::Decimals(3)).lowest_is_best(),
        Column::number("seconds", Format::Decimals(1)),
    ]);
    for (name, hits, ndcg, mrr, loss, seconds) in [
        ("pool of closed forms, refit", 0.1181, 0.0737, 0.0652, 7.812, 41.3),
        ("pool of closed forms", 0.1092, 0.0677, 0.0604, 7.894, 38.9),
        ("Dirichlet–Markov", 0.1043, 0.0644, 0.0571, 8.013, 12.2),
        ("popularity", 0.0151, 0.0072, 0.0069, 8.911, 0.1),
    ] {
        table.row([
            name.into(),
            "this run".into(),
            Cell::Estimate(hits, 0.0021),
            Cell::Estimate(ndcg, 0.0014),
            mrr.into(),
            loss.into(),
            seconds.into(),
        ])?;
    }
    for (name, hits, ndcg) in [("eSASRec", 0.0928, 0.0547), ("SASRec", 0.0605, 0.0318)] {
        let missing = || Cell::from(None);
        let numbers = [hits.into(), ndcg.into(), missing(), missing(), missing()];
        table.row([name.into(), "published".into()].into_iter().chain(numbers))?;
    }
    Ok(table)
}

fn ablation(report: &mut Report, rng: &mut ChaCha8Rng) -> Result<(), Box<dyn Error>> {
    let mut bars = Vec::new();
    for (label, effect) in [
        ("without Dirichlet–Markov", -0.021),
        ("without the ridge transition", -0.006),
        ("without cosine of titles", -0.0042),
        ("without popularity", -0.0011),
        ("titles re-embedded by the fine-tuned encoder", 0.0035),
        ("histories as bags", 0.0004),
    ] {
        let mut users =
            |mean: f64| (0..2_000).map(|_| mean + rng.random_range(-0.1..0.1)).collect::<Vec<_>>();
        let (ablated, whole) = (users(0.0677 + effect), users(0.0677));
        bars.push(Bar::new(label, paired_bootstrap(&ablated, &whole, 1_000, 0.95, 6)?));
    }
    let x = Axis::linear("ΔNDCG@10 against the whole pool").with_format(Format::Signed(4));
    let caption = "What each member is worth, with 95 % paired-bootstrap intervals over users. \
                   Grey: the interval holds zero.";
    report.plot("Ablation", caption, Plot::Bars { x, bars });
    Ok(())
}

fn probabilities(report: &mut Report, rng: &mut ChaCha8Rng) -> Result<(), Box<dyn Error>> {
    let mut deciles = |power: f64| -> Result<Vec<CalibrationBin>, Box<dyn Error>> {
        let forecasts = (0..200_000).map(|_| {
            let truth = 0.3 * rng.random::<f64>().powi(6) + 5e-5;
            Forecast { probability: truth.powf(power), happened: rng.random::<f64>() < truth }
        });
        Ok(Calibration::measure(forecasts.collect())?.deciles)
    };
    let forecasters =
        vec![("calibrated".to_owned(), deciles(1.0)?), ("too bold".to_owned(), deciles(0.8)?)];
    let caption = "Listed items by decile of their stated probability, with 95 % Wilson intervals. \
                   On the diagonal, what is said happens as often as is said.";
    report.plot("Probabilities", caption, Plot::Reliability { forecasters });

    let mut counts = vec![0; 20];
    for _ in 0..22_363 {
        counts[(20.0 * rng.random::<f64>().powf(1.03)) as usize] += 1;
    }
    let caption = "Randomised probability integral transform of 22,363 targets. Calibrated: 95 % \
                   of the bars end in the band.";
    report.plot("Probabilities", caption, Plot::Pit { counts });
    Ok(())
}

fn coverage(report: &mut Report, rng: &mut ChaCha8Rng) -> Result<(), Box<dyn Error>> {
    let mut series = Vec::new();
    for (name, base, slope) in
        [("pool", 0.05, 0.012), ("item-kNN", 0.03, 0.012), ("popularity", -0.15, 0.025)]
    {
        let mut points = Vec::new();
        for decile in 1..=10_u8 {
            let share: f64 = f64::max(0.0, base + slope * f64::from(decile));
            let hits = (0..2_236).filter(|_| rng.random::<f64>() < share).count();
            points.push(Point::new(f64::from(decile), Interval::rate(hits, 2_236)?));
        }
        series.push(Series::new(name, points));
    }
    let (x, y) =
        (Axis::linear("popularity decile of the target"), Axis::linear("HR@10").with_format(SHARE));
    let caption = "Hits by popularity of the target (1: the rarest tenth of targets), with 95 % \
                   Wilson intervals.";
    report.plot("Coverage", caption, Plot::Lines { x, y, series });
    let bars = [("pool", 0.613), ("item-kNN", 0.702), ("popularity", 0.0012)];
    let bars = bars.map(|(name, share)| Bar::new(name, share)).to_vec();
    let x = Axis::linear("share of 12,101 items").with_format(Format::Decimals(3));
    report.plot("Coverage", "Items that are in anyone's list of ten.", Plot::Bars { x, bars });
    Ok(())
}

fn trade_offs(report: &mut Report) {
    let curve = |name: &str, strength: f64| {
        let points = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9].map(|lambda: f64| {
            let ndcg = 0.0677 - strength * lambda.powi(3);
            let point = Point::new(0.31 + 0.4 * lambda / (1.0 + strength * 20.0), ndcg);
            if lambda == 0.0 {
                point
            } else {
                point.with_label(format!("λ = {}", Format::Significant(1).write(lambda)))
            }
        });
        Series::new(name, points)
    };
    let series = vec![curve("MMR", 0.02), curve("DPP, greedy MAP", 0.008)];
    let x = Axis::linear("diversity@10 (1 − mean cosine)").with_format(Format::Decimals(3));
    let y = Axis::linear("NDCG@10").with_format(SHARE);
    let caption = "What diversity costs. λ: how much it counts.";
    report.plot("Trade-offs", caption, Plot::Lines { x, y, series });

    let points = [
        ("scores alone", 412.0, 0.0677),
        ("exposure cap 100", 100.0, 0.0652),
        ("exposure cap 50", 50.0, 0.0631),
        ("Thompson sampling", 180.0, 0.0604),
        ("calibrated to P(θ|X)", 371.0, 0.0669),
        ("random", 9.0, 0.0005),
    ];
    let points = points.map(|(label, x, y)| Point::new(x, y).with_label(label));
    let x = Axis::logarithmic("largest exposure of an item (lists)");
    let y = Axis::linear("NDCG@10").with_format(SHARE);
    let series = vec![Series::new("", points)];
    report.plot("Trade-offs", "Accuracy against exposure.", Plot::Scatter { x, y, series });
}

fn cold_users(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut series = Vec::new();
    for (name, hits) in
        [("with texts", [31, 118, 151, 164, 190]), ("without", [31, 80, 121, 140, 175])]
    {
        let points = [0.0, 1.0, 2.0, 3.0, 5.0].into_iter().zip(hits);
        let points: Result<Vec<Point>, Box<dyn Error>> = points
            .map(|(events, hits)| Ok(Point::new(events, Interval::rate(hits, 2_000)?)))
            .collect();
        series.push(Series::new(name, points?));
    }
    let (x, y) = (Axis::linear("events seen"), Axis::linear("HR@10").with_format(SHARE));
    let caption = "New users after their first events, with 95 % Wilson intervals.";
    report.plot("Cold users", caption, Plot::Lines { x, y, series });
    Ok(())
}

fn environment(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new([Column::text(""), Column::text("")]);
    for (name, value) in [
        ("command", "evaluate --dataset beauty --report beauty.html"),
        ("machine", "2 cores, 8 GB"),
        ("seed", "6"),
        ("fit and score", "38.9 s"),
    ] {
        table.row([name.into(), value.into()])?;
    }
    report.table("Environment", "What made these numbers.", table);
    Ok(())
}
