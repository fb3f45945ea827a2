//! Whether a difference between two recommenders is more than chance: the paired randomisation
//! test over users.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::EvalError;
use crate::paired::differences;

/// A mean difference and how rarely chance makes one as large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedRandomization {
    /// The mean of first − second over the users.
    pub mean: f64,
    /// The two-sided p-value: the probability of a mean at least as far from 0 if it is a matter
    /// of chance, for each user, which of the two recommenders had which value.
    pub p_value: f64,
    /// How many assignments of signs were looked at.
    pub permutations: usize,
    /// Whether these are all there are, so that the p-value is exact.
    pub exact: bool,
}

/// The two-sided sign-flip test of the mean difference between two recommenders on the same users.
///
/// Under the null hypothesis the two values of each user are exchangeable, so that each difference
/// is as likely to have the other sign. With so few users that all 2ⁿ assignments of signs are at
/// most `permutations`, every one is looked at once; otherwise `permutations` are drawn. Each draw
/// has a random stream of its own: the p-value is the same for any number of threads.
///
/// # Formula
/// T(s) = |Σ sᵢ dᵢ|, d the differences and s the signs. Drawn:
/// p = (1 + |{draws s : T(s) ≥ T(1)}|) / (1 + draws), where the 1 is the observed assignment, without
/// which p could be 0 and the test would reject too often; exact: p = |{s : T(s) ≥ T(1)}| / 2ⁿ.
/// A T within the rounding of the sum of T(1) counts as equal.
///
/// # Source
/// R. A. Fisher. *The Design of Experiments.* Oliver and Boyd, 1935; M. D. Smucker, J. Allan and
/// B. Carterette. *A comparison of statistical significance tests for information retrieval
/// evaluation.* CIKM 2007; B. Phipson and G. K. Smyth. *Permutation p-values should never be zero.*
/// Statistical Applications in Genetics and Molecular Biology 9(1), 2010 (the 1).
///
/// # Errors
/// [`EvalError::Length`] when the users differ in number, [`EvalError::Empty`] without users or
/// permutations, [`EvalError::NotFinite`] for a difference that is not finite.
pub fn paired_randomization(
    first: &[f64],
    second: &[f64],
    permutations: usize,
    seed: u64,
) -> Result<PairedRandomization, EvalError> {
    let (differences, mean) = differences(first, second)?;
    if permutations == 0 {
        return Err(EvalError::Empty { what: "permutations" });
    }
    let observed: f64 = differences.iter().sum();
    // The rounding error of a sum in order is at most n · ε · Σ |dᵢ|.
    let magnitude: f64 = differences.iter().map(|d| d.abs()).sum();
    let threshold = observed.abs() - differences.len() as f64 * f64::EPSILON * magnitude;
    let all = u32::try_from(differences.len()).ok().and_then(|users| 1_usize.checked_shl(users));
    let exact = all.filter(|&all| all <= permutations);
    let count = exact.unwrap_or(permutations);
    let extreme = (0..count as u64).into_par_iter().filter(|&permutation| {
        let sum = if exact.is_some() {
            signed_sum(&differences, || permutation)
        } else {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(permutation);
            signed_sum(&differences, || rng.random())
        };
        sum.abs() >= threshold
    });
    let extreme = extreme.count() as f64;
    let p_value = match exact {
        Some(all) => extreme / all as f64,
        None => (1.0 + extreme) / (1.0 + permutations as f64),
    };
    Ok(PairedRandomization { mean, p_value, permutations: count, exact: exact.is_some() })
}

/// The sum, each term with the sign that its bit says: `signs` gives the next 64 of them.
fn signed_sum(differences: &[f64], mut signs: impl FnMut() -> u64) -> f64 {
    let mut sum = 0.0;
    for terms in differences.chunks(64) {
        let signs = signs();
        for (position, term) in terms.iter().enumerate() {
            sum += if signs >> position & 1 == 1 { -term } else { *term };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences that are symmetric about `shift`, and nothing alike.
    fn sample(users: usize, shift: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..users).map(|_| rng.random_range(-1.0..1.0_f64).powi(3) + shift).collect()
    }

    fn test(differences: &[f64], permutations: usize) -> PairedRandomization {
        let zeros = vec![0.0; differences.len()];
        paired_randomization(differences, &zeros, permutations, 5).unwrap()
    }

    #[test]
    fn a_few_users_are_enumerated() {
        // Of the sums ±1 ±2 ±3, only 6 and −6 are as large as 6; four are as large as 4.
        let result = test(&[1.0, 2.0, 3.0], 8);
        assert_eq!((result.p_value, result.exact, result.permutations), (0.25, true, 8));
        assert_eq!(test(&[-1.0, 2.0, 3.0], 100).p_value, 0.5);
        assert_eq!(test(&[0.1, 0.2, -0.3], 8).p_value, 1.0);
        assert_eq!(test(&[0.0, 0.0], 4).p_value, 1.0);
        assert_eq!(test(&[7.0], 2).p_value, 1.0);
        // (.1 + .2) − .3 is not 0 in binary, and the order of the terms decides: all are as large.
        assert_eq!(test(&[0.3, -0.1, -0.2], 8).p_value, 1.0);
        assert!(!test(&[1.0, 2.0, 3.0], 7).exact);
    }

    #[test]
    fn what_is_drawn_approaches_what_is_enumerated() {
        for (shift, seed) in [(0.0, 1), (0.15, 2), (0.3, 3)] {
            let differences = sample(12, shift, seed);
            let exact = test(&differences, 4096);
            let drawn = test(&differences, 4095);
            assert!(exact.exact && !drawn.exact);
            let error = (exact.p_value * (1.0 - exact.p_value) / 4095.0).sqrt() + 1.0 / 4096.0;
            assert!((exact.p_value - drawn.p_value).abs() < 4.0 * error, "{exact:?} {drawn:?}");
        }
    }

    #[test]
    fn p_is_uniform_under_the_null_and_small_under_an_effect() {
        let p = |shift| -> Vec<f64> {
            (0..2000).map(|seed| test(&sample(40, shift, seed), 99).p_value).collect()
        };
        let share = |p: &[f64], level: f64| {
            p.iter().filter(|&&p| p <= level + 1e-12).count() as f64 / p.len() as f64
        };
        // p is one of .01, .02, … 1, each as probable as the other.
        let null = p(0.0);
        for level in [0.01_f64, 0.05, 0.1, 0.25, 0.5, 0.9] {
            let error = (level * (1.0 - level) / 2000.0).sqrt();
            assert!((share(&null, level) - level).abs() < 3.5 * error, "{}", share(&null, level));
        }
        assert!(share(&p(0.3), 0.05) > 0.9);
    }

    #[test]
    fn the_seed_and_not_the_threads_decide() {
        let (first, second) = (sample(99, 0.02, 1), sample(99, 0.0, 2));
        let run = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| paired_randomization(&first, &second, 500, seed).unwrap())
        };
        assert_eq!(run(1, 3), run(4, 3));
        assert_ne!(run(1, 3), run(1, 4));
        // Which is first doesn't matter.
        let swapped = paired_randomization(&second, &first, 500, 3).unwrap();
        assert_eq!((swapped.p_value, swapped.mean), (run(1, 3).p_value, -run(1, 3).mean));
    }

    #[test]
    fn hostile_input_is_refused() {
        let run =
            |first: &[f64], second: &[f64], count| paired_randomization(first, second, count, 0);
        assert!(matches!(run(&[1.0], &[], 9), Err(EvalError::Length { .. })));
        assert!(matches!(run(&[], &[], 9), Err(EvalError::Empty { what: "users" })));
        assert!(matches!(run(&[1.0], &[1.0], 0), Err(EvalError::Empty { what: "permutations" })));
        let result = run(&[1.0, f64::NAN], &[1.0, 0.0], 9);
        assert!(matches!(result, Err(EvalError::NotFinite { position: 1, .. })));
    }
}
