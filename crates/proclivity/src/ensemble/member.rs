//! A fitted member: a score for every item after each of several histories.

use std::collections::HashMap;
use std::sync::Mutex;

use ndarray::{Array1, Array2, ArrayViewMut2, Axis};
use proclivity_encoder::NextItemModel;
use proclivity_posterior::{
    Ease, EaseModel, HypothesisModel, HypothesisScores, Linear, LinearModel, NextStep,
    PosteriorError, Precision, Predictive, positive_log_scores,
};
use proclivity_text::TfIdf;
use rayon::prelude::*;

use super::texts::normalize_rows;
use crate::{ItemTexts, MemberConfig, ProclivityError, item_counts};

/// What members are fitted with beside the sequences.
#[derive(Debug, Clone, Copy)]
pub struct EnsembleData<'a> {
    /// How many items the catalog has.
    pub items: usize,
    /// Without texts, no member has a kernel, and there are no members of texts alone.
    pub texts: Option<&'a ItemTexts>,
    /// Trained sequence encoders, such as those of several seeds, whose probabilities are averaged;
    /// none where there are none. They aren't fitted again.
    pub sequence: &'a [NextItemModel],
    /// What a language model says of the items under interests said in words, where it was asked.
    pub hypotheses: Option<&'a HypothesisScores>,
}

#[derive(Debug)]
pub(super) enum Member<'a> {
    NextStep(NextStep),
    Linear(LinearModel),
    Ease(EaseModel),
    Text {
        embeddings: &'a Array2<f32>,
        decay: f64,
    },
    TfIdf {
        tf_idf: &'a TfIdf,
        decay: f64,
    },
    Popularity(Vec<f64>),
    /// At least one, and what they say after histories that are kept.
    Sequence(&'a [NextItemModel], HashMap<Vec<u32>, Array1<f32>>),
    Hypotheses(HypothesisModel),
}

/// The scores of all items after one history.
type OfHistory<'a> = dyn Fn(&[u32]) -> Result<Vec<f64>, ProclivityError> + Sync + 'a;

/// What a cosine is multiplied by.
const COSINE_SCALE: f64 = 6.0;

/// Histories whose scores are computed at once to be kept.
const KEPT_AT_ONCE: usize = 1024;

/// Scores of linear models are at least this before their logarithm is taken.
const FLOOR: f64 = 1e-4;

impl<'a> Member<'a> {
    pub(super) fn fit(
        config: &MemberConfig,
        sequences: &[&[u32]],
        data: &EnsembleData<'a>,
    ) -> Result<Self, ProclivityError> {
        let kernel = || data.texts.map(|texts| texts.kernel().clone());
        Ok(match config {
            MemberConfig::NextStep(config) => {
                let model = NextStep::fit(config.clone(), sequences, data.items, kernel())?;
                Self::NextStep(model.tabulated())
            }
            MemberConfig::Linear(config) => {
                Self::Linear(Linear::new(config.clone(), data.items, kernel())?.fit(sequences)?)
            }
            MemberConfig::Ease { ridge } => {
                Self::Ease(Ease::new(data.items, *ridge, Precision::Single)?.fit(sequences)?)
            }
            MemberConfig::Text { decay } => {
                let embeddings = data.texts.and_then(ItemTexts::embeddings);
                let none = ProclivityError::Empty { what: "embeddings of item texts" };
                Self::Text { embeddings: embeddings.ok_or(none)?, decay: valid_decay(*decay)? }
            }
            MemberConfig::TfIdf { decay } => {
                let tf_idf = data.texts.and_then(ItemTexts::tf_idf);
                let none = ProclivityError::Empty { what: "TF-IDF vectors of item texts" };
                Self::TfIdf { tf_idf: tf_idf.ok_or(none)?, decay: valid_decay(*decay)? }
            }
            MemberConfig::Popularity { strength } => {
                let counts = item_counts(sequences, data.items);
                let total = counts.iter().sum::<u64>() as f64 + strength;
                let evenly = strength / data.items as f64;
                let share = |&count: &u64| ((count as f64 + evenly) / total).ln();
                Self::Popularity(counts.iter().map(share).collect())
            }
            MemberConfig::Sequence if data.sequence.is_empty() => {
                return Err(ProclivityError::Empty { what: "sequence encoders" });
            }
            MemberConfig::Sequence => Self::Sequence(data.sequence, HashMap::new()),
            MemberConfig::Hypotheses(config) => {
                let scores =
                    data.hypotheses.ok_or(ProclivityError::Empty { what: "hypotheses" })?;
                Self::Hypotheses(config.fit(sequences, scores)?)
            }
        })
    }

    /// Whether the scores are log-probabilities as they are. A sequence encoder's aren't: it is trained
    /// until it ranks best, and is too sure by then.
    pub(super) fn is_log_prob(&self) -> bool {
        matches!(self, Self::NextStep(_) | Self::Popularity(_) | Self::Hypotheses(_))
    }

    /// Writes the scores, `[histories, items]`; refuses items outside of the catalog.
    pub(super) fn scores(
        &self,
        histories: &[&[u32]],
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<(), ProclivityError> {
        let items = out.ncols();
        check(histories, items)?;
        let mut each = |of: &OfHistory<'_>| {
            let rows = out.axis_iter_mut(Axis(0)).into_par_iter().zip(histories);
            rows.try_for_each(|(mut row, history)| {
                row.iter_mut().zip(of(history)?).for_each(|(to, from)| *to = from);
                Ok(())
            })
        };
        match self {
            Self::NextStep(model) => each(&|history| {
                let mut scores = vec![0.0; model.item_count()];
                model.log_probs(history, &mut scores);
                Ok(scores)
            }),
            Self::Linear(model) => each(&|history| {
                let mut scores = model.scores(history)?;
                positive_log_scores(&mut scores, FLOOR)?;
                Ok(scores)
            }),
            Self::Ease(model) => each(&|history| {
                let mut scores = model.scores(history)?;
                positive_log_scores(&mut scores, FLOOR)?;
                Ok(scores)
            }),
            Self::Text { embeddings, decay } => {
                let cosines = taste(embeddings, histories, *decay).dot(&embeddings.t());
                out.zip_mut_with(&cosines, |to, &from| *to = COSINE_SCALE * f64::from(from));
                Ok(())
            }
            Self::TfIdf { tf_idf, decay } => each(&|history| {
                let mut scores = vec![0.0; tf_idf.len()];
                for (item, cosine) in tf_idf.cosines(decayed(history, *decay)) {
                    scores[item as usize] = COSINE_SCALE * f64::from(cosine);
                }
                Ok(scores)
            }),
            Self::Popularity(log_shares) => {
                for mut row in out.rows_mut() {
                    row.iter_mut().zip(log_shares).for_each(|(to, &from)| *to = from);
                }
                Ok(())
            }
            Self::Hypotheses(model) => each(&|history| Ok(model.predict(history)?)),
            Self::Sequence(models, kept) => {
                let (known, unknown): (Vec<usize>, Vec<usize>) =
                    (0..histories.len()).partition(|&at| kept.contains_key(histories[at]));
                for at in known {
                    out.row_mut(at)
                        .zip_mut_with(&kept[histories[at]], |to, &from| *to = from.into());
                }
                let asked: Vec<&[u32]> = unknown.iter().map(|&at| histories[at]).collect();
                let said = mean_log_probs(models, &asked, items)?;
                for (at, said) in unknown.into_iter().zip(said.rows()) {
                    out.row_mut(at).zip_mut_with(&said, |to, &from| *to = from.into());
                }
                Ok(())
            }
        }
    }

    /// Keeps the scores after these histories, if computing them takes long.
    pub(super) fn keep(
        &mut self,
        histories: &[&[u32]],
        items: usize,
    ) -> Result<(), ProclivityError> {
        if let Self::Sequence(models, kept) = self {
            check(histories, items)?;
            for histories in histories.chunks(KEPT_AT_ONCE) {
                let said = mean_log_probs(models, histories, items)?;
                let rows = histories.iter().map(|history| history.to_vec());
                kept.extend(rows.zip(said.rows().into_iter().map(|row| row.to_owned())));
            }
        }
        Ok(())
    }

    /// Keeps no scores any longer.
    pub(super) fn forget(&mut self) {
        if let Self::Sequence(_, kept) = self {
            *kept = HashMap::new();
        }
    }
}

fn check(histories: &[&[u32]], items: usize) -> Result<(), ProclivityError> {
    let mut seen = histories.iter().copied().flatten();
    match seen.find(|&&item| item as usize >= items) {
        Some(&item) => Err(PosteriorError::UnknownItem { item, items }.into()),
        None => Ok(()),
    }
}

/// The logarithm of the encoders' mean probabilities, `[histories, items]`.
fn mean_log_probs(
    models: &[NextItemModel],
    histories: &[&[u32]],
    items: usize,
) -> Result<Array2<f32>, ProclivityError> {
    let mut sums = Array2::zeros((histories.len(), items));
    let rows: Vec<_> = sums.axis_iter_mut(Axis(0)).map(Mutex::new).collect();
    for (at, model) in models.iter().enumerate() {
        model.for_each_log_probs(histories, &|position, log_probs| {
            if let Ok(mut row) = rows[position].lock() {
                let add = |sum: &mut f32, &log_prob: &f32| {
                    *sum = if at == 0 {
                        log_prob
                    } else {
                        log_add_exp((*sum).into(), log_prob.into()) as f32
                    };
                };
                row.iter_mut().zip(log_probs).for_each(|(sum, log_prob)| add(sum, log_prob));
            }
        })?;
    }
    drop(rows);
    sums -= (models.len() as f32).ln();
    Ok(sums)
}

/// The direction of the decayed mean of each history's embeddings, `[histories, dim]`; zeros for an
/// empty history.
fn taste(embeddings: &Array2<f32>, histories: &[&[u32]], decay: f64) -> Array2<f32> {
    let mut means = Array2::zeros((histories.len(), embeddings.ncols()));
    for (history, mut mean) in histories.iter().zip(means.rows_mut()) {
        for (item, weight) in decayed(history, decay) {
            mean.scaled_add(weight, &embeddings.row(item as usize));
        }
    }
    normalize_rows(&mut means);
    means
}

/// The items of a history with their weights, from the newest, until they hardly count.
fn decayed(history: &[u32], decay: f64) -> impl Iterator<Item = (u32, f32)> {
    let weights = std::iter::successors(Some(1.0), move |weight| Some(weight * decay));
    let weighted = history.iter().rev().copied().zip(weights);
    weighted.take_while(|&(_, weight)| weight >= 1e-6).map(|(item, weight)| (item, weight as f32))
}

fn valid_decay(decay: f64) -> Result<f64, ProclivityError> {
    if decay > 0.0 && decay <= 1.0 {
        return Ok(decay);
    }
    let (name, expected) = ("decay of the history", "in (0, 1]");
    Err(PosteriorError::OutOfRange { name, value: decay, expected }.into())
}

/// log(eᵃ + eᵇ) of finite numbers.
fn log_add_exp(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}
