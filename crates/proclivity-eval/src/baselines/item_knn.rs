//! Item-kNN: what is had by those who had the items of the history.

use std::collections::HashSet;

use proclivity_posterior::Predictive;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Popularity;
use super::popularity::check_share;
use crate::EvalError;

/// How an [`ItemKnn`] is fitted.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `neighbors` | 100 | how many of the most similar items each item speaks for | ≥ 1 |
/// | `shrinkage` | 10 | makes similarities by few users smaller | ≥ 0 |
/// | `popularity_share` | 0.1 | share of popularity in the mixture | 0 to 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table says what they are")]
pub struct ItemKnnConfig {
    pub neighbors: usize,
    pub shrinkage: f64,
    pub popularity_share: f64,
}

impl Default for ItemKnnConfig {
    fn default() -> Self {
        Self { neighbors: 100, shrinkage: 10.0, popularity_share: 0.1 }
    }
}

impl ItemKnnConfig {
    /// Fits on the items of each user, whose order and repetitions don't matter. The popularity is
    /// what the scores are mixed with, and is of the same catalog.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a parameter outside its range, [`EvalError::UnknownItem`]
    /// outside of the catalog.
    pub fn fit(self, sequences: &[&[u32]], popularity: Popularity) -> Result<ItemKnn, EvalError> {
        self.validate()?;
        let items = popularity.item_count();
        let mut bags = Vec::with_capacity(sequences.len());
        let mut users_of: Vec<Vec<usize>> = vec![Vec::new(); items];
        for (user, sequence) in sequences.iter().enumerate() {
            let mut bag = sequence.to_vec();
            bag.sort_unstable();
            bag.dedup();
            for &item in &bag {
                match users_of.get_mut(item as usize) {
                    Some(users) => users.push(user),
                    None => return Err(EvalError::UnknownItem { user: user as u32, item, items }),
                }
            }
            bags.push(bag);
        }
        let neighbors = (0..items as u32).into_par_iter().map_init(
            || vec![0_u32; items],
            |together, item| {
                let mut others = Vec::new();
                for &other in users_of[item as usize].iter().flat_map(|&user| &bags[user]) {
                    let count = &mut together[other as usize];
                    if *count == 0 && other != item {
                        others.push((other, 0.0));
                    }
                    *count += 1;
                }
                let users = |item: u32| users_of[item as usize].len() as f64;
                for (other, similarity) in &mut others {
                    let both = f64::from(std::mem::take(&mut together[*other as usize]));
                    let norm = (users(item) * users(*other)).sqrt();
                    *similarity = both / (norm + self.shrinkage);
                }
                together[item as usize] = 0;
                keep_nearest(&mut others, self.neighbors);
                others
            },
        );
        let neighbors = neighbors.collect();
        Ok(ItemKnn { neighbors, popularity, popularity_share: self.popularity_share })
    }

    fn validate(&self) -> Result<(), EvalError> {
        let out_of_range =
            |name, value, expected| Err(EvalError::OutOfRange { name, value, expected });
        if self.neighbors == 0 {
            return out_of_range("neighbors", 0.0, "a whole number from 1");
        }
        if !(self.shrinkage >= 0.0 && self.shrinkage.is_finite()) {
            return out_of_range("shrinkage", self.shrinkage, "a finite number from 0");
        }
        check_share(self.popularity_share)
    }
}

/// Items by their similarity to those of the history.
///
/// # Formula
/// P(x | history) = (1 − w) · sₓ / Σ s + w · popularity(x), with w the share of popularity
///
/// sₓ = Σ s(i, x) over the items i ≠ x of the history, each once, that x is a neighbour of
///
/// s(i, j) = nᵢⱼ / (√(nᵢ nⱼ) + shrinkage), nᵢ the users who had i, nᵢⱼ those who had both
///
/// Neighbours of i are the items of the highest s(i, ·) above 0, and those that tie with the last
/// of them: an order among ties would be one of item numbers. Where no score is above 0, such as
/// without a history, it is popularity alone. The mixture makes a distribution of scores that
/// aren't one; it leaves their order nearly as it is, and orders items without a score by
/// popularity.
///
/// # Source
/// B. Sarwar et al. *Item-based collaborative filtering recommendation algorithms.* WWW 2001;
/// M. Deshpande and G. Karypis. *Item-based top-N recommendation algorithms.* ACM TOIS 22(1), 2004;
/// the shrinkage as in M. Ferrari Dacrema, P. Cremonesi and D. Jannach. *Are we really making much
/// progress?* RecSys 2019.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemKnn {
    neighbors: Vec<Vec<(u32, f64)>>,
    popularity: Popularity,
    popularity_share: f64,
}

impl ItemKnn {
    /// The neighbours of an item and their similarities, in no particular order.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn neighbors(&self, item: u32) -> &[(u32, f64)] {
        &self.neighbors[item as usize]
    }
}

impl Predictive for ItemKnn {
    fn item_count(&self) -> usize {
        self.neighbors.len()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        assert_eq!(out.len(), self.item_count(), "length of `out`");
        out.fill(0.0);
        let mut added = HashSet::new();
        for &item in history.iter().filter(|&&item| added.insert(item)) {
            for &(other, similarity) in self.neighbors(item) {
                out[other as usize] += similarity;
            }
        }
        self.popularity.mix(self.popularity_share, out);
    }
}

/// Leaves the `count` most similar items and those that tie with the last.
fn keep_nearest(others: &mut Vec<(u32, f64)>, count: usize) {
    if others.len() > count {
        let (_, &mut (_, least), _) =
            others.select_nth_unstable_by(count - 1, |a, b| b.1.total_cmp(&a.1));
        others.retain(|&(_, similarity)| similarity >= least);
    }
    others.shrink_to_fit();
}
