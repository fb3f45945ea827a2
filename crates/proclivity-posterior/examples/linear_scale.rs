//! Fits the linear model to a log and ranks every user's last events: seconds and quality as JSON.
//!
//! `cargo run --release -p proclivity-posterior --example linear_scale -- LOG [EMBEDDINGS DIM] [CONFIG] [peer=WEIGHTS] [intervals]`
//!
//! LOG has lines `user item` in order of time, or `user item item …`; ids count from 1. The last two
//! events of a user are held out, the first of them is ranked among the items that weren't seen.
//! WEIGHTS are raw f64 of `benches/peers/linear.py` to compare with. With `intervals` two models of half
//! of the users each say how well intervals of scores cover.
//! EMBEDDINGS are raw f32 of unit length, an item a row. CONFIG is a `LinearConfig` as JSON.
#![expect(clippy::print_stdout, reason = "a command")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use ndarray::Array2;
use proclivity_posterior::{
    Family, IntervalFactor, Kernel, Linear, LinearConfig, LinearModel, PosteriorError,
};
use rayon::prelude::*;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(log) = arguments.first() else { return Err("no log given".into()) };
    let mut users: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for line in std::fs::read_to_string(log)?.lines() {
        let mut ids = line.split_ascii_whitespace().map(str::parse::<u32>);
        let Some(user) = ids.next() else { continue };
        let items = users.entry(user?).or_default();
        for item in ids {
            items.push(item?.checked_sub(1).ok_or("ids count from 1")?);
        }
    }
    let users: Vec<Vec<u32>> = users.into_values().filter(|items| items.len() > 2).collect();
    let items = users.iter().flatten().max().map_or(0, |&item| item as usize + 1);
    let sequences: Vec<&[u32]> = users.iter().map(|items| &items[..items.len() - 2]).collect();
    let kernel = match arguments.get(1..3) {
        Some([path, dim]) if dim.parse::<usize>().is_ok() => {
            let bytes = std::fs::read(path)?;
            let numbers = bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four));
            let embeddings = Array2::from_shape_vec((items, dim.parse()?), numbers.collect())?;
            Some(Kernel::nearest(embeddings.view(), 20, 20.0)?)
        }
        _ => None,
    };
    let config: LinearConfig = match arguments.iter().find(|argument| argument.starts_with('{')) {
        Some(json) => serde_json::from_str(json)?,
        None => LinearConfig::default(),
    };
    let family = Linear::new(config, items, kernel)?;

    let start = Instant::now();
    let evidence = family.evidence(&sequences)?;
    let counted = start.elapsed().as_secs_f64();
    let model = family.posterior(&evidence)?;
    let fitted = start.elapsed().as_secs_f64();

    let ranks: Vec<usize> = users
        .par_iter()
        .map(|items| {
            let (history, next) = (&items[..items.len() - 2], items[items.len() - 2] as usize);
            let mut scores = model.scores(history)?;
            let target = scores[next];
            history.iter().for_each(|&item| scores[item as usize] = f64::NEG_INFINITY);
            Ok(scores.iter().filter(|&&score| score > target).count())
        })
        .collect::<Result<_, proclivity_posterior::PosteriorError>>()?;
    let hits = ranks.iter().filter(|&&rank| rank < 10);
    let gain: f64 = hits.clone().map(|&rank| 1.0 / (rank as f64 + 2.0).log2()).sum();
    let (gram, cross) = evidence.stored_numbers();
    let mut report = json!({
        "items": items, "users": users.len(), "events": sequences.iter().map(|s| s.len()).sum::<usize>(),
        "gram_numbers": gram, "cross_numbers": cross,
        "statistic_seconds": counted, "solve_seconds": fitted - counted, "seconds": fitted,
        "hr@10": hits.count() as f64 / users.len() as f64, "ndcg@10": gain / users.len() as f64,
        "score_of_0_after_1_to_9": model.scores(&[1, 2, 3, 4, 5, 6, 7, 8, 9])?[0],
    });
    if let Some(path) = arguments.iter().find_map(|argument| argument.strip_prefix("peer=")) {
        let bytes = std::fs::read(path)?;
        let mut peer = bytes.as_chunks::<8>().0.iter().map(|&eight| f64::from_le_bytes(eight));
        let (mut difference, mut largest) = (0.0_f64, 0.0_f64);
        let features = (0..family.config().timescales.len())
            .flat_map(|scale| (0..items as u32).map(move |from| (scale, from)));
        for (scale, from) in features {
            for to in 0..items as u32 {
                let weight = peer.next().ok_or("the peer has fewer weights")?;
                difference = difference.max((model.weight(scale, from, to) - weight).abs());
                largest = largest.max(weight.abs());
            }
        }
        report["largest_difference"] = json!(difference);
        report["largest_weight"] = json!(largest);
    }
    if arguments.iter().any(|argument| argument == "intervals") {
        report["intervals"] = intervals(&family, &users)?;
    }
    println!("{report}");
    Ok(())
}

/// Even against odd users; the factor from every twelfth user's event, coverage on as many others.
fn intervals(family: &Linear, users: &[Vec<u32>]) -> Result<serde_json::Value, Box<dyn Error>> {
    let half = |odd: usize| -> Result<LinearModel, PosteriorError> {
        let own = users.iter().skip(odd).step_by(2);
        family.fit(&own.map(|items| &items[..items.len() - 2]).collect::<Vec<_>>())
    };
    let (first, second) = (half(0)?, half(1)?);
    let differences = |from: usize| {
        let some = users.iter().skip(from).step_by(12);
        let events = some.map(|items| (&items[..items.len() - 2], items[items.len() - 2]));
        first.standardized_differences(&second, &events.collect::<Vec<_>>())
    };
    let (fitted, held_out) = (differences(0)?, differences(6)?);
    let factor = IntervalFactor::fit(&fitted, 0.9)?;
    let row = |level: f64| -> Result<serde_json::Value, PosteriorError> {
        let before = IntervalFactor::default().coverage(&held_out, level)?;
        Ok(json!({"level": level, "before": before, "after": factor.coverage(&held_out, level)?}))
    };
    Ok(
        json!({"events": held_out.len(), "factor": f64::from(factor), "coverage": [row(0.5)?, row(0.9)?]}),
    )
}
