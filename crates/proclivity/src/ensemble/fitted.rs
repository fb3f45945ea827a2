//! A fitted ensemble: the scores of its members and their log-linear pool.

use ndarray::{Array3, ArrayViewMut2, Axis, s};
use proclivity_posterior::{LogLinearPool, Predictive, log_sum_exp};

use super::member::Member;
use crate::{EnsembleConfig, EnsembleData, ProclivityError};

/// Members fitted to sequences, and the pool of their scores.
///
/// As a [`Predictive`] it is the softmax of the pool over the catalog: an order, not probabilities
/// to be trusted, which [`calibrated`](Self::calibrated) makes of it.
#[derive(Debug)]
pub struct Ensemble<'a> {
    pub(super) members: Vec<Member<'a>>,
    pub(super) pool: LogLinearPool,
    pub(super) items: usize,
}

impl EnsembleConfig {
    /// Fits every member to sequences of items, each from the oldest to the newest.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] for a member that needs texts, a sequence encoder or hypotheses
    /// where there are none, [`ProclivityError::Count`] for those of another catalog,
    /// [`ProclivityError::Posterior`] without members and for what a member refuses.
    pub fn fit<'a>(
        &self,
        sequences: &[&[u32]],
        data: &EnsembleData<'a>,
    ) -> Result<Ensemble<'a>, ProclivityError> {
        data.check()?;
        let pool = LogLinearPool::new(self.weights())?;
        let members = self.members.iter().map(|m| Member::fit(&m.member, sequences, data));
        Ok(Ensemble { members: members.collect::<Result<_, _>>()?, pool, items: data.items })
    }
}

impl Ensemble<'_> {
    /// The weights of the members.
    pub fn pool(&self) -> &LogLinearPool {
        &self.pool
    }

    /// The same members in another pool.
    ///
    /// # Errors
    /// [`ProclivityError::Count`] for a pool of another number of members.
    pub fn with_pool(self, pool: LogLinearPool) -> Result<Self, ProclivityError> {
        let (expected, got) = (self.members.len(), pool.weights().len());
        if expected != got {
            return Err(ProclivityError::Count { what: "weights of members", expected, got });
        }
        Ok(Self { pool, ..self })
    }

    /// What every member says of every item after each history.
    ///
    /// # Shapes
    /// result: `[histories, members, items]`
    ///
    /// # Errors
    /// [`ProclivityError::Posterior`] for an item outside of the catalog.
    pub fn member_scores(&self, histories: &[&[u32]]) -> Result<Array3<f64>, ProclivityError> {
        let mut scores = Array3::zeros((histories.len(), self.members.len(), self.items));
        for (at, member) in self.members.iter().enumerate() {
            member.scores(histories, scores.slice_mut(s![.., at, ..]))?;
        }
        Ok(scores)
    }
}

impl Predictive for Ensemble<'_> {
    fn item_count(&self) -> usize {
        self.items
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let out = ndarray::ArrayViewMut1::from(out).insert_axis(Axis(0));
        self.log_probs_batch(&[history], out);
    }

    #[expect(clippy::expect_used, reason = "documented panic of the trait")]
    fn log_probs_batch(&self, histories: &[&[u32]], mut out: ArrayViewMut2<'_, f64>) {
        assert_eq!(out.dim(), (histories.len(), self.items), "shape of `out`");
        let scores = self.member_scores(histories).expect("histories of the catalog's items");
        let mut pooled = vec![0.0; self.items];
        for (scores, mut out) in scores.outer_iter().zip(out.rows_mut()) {
            self.pool.scores(scores, &mut pooled).expect("as many scores as members and items");
            let total = log_sum_exp(&pooled);
            out.iter_mut().zip(&pooled).for_each(|(to, score)| *to = score - total);
        }
    }
}

impl EnsembleData<'_> {
    pub(super) fn check(&self) -> Result<(), ProclivityError> {
        let expected = self.items;
        let texts = self.texts.map(|texts| ("texts of items", texts.kernel().item_count()));
        let encoders = self.sequence.iter().map(|m| ("items of a sequence encoder", m.items()));
        let scores = self.hypotheses.map(|s| ("items scored under hypotheses", s.item_count()));
        match texts.into_iter().chain(encoders).chain(scores).find(|&(_, got)| got != expected) {
            Some((what, got)) => Err(ProclivityError::Count { what, expected, got }),
            None => Ok(()),
        }
    }
}
