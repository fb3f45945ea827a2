//! The report of `evaluate` as one HTML file.

use std::error::Error;
use std::path::Path;

use ndarray::{Array2, ArrayView1};
use proclivity::ItemTexts;
use proclivity::eval::PairedBootstrap;
use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::report::{
    Axis, Bar, Cell, Column, Format, Interval, Plot, Point, Report, Series, Table,
};
use proclivity::rank::{CosineSimilarity, DppConfig, MmrConfig, Ranked};
use rayon::prelude::*;
use serde_json::Value;

use crate::cold::mean;
use crate::{AblationRow, ColdUsersRow, Decile, Evaluated};

/// What a report is made of.
pub struct Contents<'a> {
    /// Of the data set.
    pub title: &'a str,
    /// The variants, the last of which is looked at closely.
    pub variants: &'a [Evaluated],
    /// What each part is worth; may be empty.
    pub ablation: &'a [AblationRow],
    /// New users; may be empty.
    pub cold_users: &'a [ColdUsersRow],
    /// Training events of each item.
    pub counts: &'a [u64],
    /// Where lists are made diverse by texts.
    pub texts: &'a ItemTexts,
    /// What made the numbers.
    pub environment: Vec<(&'static str, String)>,
}

const SHARE: Format = Format::Decimals(4);

impl Contents<'_> {
    /// Writes the file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let Some(last) = self.variants.last() else { return Ok(()) };
        let items = self.counts.len();
        let users = last.evaluation.per_user().len();
        let mut report = Report::new(self.title).with_summary(
            "Full ranking of the whole catalog for every user, ties against us; members, \
             hyper-parameters and weights are chosen on validation. ± is the standard error over users.",
        );
        report.table("Accuracy", format!("{users} test items among {items}."), self.accuracy()?);
        if !self.ablation.is_empty() {
            let bar = |row: &AblationRow| {
                let PairedBootstrap { mean, low, high, confidence } = row.loss;
                let effect = PairedBootstrap { mean: -mean, low: -high, high: -low, confidence };
                Bar::new(row.ensemble.clone(), effect)
            };
            let x =
                Axis::linear("ΔNDCG@10 against the whole ensemble").with_format(Format::Signed(4));
            let parts = self.ablation.iter().filter(|row| !row.ensemble.ends_with(" alone"));
            let bars = parts.map(bar).collect();
            let caption = "Fitted on training items: what is left without a member, the others weighed anew on \
                           validation, and without what texts bring. 95 % paired bootstrap intervals over \
                           users; grey: the interval holds zero.";
            report.plot("Ablation", caption, Plot::Bars { x, bars });
        }
        self.probabilities(&mut report, last);
        self.coverage(&mut report, last)?;
        if let Some(embeddings) = self.texts.embeddings() {
            trade_offs(&mut report, last, embeddings)?;
        }
        if !self.cold_users.is_empty() {
            self.new_users(&mut report)?;
        }
        let mut table = Table::new([Column::text(""), Column::text("")]);
        for (name, value) in &self.environment {
            table.row([(*name).into(), value.clone().into()])?;
        }
        report.table("Environment", "What made these numbers.", table);
        Ok(report.write(path)?)
    }

    fn accuracy(&self) -> Result<Table, Box<dyn Error>> {
        let mut table = Table::new([
            Column::text("model"),
            Column::number("HR@10", SHARE).highest_is_best(),
            Column::number("NDCG@10", SHARE).highest_is_best(),
            Column::number("MRR", SHARE).highest_is_best(),
            Column::number("log loss", Format::Decimals(3)).lowest_is_best(),
            Column::number("coverage@10", Format::Decimals(3)),
            Column::number("fit and score, s", Format::Decimals(1)),
        ]);
        let of = |json: &Value, name: &str| json[name].as_f64();
        for Evaluated { name, evaluation, json, .. } in self.variants {
            let json = Value::Object(json.clone());
            let estimate = |values: Vec<f64>| {
                let spread = ArrayView1::from(&values).std(1.0) / (values.len() as f64).sqrt();
                Cell::Estimate(mean(&values), spread)
            };
            table.row([
                format!("ensemble, {}", name.replace('_', " ")).into(),
                estimate(evaluation.values(|ranks| hit_rate(ranks, 10))),
                estimate(evaluation.values(|ranks| ndcg(ranks, 10))),
                of(&json, "mrr").into(),
                of(&json, "log_loss").into(),
                of(&json, "coverage@10").into(),
                of(&json, "fit_seconds").zip(of(&json, "score_seconds")).map(|(a, b)| a + b).into(),
            ])?;
        }
        for row in self.ablation.iter().filter(|row| row.ensemble.ends_with(" alone")) {
            let missing = || Cell::from(None);
            let numbers = [row.hr.into(), row.ndcg.into()];
            let rest = [missing(), missing(), missing(), missing()];
            table.row([row.ensemble.clone().into()].into_iter().chain(numbers).chain(rest))?;
        }
        if let Some(popularity) = self.variants.first().map(|first| &first.json["popularity"]) {
            table.row([
                "popularity".into(),
                of(popularity, "hr@10").into(),
                of(popularity, "ndcg@10").into(),
                of(popularity, "mrr").into(),
                of(popularity, "log_loss").into(),
                of(popularity, "coverage@10").into(),
                Cell::from(None),
            ])?;
        }
        Ok(table)
    }

    fn probabilities(&self, report: &mut Report, last: &Evaluated) {
        let listed = last.evaluation.summary().calibration.deciles.clone();
        let forecasters = vec![("listed items".to_owned(), listed)];
        let caption = "Listed items by decile of their stated probability. On the diagonal, what is \
                       said happens as often as is said. Wilson intervals of 95 %, as if a user's items \
                       were independent.";
        report.plot("Probabilities", caption, Plot::Reliability { forecasters });
        let caption = "Everything that could have come next, in tenths of the expected hits by rising \
                       probability. Grey: the interval holds zero.";
        let x = || Axis::linear("expected / observed hits − 1").with_format(Format::Signed(2));
        report.plot("Probabilities", caption, Plot::Bars { x: x(), bars: bars(&last.deciles) });
        let caption = "The same on validation, each half of the users under a calibration that was \
                       learned on the other: what differs above has drifted.";
        let bars = bars(&last.validation_deciles);
        report.plot("Probabilities", caption, Plot::Bars { x: x(), bars });
        let caption = "Randomised probability integral transform of what came next: flat where the \
                       probabilities hold, piled up on the left where they are too flat.";
        let counts = last.evaluation.pit(0).histogram(20);
        report.plot("Probabilities", caption, Plot::Pit { counts });
    }

    fn coverage(&self, report: &mut Report, last: &Evaluated) -> Result<(), Box<dyn Error>> {
        let users = last.evaluation.per_user();
        let mut order: Vec<usize> = (0..users.len()).collect();
        order.sort_by_key(|&user| (self.counts[users[user].target as usize], user));
        let hits = last.evaluation.values(|ranks| hit_rate(ranks, 10));
        let mut points = Vec::new();
        for (at, group) in order.chunks(order.len().div_ceil(10)).enumerate() {
            let found = group.iter().filter(|&&user| hits[user] > 0.0).count();
            points.push(Point::new(at as f64 + 1.0, Interval::rate(found, group.len())?));
        }
        let (x, y) = (
            Axis::linear("tenth by popularity of the target"),
            Axis::linear("HR@10").with_format(SHARE),
        );
        let caption =
            "Hits by popularity of the target, the rarest tenth first, with 95 % Wilson intervals.";
        let series = vec![Series::new(last.name.replace('_', " "), points)];
        report.plot("Coverage", caption, Plot::Lines { x, y, series });
        Ok(())
    }

    fn new_users(&self, report: &mut Report) -> Result<(), Box<dyn Error>> {
        type Rate = fn(&ColdUsersRow) -> f64;
        let curve = |name: &str, of: Rate| -> Result<Series, Box<dyn Error>> {
            let mut points = Vec::new();
            for row in self.cold_users {
                let hits = (of(row) * row.users as f64).round() as usize;
                points.push(Point::new(row.events as f64, Interval::rate(hits, row.users)?));
            }
            Ok(Series::new(name, points))
        };
        let series = vec![
            curve("ensemble", |row| row.hr)?,
            curve("weighed on histories as short", |row| row.weighed_hr)?,
            curve("popularity", |row| row.popularity_hr)?,
        ];
        let (x, y) = (Axis::linear("events seen"), Axis::linear("HR@10").with_format(SHARE));
        let caption =
            "Users of whom nothing was known, after their first events; Wilson intervals of 95 %.";
        report.plot("Cold users", caption, Plot::Lines { x, y, series });
        Ok(())
    }
}

/// What diversity costs: the hundred best re-ranked by MMR and by a determinantal point process.
fn trade_offs(
    report: &mut Report,
    last: &Evaluated,
    embeddings: &Array2<f32>,
) -> Result<(), Box<dyn Error>> {
    let rows = embeddings.as_slice().ok_or("embeddings that aren't in one piece")?;
    let similarity = CosineSimilarity::new(rows, embeddings.ncols())?;
    let users = last.evaluation.per_user();
    // Of several thousand users the means hold well enough.
    let users: Vec<_> = users.iter().step_by(users.len().div_ceil(4096)).collect();
    let measure = |list: &[Ranked], target: u32| {
        let gain = list.iter().position(|ranked| ranked.item == target);
        let gain = gain.map_or(0.0, |at| 1.0 / (at as f64 + 2.0).log2());
        let pairs: Vec<f64> = (0..list.len())
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .map(|(a, b)| 1.0 - similarity.between(list[a].item, list[b].item))
            .collect();
        (gain, mean(&pairs))
    };
    type Rerank<'a> =
        &'a (dyn Fn(&[Ranked], f64) -> Result<Vec<Ranked>, Box<dyn Error + Send + Sync>> + Sync);
    let curve = |name: &str, rerank: Rerank<'_>| -> Result<Series, Box<dyn Error>> {
        let mut points = Vec::new();
        for weight in [0.0, 0.05, 0.1, 0.2, 0.3, 0.5] {
            let each =
                users.par_iter().map(|user| Ok(measure(&rerank(&user.list, weight)?, user.target)));
            let each = each
                .collect::<Result<Vec<_>, Box<dyn Error + Send + Sync>>>()
                .map_err(|e| e.to_string())?;
            let (gains, diversity): (Vec<f64>, Vec<f64>) = each.into_iter().unzip();
            let point = Point::new(mean(&diversity), mean(&gains));
            // The first ones lie too close together to be named.
            points.push(if weight > 0.1 {
                point.with_label(format!("λ = {weight}"))
            } else {
                point
            });
        }
        Ok(Series::new(name, points))
    };
    let between = |a, b| similarity.between(a, b);
    let series = vec![
        curve("MMR", &|list, weight| {
            Ok(MmrConfig { diversity_weight: weight }.build()?.rerank(list, 10, between)?.items)
        })?,
        curve("DPP", &|list, weight| {
            let config = DppConfig { diversity_weight: weight, ..DppConfig::default() };
            Ok(config.build()?.rerank(list, 10, between)?.list.items)
        })?,
    ];
    let x =
        Axis::linear("diversity@10 (1 − mean cosine of texts)").with_format(Format::Decimals(3));
    let y = Axis::linear("NDCG@10").with_format(SHARE);
    let caption =
        "What diversity costs, re-ranking each user's hundred best; λ: how much it counts.";
    report.plot("Trade-offs", caption, Plot::Lines { x, y, series });
    Ok(())
}

/// How far the ratio of each tenth is from one.
fn bars(deciles: &[Decile]) -> Vec<Bar> {
    let bar = |(at, decile): (usize, &Decile)| {
        let ratio = decile.ratio.unwrap_or(f64::NAN);
        let [low, high] = decile.interval.unwrap_or([ratio, ratio]);
        let effect = PairedBootstrap {
            mean: ratio - 1.0,
            low: low - 1.0,
            high: high - 1.0,
            confidence: 0.95,
        };
        Bar::new(format!("tenth {at}"), effect)
    };
    (1..).zip(deciles).map(bar).collect()
}
