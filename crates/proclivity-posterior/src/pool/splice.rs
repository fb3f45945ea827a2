//! Probabilities for a pool's ranking that can't change its order.

use ndarray::{Array2, ArrayViewMut1};
use serde::{Deserialize, Serialize};

use super::candidates::{BANDS, Candidates, OUTSIDE, Part, SpliceEvent, feature_count};
use super::newton::minimize;
use super::splice_loss::{SLOPES, band_loss, head_logits, head_loss, log_sigmoid, membership_loss};
use crate::error::{in_range, same_length};
use crate::log_sum_exp::log_sum_exp;
use crate::vectorized::ln;
use crate::{PosteriorError, mixture_weights};

/// How a [`Splice`] is fitted.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `head` | 200 | how many candidates of the highest scores the head has | from 1 |
/// | `protected` | 10 | how long a list no candidate of the tail may enter | 0 to `head` |
/// | `ridge` | 1 | precision of the normal priors of slopes and drops | above 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct SpliceConfig {
    pub head: usize,
    pub protected: usize,
    pub ridge: f64,
}

impl Default for SpliceConfig {
    fn default() -> Self {
        Self { head: 200, protected: 10, ridge: 1.0 }
    }
}

impl SpliceConfig {
    /// Checks every range of the table.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] that names the parameter.
    pub fn validate(&self) -> Result<(), PosteriorError> {
        in_range("head", self.head as f64, self.head > 0, "a number from 1")?;
        let protected = self.protected;
        in_range("protected", protected as f64, protected <= self.head, "at most the head")?;
        in_range("ridge", self.ridge, self.ridge > 0.0 && self.ridge.is_finite(), "above 0")
    }
}

/// A calibrated probability for every candidate, in the pool's order where it matters.
///
/// The head are the candidates that fewer than H others outscore. In it probabilities fall with the
/// pool's score; what the pool has no opinion of worth on, the tail, is the members' to judge.
///
/// # Formula
/// in the head: P(x) = π · exp(ℓ(x)) / Σ exp(ℓ), ℓ(x) = (β₀ + β₁ m) s(x) − Σ over
/// 1 ≤ k ≤ ⌊log₂ rank(x)⌋ of dₖ, m the margin of the first score over the tenth, with β₀ > 0, β₁ ≥ 0 and
/// dₖ ≥ 0, so that the order is the pool's, ties included;
///
/// in the tail: P(x) ∝ (1 − π) exp(c(x)) Σₘ vₘ Pₘ(x) / Pₘ(tail), uniform the last of the members and
/// c(x) the weight of the band ⌊log₂ rank(x)⌋ of the pool's ranks, which needn't fall;
///
/// π logistic in the log-odds of the head under Σₘ wₘ Pₘ and under each Pₘ, in log(1 + history
/// length) and in the margins of the first score over the second, the tenth and the head's last. Where the tail's most
/// probable item would otherwise pass one of the first `protected`, π is raised until it doesn't.
///
/// Log loss over candidates is the sum of three convex problems, whether the item is in the head,
/// where in the head, where in the tail. Each is fitted to its optimum; in the tail first the mixture,
/// then the bands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Splice {
    config: SpliceConfig,
    membership: Vec<f64>,
    slope: f64,
    margin_slope: f64,
    drops: Vec<f64>,
    mixture: Vec<f64>,
    tail: Vec<f64>,
    bands: Vec<f64>,
}

/// The flattest slope: a head with flatter probabilities than this is as good as uniform.
const MIN_SLOPE: f64 = 1e-3;

impl Splice {
    /// The splice with the highest posterior probability given held-out events.
    ///
    /// Priors: each of the mixtures' weights as if every member had foretold one event alone; slopes
    /// normal with precision `ridge`, β₀ around 1, β₁ and the drops d around 0, the others around 0 after
    /// features are brought to unit variance. The result doesn't depend on threads.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without events, [`PosteriorError::Length`] for events of another
    /// head or number of members, those of [`SpliceConfig::validate`],
    /// [`PosteriorError::NotConverged`] when Newton's method fails.
    pub fn fit(config: SpliceConfig, events: &[SpliceEvent]) -> Result<Self, PosteriorError> {
        config.validate()?;
        let Some(first) = events.first() else {
            return Err(PosteriorError::Empty { what: "events" });
        };
        let members = first.log_probs.len();
        for event in events {
            same_length("candidates of an event's head", config.head, event.head)?;
            same_length("members of an event and uniform", members, event.log_probs.len())?;
        }
        let mixture = weights(members, events.iter().map(|event| &event.log_probs[..]))?;
        let tails = events.iter().filter_map(|event| match &event.part {
            Part::Tail { log_probs, .. } => Some(&log_probs[..]),
            Part::Head { .. } => None,
        });
        let tail = weights(members, tails)?;
        let bands = fit_bands(&config, events, &tail)?;
        let membership = fit_membership(&config, events, &mixture)?;
        let heads: Vec<(&[f64], usize)> = events
            .iter()
            .filter_map(|event| match &event.part {
                Part::Head { scores, position, .. } => Some((&scores[..], *position)),
                Part::Tail { .. } => None,
            })
            .collect();
        let mut start = vec![0.0; SLOPES + config.head.ilog2() as usize];
        start[0] = 1.0;
        let mut lower = vec![0.0; start.len()];
        lower[0] = MIN_SLOPE;
        let head = minimize("the fit within the head", &start, &lower, |parameters| {
            let mut loss = head_loss(&heads, parameters);
            for (at, (parameter, start)) in parameters.iter().zip(&start).enumerate() {
                loss.add_ridge(at, parameter - start, config.ridge);
            }
            loss
        })?;
        let (slope, margin_slope, drops) = (head[0], head[1], head[SLOPES..].to_vec());
        Self { config, membership, slope, margin_slope, drops, mixture, tail, bands }.validated()
    }

    /// The configuration.
    pub fn config(&self) -> &SpliceConfig {
        &self.config
    }

    /// β₀: how much a score counts in the head of a user whose first ten have the same score.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// β₁: how much more it counts for each unit of the margin of the first score over the tenth.
    pub fn margin_slope(&self) -> f64 {
        self.margin_slope
    }

    /// By how much log-probability drops from each ⌊log₂ rank⌋ to the next, beside the slope.
    pub fn drops(&self) -> &[f64] {
        &self.drops
    }

    /// The weights of the tail's members, uniform last.
    pub fn tail_weights(&self) -> &[f64] {
        &self.tail
    }

    /// c: by how much log P of the tail's items changes with each doubling of their rank behind the
    /// head's, the last for all beyond; only differences matter.
    pub fn band_weights(&self) -> &[f64] {
        &self.bands
    }

    /// The weights of the mixture over all candidates whose mass on the head is a feature of π.
    pub fn mixture_weights(&self) -> &[f64] {
        &self.mixture
    }

    /// The coefficients of the log-odds of the head: intercept, log(1 + history length), the margins
    /// of the first score over the second, the tenth and the head's last, the mixture's log-odds of
    /// the head, each member's.
    pub fn membership(&self) -> &[f64] {
        &self.membership
    }

    /// Writes log P of each item to come next; −∞ for those excluded. The probabilities of the
    /// candidates sum to one.
    ///
    /// # Shapes
    /// `out`: `[items]`
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of members or items,
    /// [`PosteriorError::UnknownItem`] for an excluded item outside of the catalog,
    /// [`PosteriorError::NotFinite`] for a score that isn't, [`PosteriorError::Empty`] when
    /// everything is excluded.
    pub fn log_probs(
        &self,
        candidates: &Candidates<'_>,
        out: &mut [f64],
    ) -> Result<(), PosteriorError> {
        same_length("items to score", candidates.scores.len(), out.len())?;
        let members = candidates.member_log_probs.nrows();
        same_length("members of the splice", self.tail.len() - 1, members)?;
        let parted = candidates.part(self.config.head)?;
        let parameters: Vec<f64> =
            [self.slope, self.margin_slope].iter().chain(&self.drops).copied().collect();
        let mut head = head_logits(&parted.head_scores, &parameters);
        let total = log_sum_exp(&head);
        head.iter_mut().for_each(|logit| *logit -= total);

        if parted.tail == 0 {
            out.fill(f64::NEG_INFINITY);
            parted.head.iter().zip(head).for_each(|(&item, logit)| out[item as usize] = logit);
            return Ok(());
        }
        // A member that allows nothing of the tail leaves its weight to the others; uniform never
        // does.
        let speaks = |member: &usize| parted.log_tail[*member] > f64::NEG_INFINITY;
        let speakers = (0..self.tail.len()).filter(speaks);
        let weight: f64 = speakers.map(|member| self.tail[member]).sum();
        out.fill(self.tail[members] / weight / parted.tail as f64);
        let mut tail = ArrayViewMut1::from(&mut *out);
        for (probs, &share) in parted.tail_probs.rows().into_iter().zip(&self.tail) {
            tail.scaled_add(share / weight, &probs);
        }
        let mut bands = [0.0; OUTSIDE as usize + 1];
        bands.iter_mut().zip(&self.bands).for_each(|(factor, weight)| *factor = weight.exp());
        tail.iter_mut().zip(&parted.bands).for_each(|(p, &band)| *p *= bands[usize::from(band)]);
        let whole = tail.sum();
        tail /= whole;
        ln(out);
        let largest = out.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));

        let features = parted.features(&self.mixture);
        let mut log_odds: f64 = features.iter().zip(&self.membership).map(|(x, w)| x * w).sum();
        if self.config.protected > 0 {
            // Its own size guards against rounding.
            let floor = largest - head[self.config.protected.min(head.len()) - 1];
            log_odds = log_odds.max(floor + 1e-12 * (1.0 + floor.abs()));
        }
        let (log_head, log_tail) = (log_sigmoid(log_odds), log_sigmoid(-log_odds));
        out.iter_mut().for_each(|log_prob| *log_prob += log_tail);
        parted.head.iter().zip(head).for_each(|(&item, p)| out[item as usize] = log_head + p);
        Ok(())
    }

    fn validated(self) -> Result<Self, PosteriorError> {
        self.config.validate()?;
        same_length(
            "coefficients of the head's odds",
            feature_count(self.tail.len().max(1)),
            self.membership.len(),
        )?;
        for &weight in &self.membership {
            in_range("coefficient of the head's odds", weight, weight.is_finite(), "finite")?;
        }
        let slope = self.slope;
        in_range("slope", slope, slope >= MIN_SLOPE && slope.is_finite(), "at least 0.001")?;
        let slope = self.margin_slope;
        in_range("margin_slope", slope, slope >= 0.0 && slope.is_finite(), "a number from 0")?;
        same_length("drops", self.config.head.ilog2() as usize, self.drops.len())?;
        for &drop in &self.drops {
            in_range("drop", drop, drop >= 0.0 && drop.is_finite(), "a finite number from 0")?;
        }
        same_length("weights of the bands", BANDS, self.bands.len())?;
        for &weight in &self.bands {
            in_range("weight of a band", weight, weight.abs() <= 100.0, "within ±100")?;
        }
        same_length("weights of the members", self.mixture.len(), self.tail.len())?;
        for weights in [&self.mixture, &self.tail] {
            for &weight in weights {
                in_range("weight of a member", weight, weight > 0.0 && weight <= 1.0, "in (0, 1]")?;
            }
            let total: f64 = weights.iter().sum();
            in_range("sum of the weights", total, (total - 1.0).abs() < 1e-9, "1")?;
        }
        Ok(self)
    }
}

/// Weights of a mixture as if, beside the events, each member had foretold one alone.
fn weights<'a>(
    members: usize,
    events: impl Iterator<Item = &'a [f64]>,
) -> Result<Vec<f64>, PosteriorError> {
    let mut rows: Vec<f64> = Vec::new();
    for member in 0..members {
        rows.extend((0..members).map(|m| if m == member { 0.0 } else { f64::NEG_INFINITY }));
    }
    events.for_each(|log_probs| rows.extend(log_probs));
    let got = rows.len();
    let log_probs = Array2::from_shape_vec((got / members, members), rows).map_err(|_| {
        PosteriorError::Length { what: "log-probabilities", expected: members, got }
    })?;
    mixture_weights(log_probs.view())
}

/// The coefficients of the log-odds of the head, for features as they are.
fn fit_membership(
    config: &SpliceConfig,
    events: &[SpliceEvent],
    mixture: &[f64],
) -> Result<Vec<f64>, PosteriorError> {
    let mut rows: Vec<(Vec<f64>, bool)> = events
        .iter()
        .filter_map(|event| match &event.part {
            // Without a tail there is nothing to say.
            Part::Head { has_tail: false, .. } => None,
            part => Some((event.features(mixture), matches!(part, Part::Head { .. }))),
        })
        .collect();
    let features = feature_count(mixture.len());
    let (mut mean, mut spread) = (vec![0.0; features], vec![1.0; features]);
    let count = rows.len().max(1) as f64;
    for feature in 1..features {
        let center = rows.iter().map(|(x, _)| x[feature]).sum::<f64>() / count;
        let square = |(x, _): &(Vec<f64>, bool)| (x[feature] - center).powi(2);
        let variance = rows.iter().map(square).sum::<f64>() / count;
        // What doesn't vary says nothing: its coefficient stays 0.
        spread[feature] = if variance > 1e-12 { variance.sqrt() } else { f64::INFINITY };
        mean[feature] = center;
        rows.iter_mut().for_each(|(x, _)| x[feature] = (x[feature] - center) / spread[feature]);
    }
    let lower = vec![f64::NEG_INFINITY; features];
    let start = vec![0.0; features];
    let mut weights = minimize("the fit of the head's odds", &start, &lower, |weights| {
        let mut loss = membership_loss(&rows, weights);
        for (at, &weight) in weights.iter().enumerate() {
            // The intercept's prior is only there for events that are all in the head, or none.
            let precision = if at == 0 { 1e-3 * config.ridge } else { config.ridge };
            loss.add_ridge(at, weight, precision);
        }
        loss
    })?;
    for feature in 1..features {
        weights[feature] /= spread[feature];
        weights[0] -= weights[feature] * mean[feature];
    }
    Ok(weights)
}

/// The weights of the tail's bands.
fn fit_bands(
    config: &SpliceConfig,
    events: &[SpliceEvent],
    mixture: &[f64],
) -> Result<Vec<f64>, PosteriorError> {
    let mass = |band_mass: &[[f64; BANDS]]| {
        std::array::from_fn(|band| mixture.iter().zip(band_mass).map(|(w, m)| w * m[band]).sum())
    };
    let bands: Vec<([f64; BANDS], usize)> = events
        .iter()
        .filter_map(|event| match &event.part {
            Part::Tail { band, band_mass, .. } => Some((mass(band_mass), *band)),
            Part::Head { .. } => None,
        })
        .collect();
    minimize("the fit of the bands", &[0.0; BANDS], &[f64::NEG_INFINITY; BANDS], |weights| {
        let mut loss = band_loss(&bands, weights);
        for (at, &weight) in weights.iter().enumerate() {
            loss.add_ridge(at, weight, config.ridge);
        }
        loss
    })
}

/// The version of what is written. Add one when a field changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Splice")]
struct Saved {
    version: u32,
    config: SpliceConfig,
    membership: Vec<f64>,
    slope: f64,
    margin_slope: f64,
    drops: Vec<f64>,
    mixture: Vec<f64>,
    tail: Vec<f64>,
    bands: Vec<f64>,
}

impl From<Splice> for Saved {
    fn from(splice: Splice) -> Self {
        let Splice { config, membership, slope, margin_slope, drops, mixture, tail, bands } =
            splice;
        Self {
            version: VERSION,
            config,
            membership,
            slope,
            margin_slope,
            drops,
            mixture,
            tail,
            bands,
        }
    }
}

impl TryFrom<Saved> for Splice {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        if saved.version != VERSION {
            return Err(PosteriorError::Version { expected: VERSION, got: saved.version });
        }
        let Saved { config, membership, slope, margin_slope, drops, mixture, tail, bands, .. } =
            saved;
        Self { config, membership, slope, margin_slope, drops, mixture, tail, bands }.validated()
    }
}
