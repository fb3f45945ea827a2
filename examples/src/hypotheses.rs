//! Interests in words as hypotheses: where they come from, what they say, and what they are worth.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use proclivity::encoder::{ComputeDevice, Decoder};
use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::{FullRankingConfig, PairedBootstrap, Popularity, Split, paired_bootstrap};
use proclivity::posterior::{HypothesisConfig, HypothesisModel, HypothesisScores, SharpnessFit};
use proclivity::rank::TieBreak;
use proclivity::schema::{Catalog, Item, Language};
use proclivity::text::item_text;
use proclivity::{HypothesisPrompt, item_counts, score_hypotheses};
use serde::Serialize;

use crate::cold::mean;
use crate::progress_bar;

/// What is scored of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScoredText {
    /// Title, categories and description.
    Item,
    /// Its categories, which many items share: a fraction of the time.
    Categories,
}

/// Which hypotheses, and who scores them.
#[derive(Debug, Clone, Args)]
pub struct HypothesisArguments {
    /// A checkpoint directory of a decoder: it scores every item under interests said in words, which
    /// join the ensemble.
    #[arg(long)]
    pub hypotheses: Option<PathBuf>,
    /// The interests, one a line; without it the catalog's categories.
    #[arg(long, requires = "hypotheses")]
    pub interests: Option<PathBuf>,
    /// What is scored of an item.
    #[arg(long, requires = "hypotheses", value_enum, default_value_t = ScoredText::Item)]
    pub scored_text: ScoredText,
    /// The words before an item under an interest, which stands for `{}`.
    #[arg(long, requires = "hypotheses", default_value_t = HypothesisPrompt::default().interest)]
    pub interest_prompt: String,
    /// The words before an item under none.
    #[arg(long, requires = "hypotheses", default_value_t = HypothesisPrompt::default().nothing)]
    pub null_prompt: String,
}

impl HypothesisArguments {
    /// The scores of the catalog; `None` where no decoder is named.
    ///
    /// # Errors
    /// When a file can't be read or what scoring refuses.
    pub fn scores(
        &self,
        catalog: &Catalog,
        device: &ComputeDevice,
        cache: &Path,
    ) -> Result<Option<HypothesisScores>, Box<dyn Error>> {
        let Some(model) = &self.hypotheses else { return Ok(None) };
        let lines = self.interests.as_ref().map(std::fs::read_to_string).transpose()?;
        let interests = match &lines {
            Some(lines) => lines.lines().filter(|line| !line.trim().is_empty()).collect(),
            None => categories(catalog),
        };
        let prompt = HypothesisPrompt {
            interest: self.interest_prompt.clone(),
            nothing: self.null_prompt.clone(),
        };
        let text = |item: &Item| match self.scored_text {
            ScoredText::Item => item_text(item, &Language::ENGLISH),
            ScoredText::Categories => item.text(&Language::ENGLISH).category_parts().join(", "),
        };
        let texts: Vec<String> = catalog.items().iter().map(text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let distinct = texts.iter().collect::<BTreeSet<_>>().len();
        let bar = progress_bar((interests.len() + 1) * distinct, "scoring under interests");
        let told = &mut |done| bar.set_position(done as u64);
        let model = Decoder::load(model, device)?;
        let scores = score_hypotheses(&model, &prompt, &interests, &texts, cache, told)?;
        bar.finish_and_clear();
        Ok(Some(scores))
    }
}

/// The names of all categories, in order.
pub fn categories(catalog: &Catalog) -> Vec<&str> {
    let texts = catalog.items().iter().map(|item| item.text(&Language::ENGLISH));
    let names: BTreeSet<&str> = texts.flat_map(|text| text.category_parts()).collect();
    names.into_iter().collect()
}

/// A hypothesis and its probability.
#[derive(Debug, Clone, Serialize)]
pub struct Weighed {
    /// In words.
    pub hypothesis: String,
    /// P(h) or P(h|X).
    pub probability: f64,
}

/// Hypotheses alone, fitted on training items.
#[derive(Debug, Clone, Serialize)]
pub struct HypothesisReport {
    /// How the likelihood is tempered, as it was chosen on validation.
    pub config: HypothesisConfig,
    /// What was fitted, with the log losses on users' last training items.
    pub fitted: SharpnessFit,
    /// P(h), the most probable first.
    pub prior: Vec<Weighed>,
    /// HR@10 on the test.
    #[serde(rename = "hr@10")]
    pub hr: f64,
    /// NDCG@10 on the test.
    #[serde(rename = "ndcg@10")]
    pub ndcg: f64,
    /// Nats a test item.
    pub log_loss: f64,
    /// Popularity's.
    pub popularity_log_loss: f64,
    /// What popularity loses more: mean over users and 95 % interval.
    pub log_loss_gain: PairedBootstrap,
    /// What NDCG@10 has above popularity's.
    pub ndcg_gain: PairedBootstrap,
}

impl HypothesisReport {
    /// Measures a fitted model on the test, beside popularity of the same smoothing.
    ///
    /// # Errors
    /// What ranking refuses.
    pub fn new(
        config: HypothesisConfig,
        model: &HypothesisModel,
        split: &Split<'_>,
        items: usize,
        ties: &TieBreak,
    ) -> Result<Self, Box<dyn Error>> {
        let counts = item_counts(&split.train, items);
        let ranking = FullRankingConfig::default().build(&counts, ties)?;
        let ours = ranking.evaluate(model, &split.test, &|_| {})?;
        let theirs = ranking.evaluate(&Popularity::new(&counts, 1.0)?, &split.test, &|_| {})?;
        let losses = |of: &proclivity::eval::Evaluation| -> Vec<f64> {
            // Targets that stand in the history have no probability, here and there.
            of.per_user().iter().filter_map(|user| Some(-user.log_prob?)).collect()
        };
        let (our_losses, their_losses) = (losses(&ours), losses(&theirs));
        let [our_ndcg, their_ndcg] = [&ours, &theirs].map(|of| of.values(|ranks| ndcg(ranks, 10)));
        Ok(Self {
            config,
            fitted: *model.sharpness(),
            prior: most_probable(model, &model.posterior(&[])?.probs()),
            hr: mean(&ours.values(|ranks| hit_rate(ranks, 10))),
            ndcg: mean(&our_ndcg),
            log_loss: mean(&our_losses),
            popularity_log_loss: mean(&their_losses),
            log_loss_gain: paired_bootstrap(&their_losses, &our_losses, 10_000, 0.95, 0)?,
            ndcg_gain: paired_bootstrap(&our_ndcg, &their_ndcg, 10_000, 0.95, 0)?,
        })
    }
}

impl fmt::Display for HypothesisReport {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            to,
            "hypotheses alone           HR@10 {:.4}  NDCG@10 {:.4}  log loss {:.3}, popularity {:.3}",
            self.hr, self.ndcg, self.log_loss, self.popularity_log_loss
        )?;
        let (fit, gain, ndcg) = (&self.fitted, &self.log_loss_gain, &self.ndcg_gain);
        writeln!(
            to,
            "  above popularity         {:+.4} ({:+.4} to {:+.4}) nats, {:+.4} ({:+.4} to {:+.4}) NDCG@10",
            gain.mean, gain.low, gain.high, ndcg.mean, ndcg.low, ndcg.high
        )?;
        writeln!(
            to,
            "  sharpness {:.3}          {:.4} nats on last training items, popularity {:.4}",
            fit.sharpness, fit.log_loss, fit.popularity_log_loss
        )?;
        write!(to, "  P(h)                     {}", in_words(&self.prior, 6))
    }
}

/// Hypotheses in words, the most probable first.
pub fn most_probable(model: &HypothesisModel, probs: &[f64]) -> Vec<Weighed> {
    let none = "none of these".to_owned();
    let names = model.names().iter().chain([&none]);
    let mut weighed: Vec<Weighed> = names
        .zip(probs)
        .map(|(name, &probability)| Weighed { hypothesis: name.clone(), probability })
        .collect();
    weighed.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    weighed
}

/// `Comedy 41 %, Drama 22 %, …`: the first few.
pub fn in_words(weighed: &[Weighed], count: usize) -> String {
    let one = |w: &Weighed| format!("{} {:.0} %", w.hypothesis, 100.0 * w.probability);
    weighed.iter().take(count).map(one).collect::<Vec<_>>().join(", ")
}
