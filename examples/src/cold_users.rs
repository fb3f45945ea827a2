//! Users of whom nothing was known: how well their next item is ranked after a few events.

use std::error::Error;

use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::{Case, FullRankingConfig, Popularity};
use proclivity::posterior::{LogLinearPool, Predictive};
use proclivity::rank::TieBreak;
use proclivity::{EnsembleConfig, EnsembleData, EnsembleSearch, MemberConfig, item_counts};
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
    /// HR@10 of the ensemble under the weights of so short a history.
    #[serde(rename = "weighed_hr@10")]
    pub weighed_hr: f64,
    /// NDCG@10 of the ensemble under the weights of so short a history.
    #[serde(rename = "weighed_ndcg@10")]
    pub weighed_ndcg: f64,
    /// HR@10 of popularity.
    #[serde(rename = "popularity_hr@10")]
    pub popularity_hr: f64,
}

/// Fits on all but a share of the users, and ranks the first, second, third, fourth and sixth item
/// of those who are left and have so many. A trained sequence encoder, which knows them, is left out.
///
/// Weights that were chosen on whole histories needn't suit short ones. So the ensemble is also
/// weighed anew at each length, on the histories of as many other users, who are left out of a fit
/// likewise.
///
/// # Errors
/// What fitting, weighing or ranking refuses, and when no users with six events are left to weigh on.
pub fn cold_users(
    search: &EnsembleSearch,
    config: &EnsembleConfig,
    users: &[Vec<u32>],
    share: f64,
    seed: u64,
    data: &EnsembleData<'_>,
    ties: &TieBreak,
) -> Result<Vec<ColdUsersRow>, Box<dyn Error>> {
    let config = config.without(|member| *member == MemberConfig::Sequence);
    // Without a history the members that need one are silent, and the pool's weight of popularity,
    // which corrects theirs, would turn the order around.
    let silent = config.weights().iter().all(|&weight| weight == 0.0);
    let is_silent = |events| events == 0 || silent;

    let longest = KNOWN[KNOWN.len() - 1];
    let mut long: Vec<usize> = (0..users.len()).filter(|&u| users[u].len() > longest).collect();
    long.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let size = (share * users.len() as f64).ceil() as usize;
    let (new, others) = long.split_at(size.min(long.len()));
    let weighed_on = &others[..size.min(others.len())];
    if weighed_on.is_empty() {
        let long = long.len();
        return Err(format!(
            "a share of {share} leaves no new users to weigh on: {long} of {} have more than {longest} events",
            users.len()
        )
        .into());
    }
    let without = |left_out: &[&[usize]]| {
        let mut kept: Vec<&[u32]> = users.iter().map(Vec::as_slice).collect();
        left_out.iter().copied().flatten().for_each(|&user| kept[user] = &[]);
        kept.retain(|items| !items.is_empty());
        kept
    };
    let after = |of: &[usize], events: usize| -> Vec<Case<'_>> {
        let case = |&user: &usize| {
            let items = &users[user];
            Case { user: user as u32, history: &items[..events], target: items[events] }
        };
        of.iter().map(case).collect()
    };

    let chosen = LogLinearPool::new(config.weights())?;
    let mut pools = vec![chosen.clone(); KNOWN.len()];
    let mut ensemble = config.fit(&without(&[new, weighed_on]), data)?;
    for (pool, &events) in pools.iter_mut().zip(&KNOWN).filter(|(_, k)| !is_silent(**k)) {
        ensemble = ensemble.with_pool(chosen.clone())?;
        (ensemble, _) = search.weigh(ensemble, &after(weighed_on, events))?;
        *pool = ensemble.pool().clone();
    }

    let train = without(&[new]);
    let mut ensemble = config.fit(&train, data)?;
    let counts = item_counts(&train, data.items);
    let popularity = Popularity::new(&counts, 1.0)?;
    let ranking = FullRankingConfig::default().build(&counts, ties)?;
    let mut rows = Vec::new();
    for (pool, events) in pools.into_iter().zip(KNOWN) {
        let cases = after(new, events);
        let rank = |model: &dyn Predictive| -> Result<[f64; 2], Box<dyn Error>> {
            let model = if is_silent(events) { &popularity } else { model };
            let ranked = ranking.evaluate(model, &cases, &|_| {})?;
            Ok([
                mean(&ranked.values(|ranks| hit_rate(ranks, 10))),
                mean(&ranked.values(|ranks| ndcg(ranks, 10))),
            ])
        };
        ensemble = ensemble.with_pool(chosen.clone())?;
        let [hr, ndcg] = rank(&ensemble)?;
        ensemble = ensemble.with_pool(pool)?;
        let [weighed_hr, weighed_ndcg] = rank(&ensemble)?;
        let [popularity_hr, _] = rank(&popularity)?;
        let users = cases.len();
        rows.push(ColdUsersRow {
            events,
            users,
            hr,
            ndcg,
            weighed_hr,
            weighed_ndcg,
            popularity_hr,
        });
    }
    Ok(rows)
}
