//! The probability integral transform: whether targets fall evenly over what was predicted.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use statrs::distribution::Uniform;
use statrs::stats_tests::NaNPolicy;
use statrs::stats_tests::ks_test::{KSOneSampleAlternativeMethod, ks_onesample};

use crate::EvalError;

/// Where a target lies among the candidates in descending order of probability: which part of
/// \[0, 1\] the target, with all that are as probable, takes up there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PitInterval {
    low: f64,
    high: f64,
}

impl PitInterval {
    /// The interval of a target.
    ///
    /// # Formula
    /// \[Σ P(x) over candidates x more probable than the target, Σ P(x) over those at least as
    /// probable\]
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless 0 ≤ low ≤ high ≤ 1.
    pub fn new(low: f64, high: f64) -> Result<Self, EvalError> {
        let out_of_range = |name, value, expected| EvalError::OutOfRange { name, value, expected };
        if !(0.0..=1.0).contains(&low) {
            return Err(out_of_range("low", low, "a probability"));
        }
        if !(low..=1.0).contains(&high) {
            return Err(out_of_range("high", high, "a probability from low to 1"));
        }
        Ok(Self { low, high })
    }

    /// Of a target that is a candidate; `log_mass` is the log of the candidates' probability. No
    /// log probability is NaN.
    pub(crate) fn of(
        log_probs: &[f64],
        target: u32,
        candidate: impl Fn(u32) -> bool,
        log_mass: f64,
    ) -> Self {
        let of_target = log_probs[target as usize];
        let (mut above, mut tied) = (0.0, 0_u64);
        for (item, &log_prob) in log_probs.iter().enumerate() {
            if log_prob >= of_target && candidate(item as u32) {
                if log_prob > of_target {
                    above += (log_prob - log_mass).exp();
                } else {
                    tied += 1;
                }
            }
        }
        // What was held impossible stands at the end.
        let each = if of_target > f64::NEG_INFINITY { (of_target - log_mass).exp() } else { 0.0 };
        let low = f64::min(above, 1.0);
        Self { low, high: (low + tied as f64 * each).min(1.0) }
    }

    /// The probability of all that is more probable.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The probability of all that is at least as probable, the target included.
    pub fn high(self) -> f64 {
        self.high
    }
}

/// Randomised probability integral transforms, one for each target.
///
/// If targets are drawn from the predictives, these are independent and uniform on \[0, 1\], exactly,
/// however discrete the predictives are. Too many near 1 say that targets are less probable than
/// stated (probabilities too sharp), too many near 0 that they are more probable (too flat).
/// Uniformity is necessary for probabilities that hold, not sufficient: popularity can have it too,
/// as it may hold on average over the users.
///
/// # Formula
/// u = low + v · (high − low), v uniform on \[0, 1), of each [`PitInterval`]
///
/// Items have no natural order; the descending order of probability makes u small for what was held
/// likely. Items that tie share their interval, so that no order among them is needed.
///
/// # Source
/// A. E. Brockwell. *Universal residuals: a multivariate transformation.* Statistics & Probability
/// Letters 77(14), 2007; C. Czado, T. Gneiting and L. Held. *Predictive model assessment for count
/// data.* Biometrics 65(4), 2009; A. P. Dawid. *Statistical theory: the prequential approach.* JRSS
/// A 147(2), 1984.
#[derive(Debug, Clone, PartialEq)]
pub struct Pit {
    values: Vec<f64>,
}

/// A Kolmogorov–Smirnov test of uniformity on \[0, 1\].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UniformityTest {
    /// The largest distance between the empirical and the uniform distribution function.
    pub statistic: f64,
    /// The probability of such a distance or more if the values are uniform, by Kolmogorov's limit:
    /// for fewer than about 100 values it is too large.
    pub p_value: f64,
}

impl Pit {
    /// Draws v for each interval in turn.
    pub fn new(intervals: impl IntoIterator<Item = PitInterval>, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |PitInterval { low, high }| low + rng.random::<f64>() * (high - low);
        Self { values: intervals.into_iter().map(draw).collect() }
    }

    /// u of each target, in their order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many values lie in each of so many equal parts of \[0, 1\].
    pub fn histogram(&self, bins: usize) -> Vec<usize> {
        let mut counts = vec![0; bins];
        for value in &self.values {
            let bin = ((value * bins as f64) as usize).min(bins.saturating_sub(1));
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
        counts
    }

    /// Tests whether the values are uniform; `None` without values.
    ///
    /// With many users any model is refused: look at the statistic, which says how far the share of
    /// targets in any head of the ranking is from what was predicted at most.
    ///
    /// # Source
    /// A. Kolmogorov. *Sulla determinazione empirica di una legge di distribuzione.* 1933.
    pub fn uniformity(&self) -> Option<UniformityTest> {
        let uniform = Uniform::new(0.0, 1.0).ok()?;
        let method = KSOneSampleAlternativeMethod::TwoSidedAsymptotic;
        let test = ks_onesample(self.values.clone(), &uniform, method, NaNPolicy::Error);
        test.ok().map(|(statistic, p_value)| UniformityTest { statistic, p_value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logs(probabilities: &[f64]) -> Vec<f64> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn intervals_worked_by_hand() {
        // Candidates: .2, .4, .2 and 0 of .8; the first item isn't one.
        let log_probs = logs(&[0.2, 0.2, 0.4, 0.2, 0.0]);
        let of = |target| PitInterval::of(&log_probs, target, |item| item != 0, 0.8_f64.ln());
        for (target, low, high) in [(2, 0.0, 0.5), (1, 0.5, 1.0), (3, 0.5, 1.0), (4, 1.0, 1.0)] {
            let interval = of(target);
            assert!((interval.low() - low).abs() < 1e-12, "{target} {interval:?}");
            assert!((interval.high() - high).abs() < 1e-12, "{target} {interval:?}");
        }
        // Where all are impossible, nothing is stated and nothing is uniform.
        let impossible = [f64::NEG_INFINITY; 2];
        let interval = PitInterval::of(&impossible, 0, |_| true, f64::NEG_INFINITY);
        assert_eq!(interval, PitInterval { low: 0.0, high: 0.0 });
        for (low, high) in [(-0.1, 0.5), (0.5, 0.4), (0.5, 1.1), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert!(matches!(PitInterval::new(low, high), Err(EvalError::OutOfRange { .. })));
        }
        assert_eq!(PitInterval::new(0.5, 0.5).unwrap(), PitInterval { low: 0.5, high: 0.5 });
    }

    /// Targets drawn from `truth` where `stated` was predicted.
    fn pit(truth: &[f64], stated: &[f64], seed: u64) -> Pit {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let log_probs = logs(stated);
        let intervals = (0..2000).map(|_| {
            let mut left: f64 = rng.random();
            let mut below = |p: &f64| {
                left -= p;
                left >= 0.0
            };
            let target = truth.iter().take_while(|p| below(p)).count().min(truth.len() - 1);
            PitInterval::of(&log_probs, target as u32, |_| true, 0.0)
        });
        // With the seed of the targets, u would be what they were drawn by.
        Pit::new(intervals.collect::<Vec<_>>(), !seed)
    }

    #[test]
    fn it_is_uniform_if_the_predictive_is_true_and_leans_if_it_is_not() {
        let (truth, sharp) = ([0.1, 0.4, 0.1, 0.4], [0.02, 0.48, 0.02, 0.48]);
        let mut rejected = 0;
        for seed in 0..200 {
            rejected += usize::from(pit(&truth, &truth, seed).uniformity().unwrap().p_value < 0.05);
        }
        // 10 expected, standard deviation 3.1.
        assert!((2..=20).contains(&rejected), "{rejected}");
        let of_sharp = pit(&truth, &sharp, 1);
        assert!(of_sharp.uniformity().unwrap().p_value < 1e-6);
        let counts = of_sharp.histogram(2);
        // A fifth lies beyond .96: targets are less probable than stated.
        let beyond = of_sharp.values().iter().filter(|&&u| u > 0.96).count();
        assert!(beyond > 320, "{beyond}");
        assert_eq!(counts.iter().sum::<usize>(), 2000);
        let flat = pit(&truth, &[0.2, 0.3, 0.2, 0.3], 1);
        assert!(flat.histogram(2)[0] > 1100, "{:?}", flat.histogram(2));
    }

    #[test]
    fn the_histogram_holds_every_value_and_the_seed_decides() {
        let at = |u: f64| PitInterval::new(u, u).unwrap();
        let pit = Pit::new([0.0, 0.25, 0.5, 1.0, 1.0].map(at), 0);
        assert_eq!(pit.histogram(4), [1, 1, 1, 2]);
        assert_eq!(pit.histogram(1), [5]);
        assert!(pit.histogram(0).is_empty());
        assert_eq!(Pit::new([], 0).uniformity(), None);
        let whole = [PitInterval::new(0.0, 1.0).unwrap(); 5];
        assert_eq!(Pit::new(whole, 1), Pit::new(whole, 1));
        assert_ne!(Pit::new(whole, 1), Pit::new(whole, 2));
    }

    proptest! {
        #[test]
        fn the_intervals_of_the_candidates_cover_everything(
            weights in prop::collection::vec(0..4_u32, 2..10),
            rotation in 0..10_usize,
        ) {
            let total = f64::from(weights.iter().sum::<u32>());
            prop_assume!(total > 0.0);
            let of = |weights: &[u32]| -> Vec<PitInterval> {
                let p: Vec<f64> = weights.iter().map(|&w| f64::from(w) / total).collect();
                let log_probs = logs(&p);
                let each = (0..p.len() as u32).map(|x| PitInterval::of(&log_probs, x, |_| true, 0.0));
                each.collect()
            };
            let intervals = of(&weights);
            // Σ P(x) · (length of its interval / P of it) = 1: u's density is 1 everywhere.
            let mut cuts: Vec<(f64, f64)> = intervals.iter().map(|i| (i.low(), i.high())).collect();
            cuts.sort_by(|a, b| a.partial_cmp(b).unwrap());
            cuts.dedup();
            let mut end = 0.0;
            for (low, high) in cuts {
                prop_assert!((low - end).abs() < 1e-12);
                end = high;
            }
            prop_assert!((end - 1.0).abs() < 1e-12);
            // An item's interval doesn't depend on its index.
            let rotation = rotation % weights.len();
            let mut rotated = weights.clone();
            rotated.rotate_left(rotation);
            for (got, &expected) in of(&rotated).iter().zip(intervals.iter().cycle().skip(rotation)) {
                prop_assert!((got.low() - expected.low()).abs() < 1e-12);
                prop_assert!((got.high() - expected.high()).abs() < 1e-12);
            }
        }
    }
}
