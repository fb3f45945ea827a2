//! How sure a difference between two recommenders is: the paired bootstrap over users.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::EvalError;
use crate::paired::differences;

/// A mean difference and its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedBootstrap {
    /// The mean of first − second over the users.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How probable it is meant to be that the interval holds the true mean, such as .95.
    pub confidence: f64,
}

impl PairedBootstrap {
    /// Whether the interval lies on one side of 0.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The percentile interval of the mean difference between two recommenders on the same users.
///
/// Resampling users keeps each user's pair together, so that what makes a user easy or hard for
/// both cancels out. Each resample has a random stream of its own: the interval is the same for
/// any number of threads.
///
/// # Source
/// B. Efron. *Bootstrap methods: another look at the jackknife.* Annals of Statistics 7(1), 1979;
/// T. Sakai, SIGIR 2006, for its use on rankings.
///
/// # Errors
/// [`EvalError::Length`] when the users differ in number, [`EvalError::Empty`] without users or
/// resamples, [`EvalError::NotFinite`] for a difference that is not finite,
/// [`EvalError::OutOfRange`] for a confidence outside of 0 to 1.
pub fn paired_bootstrap(
    first: &[f64],
    second: &[f64],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Result<PairedBootstrap, EvalError> {
    let (differences, observed) = differences(first, second)?;
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(EvalError::OutOfRange {
            name: "confidence",
            value: confidence,
            expected: "a number between 0 and 1",
        });
    }
    if resamples == 0 {
        return Err(EvalError::Empty { what: "resamples" });
    }
    let mut means: Vec<f64> = (0..resamples as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(resample);
            let draws =
                (0..differences.len()).map(|_| differences[rng.random_range(0..differences.len())]);
            draws.sum::<f64>() / differences.len() as f64
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| means[(share * (resamples - 1) as f64).round() as usize];
    let tail = (1.0 - confidence) / 2.0;
    Ok(PairedBootstrap {
        mean: observed,
        low: quantile(tail),
        high: quantile(1.0 - tail),
        confidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_normal_limit() {
        // Differences ±1 with mean .2 over 1,000 users: standard error √(.96/1000) = .03098.
        let first: Vec<f64> = (0..1000).map(|user| f64::from(u8::from(user < 600))).collect();
        let second: Vec<f64> = first.iter().map(|value| 1.0 - value).collect();
        let result = paired_bootstrap(&first, &second, 4000, 0.95, 1).unwrap();
        assert!((result.mean - 0.2).abs() < 1e-12);
        assert!((result.low - (0.2 - 1.96 * 0.03098)).abs() < 0.004, "{result:?}");
        assert!((result.high - (0.2 + 1.96 * 0.03098)).abs() < 0.004, "{result:?}");
        assert!(result.excludes_zero());

        let swapped = paired_bootstrap(&second, &first, 4000, 0.95, 1).unwrap();
        assert!((swapped.low + result.high).abs() < 1e-3);
    }

    #[test]
    fn a_constant_difference_is_certain_and_pairing_matters() {
        let first: Vec<f64> = (0..50).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|value| value - 0.5).collect();
        let result = paired_bootstrap(&first, &second, 100, 0.9, 7).unwrap();
        assert_eq!((result.low, result.mean, result.high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn the_seed_and_not_the_threads_decide() {
        let first: Vec<f64> = (0..99).map(|user| f64::from(user % 7)).collect();
        let second: Vec<f64> = (0..99).map(|user| f64::from(user % 5)).collect();
        let run = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| paired_bootstrap(&first, &second, 200, 0.9, seed).unwrap())
        };
        assert_eq!(run(1, 3), run(4, 3));
        assert_ne!(run(1, 3), run(1, 4));
    }

    #[test]
    fn hostile_input_is_refused() {
        let run = |first: &[f64], second: &[f64], resamples, confidence| {
            paired_bootstrap(first, second, resamples, confidence, 0)
        };
        assert!(matches!(run(&[1.0], &[], 9, 0.9), Err(EvalError::Length { .. })));
        assert!(matches!(run(&[], &[], 9, 0.9), Err(EvalError::Empty { what: "users" })));
        assert!(matches!(run(&[1.0], &[1.0], 0, 0.9), Err(EvalError::Empty { .. })));
        for confidence in [0.0, 1.0, f64::NAN] {
            let result = run(&[1.0], &[1.0], 9, confidence);
            assert!(matches!(result, Err(EvalError::OutOfRange { .. })));
        }
        let result = run(&[1.0, f64::INFINITY], &[1.0, 0.0], 9, 0.9);
        assert!(matches!(result, Err(EvalError::NotFinite { position: 1, .. })));
    }
}
