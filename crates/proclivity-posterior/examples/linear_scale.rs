//! Fits the linear model to a log and ranks every user's last events: seconds and quality as JSON.
//!
//! `cargo run --release -p proclivity-posterior --example linear_scale -- LOG [EMBEDDINGS DIM] [CONFIG]`
//!
//! LOG has lines `user item` in order of time, or `user item item …`; ids count from 1. The last two
//! events of a user are held out, the first of them is ranked among the items that weren't seen.
//! EMBEDDINGS are raw f32 of unit length, an item a row. CONFIG is a `LinearConfig` as JSON.
#![expect(clippy::print_stdout, reason = "a command")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use ndarray::Array2;
use proclivity_posterior::{Family, Kernel, Linear, LinearConfig};
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
        Some([path, dim]) => {
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
    let report = json!({
        "items": items, "users": users.len(), "events": sequences.iter().map(|s| s.len()).sum::<usize>(),
        "gram_numbers": gram, "cross_numbers": cross,
        "statistic_seconds": counted, "solve_seconds": fitted - counted, "seconds": fitted,
        "hr@10": hits.count() as f64 / users.len() as f64, "ndcg@10": gain / users.len() as f64,
        "score_of_0_after_1_to_9": model.scores(&[1, 2, 3, 4, 5, 6, 7, 8, 9])?[0],
    });
    println!("{report}");
    Ok(())
}
