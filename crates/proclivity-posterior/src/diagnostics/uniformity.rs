//! Tests of whether ranks are uniform: χ², and the distribution function at all ranks at once.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::PosteriorError;
use crate::error::in_range;

/// At most so many points of the distribution function are looked at.
const POINTS: usize = 100;
/// At most so many bins are counted, each expected to hold 5 or more.
const BINS: usize = 20;

/// Whether ranks are uniform. Each p-value is the probability of ranks this uneven if they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uniformity {
    /// Σ (count − expected)² / expected over at most 20 bins.
    pub chi_squared: f64,
    /// Asymptotic, for one degree of freedom fewer than there are bins.
    pub chi_squared_p_value: f64,
    /// How far the distribution function of the ranks strays from that of uniform ones at most.
    pub max_deviation: f64,
    /// Of the rank where the distribution function is least probable, at at most 100 ranks at once;
    /// exact to about 10⁻¹².
    ///
    /// # Source
    /// T. Säilynoja, P.-C. Bürkner and A. Vehtari. *Graphical test for discrete uniformity and its
    /// applications in goodness-of-fit evaluation and multiple sample comparison.* Statistics and
    /// Computing 32, 2022.
    pub ecdf_p_value: f64,
}

impl Uniformity {
    /// Tests counts of ranks; no ranks at all are uniform.
    pub(super) fn of(counts: &[u64]) -> Self {
        let total: u64 = counts.iter().sum();
        let bins = BINS.min(total as usize / 5).clamp(1, counts.len());
        let expected = |bin: usize| {
            let ranks = bin_start(bin + 1, bins, counts.len()) - bin_start(bin, bins, counts.len());
            total as f64 * ranks as f64 / counts.len() as f64
        };
        let chi_squared = binned(counts, bins)
            .iter()
            .enumerate()
            .map(|(bin, &count)| (count as f64 - expected(bin)).powi(2) / expected(bin).max(1e-300))
            .sum();
        let chi_squared_p_value =
            ChiSquared::new(bins as f64 - 1.0).map_or(1.0, |null| null.sf(chi_squared));

        let null = RankCounts::new(total as usize, counts.len());
        let below = null.counts_below(counts);
        let deviation = |(point, &below): (usize, &usize)| {
            (below as f64 / total.max(1) as f64 - null.fractions[point]).abs()
        };
        let max_deviation = if total == 0 {
            0.0
        } else {
            below.iter().enumerate().map(deviation).fold(0.0, f64::max)
        };
        let rarest = below
            .iter()
            .enumerate()
            .map(|(point, &below)| null.two_sided(point, below))
            .fold(1.0, f64::min);
        let ecdf_p_value = 1.0 - null.stays_within(|p_value| p_value > rarest * (1.0 + 1e-9));
        Self {
            chi_squared,
            chi_squared_p_value,
            max_deviation,
            ecdf_p_value: ecdf_p_value.clamp(0.0, 1.0),
        }
    }
}

/// Where the distribution function of uniform ranks stays, at all points at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniformityBand {
    /// Fractions of the ranks, where it is looked at: `[points]`.
    pub fractions: Vec<f64>,
    /// The least fraction of replicates below: `[points]`.
    pub lower: Vec<f64>,
    /// The largest fraction of replicates below: `[points]`.
    pub upper: Vec<f64>,
}

impl UniformityBand {
    /// For so many replicates of so many ranks, holding with probability `level` or a little more.
    pub(super) fn new(replicates: usize, ranks: usize, level: f64) -> Result<Self, PosteriorError> {
        in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        let null = RankCounts::new(replicates, ranks);
        // The pointwise level that makes the band hold everywhere at once.
        let (mut holds, mut fails) = (0.0, 1.0);
        for _ in 0..30 {
            let middle = 0.5 * (holds + fails);
            if null.stays_within(|p_value| p_value > middle) >= level {
                holds = middle;
            } else {
                fails = middle;
            }
        }
        let ranges = (0..null.fractions.len()).map(|point| null.range(point, |p| p > holds));
        let (lower, upper) = ranges
            .map(|(from, to)| (from as f64 / replicates as f64, to as f64 / replicates as f64))
            .unzip();
        Ok(Self { fractions: null.fractions, lower, upper })
    }
}

/// How many of n uniform ranks lie at or below each of some ranks: a Markov chain of binomials.
struct RankCounts {
    replicates: usize,
    /// The rank that each point closes.
    last_ranks: Vec<usize>,
    /// The probability of a rank at or below each point.
    fractions: Vec<f64>,
    /// P(count ≤ c) at each point: `[points, replicates + 1]`.
    cdf: Vec<Vec<f64>>,
    log_factorials: Vec<f64>,
}

impl RankCounts {
    fn new(replicates: usize, ranks: usize) -> Self {
        let points = POINTS.min(ranks - 1);
        let last_ranks: Vec<usize> =
            (0..points).map(|point| bin_start(point + 1, points + 1, ranks) - 1).collect();
        let fractions: Vec<f64> =
            last_ranks.iter().map(|&rank| (rank + 1) as f64 / ranks as f64).collect();
        let mut log_factorials = vec![0.0; replicates + 1];
        for n in 1..=replicates {
            log_factorials[n] = log_factorials[n - 1] + (n as f64).ln();
        }
        let mut null = Self { replicates, last_ranks, fractions, cdf: Vec::new(), log_factorials };
        null.cdf = null
            .fractions
            .iter()
            .map(|&fraction| {
                let mut sum = 0.0;
                let cumulate = |count| {
                    sum += null.binomial(replicates, fraction, count);
                    f64::min(sum, 1.0)
                };
                (0..=replicates).map(cumulate).collect()
            })
            .collect();
        null
    }

    /// P(`count` successes of `trials`).
    fn binomial(&self, trials: usize, probability: f64, count: usize) -> f64 {
        let ways = self.log_factorials[trials]
            - self.log_factorials[count]
            - self.log_factorials[trials - count];
        let (hits, misses) = (count as f64, (trials - count) as f64);
        let hits = if count == 0 { 0.0 } else { hits * probability.ln() };
        let misses = if trials == count { 0.0 } else { misses * (-probability).ln_1p() };
        (ways + hits + misses).exp()
    }

    /// How many ranks lie at or below each point.
    fn counts_below(&self, counts: &[u64]) -> Vec<usize> {
        let (mut sum, mut rank) = (0, 0);
        let upto = |&last: &usize| {
            sum += counts[rank..=last].iter().sum::<u64>() as usize;
            rank = last + 1;
            sum
        };
        self.last_ranks.iter().map(upto).collect()
    }

    /// Twice the probability of the smaller tail, the count itself in it.
    fn two_sided(&self, point: usize, count: usize) -> f64 {
        let below = self.cdf[point][count];
        let above = if count == 0 { 1.0 } else { 1.0 - self.cdf[point][count - 1] };
        (2.0 * below.min(above)).min(1.0)
    }

    /// The first and last count at a point whose two-sided p-value is kept; first > last if none.
    fn range(&self, point: usize, kept: impl Fn(f64) -> bool) -> (usize, usize) {
        let kept = |&count: &usize| kept(self.two_sided(point, count));
        let first = (0..=self.replicates).find(kept);
        let last = (0..=self.replicates).rev().find(kept);
        first.zip(last).unwrap_or((1, 0))
    }

    /// The probability that the two-sided p-values are kept at every point.
    fn stays_within(&self, kept: impl Fn(f64) -> bool) -> f64 {
        let (mut first, mut probs, mut before) = (0, vec![1.0], 0.0);
        for (point, &fraction) in self.fractions.iter().enumerate() {
            let (low, high) = self.range(point, &kept);
            let step = (fraction - before) / (1.0 - before);
            let mut next = vec![0.0; (high + 1).saturating_sub(low)];
            for (offset, prob) in probs.iter().enumerate().filter(|(_, prob)| **prob > 1e-18) {
                let from = first + offset;
                let left = self.replicates - from;
                // Bernstein: a step further than this from its mean has a probability below e⁻⁵⁰.
                let mean = left as f64 * step;
                let reach = 40.0 + 10.0 * (mean * (1.0 - step)).sqrt();
                let nearest = from + (mean - reach).max(0.0) as usize;
                let furthest = from + left.min((mean + reach) as usize);
                for to in low.max(nearest)..=high.min(furthest) {
                    next[to - low] += prob * self.binomial(left, step, to - from);
                }
            }
            (first, probs, before) = (low, next, fraction);
        }
        probs.iter().sum()
    }
}

/// Where a bin of nearly equal widths begins.
fn bin_start(bin: usize, bins: usize, ranks: usize) -> usize {
    bin * ranks / bins
}

/// Counts of ranks in so many bins.
pub(super) fn binned(counts: &[u64], bins: usize) -> Vec<u64> {
    let bins = bins.clamp(1, counts.len());
    let bin = |bin| {
        let (from, to) =
            (bin_start(bin, bins, counts.len()), bin_start(bin + 1, bins, counts.len()));
        counts[from..to].iter().sum()
    };
    (0..bins).map(bin).collect()
}
