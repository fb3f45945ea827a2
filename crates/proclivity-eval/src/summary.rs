//! The means over all users, with the names that they have in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::EvalError;
use crate::metrics::{
    Calibration, Exposure, Forecast, RelevantRanks, SelfInformation, average_precision,
    catalog_coverage, f1, hit_rate, log_loss, mean, ndcg, precision, recall, reciprocal_rank,
};
use crate::protocol::UserResult;

/// The means over all users.
///
/// As JSON: `users`, `targets_in_history`, `short_lists`, then `hr@k`, `ndcg@k`, `map@k`,
/// `precision@k`, `recall@k`, `f1@k`, `coverage@k`, `gini@k` and `novelty@k` for every cutoff k, then
/// `mrr`, `log_loss` and `calibration`. A number that is missing or infinite is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many users (cases) there are.
    pub users: usize,
    /// How many targets stand in the user's history and so are misses.
    pub targets_in_history: usize,
    /// How many lists are shorter than the largest cutoff, for want of candidates.
    pub short_lists: usize,
    /// The metrics at each cutoff, by name, such as `hr@10`.
    #[serde(flatten)]
    pub at_cutoffs: BTreeMap<String, f64>,
    /// Mean reciprocal rank over the whole catalog.
    pub mrr: f64,
    /// Mean −ln P(target) over the users whose target is a candidate; infinite where one was
    /// held impossible, `None` where there is no such user.
    pub log_loss: Option<f64>,
    /// Whether the probabilities of the listed items, up to the largest cutoff, hold.
    pub calibration: Calibration,
}

impl Summary {
    /// A metric at a cutoff by its name in JSON, such as `ndcg@10`, or `mrr` or `log_loss`.
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "mrr" => Some(self.mrr),
            "log_loss" => self.log_loss,
            _ => self.at_cutoffs.get(name).copied(),
        }
    }

    /// `cutoffs` ascend.
    pub(crate) fn of(
        users: &[UserResult],
        cutoffs: &[usize],
        information: &SelfInformation,
        item_count: usize,
    ) -> Result<Self, EvalError> {
        let largest = cutoffs.last().copied().unwrap_or(0);
        let mut at_cutoffs = BTreeMap::new();
        for &k in cutoffs {
            let head = |user: &UserResult| -> Vec<u32> {
                user.list.iter().take(k).map(|ranked| ranked.item).collect()
            };
            let accuracy = |metric: fn(&RelevantRanks, usize) -> f64| {
                mean(users.iter().map(|user| metric(&user.ranks, k)))
            };
            let coverage = catalog_coverage(users.iter().map(head), item_count);
            let exposure = Exposure::new(users.iter().map(head), item_count);
            let novelty = users.iter().filter_map(|user| information.novelty(head(user)));
            let metrics = [
                ("hr", accuracy(hit_rate)),
                ("ndcg", accuracy(ndcg)),
                ("map", accuracy(average_precision)),
                ("precision", accuracy(precision)),
                ("recall", accuracy(recall)),
                ("f1", accuracy(f1)),
                ("coverage", Some(coverage)),
                ("gini", exposure.gini()),
                ("novelty", mean(novelty)),
            ];
            for (name, value) in metrics {
                at_cutoffs.insert(format!("{name}@{k}"), value.unwrap_or(f64::NAN));
            }
        }
        let mut forecasts = Vec::with_capacity(users.len() * largest.min(item_count));
        for user in users {
            forecasts.extend(user.list.iter().take(largest).map(|ranked| Forecast {
                probability: ranked.probability,
                happened: ranked.item == user.target,
            }));
        }
        Ok(Self {
            users: users.len(),
            targets_in_history: users.iter().filter(|user| user.log_prob.is_none()).count(),
            short_lists: users.iter().filter(|user| user.list.len() < largest).count(),
            at_cutoffs,
            mrr: mean(users.iter().map(|user| reciprocal_rank(&user.ranks))).unwrap_or(f64::NAN),
            log_loss: log_loss(users.iter().filter_map(|user| user.log_prob)),
            calibration: Calibration::measure(forecasts)?,
        })
    }
}
