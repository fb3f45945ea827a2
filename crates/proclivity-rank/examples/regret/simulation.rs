//! Simulated users with a taste of their own, and what each policy loses on them.

use ndarray::{Array2, ArrayView1};
use proclivity_posterior::{Belief, Measured, Normal, Sample};
use proclivity_rank::{RankError, TieBreak, rank_by_scores, thompson_list, upper_confidence_list};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// How a list is made from the belief.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Policy {
    /// By posterior means.
    Greedy,
    /// By posterior means, but a random list with this probability.
    EpsilonGreedy(f64),
    /// By one draw of θ for the whole list.
    Thompson,
    /// By means plus so many standard deviations.
    UpperConfidence(f64),
}

/// Users with θ ~ Normal(0, I), who rate each item of a list with θ·features + Normal(0, 1).
pub(crate) struct World {
    /// `[items, features]`
    pub(crate) items: Array2<f64>,
    /// How long a list is.
    pub(crate) places: usize,
    pub(crate) users: u64,
    pub(crate) rounds: usize,
    pub(crate) seed: u64,
}

impl World {
    /// Cumulative regret after each round: `[users][rounds]`. The regret of a list is by how much
    /// the sum of its θ·features is below that of the best list.
    pub(crate) fn regrets(&self, policy: Policy) -> Result<Vec<Vec<f64>>, RankError> {
        (0..self.users).map(|user| self.regret(user, policy)).collect()
    }

    fn regret(&self, user: u64, policy: Policy) -> Result<Vec<f64>, RankError> {
        // The user's chance is the same under every policy, so that policies compare in pairs.
        let stream = |stream: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(stream);
            rng
        };
        let (mut user_rng, mut policy_rng) = (stream(2 * user), stream(2 * user + 1));
        let (count, ids) = (self.items.nrows(), (0..self.items.nrows()).map(|id| id.to_string()));
        let ids: Vec<String> = ids.collect();
        let ties = TieBreak::new(ids.iter().map(String::as_str), self.seed ^ user);

        let family = Normal::isotropic(self.items.ncols(), 1.0)?;
        let mut belief = Belief::new(&family);
        let theta = belief.posterior(&family)?.draw(&mut user_rng);
        let truth = self.items.dot(&ArrayView1::from(&theta)).to_vec();
        let ideal = rank_by_scores(&truth, self.places, |_| true, &ties)?;
        let ideal: f64 = ideal.items.iter().map(|scored| scored.score).sum();

        let (mut regret, mut path) = (0.0, Vec::with_capacity(self.rounds));
        for _ in 0..self.rounds {
            let posterior = belief.posterior(&family)?;
            let (items, k, rng) = (self.items.view(), self.places, &mut policy_rng);
            let bounds =
                |width| upper_confidence_list(&posterior, items, width, k, |_| true, &ties);
            let list = match policy {
                Policy::EpsilonGreedy(epsilon) if rng.random::<f64>() < epsilon => {
                    let random: Vec<f64> = (0..count).map(|_| rng.random()).collect();
                    rank_by_scores(&random, k, |_| true, &ties)
                }
                Policy::Greedy | Policy::EpsilonGreedy(_) => bounds(0.0),
                Policy::Thompson => thompson_list(&posterior, &items, k, |_| true, &ties, rng),
                Policy::UpperConfidence(width) => bounds(width),
            }?;
            regret += ideal;
            for item in list.indices() {
                let noise: f64 = StandardNormal.sample(&mut user_rng);
                let value = truth[item as usize] + noise;
                regret -= truth[item as usize];
                let features = self.items.row(item as usize).to_vec();
                belief.update(&family, &Measured { features: &features, value, variance: 1.0 })?;
            }
            path.push(regret);
        }
        Ok(path)
    }
}

/// Mean and standard error.
pub(crate) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
