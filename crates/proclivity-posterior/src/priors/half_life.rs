//! How fast what users did stops to matter, chosen by prequential log loss.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::guard::Predictable;
use crate::minimize::minimize;
use crate::{AssumedDensity, Dirichlet, HalfLife, LabelLikelihood, PosteriorError};

/// One event of a user: when, and how likely it is under each interest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedEvent<'a> {
    /// The time, in the unit of the half-life.
    pub at: f64,
    /// P(x|k) of each interest; one 1 and zeros where the interest is known.
    pub likelihood: LabelLikelihood<'a>,
}

/// What half-life is believed in before users are seen.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `median` | 90 | the median half-life, in the unit of the events' times | above 0, finite |
/// | `log_deviation` | 1.5 | the standard deviation of the log half-life | above 0, at most 20 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HalfLifeConfig {
    /// The median half-life, in the unit of the events' times.
    pub median: f64,
    /// The standard deviation of the log half-life.
    pub log_deviation: f64,
}

impl Default for HalfLifeConfig {
    fn default() -> Self {
        Self { median: 90.0, log_deviation: 1.5 }
    }
}

impl HalfLifeConfig {
    /// Whether every field lies in its range.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for the first field that doesn't.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        let (median, deviation) = (self.median, self.log_deviation);
        in_range("median", median, median > 0.0 && median.is_finite(), "above 0 and finite")?;
        in_range("log_deviation", deviation, deviation > 0.0 && deviation <= 20.0, "in (0, 20]")
    }
}

/// The half-life that [`fit_half_life`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HalfLifeFit {
    /// The half-life.
    pub half_life: HalfLife,
    /// The prequential log loss with it, in nats an event.
    pub log_loss: f64,
    /// The prequential log loss of a belief that never forgets, in nats an event.
    pub unfading_log_loss: f64,
}

/// The half-life under which each user's events are foretold best from the ones before, drawn to a
/// usual one.
///
/// Evidence isn't asked: it would count faded events as not seen. Each user has a prior, which may be
/// one for all, and events in the order of their times.
///
/// # Formula
/// argmin over h of −Σ log P(xₜ | x₁, …, xₜ₋₁; h) + (log h − log median)² / (2 · `log_deviation`²),
/// by a scan of half-lives within four deviations and golden sections
///
/// # Errors
/// [`PosteriorError::Empty`] without events, [`PosteriorError::OutOfRange`] for times that aren't
/// finite or fall, an impossible event or a config's field, [`PosteriorError::Length`] for another
/// number of interests.
pub fn fit_half_life(
    users: &[(&Dirichlet, &[TimedEvent<'_>])],
    config: &HalfLifeConfig,
) -> Result<HalfLifeFit, PosteriorError> {
    config.validate()?;
    let count: usize = users.iter().map(|(_, events)| events.len()).sum();
    if count == 0 {
        return Err(PosteriorError::Empty { what: "events" });
    }
    let loss = |half_life: HalfLife| -> Result<f64, PosteriorError> {
        let losses = users.par_iter().map(|(prior, events)| user_loss(prior, events, half_life));
        Ok(losses.collect::<Result<Vec<_>, _>>()?.iter().sum())
    };
    let deviations: Vec<f64> = (-16..=16).map(|quarter| f64::from(quarter) / 4.0).collect();
    let at =
        |deviation: f64| HalfLife::new(config.median * (deviation * config.log_deviation).exp());
    let best = minimize(
        |deviation| Ok(loss(at(deviation)?)? + 0.5 * deviation * deviation),
        &deviations,
        1e-3,
    )?;
    let half_life = at(best.at)?;
    let log_loss = loss(half_life)? / count as f64;
    in_range("log loss", log_loss, log_loss.is_finite(), "events that are possible")?;
    let unfading_log_loss = loss(HalfLife::new(f64::INFINITY)?)? / count as f64;
    Ok(HalfLifeFit { half_life, log_loss, unfading_log_loss })
}

fn user_loss(
    prior: &Dirichlet,
    events: &[TimedEvent<'_>],
    half_life: HalfLife,
) -> Result<f64, PosteriorError> {
    let mut belief = AssumedDensity::new(prior);
    let mut loss = 0.0;
    let mut now = events.first().map_or(0.0, |event| event.at);
    for event in events {
        let valid = event.at.is_finite() && event.at >= now;
        in_range("time", event.at, valid, "finite, and not before the event before")?;
        belief.forget(half_life.weight(event.at - now))?;
        now = event.at;
        loss -= event.likelihood.log_predictive(prior, belief.evidence())?;
        belief.absorb(prior, &event.likelihood)?;
    }
    Ok(loss)
}
