//! Beliefs that fade with time: what is old counts less.

use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::{Belief, Exact, Family, PosteriorError};

/// The time in which evidence loses half of its weight, in the unit of the caller's times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct HalfLife(f64);

impl HalfLife {
    /// A half-life.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless it is above 0; infinity never forgets.
    pub fn new(half_life: f64) -> Result<Self, PosteriorError> {
        in_range("half-life", half_life, half_life > 0.0, "above 0")?;
        Ok(Self(half_life))
    }

    /// What is left of evidence of an age: 2^(−age / half-life), and all of it before its time.
    pub fn weight(self, age: f64) -> f64 {
        (-age.max(0.0) / self.0).exp2()
    }
}

impl TryFrom<f64> for HalfLife {
    type Error = PosteriorError;
    fn try_from(half_life: f64) -> Result<Self, PosteriorError> {
        Self::new(half_life)
    }
}

impl From<HalfLife> for f64 {
    fn from(half_life: HalfLife) -> Self {
        half_life.0
    }
}

/// A [`Belief`] with a clock: events have times, evidence fades by a half-life, and beliefs are
/// brought to the same time before they are merged.
///
/// Times are numbers in any unit, later ones greater. An event that arrives late counts by its age.
///
/// # Formula
/// Time is cut into half-lives, counted from time 0. Within one, evidence isn't touched and an event
/// counts more the later it is, 2^(phase of the half-life); at its end everything is halved. What is
/// kept in fixed point is so rounded once in a half-life however many events there are, and by under
/// two steps in total; within a half-life the laws of [`Belief`] hold to the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Fading<F: Family> {
    /// As of the beginning of the half-life in which `at` lies.
    scaled: Belief<F>,
    half_life: HalfLife,
    at: f64,
}

impl<F: Family> Fading<F> {
    /// The belief before any event, at a time.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the time is finite.
    pub fn new(family: &F, half_life: HalfLife, at: f64) -> Result<Self, PosteriorError> {
        finite_time(at)?;
        Ok(Self { scaled: Belief::new(family), half_life, at })
    }

    /// The belief at its time, which doesn't fade any further.
    pub fn belief(&self) -> Belief<F> {
        let mut belief = self.scaled.clone();
        belief.keep(1.0 / self.growth(self.at));
        belief
    }

    /// The time of the belief: the latest that was heard of.
    pub fn time(&self) -> f64 {
        self.at
    }

    /// How many half-lives have passed since time 0.
    fn half_lives(&self, at: f64) -> f64 {
        (at / self.half_life.0).floor()
    }

    /// What an event of a time counts in the present half-life: in \[1, 2), and less for late ones.
    fn growth(&self, at: f64) -> f64 {
        (at / self.half_life.0 - self.half_lives(self.at)).exp2()
    }

    /// Lets time pass; the past is left alone.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the time is finite.
    pub fn advance(&mut self, to: f64) -> Result<(), PosteriorError> {
        finite_time(to)?;
        if to > self.at {
            let passed = self.half_lives(to) - self.half_lives(self.at);
            self.scaled.keep((-passed).exp2());
            self.at = to;
        }
        Ok(())
    }

    /// One more event, of a time.
    ///
    /// # Errors
    /// Those of [`Belief::update`], and [`PosteriorError::OutOfRange`] unless the time is finite.
    pub fn update(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        at: f64,
    ) -> Result<(), PosteriorError> {
        self.update_weighted(family, event, 1.0, at)
    }

    /// One more event, of a time, that counted as `weight` events then: by its kind, say.
    ///
    /// # Errors
    /// Those of [`Belief::update_weighted`], and [`PosteriorError::OutOfRange`] unless the time is
    /// finite.
    pub fn update_weighted(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
        at: f64,
    ) -> Result<(), PosteriorError> {
        self.advance(at)?;
        self.scaled.update_weighted(family, event, weight * self.growth(at))
    }

    /// Takes an event of a time back: to the last bit within its half-life, and afterwards within
    /// two steps of fixed point.
    ///
    /// # Errors
    /// Those of [`Belief::retract`], and [`PosteriorError::OutOfRange`] unless the time is finite.
    pub fn retract(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        at: f64,
    ) -> Result<(), PosteriorError> {
        self.retract_weighted(family, event, 1.0, at)
    }

    /// Takes an event of a time back that counted as `weight` events then.
    ///
    /// # Errors
    /// Those of [`Belief::retract_weighted`], and [`PosteriorError::OutOfRange`] unless the time is
    /// finite.
    pub fn retract_weighted(
        &mut self,
        family: &F,
        event: &impl Exact<F>,
        weight: f64,
        at: f64,
    ) -> Result<(), PosteriorError> {
        self.advance(at)?;
        self.scaled.retract_weighted(family, event, weight * self.growth(at))
    }

    /// Adds the evidence of another belief, both at the later of their times.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for another half-life, and those of [`Belief::merge`].
    pub fn merge(&mut self, other: &Self) -> Result<(), PosteriorError> {
        let theirs = other.half_life.0;
        in_range("half-life", theirs, theirs == self.half_life.0, "that of this belief")?;
        let (mut ours, mut other) = (self.clone(), other.clone());
        ours.advance(other.at)?;
        other.advance(ours.at)?;
        ours.scaled.merge(&other.scaled)?;
        *self = ours;
        Ok(())
    }

    /// P(θ|X) at the belief's time.
    ///
    /// # Errors
    /// Those of [`Belief::posterior`].
    pub fn posterior(&self, family: &F) -> Result<F::Posterior, PosteriorError> {
        self.belief().posterior(family)
    }
}

fn finite_time(at: f64) -> Result<(), PosteriorError> {
    in_range("time", at, at.is_finite(), "a finite number")
}
