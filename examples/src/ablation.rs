//! What the test loses without a part of an ensemble, the rest being weighed anew on validation.

use std::error::Error;

use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::{Evaluation, FullRankingConfig, PairedBootstrap, Split, paired_bootstrap};
use proclivity::posterior::LogLinearPool;
use proclivity::rank::TieBreak;
use proclivity::{
    Ensemble, EnsembleConfig, EnsembleData, EnsembleSearch, ItemTexts, MemberConfig,
    ProclivityError, item_counts,
};
use serde::Serialize;

use crate::cold::mean;
use crate::progress_bar;

/// An ensemble with a part left out, or a member alone, on the test.
#[derive(Debug, Clone, Serialize)]
pub struct AblationRow {
    /// What is left out, or the member that is alone.
    pub ensemble: String,
    /// HR@10.
    #[serde(rename = "hr@10")]
    pub hr: f64,
    /// NDCG@10.
    #[serde(rename = "ndcg@10")]
    pub ndcg: f64,
    /// What the whole ensemble's NDCG@10 has above that: mean over users and 95 % interval.
    pub loss: PairedBootstrap,
}

/// Fitted on training items: the ensemble without each member (with it, where its weight is 0), each
/// member alone, and the embeddings of texts, their TF-IDF vectors, and both left out. Hyper-parameters stay as they were chosen.
///
/// # Errors
/// What fitting or ranking refuses.
pub fn ablation(
    search: &EnsembleSearch,
    config: &EnsembleConfig,
    split: &Split<'_>,
    data: &EnsembleData<'_>,
    ties: &TieBreak,
) -> Result<Vec<AblationRow>, Box<dyn Error>> {
    let counts = item_counts(&split.train, data.items);
    let ranking = FullRankingConfig::default().build(&counts, ties)?;
    let told = |ensemble: &Ensemble<'_>| -> Result<Evaluation, Box<dyn Error>> {
        Ok(ranking.evaluate(ensemble, &split.test, &|_| {})?)
    };
    let mut ensemble = config.fit(&split.train, data)?;
    let whole = told(&ensemble)?.values(|ranks| ndcg(ranks, 10));
    let row = |name: String, evaluation: &Evaluation| -> Result<AblationRow, Box<dyn Error>> {
        let of = evaluation.values(|ranks| ndcg(ranks, 10));
        Ok(AblationRow {
            ensemble: name,
            hr: mean(&evaluation.values(|ranks| hit_rate(ranks, 10))),
            ndcg: mean(&of),
            loss: paired_bootstrap(&whole, &of, 10_000, 0.95, 0)?,
        })
    };
    let weights = config.weights();
    let fewer = fewer_texts(data)?;
    let bar = progress_bar(2 * weights.len() + fewer.len(), "ablation");
    let mut rows = Vec::new();
    for (at, member) in config.members.iter().enumerate() {
        let name = member.member.name();
        let (how, weight) = if weights[at] == 0.0 { ("with", 0.3) } else { ("without", 0.0) };
        let mut others = weights.clone();
        others[at] = weight;
        if others.iter().any(|&weight| weight != 0.0) {
            ensemble = ensemble.with_pool(LogLinearPool::new(others)?)?;
            (ensemble, _) = search.weigh(ensemble, &split.validation)?;
            rows.push(row(format!("{how} {name}"), &told(&ensemble)?)?);
        }
        bar.inc(1);
        let mut alone = vec![0.0; weights.len()];
        alone[at] = 1.0;
        ensemble = ensemble.with_pool(LogLinearPool::new(alone)?)?;
        rows.push(row(format!("{name} alone"), &told(&ensemble)?)?);
        bar.inc(1);
    }
    drop(ensemble);
    for (name, texts) in fewer {
        let embeddings = texts.as_ref().and_then(ItemTexts::embeddings);
        let tf_idf = texts.as_ref().and_then(ItemTexts::tf_idf);
        let without = config.without(|member| match member {
            MemberConfig::Text { .. } => embeddings.is_none(),
            MemberConfig::TfIdf { .. } => tf_idf.is_none(),
            MemberConfig::Hypotheses(_) => texts.is_none(),
            _ => false,
        });
        bar.inc(1);
        if without.weights().iter().all(|&weight| weight == 0.0) {
            continue;
        }
        let data = EnsembleData { texts: texts.as_ref(), ..*data };
        let ensemble = without.fit(&split.train, &data)?;
        let (ensemble, _) = search.weigh(ensemble, &split.validation)?;
        rows.push(row(name.to_owned(), &told(&ensemble)?)?);
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// Less than all that the texts say, with names for it.
fn fewer_texts(
    data: &EnsembleData<'_>,
) -> Result<Vec<(&'static str, Option<ItemTexts>)>, ProclivityError> {
    let Some(texts) = data.texts else { return Ok(Vec::new()) };
    let mut fewer = Vec::new();
    if texts.embeddings().is_some() && texts.tf_idf().is_some() {
        fewer.push(("without embeddings of texts", Some(texts.without_embeddings()?)));
        fewer.push(("without TF-IDF of texts", Some(texts.without_tf_idf()?)));
    }
    fewer.push(("without texts", None));
    Ok(fewer)
}
