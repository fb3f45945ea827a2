//! Users of whom nothing was known: how well their next item is ranked after a few events.

use std::error::Error;

use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::{Case, FullRankingConfig, Popularity};
use proclivity::posterior::Predictive;
use proclivity::rank::TieBreak;
use proclivity::{EnsembleConfig, EnsembleData, MemberConfig, item_counts};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::cold::mean;

/// How many events are known.
const KNOWN: [usize; 5] = [0, 1, 2, 3, 5];

/// What a ranking is worth after some events, for the same users at every row.
#[derive(Debug, Clone, Serialize)]
pub struct ColdUsersRow {
    /// Events that are known.
    pub events: usize,
    /// Users.
    pub users: usize,
    /// HR@10 of the ensemble.
    #[serde(rename = "hr@10")]
    pub hr: f64,
    /// NDCG@10 of the ensemble.
    #[serde(rename = "ndcg@10")]
    pub ndcg: f64,
    /// HR@10 of popularity.
    #[serde(rename = "popularity_hr@10")]
    pub popularity_hr: f64,
}

/// Fits on all but a share of the users, and ranks the first, second, third, fourth and sixth item
/// of those who are left and have so many. A trained sequence encoder, which knows them, is left out.
///
/// # Errors
/// What fitting or ranking refuses, and when no user has six events.
pub fn cold_users(
    config: &EnsembleConfig,
    users: &[Vec<u32>],
    share: f64,
    seed: u64,
    data: &EnsembleData<'_>,
    ties: &TieBreak,
) -> Result<Vec<ColdUsersRow>, Box<dyn Error>> {
    let longest = KNOWN[KNOWN.len() - 1];
    let mut long: Vec<usize> = (0..users.len()).filter(|&u| users[u].len() > longest).collect();
    long.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    long.truncate((share * users.len() as f64).ceil() as usize);
    let mut held_out = vec![false; users.len()];
    long.iter().for_each(|&user| held_out[user] = true);
    let train: Vec<&[u32]> =
        users.iter().zip(&held_out).filter(|(_, out)| !**out).map(|(u, _)| &u[..]).collect();
    let config = config.without(|member| *member == MemberConfig::Sequence);
    let ensemble = config.fit(&train, data)?;
    let counts = item_counts(&train, data.items);
    let popularity = Popularity::new(&counts, 1.0)?;
    let ranking = FullRankingConfig::default().build(&counts, ties)?;
    KNOWN
        .iter()
        .map(|&events| {
            let of = |&user: &usize| Case {
                user: user as u32,
                history: &users[user][..events],
                target: users[user][events],
            };
            let cases: Vec<Case<'_>> = long.iter().map(of).collect();
            // Without a history the members that need one are silent, and the pool's weight of
            // popularity, which corrects theirs, would turn the order around.
            let silent = events == 0 || config.weights().iter().all(|&weight| weight == 0.0);
            let model: &dyn Predictive = if silent { &popularity } else { &ensemble };
            let ours = ranking.evaluate(model, &cases, &|_| {})?;
            let theirs = ranking.evaluate(&popularity, &cases, &|_| {})?;
            Ok(ColdUsersRow {
                events,
                users: cases.len(),
                hr: mean(&ours.values(|ranks| hit_rate(ranks, 10))),
                ndcg: mean(&ours.values(|ranks| ndcg(ranks, 10))),
                popularity_hr: mean(&theirs.values(|ranks| hit_rate(ranks, 10))),
            })
        })
        .collect()
}
