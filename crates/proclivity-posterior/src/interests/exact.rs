//! The exact posterior of shares under soft labels, by a forward pass over counts of labels.

use std::collections::BTreeMap;

use super::shares::quantile;
use crate::error::{in_range, same_length};
use crate::{Dirichlet, InterestLikelihood, PosteriorError, ShareInterval};

/// A mixture of Dirichlets, the posterior P(θ|X) of events whose interests are not known.
#[derive(Debug, Clone, PartialEq)]
pub struct DirichletMixture {
    components: Vec<(f64, Dirichlet)>,
    log_evidence: f64,
    dropped: f64,
}

/// P(θ|X) and P(X) for unit-weight events with soft labels.
///
/// Events are exchangeable, so labelings with the same counts n share one Dirichlet(a + n); the
/// forward pass keeps one weight for each vector of counts. With `max_states` large enough the
/// result is exact (n events over K interests need at most C(n + K − 1, K − 1) states); otherwise
/// the lightest states are dropped after each event and
/// [`dropped`](DirichletMixture::dropped) says how much weight went with them.
///
/// # Formula
/// w(n + eₖ) += w(n) · (aₖ + nₖ) / (Σ a + |n|) · φₖ(x), P(X) = Σₙ w(n)
///
/// # Errors
/// [`PosteriorError::UnknownItem`], [`PosteriorError::Length`] when prior and likelihood have
/// different interests, [`PosteriorError::OutOfRange`] for `max_states` zero.
pub fn exact_shares(
    prior: &Dirichlet,
    likelihood: &InterestLikelihood,
    items: &[u32],
    max_states: usize,
) -> Result<DirichletMixture, PosteriorError> {
    in_range("max_states", max_states as f64, max_states > 0, "a number from 1")?;
    same_length("interests", prior.concentration().len(), likelihood.interest_count())?;
    let mut states = BTreeMap::from([(vec![0_u16; likelihood.interest_count()], 1.0)]);
    let (mut log_evidence, mut kept_share) = (0.0, 1.0);
    for (seen, &item) in items.iter().enumerate() {
        let phi = likelihood.item(item)?;
        let denominator = prior.strength() + seen as f64;
        let mut next = BTreeMap::new();
        for (counts, weight) in &states {
            for (k, &phi) in phi.iter().enumerate().filter(|&(_, &phi)| phi > 0.0) {
                let predictive =
                    (prior.concentration()[k] + f64::from(counts[k])) / denominator * phi;
                let mut counts = counts.clone();
                counts[k] = counts[k].saturating_add(1);
                *next.entry(counts).or_insert(0.0) += weight * predictive;
            }
        }
        let total: f64 = next.values().sum();
        if total <= 0.0 {
            return Err(PosteriorError::ImpossibleItem { item });
        }
        log_evidence += total.ln();
        states = heaviest(next, max_states);
        let kept: f64 = states.values().sum();
        kept_share *= kept / total;
        states.values_mut().for_each(|weight| *weight /= kept);
    }
    let components = states
        .into_iter()
        .map(|(counts, weight)| {
            let concentration =
                prior.concentration().iter().zip(counts).map(|(a, n)| a + f64::from(n)).collect();
            Ok((weight, Dirichlet::new(concentration)?))
        })
        .collect::<Result<_, PosteriorError>>()?;
    Ok(DirichletMixture { components, log_evidence, dropped: 1.0 - kept_share })
}

fn heaviest(states: BTreeMap<Vec<u16>, f64>, most: usize) -> BTreeMap<Vec<u16>, f64> {
    if states.len() <= most {
        return states;
    }
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    states.truncate(most);
    states.into_iter().collect()
}

impl DirichletMixture {
    /// From weights and Dirichlets over the same interests; the weights are normalised. Its evidence is
    /// that of no event: log 1.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without components, [`PosteriorError::OutOfRange`] for a weight that is
    /// negative or not finite or weights that are all 0, [`PosteriorError::Length`] when components have
    /// different interests.
    pub fn new(mut components: Vec<(f64, Dirichlet)>) -> Result<Self, PosteriorError> {
        let Some(first) = components.first() else {
            return Err(PosteriorError::Empty { what: "components" });
        };
        let interests = first.1.concentration().len();
        for (weight, dirichlet) in &components {
            let valid = weight.is_finite() && *weight >= 0.0;
            in_range("weight", *weight, valid, "a finite number from 0")?;
            same_length("interests", interests, dirichlet.concentration().len())?;
        }
        let total: f64 = components.iter().map(|(weight, _)| weight).sum();
        in_range("sum of weights", total, total > 0.0 && total.is_finite(), "a positive number")?;
        components.iter_mut().for_each(|(weight, _)| *weight /= total);
        Ok(Self { components, log_evidence: 0.0, dropped: 0.0 })
    }

    /// log P(X), in nats. Dropped states count towards the event they were dropped after and not
    /// towards later ones.
    pub fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    /// The share of posterior weight that was dropped on the way; 0 where the result is exact.
    pub fn dropped(&self) -> f64 {
        self.dropped
    }

    /// Weights and Dirichlets; the weights sum to one.
    pub fn components(&self) -> &[(f64, Dirichlet)] {
        &self.components
    }

    /// E\[θ|X\].
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.interest_count()];
        for (weight, dirichlet) in &self.components {
            for (mean, share) in mean.iter_mut().zip(dirichlet.mean()) {
                *mean += weight * share;
            }
        }
        mean
    }

    /// P(θₖ ≤ share | X).
    ///
    /// # Panics
    /// When there is no interest k.
    pub fn marginal_cdf(&self, k: usize, share: f64) -> f64 {
        cdf(&self.marginals(k), k, share)
    }

    /// Mean and central credible interval of each share.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless the level lies between 0 and 1.
    pub fn intervals(&self, level: f64) -> Result<Vec<ShareInterval>, PosteriorError> {
        in_range("level", level, level > 0.0 && level < 1.0, "a number between 0 and 1")?;
        let tail = (1.0 - level) / 2.0;
        let interval = |(k, mean)| {
            let marginals = self.marginals(k);
            let at = |probability| quantile(|share| cdf(&marginals, k, share), probability);
            ShareInterval { mean, lower: at(tail), upper: at(1.0 - tail) }
        };
        Ok(self.mean().into_iter().enumerate().map(interval).collect())
    }

    /// Components with the same count of label k have the same marginal of θₖ: one of each, with
    /// their common weight.
    fn marginals(&self, k: usize) -> Vec<(f64, &Dirichlet)> {
        let mut marginals: Vec<(f64, &Dirichlet)> = Vec::new();
        for (weight, dirichlet) in &self.components {
            let same =
                |m: &&mut (f64, &Dirichlet)| m.1.concentration()[k] == dirichlet.concentration()[k];
            match marginals.iter_mut().find(same) {
                Some(marginal) => marginal.0 += weight,
                None => marginals.push((*weight, dirichlet)),
            }
        }
        marginals
    }

    /// How many interests there are.
    pub fn interest_count(&self) -> usize {
        self.components.first().map_or(0, |(_, dirichlet)| dirichlet.concentration().len())
    }
}

fn cdf(marginals: &[(f64, &Dirichlet)], k: usize, share: f64) -> f64 {
    marginals.iter().map(|(weight, dirichlet)| weight * dirichlet.marginal_cdf(k, share)).sum()
}
