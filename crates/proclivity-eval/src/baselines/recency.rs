//! Recency: popularity that fades.

use proclivity_posterior::{HalfLife, Predictive};

use super::Popularity;
use crate::EvalError;
use crate::splits::check_times;

/// The same for everybody: each item in proportion to its events, of which older ones count less.
///
/// # Formula
/// P(x) = (wₓ + smoothing) / (Σ w + smoothing · |catalog|), wₓ = Σ 2^(−age / half-life) over the
/// events with x
///
/// An endless half-life gives [`Popularity`]. With a short one the weights sum to little, so that
/// the same smoothing is worth more.
///
/// # Source
/// Y. Ji, A. Sun, J. Zhang and C. Li. *A re-visit of the popularity baseline in recommender
/// systems.* SIGIR 2020: their DecayPop, with events in place of months.
#[derive(Debug, Clone, PartialEq)]
pub struct Recency(Popularity);

impl Recency {
    /// By time: the age of an event is how long it was before the last of them all, in the unit of
    /// the times.
    ///
    /// # Shapes
    /// `times`: one for each item of `sequences`, none earlier than the one before
    ///
    /// # Errors
    /// [`EvalError::UnknownItem`] outside of the catalog, [`EvalError::Length`] unless each item
    /// has a time, [`EvalError::TimeReversed`] for times out of order, and those of
    /// [`Popularity::new`].
    pub fn by_time(
        sequences: &[&[u32]],
        times: &[&[i64]],
        item_count: usize,
        half_life: HalfLife,
        smoothing: f64,
    ) -> Result<Self, EvalError> {
        check_times(sequences, times)?;
        let last = times.iter().filter_map(|times| times.last()).max().copied();
        // As wide as the difference of any two times.
        let age =
            |user: usize, place: usize| last.map_or(0, |last| last.abs_diff(times[user][place]));
        Self::of_ages(sequences, item_count, half_life, smoothing, age)
    }

    /// By position, where there are no times: the age of an event is how many of its user came
    /// after it.
    ///
    /// # Errors
    /// [`EvalError::UnknownItem`] outside of the catalog, and those of [`Popularity::new`].
    pub fn by_position(
        sequences: &[&[u32]],
        item_count: usize,
        half_life: HalfLife,
        smoothing: f64,
    ) -> Result<Self, EvalError> {
        let age = |user: usize, place: usize| (sequences[user].len() - 1 - place) as u64;
        Self::of_ages(sequences, item_count, half_life, smoothing, age)
    }

    fn of_ages(
        sequences: &[&[u32]],
        item_count: usize,
        half_life: HalfLife,
        smoothing: f64,
        age: impl Fn(usize, usize) -> u64,
    ) -> Result<Self, EvalError> {
        let mut ages: Vec<Vec<u64>> = vec![Vec::new(); item_count];
        for (user, sequence) in sequences.iter().enumerate() {
            for (place, &item) in sequence.iter().enumerate() {
                match ages.get_mut(item as usize) {
                    Some(ages) => ages.push(age(user, place)),
                    None => {
                        let user = user as u32;
                        return Err(EvalError::UnknownItem { user, item, items: item_count });
                    }
                }
            }
        }
        let weight = |ages: &mut Vec<u64>| {
            // The least first: no order of users changes the sum.
            ages.sort_unstable_by(|a, b| b.cmp(a));
            ages.iter().map(|&age| half_life.weight(age as f64)).sum()
        };
        let weights: Vec<f64> = ages.iter_mut().map(weight).collect();
        Popularity::of_weights(&weights, smoothing).map(Self)
    }
}

impl Predictive for Recency {
    fn item_count(&self) -> usize {
        self.0.item_count()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        self.0.log_probs(history, out);
    }
}
