//! Which items a position is scored against.

use rand::RngExt as _;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;

use super::config::NextItemLoss;

/// Draws negatives as a loss wants them.
#[derive(Debug)]
pub(super) struct Negatives {
    pub(super) loss: NextItemLoss,
    items: usize,
    /// By popularity, where they are not drawn uniformly.
    weighted: Option<WeightedIndex<f64>>,
    /// ln of how often each item is expected among them; empty where it changes nothing.
    log_expected: Vec<f32>,
}

impl Negatives {
    /// From how many events each item has.
    pub(super) fn new(loss: NextItemLoss, counts: &[usize]) -> Self {
        let items = counts.len();
        let (mut weighted, mut log_expected) = (None, Vec::new());
        if let NextItemLoss::SampledSoftmax { negatives, popularity } = loss
            && negatives < items
        {
            let weights: Vec<f64> =
                counts.iter().map(|&count| (count as f64 + 1.0).powf(popularity)).collect();
            let expected = negatives as f64 / weights.iter().sum::<f64>();
            log_expected = weights.iter().map(|weight| (expected * weight).ln() as f32).collect();
            if popularity > 0.0 {
                weighted = WeightedIndex::new(weights).ok();
            }
        }
        Self { loss, items, weighted, log_expected }
    }

    fn count(&self) -> usize {
        match self.loss {
            NextItemLoss::Softmax => self.items,
            NextItemLoss::SampledSoftmax { negatives, .. } => negatives,
            NextItemLoss::Gbce { negatives, .. } => negatives,
        }
    }

    /// All items where as many are wanted as there are.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<u32> {
        if self.count() >= self.items {
            return (0..self.items as u32).collect();
        }
        let one = |_| match &self.weighted {
            Some(weighted) => weighted.sample(rng) as u32,
            None => rng.random_range(0..self.items as u32),
        };
        (0..self.count()).map(one).collect()
    }

    /// What is taken from a negative's score.
    pub(super) fn log_expected(&self, item: u32) -> f32 {
        self.log_expected.get(item as usize).copied().unwrap_or(0.0)
    }

    /// gBCE's power of the target's probability.
    pub(super) fn beta(&self) -> f32 {
        let NextItemLoss::Gbce { calibration, .. } = self.loss else { return 1.0 };
        let others = (self.items as f64 - 1.0).max(1.0);
        let share = (self.count() as f64 / others).min(1.0);
        (share * (calibration * (1.0 - 1.0 / share) + 1.0 / share)) as f32
    }
}
