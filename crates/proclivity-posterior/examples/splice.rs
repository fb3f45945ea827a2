//! Ranks with a pool and makes it probabilities: weights and splice from each user's last but one
//! item, everything measured on the last.
//!
//! At test the members haven't been fitted on the newest item of the history. The splice is fitted as
//! it is used, on members that are one item behind; `--fresh` fits it on the pool's own instead.
//!
//! `cargo run --release -p proclivity-posterior --example splice -- SEQUENCES EMBEDDINGS [RELIABILITY.csv]
//! [--no-linear] [--fresh]`, SEQUENCES with `user item item …` a line, items from 1; EMBEDDINGS raw f32, `[items, 384]`.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::slice;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis, s};
use proclivity_posterior::{
    Candidates, Kernel, Linear, LinearConfig, LinearModel, LogLinearPool, NextStep, NextStepConfig,
    PosteriorError, Precision, Predictive, RankingCase, Reliability, ReliabilityBin,
    ReliabilityGroups, Splice, SpliceConfig, SpliceEvent, Timescale, WeightSearch,
    inverse_temperature, mixture_weights, positive_log_scores,
};
use rayon::prelude::*;

const DIM: usize = 384;
const NAMES: [&str; 4] = ["next-step", "linear", "text", "popularity"];

struct Members<'a> {
    next_step: NextStep,
    linear: Option<LinearModel>,
    /// Of unit length.
    embeddings: ArrayView2<'a, f32>,
}

impl Members<'_> {
    /// What each member says of every item after a history: `[members, items]`.
    fn scores(&self, history: &[u32], cosines: &[f32]) -> Result<Array2<f64>, PosteriorError> {
        let mut scores = Array2::zeros((NAMES.len(), cosines.len()));
        let mut row = vec![0.0; cosines.len()];
        self.next_step.log_probs(history, &mut row);
        scores.row_mut(0).iter_mut().zip(&row).for_each(|(to, from)| *to = *from);
        if let Some(linear) = &self.linear {
            row = linear.scores(history)?;
            positive_log_scores(&mut row, 1e-4)?;
            scores.row_mut(1).iter_mut().zip(&row).for_each(|(to, from)| *to = *from);
        }
        scores.row_mut(2).iter_mut().zip(cosines).for_each(|(to, &c)| *to = 6.0 * f64::from(c));
        let popularity = self.next_step.popularity();
        scores.row_mut(3).iter_mut().zip(popularity).for_each(|(to, from)| *to = from.ln());
        Ok(scores)
    }

    /// Something of each user, from the scores of all members after all but `held_out` last items.
    fn each<T: Send>(
        &self,
        users: &[Vec<u32>],
        held_out: usize,
        of: impl Fn(&[u32], u32, ArrayView2<'_, f64>) -> Result<T, PosteriorError> + Sync,
    ) -> Result<Vec<T>, PosteriorError> {
        let chunks = users.par_chunks(64).map(|users| {
            let mut means = Array2::<f32>::zeros((users.len(), DIM));
            for (user, mut mean) in users.iter().zip(means.axis_iter_mut(Axis(0))) {
                for (&item, age) in user[..user.len() - held_out].iter().rev().zip(0..60) {
                    mean.scaled_add(0.8_f32.powi(age), &self.embeddings.row(item as usize));
                }
            }
            unit(&mut means);
            let cosines = means.dot(&self.embeddings.t());
            let one = |(user, cosines): (&Vec<u32>, ndarray::ArrayView1<'_, f32>)| {
                let (history, rest) = user.split_at(user.len() - held_out);
                of(history, rest[0], self.scores(history, &cosines.to_vec())?.view())
            };
            users.iter().zip(cosines.outer_iter()).map(one).collect::<Result<Vec<T>, _>>()
        });
        Ok(chunks.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

fn unit(rows: &mut Array2<f32>) {
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let length = row.dot(&row).sqrt();
        row /= if length > 0.0 { length } else { 1.0 };
    }
}

/// log softmax of scores to a power, over what isn't in the history.
fn softmax(scores: &[f64], power: f64, history: &[u32], out: &mut [f64]) {
    out.iter_mut().zip(scores).for_each(|(out, score)| *out = power * score);
    history.iter().for_each(|&item| out[item as usize] = f64::NEG_INFINITY);
    let highest = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = out.iter().map(|x| (x - highest).exp()).sum::<f64>().ln() + highest;
    out.iter_mut().for_each(|out| *out -= total);
}

/// The `count` highest, the highest first.
fn top(values: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.select_nth_unstable_by(count, |&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(count);
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let paths: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let [sequences, embeddings, ..] = paths[..] else {
        return Err("SEQUENCES EMBEDDINGS [RELIABILITY.csv] [--no-linear]".into());
    };
    let bytes = std::fs::read(embeddings)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|&four| f32::from_le_bytes(four)).collect();
    let items = numbers.len() / DIM;
    let mut embeddings = Array2::from_shape_vec((items, DIM), numbers)?;
    unit(&mut embeddings);
    let mut users: Vec<Vec<u32>> = Vec::new();
    for line in std::fs::read_to_string(sequences)?.lines() {
        let user = line.split_whitespace().skip(1).map(|item| Ok(item.parse::<u32>()? - 1));
        users.push(user.collect::<Result<_, std::num::ParseIntError>>()?);
    }
    users.retain(|user| user.len() > 3);

    let start = Instant::now();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let with_linear = !flag("--no-linear");
    let kernel = Kernel::nearest(embeddings.view(), 50, 6.0)?;
    // Members that know all but so many last items of each user.
    let fit = |held_out: usize| -> Result<Members, PosteriorError> {
        let train: Vec<&[u32]> = users.iter().map(|user| &user[..user.len() - held_out]).collect();
        let timescales = vec![Timescale { ridge: 20.0, ..Timescale::default() }];
        let precision = Precision::Single;
        let config = LinearConfig { timescales, precision, ..LinearConfig::default() };
        let linear = || Linear::new(config, items, Some(kernel.clone()))?.fit(&train);
        Ok(Members {
            next_step: NextStep::fit(
                NextStepConfig::default(),
                &train,
                items,
                Some(kernel.clone()),
            )?,
            linear: if with_linear { Some(linear()?) } else { None },
            embeddings: embeddings.view(),
        })
    };
    let members = fit(2)?;
    println!("members fitted after {:.1} s", start.elapsed().as_secs_f64());

    let defaults = [1.0, if with_linear { 0.3 } else { 0.0 }, 0.5, -0.1];
    let around = LogLinearPool::new(defaults.to_vec())?;
    let cases = members.each(&users, 2, |history, target, scores| {
        RankingCase::new(scores, history, target, slice::from_ref(&around), 50)
    })?;
    let search = WeightSearch::default();
    for (member, name) in NAMES.iter().enumerate() {
        let alone = (0..4).map(|m| f64::from(u8::from(m == member))).collect();
        let ndcg = search.ndcg(&LogLinearPool::new(alone)?, &cases)?;
        println!("validation NDCG@10 of {name}: {ndcg:.4}");
    }
    println!("validation NDCG@10 at {defaults:?}: {:.4}", search.ndcg(&around, &cases)?);
    let (pool, best) = search.fit(&around, &cases)?;
    let known = [around, pool.clone()];
    let cases = members.each(&users, 2, |history, target, scores| {
        RankingCase::new(scores, history, target, &known, 50)
    })?;
    let exact = search.ndcg(&pool, &cases)?;
    println!(
        "pool {:.3?}, validation NDCG@10 {exact:.4} (the search's bound {best:.4}), {:.1} s",
        pool.weights(),
        start.elapsed().as_secs_f64()
    );

    let behind = if flag("--fresh") { None } else { Some(fit(3)?) };
    let calibration = behind.as_ref().unwrap_or(&members);
    // Temperatures, of members that aren't probabilities and of the pool, from some users.
    let sample = &users[..users.len().min(4096)];
    let all = calibration.each(sample, 2, |history, target, scores| {
        let mut rows = Array2::<f32>::zeros((3, items));
        let mut pooled = vec![0.0; items];
        pool.scores(scores, &mut pooled)?;
        for (to, row) in [scores.row(1).to_vec(), scores.row(2).to_vec(), pooled].iter().enumerate()
        {
            rows.row_mut(to).iter_mut().zip(row).for_each(|(to, &from)| *to = from as f32);
        }
        history.iter().for_each(|&item| rows.column_mut(item as usize).fill(f32::NEG_INFINITY));
        Ok((rows, target))
    })?;
    let mut powers = [0.0; 3];
    for (row, power) in powers.iter_mut().enumerate() {
        let mut scores = Array2::zeros((all.len(), items));
        for (mut to, (from, _)) in scores.outer_iter_mut().zip(&all) {
            to.assign(&from.row(row));
        }
        let targets: Vec<u32> = all.iter().map(|&(_, target)| target).collect();
        *power = inverse_temperature(scores.view(), &targets)?;
    }
    drop(all);
    let [linear_power, text_power, pool_power] = powers;
    println!(
        "inverse temperatures: linear {linear_power:.3}, text {text_power:.3}, pool {pool_power:.3}"
    );
    let as_log_probs = |scores: ArrayView2<'_, f64>| {
        let mut log_probs = scores.to_owned();
        log_probs.row_mut(1).mapv_inplace(|score| score * linear_power);
        log_probs.row_mut(2).mapv_inplace(|score| score * text_power);
        if with_linear { log_probs } else { log_probs.select(Axis(0), &[0, 2, 3]) }
    };

    let splice_config = SpliceConfig::default();
    let fitted = calibration.each(&users, 2, |history, target, scores| {
        let (mut pooled, mut alone) = (vec![0.0; items], vec![0.0; items]);
        pool.scores(scores, &mut pooled)?;
        softmax(&pooled, pool_power, history, &mut alone);
        let (log_probs, history_len) = (as_log_probs(scores), history.len());
        let member_log_probs = log_probs.view();
        let candidates =
            Candidates { scores: &pooled, member_log_probs, excluded: history, history_len };
        let event = SpliceEvent::new(&splice_config, &candidates, target)?;
        let all: Vec<f64> =
            event.member_log_probs().iter().copied().chain([alone[target as usize]]).collect();
        Ok((event, all))
    })?;
    let (events, rows): (Vec<SpliceEvent>, Vec<Vec<f64>>) = fitted.into_iter().unzip();
    let stacked = Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat())?;
    let linear_weights = mixture_weights(stacked.slice(s![.., ..-1]))?;
    let stacking_weights = mixture_weights(stacked.view())?;
    println!("events after {:.1} s", start.elapsed().as_secs_f64());
    let splice = Splice::fit(splice_config, &events)?;
    println!(
        "splice fitted after {:.1} s: slopes {:.3?}, drops {:.3?}, odds {:.3?}, tail {:.3?}, bands {:.2?}",
        start.elapsed().as_secs_f64(),
        splice.slope(),
        splice.drops(),
        splice.membership(),
        splice.tail_weights(),
        splice.band_weights()
    );
    println!("linear mixture {linear_weights:.3?}, stacking {stacking_weights:.3?}");

    let tested = members.each(&users, 1, |history, target, scores| {
        let (mut pooled, mut alone, mut spliced) =
            (vec![0.0; items], vec![0.0; items], vec![0.0; items]);
        pool.scores(scores, &mut pooled)?;
        softmax(&pooled, pool_power, history, &mut alone);
        let (log_probs, history_len) = (as_log_probs(scores), history.len());
        let member_log_probs = log_probs.view();
        let candidates =
            Candidates { scores: &pooled, member_log_probs, excluded: history, history_len };
        splice.log_probs(&candidates, &mut spliced)?;
        let event = SpliceEvent::new(splice.config(), &candidates, target)?;
        let mixed = |log_probs: &[f64], weights: &[f64]| {
            log_probs.iter().zip(weights).map(|(p, w)| p.exp() * w).sum::<f64>().ln()
        };
        let mut losses = event.member_log_probs().to_vec();
        let linear = mixed(&losses, &linear_weights);
        losses.push(alone[target as usize]);
        let stacking = mixed(&losses, &stacking_weights);
        losses.extend([linear, stacking, spliced[target as usize]]);
        let target = target as usize;
        let mut counts = [(); 4].map(|()| Reliability::new());
        for (log_probs, pair) in [&alone, &spliced].into_iter().zip(counts.chunks_mut(2)) {
            let list = top(log_probs, 10);
            for item in list {
                pair[0].add(log_probs[item], item == target)?;
            }
            for (item, &log_prob) in log_probs.iter().enumerate() {
                if log_prob > f64::NEG_INFINITY {
                    pair[1].add(log_prob, item == target)?;
                }
            }
        }
        // By scores: ties have no order.
        let list =
            |log_probs: &[f64]| top(log_probs, 10).iter().map(|&x| alone[x]).collect::<Vec<_>>();
        let same = list(&alone) == list(&spliced);
        let rank = 1 + (0..items).filter(|&x| x != target && alone[x] >= alone[target]).count();
        Ok((losses, rank, same, counts))
    })?;
    println!("tested after {:.1} s\n", start.elapsed().as_secs_f64());

    let count = tested.len() as f64;
    let gain = |rank: usize| if rank > 10 { 0.0 } else { 1.0 / (rank as f64 + 1.0).log2() };
    println!(
        "pool: HR@10 {:.4}, NDCG@10 {:.4}; the splice's top 10 is the pool's for {} of {count} users",
        tested.iter().filter(|test| test.1 <= 10).count() as f64 / count,
        tested.iter().map(|test| gain(test.1)).sum::<f64>() / count,
        tested.iter().filter(|test| test.2).count()
    );
    let mut names = NAMES.to_vec();
    if !with_linear {
        names.remove(1);
    }
    names.extend(["uniform", "pool, best temperature", "linear mixture", "stacking", "splice"]);
    println!("| predictive | test log loss |\n|---|---|");
    for (column, name) in names.iter().enumerate() {
        let loss = -tested.iter().map(|test| test.0[column]).sum::<f64>() / count;
        println!("| {name} | {loss:.3} |");
    }
    let mut totals = [(); 4].map(|()| Reliability::new());
    for test in &tested {
        totals.iter_mut().zip(&test.3).for_each(|(total, counts)| total.merge(counts));
    }
    let mut csv = String::from("predictive,over,of_equal,group,predictions,expected,observed\n");
    println!(
        "\n| predictive | over | ten groups of equal | expected / observed, by rising probability |"
    );
    println!("|---|---|---|---|");
    use ReliabilityGroups::{Expected, Predictions};
    for (which, of) in [(0, Predictions), (0, Expected), (1, Expected)] {
        for (name, totals) in ["pool, best temperature", "splice"].iter().zip(totals.chunks(2)) {
            let over = ["top 10", "all items"][which];
            let groups = totals[which].groups(10, of);
            let ratio =
                |group: &ReliabilityBin| format!("{:.2}", group.ratio().unwrap_or(f64::NAN));
            let ratios: Vec<String> = groups.iter().map(ratio).collect();
            println!("| {name} | {over} | {of:?} | {} |", ratios.join(" "));
            for (at, group) in groups.iter().enumerate() {
                let counts = format!("{},{},{}", group.predictions, group.expected, group.observed);
                csv += &format!("\"{name}\",{over},{of:?},{at},{counts}\n");
            }
        }
    }
    if let Some(path) = paths.get(2) {
        std::fs::write(path, csv)?;
    }
    Ok(())
}
