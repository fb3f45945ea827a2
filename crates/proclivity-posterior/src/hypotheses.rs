//! Beliefs about a finite set of hypotheses, exact whatever their likelihoods come from.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::in_range;
use crate::likelihood::same_length;

/// P(h|X) over finitely many hypotheses, kept up to date event by event.
///
/// Log-likelihoods are summed in fixed point, so that sums don't depend on their order: a stream is
/// its batch, merged parts are the whole, and what was taken back was never there, to the last bit.
/// Each log-likelihood is rounded to 2⁻³² nats for it.
///
/// # Formula
/// log P(h|X) = log P(h) + Σₓ log P(x|h) − log P(X)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBelief", into = "RawBelief")]
pub struct HypothesisBelief {
    log_prior: Vec<f64>,
    /// Σ log P(x|h) over events that h allows, in 2⁻³² nats.
    sum: Vec<i64>,
    /// How many events h rules out.
    impossible: Vec<u32>,
    events: u64,
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBelief {
    version: u32,
    log_prior: Vec<f64>,
    sum: Vec<i64>,
    impossible: Vec<u32>,
    events: u64,
}

impl From<HypothesisBelief> for RawBelief {
    fn from(belief: HypothesisBelief) -> Self {
        let HypothesisBelief { log_prior, sum, impossible, events } = belief;
        Self { version: VERSION, log_prior, sum, impossible, events }
    }
}

impl TryFrom<RawBelief> for HypothesisBelief {
    type Error = PosteriorError;
    fn try_from(raw: RawBelief) -> Result<Self, PosteriorError> {
        let RawBelief { version, log_prior, sum, impossible, events } = raw;
        let expected = "the version that this release writes, 1";
        in_range("version", f64::from(version), version == VERSION, expected)?;
        same_length("sums", log_prior.len(), sum.len())?;
        same_length("counts of impossible events", log_prior.len(), impossible.len())?;
        let total = log_sum_exp(&log_prior);
        in_range("log of the prior's sum", total, total.abs() < 1e-9, "0")?;
        let most = impossible.iter().copied().max().unwrap_or(0);
        let valid = u64::from(most) <= events;
        in_range("impossible events", f64::from(most), valid, "at most all events")?;
        Ok(Self { log_prior, sum, impossible, events })
    }
}

/// 2³²: how many steps a nat has.
const STEPS: f64 = 4_294_967_296.0;

impl HypothesisBelief {
    /// The belief before any event.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without hypotheses, [`PosteriorError::OutOfRange`] for a weight
    /// that is negative or not finite, or where all are 0.
    pub fn new(prior: &[f64]) -> Result<Self, PosteriorError> {
        if prior.is_empty() {
            return Err(PosteriorError::Empty { what: "hypotheses" });
        }
        for &weight in prior {
            let valid = weight >= 0.0 && weight.is_finite();
            in_range("prior", weight, valid, "a finite number from 0")?;
        }
        let total: f64 = prior.iter().sum();
        in_range("sum of the prior", total, total > 0.0 && total.is_finite(), "above 0")?;
        Ok(Self {
            log_prior: prior.iter().map(|weight| (weight / total).ln()).collect(),
            sum: vec![0; prior.len()],
            impossible: vec![0; prior.len()],
            events: 0,
        })
    }

    /// How many events have been seen and not taken back.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// One more event, by its log-likelihood under each hypothesis; −∞ rules one out.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of them,
    /// [`PosteriorError::OutOfRange`] for NaN, +∞ or a sum past ±2³¹ nats; the belief is then as it
    /// was.
    pub fn update(&mut self, log_likelihood: &[f64]) -> Result<(), PosteriorError> {
        self.add(&Steps::of(log_likelihood, self.log_prior.len())?, 1)
    }

    /// Takes an event back: the belief is what it would be had it never been seen.
    ///
    /// # Errors
    /// Those of [`HypothesisBelief::update`], and [`PosteriorError::OutOfRange`] when no such event
    /// can have been seen.
    pub fn retract(&mut self, log_likelihood: &[f64]) -> Result<(), PosteriorError> {
        self.add(&Steps::of(log_likelihood, self.log_prior.len())?, -1)
    }

    /// Adds the events of a belief that began from the same prior.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of hypotheses, [`PosteriorError::OutOfRange`]
    /// for another prior or a sum past ±2³¹ nats.
    pub fn merge(&mut self, other: &Self) -> Result<(), PosteriorError> {
        same_length("hypotheses", self.log_prior.len(), other.log_prior.len())?;
        let mut pairs = self.log_prior.iter().zip(&other.log_prior);
        // A way through decimal digits may cost the last bit.
        let differ = |ours: f64, theirs: f64| {
            ours != theirs && (ours - theirs).abs() > 1e-12 * ours.abs().max(1.0)
        };
        if let Some((_, &other)) = pairs.find(|(ours, theirs)| differ(**ours, **theirs)) {
            return Err(PosteriorError::OutOfRange {
                name: "log of the other's prior",
                value: other,
                expected: "the same prior",
            });
        }
        let steps = Steps {
            sum: other.sum.clone(),
            impossible: other.impossible.clone(),
            events: other.events,
        };
        self.add(&steps, 1)
    }

    fn add(&mut self, steps: &Steps, sign: i64) -> Result<(), PosteriorError> {
        let overflow = |value: f64| PosteriorError::OutOfRange {
            name: "evidence",
            value,
            expected: "no more than was seen, and below 2³¹ nats",
        };
        let signed = |count: u64| i64::try_from(count).ok().map(|count| sign * count);
        let events = signed(steps.events).and_then(|change| self.events.checked_add_signed(change));
        let events = events.ok_or_else(|| overflow(steps.events as f64))?;
        let mut sum = self.sum.clone();
        let mut impossible = self.impossible.clone();
        for hypothesis in 0..sum.len() {
            let change = steps.sum[hypothesis];
            let added =
                change.checked_mul(sign).and_then(|change| sum[hypothesis].checked_add(change));
            sum[hypothesis] = added.ok_or_else(|| overflow(change as f64 / STEPS))?;
            let count =
                i64::from(impossible[hypothesis]) + sign * i64::from(steps.impossible[hypothesis]);
            let valid = u32::try_from(count).ok().filter(|&count| u64::from(count) <= events);
            impossible[hypothesis] = valid.ok_or_else(|| overflow(count as f64))?;
        }
        (self.sum, self.impossible, self.events) = (sum, impossible, events);
        Ok(())
    }

    /// log P(h|X) without the constant −log P(X): log P(h) + log P(X|h).
    fn log_joint(&self) -> Vec<f64> {
        let evidence = self.sum.iter().zip(&self.impossible);
        let joint = self.log_prior.iter().zip(evidence).map(|(prior, (&sum, &impossible))| {
            if impossible > 0 { f64::NEG_INFINITY } else { prior + sum as f64 / STEPS }
        });
        joint.collect()
    }

    /// log P(X), in nats; −∞ when no hypothesis allows what was seen.
    pub fn log_evidence(&self) -> f64 {
        log_sum_exp(&self.log_joint())
    }

    /// P(h|X).
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] when no hypothesis allows what was seen: add one that does,
    /// such as the row for "none of these" of [`choice_log_probs`].
    pub fn probabilities(&self) -> Result<Vec<f64>, PosteriorError> {
        let joint = self.log_joint();
        let evidence = log_sum_exp(&joint);
        in_range("log-evidence", evidence, evidence.is_finite(), "a finite number")?;
        Ok(joint.iter().map(|joint| (joint - evidence).exp()).collect())
    }

    /// log P(x|X) of each choice: what the hypotheses say of it, mixed by their probabilities.
    ///
    /// # Shapes
    /// `log_probs`: `[hypotheses, choices]`; result: `[choices]`
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of rows, and those of
    /// [`HypothesisBelief::probabilities`].
    pub fn predict(&self, log_probs: ArrayView2<'_, f64>) -> Result<Vec<f64>, PosteriorError> {
        same_length("rows of log-probabilities", self.log_prior.len(), log_probs.nrows())?;
        let probabilities = self.probabilities()?;
        let mixed = |column: ArrayView1<'_, f64>| {
            let terms = probabilities.iter().zip(column).filter(|(weight, _)| **weight > 0.0);
            log_sum_exp(&terms.map(|(weight, log_prob)| weight.ln() + log_prob).collect::<Vec<_>>())
        };
        Ok(log_probs.axis_iter(Axis(1)).map(mixed).collect())
    }
}

/// Evidence in steps.
struct Steps {
    sum: Vec<i64>,
    impossible: Vec<u32>,
    events: u64,
}

impl Steps {
    /// Of one event.
    fn of(log_likelihood: &[f64], hypotheses: usize) -> Result<Self, PosteriorError> {
        same_length("log-likelihoods", hypotheses, log_likelihood.len())?;
        for &value in log_likelihood {
            let valid =
                value == f64::NEG_INFINITY || value.is_finite() && value.abs() < 2_147_483_648.0;
            in_range("log-likelihood", value, valid, "−∞ or a number within ±2³¹")?;
        }
        let is_impossible = |value: &f64| *value == f64::NEG_INFINITY;
        let steps =
            |value: &f64| if is_impossible(value) { 0 } else { (value * STEPS).round() as i64 };
        Ok(Self {
            sum: log_likelihood.iter().map(steps).collect(),
            impossible: log_likelihood
                .iter()
                .map(|value| u32::from(is_impossible(value)))
                .collect(),
            events: 1,
        })
    }
}

/// log P(x|h, C) of every choice in a set C, from a language model's scores of texts.
///
/// A score of a text is no likelihood of an event: it is neither additive nor exchangeable, and long
/// texts score lower. What the hypothesis adds to a null context counts, sharpened or softened by
/// `sharpness`, among the choices that there were. `sharpness` is chosen by held-out log loss; at 0
/// every hypothesis says what popularity says. The last row is "none of these": popularity alone.
///
/// # Formula
/// log P(x|h, C) = log softmax_{x ∈ C}(sharpness · (log p(x|h) − log p(x|∅)) + log popularity(x))
///
/// # Shapes
/// `scores`: `[hypotheses, choices]`, log p(x|h); `null_scores`, `log_popularity`: `[choices]`;
/// result: `[hypotheses + 1, choices]`
///
/// A score of −∞ is a choice that the hypothesis rules out, a popularity of −∞ one that couldn't be
/// had. A hypothesis that rules out every choice has a row of −∞.
///
/// # Errors
/// [`PosteriorError::Length`] for arrays that don't agree, [`PosteriorError::OutOfRange`] for a
/// negative sharpness, NaN or +∞ among the numbers, a null score of −∞, or when nothing could be
/// had.
pub fn choice_log_probs(
    scores: ArrayView2<'_, f64>,
    null_scores: ArrayView1<'_, f64>,
    log_popularity: ArrayView1<'_, f64>,
    sharpness: f64,
) -> Result<Array2<f64>, PosteriorError> {
    let (hypotheses, choices) = scores.dim();
    same_length("null scores", choices, null_scores.len())?;
    same_length("popularities", choices, log_popularity.len())?;
    let valid = sharpness >= 0.0 && sharpness.is_finite();
    in_range("sharpness", sharpness, valid, "a finite number from 0")?;
    let below_infinity = |value: f64| !value.is_nan() && value < f64::INFINITY;
    let named = scores.iter().map(|&score| ("score", score));
    for (name, value) in named.chain(log_popularity.iter().map(|&value| ("popularity", value))) {
        in_range(name, value, below_infinity(value), "−∞ or a finite number")?;
    }
    for &value in null_scores {
        in_range("null score", value, value.is_finite(), "a finite number")?;
    }
    let mut log_probs = Array2::zeros((hypotheses + 1, choices));
    for (hypothesis, mut row) in log_probs.axis_iter_mut(Axis(0)).enumerate() {
        for (choice, log_prob) in row.iter_mut().enumerate() {
            // At sharpness 0 even what is ruled out is as likely as it is popular.
            let lift = match scores.get((hypothesis, choice)) {
                Some(score) if sharpness > 0.0 => sharpness * (score - null_scores[choice]),
                _ => 0.0,
            };
            *log_prob = lift + log_popularity[choice];
        }
        let total = log_sum_exp(&row.to_vec());
        if hypothesis == hypotheses {
            in_range(
                "log of the sum of popularities",
                total,
                total.is_finite(),
                "a finite number",
            )?;
        }
        if total > f64::NEG_INFINITY {
            row.mapv_inplace(|log_prob| log_prob - total);
        }
    }
    Ok(log_probs)
}

/// log Σ exp, without underflow; −∞ of nothing.
fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}
