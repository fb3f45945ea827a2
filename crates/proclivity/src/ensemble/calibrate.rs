//! From a pool's order to probabilities: temperatures of the members, and the splice.

use ndarray::{Array2, Array3, ArrayViewMut1, ArrayViewMut2, Axis};
use proclivity_eval::Case;
use proclivity_posterior::{
    Candidates, Predictive, Splice, SpliceConfig, SpliceEvent, inverse_temperature, log_sum_exp,
};
use rayon::prelude::*;

use super::member::Member;
use crate::{Ensemble, ProclivityError};

/// How many cases a thread scores at once.
pub(super) const BATCH: usize = 32;

/// Cases that decide on a member's temperature, at most.
const TEMPERATURE_CASES: usize = 2048;

/// What makes an ensemble's scores probabilities, learned on held-out events.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// What the scores of each member are multiplied by before their softmax.
    powers: Vec<f64>,
    splice: Splice,
}

/// An ensemble whose probabilities hold: the pool's order in the list that is shown, and a mixture
/// of the members behind it. See [`Splice`].
///
/// Probabilities are those of items that aren't in the history; items that are have none.
#[derive(Debug)]
pub struct CalibratedEnsemble<'a> {
    ensemble: Ensemble<'a>,
    calibration: Calibration,
}

impl<'a> Ensemble<'a> {
    /// Learns on held-out events, which the members must not have been fitted to. What the members
    /// are fitted to should lie as far behind the cases as it will in use.
    ///
    /// Cases whose target stands in the history say nothing here and are left out.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] without cases, or for items outside of the catalog.
    pub fn calibration(&self, cases: &[Case<'_>]) -> Result<Calibration, ProclivityError> {
        let cases: Vec<&Case<'_>> =
            cases.iter().filter(|case| !case.history.contains(&case.target)).collect();
        let powers = self.powers(&cases)?;
        let config = SpliceConfig::default();
        let events = self.each(&cases, |case, mut scores| {
            let mut pooled = vec![0.0; self.item_count()];
            self.pool.scores(scores.view(), &mut pooled)?;
            scale(scores.view_mut(), &powers);
            let candidates = Candidates {
                scores: &pooled,
                member_log_probs: scores.view(),
                excluded: case.history,
                history_len: case.history.len(),
            };
            Ok(SpliceEvent::new(&config, &candidates, case.target)?)
        })?;
        Ok(Calibration { powers, splice: Splice::fit(config, &events)? })
    }

    /// The ensemble under what was learned, here or by one of the same members and weights.
    ///
    /// # Errors
    /// [`ProclivityError::Count`] for a calibration of another number of members.
    pub fn calibrated(
        self,
        calibration: Calibration,
    ) -> Result<CalibratedEnsemble<'a>, ProclivityError> {
        let (expected, got) = (self.members.len(), calibration.powers.len());
        if expected != got {
            return Err(ProclivityError::Count { what: "calibrated members", expected, got });
        }
        Ok(CalibratedEnsemble { ensemble: self, calibration })
    }

    /// The inverse temperature of each member whose scores are no log-probabilities as they are.
    fn powers(&self, cases: &[&Case<'_>]) -> Result<Vec<f64>, ProclivityError> {
        let stride = cases.len().div_ceil(TEMPERATURE_CASES).max(1);
        let some: Vec<&Case<'_>> = cases.iter().step_by(stride).copied().collect();
        let targets: Vec<u32> = some.iter().map(|case| case.target).collect();
        let histories: Vec<&[u32]> = some.iter().map(|case| case.history).collect();
        let power = |member: &Member<'_>| {
            if member.is_log_prob() {
                return Ok(1.0);
            }
            let mut scores = Array2::zeros((some.len(), self.item_count()));
            member.scores(&histories, scores.view_mut())?;
            let mut scores = scores.mapv(|score| score as f32);
            for (history, mut row) in histories.iter().zip(scores.rows_mut()) {
                history.iter().for_each(|&item| row[item as usize] = f32::NEG_INFINITY);
            }
            Ok(inverse_temperature(scores.view(), &targets)?)
        };
        self.members.iter().map(power).collect()
    }

    /// Something of each case, from all members' scores, `[members, items]`.
    pub(super) fn each<T: Send>(
        &self,
        cases: &[&Case<'_>],
        of: impl Fn(&Case<'_>, ArrayViewMut2<'_, f64>) -> Result<T, ProclivityError> + Sync,
    ) -> Result<Vec<T>, ProclivityError> {
        let batches = cases.par_chunks(BATCH).map(|cases| {
            let histories: Vec<&[u32]> = cases.iter().map(|case| case.history).collect();
            let mut scores: Array3<f64> = self.member_scores(&histories)?;
            let each = cases.iter().zip(scores.outer_iter_mut());
            each.map(|(case, scores)| of(case, scores)).collect::<Result<Vec<T>, _>>()
        });
        Ok(batches.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

impl<'a> CalibratedEnsemble<'a> {
    /// The ensemble.
    pub fn ensemble(&self) -> &Ensemble<'a> {
        &self.ensemble
    }

    /// The ensemble without its calibration.
    pub fn into_ensemble(self) -> Ensemble<'a> {
        self.ensemble
    }

    /// The log loss of each member alone, at its own best temperature: the mean of −log P(target) over
    /// what isn't in the history, in nats.
    ///
    /// Cases whose target stands in the history are left out.
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] for an item outside of the catalog.
    pub fn member_log_losses(&self, cases: &[Case<'_>]) -> Result<Vec<f64>, ProclivityError> {
        let cases: Vec<&Case<'_>> =
            cases.iter().filter(|case| !case.history.contains(&case.target)).collect();
        let losses = self.ensemble.each(&cases, |case, mut scores| {
            scale(scores.view_mut(), &self.calibration.powers);
            let loss = |mut scores: ArrayViewMut1<'_, f64>| {
                case.history.iter().for_each(|&x| scores[x as usize] = f64::NEG_INFINITY);
                log_sum_exp(&scores.to_vec()) - scores[case.target as usize]
            };
            Ok(scores.rows_mut().into_iter().map(loss).collect::<Vec<f64>>())
        })?;
        let mean = |member| {
            losses.iter().map(|of_case| of_case[member]).sum::<f64>() / losses.len() as f64
        };
        Ok((0..self.ensemble.members.len()).map(mean).collect())
    }

    fn write(
        &self,
        history: &[u32],
        mut scores: ArrayViewMut2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), ProclivityError> {
        let mut pooled = vec![0.0; out.len()];
        self.ensemble.pool.scores(scores.view(), &mut pooled)?;
        scale(scores.view_mut(), &self.calibration.powers);
        let candidates = Candidates {
            scores: &pooled,
            member_log_probs: scores.view(),
            excluded: history,
            history_len: history.len(),
        };
        Ok(self.calibration.splice.log_probs(&candidates, out)?)
    }
}

fn scale(mut scores: ArrayViewMut2<'_, f64>, powers: &[f64]) {
    for (mut row, &power) in scores.rows_mut().into_iter().zip(powers) {
        if power != 1.0 {
            row *= power;
        }
    }
}

impl Predictive for CalibratedEnsemble<'_> {
    fn item_count(&self) -> usize {
        self.ensemble.item_count()
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let out = ndarray::ArrayViewMut1::from(out).insert_axis(Axis(0));
        self.log_probs_batch(&[history], out);
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs_batch(&self, histories: &[&[u32]], mut out: ArrayViewMut2<'_, f64>) {
        let mut scores =
            self.ensemble.member_scores(histories).expect("histories of the catalog's items");
        let mut log_probs = vec![0.0; self.item_count()];
        for ((history, scores), mut out) in
            histories.iter().zip(scores.outer_iter_mut()).zip(out.rows_mut())
        {
            self.write(history, scores, &mut log_probs)
                .expect("something that isn't in the history");
            out.iter_mut().zip(&log_probs).for_each(|(to, &from)| *to = from);
        }
    }
}
