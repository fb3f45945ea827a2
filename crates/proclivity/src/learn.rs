//! From a log alone to a recommender: a language model is trained on what users did, in words.

use std::collections::HashSet;

use ndarray::Array2;
use proclivity_data::ItemSequences;
use proclivity_encoder::{
    CausalConfig, CausalModel, ComputeDevice, TextEncoder, TrainConfig, TrainProgress, TrainReport,
};
use proclivity_posterior::NextStepConfig;
use proclivity_schema::{Catalog, Event, EventKind, Interest, Language, Log, UserIndex};
use proclivity_text::{Locale, RichOptions, history_text, interest_text, item_text};
use serde::{Deserialize, Serialize};

use crate::ensemble::normalize_rows;
use crate::{
    ProclivityError, Recommender, RecommenderConfig, TrainingData, first_item_distribution,
};

/// How a language model and a recommender are learned from a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnConfig {
    /// The languages in which the catalog's texts are read.
    pub languages: Vec<Language>,
    /// The language model.
    pub model: CausalConfig,
    /// Its training.
    pub training: TrainConfig,
    /// The recommender.
    pub recommender: RecommenderConfig,
}

impl Default for LearnConfig {
    fn default() -> Self {
        Self {
            languages: vec![Language::CHINESE, Language::ENGLISH],
            model: CausalConfig::default(),
            training: TrainConfig { epochs: 6, ..TrainConfig::default() },
            // A shop's shelf of similar things is small, and items that were never seen borrow
            // from it alone: few neighbours, sharply weighted, and no counts but one's own.
            recommender: RecommenderConfig {
                neighbors: 10,
                kernel_temperature: 8.0,
                next_step: NextStepConfig { kernel_smoothing: 0.0, ..NextStepConfig::default() },
                ..RecommenderConfig::default()
            },
        }
    }
}

/// What is learned from, and whose behaviour. A user in neither group is held out.
#[derive(Debug, Clone, Copy)]
pub struct LearningData<'a> {
    /// The items.
    pub catalog: &'a Catalog,
    /// The named interests.
    pub interests: &'a [Interest],
    /// Everyone's behaviour.
    pub log: &'a Log,
    /// The language model and the counts are trained on these users.
    pub training: &'a [UserIndex],
    /// Early stopping, temperature, strength and weights are chosen on these.
    pub validation: &'a [UserIndex],
}

/// A language model trained on behaviour, and the recommender that stands on it.
#[derive(Debug)]
pub struct Learned {
    /// The language model.
    pub model: CausalModel,
    /// What its training did.
    pub report: TrainReport,
    /// The recommender.
    pub recommender: Recommender,
}

/// Trains a language model from scratch on the verbalized behaviour of the training users, each in
/// their language, and on the catalog's texts; embeds items and interests with it; takes the
/// prior's mean from it; and fits the recommender to the users' views.
///
/// No identifier is ever read, so that renaming users or items changes nothing.
///
/// # Errors
/// What training, embedding or [`Recommender::fit`] refuse: no training or validation events, an
/// empty catalog, settings out of range, a language without a [`Locale`].
pub fn learn(
    config: &LearnConfig,
    data: LearningData<'_>,
    language_of: impl Fn(UserIndex) -> Language,
    device: &ComputeDevice,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<Learned, ProclivityError> {
    let LearningData { catalog, interests, log, training, validation } = data;
    let behaviour = |group: &[UserIndex]| -> Result<Vec<String>, ProclivityError> {
        group
            .iter()
            .map(|&user| behaviour_text(log.history(user), catalog, &language_of(user)))
            .collect()
    };
    let mut training_texts = behaviour(training)?;
    for language in &config.languages {
        training_texts.extend(catalog.items().iter().map(|item| item_text(item, language)));
        training_texts.extend(interests.iter().map(|interest| interest_text(interest, language)));
    }
    let (mut model, report) = CausalModel::train(
        &training_texts,
        &behaviour(validation)?,
        &config.model,
        &config.training,
        device,
        progress,
    )?;

    let texts = |text: &dyn Fn(&Language) -> Vec<String>| -> Vec<Vec<String>> {
        config.languages.iter().map(text).collect()
    };
    let item_texts =
        texts(&|language| catalog.items().iter().map(|item| item_text(item, language)).collect());
    let interest_texts = texts(&|language| {
        interests.iter().map(|interest| interest_text(interest, language)).collect()
    });
    let all: Vec<&str> = item_texts.iter().flatten().map(String::as_str).collect();
    model.center_on(&all)?;
    let item_embeddings = mean_embeddings(&model, &item_texts)?;
    let interest_embeddings =
        among_items(mean_embeddings(&model, &interest_texts)?, &item_embeddings);

    let mut first_item = vec![0.0; catalog.len()];
    for language in &config.languages {
        let of_language =
            first_item_distribution(&model, catalog, Locale::for_language(language)?)?;
        for (sum, probability) in first_item.iter_mut().zip(of_language) {
            *sum += probability / config.languages.len() as f64;
        }
    }
    let views = ItemSequences::of_kinds(log, |kind| kind == EventKind::View);
    let sequences = |group: &[UserIndex]| -> Vec<&[u32]> {
        group.iter().map(|&user| views.sequence(user)).collect()
    };
    let recommender = Recommender::fit(
        config.recommender.clone(),
        catalog.clone(),
        interests.to_vec(),
        TrainingData {
            item_embeddings,
            interest_embeddings,
            sequences: &sequences(training),
            validation: &sequences(validation),
            first_item: Some(first_item),
        },
    )?;
    Ok(Learned { model, report, recommender })
}

/// A history as the language model reads it: what the user chose and searched for, in order, in
/// titles and words. What was only shown, or turned down, is left out.
///
/// # Errors
/// [`ProclivityError::Text`] for a language without a [`Locale`].
pub fn behaviour_text(
    history: &[Event],
    catalog: &Catalog,
    language: &Language,
) -> Result<String, ProclivityError> {
    let chosen: Vec<Event> = history
        .iter()
        .filter(|event| {
            let kind = event.action.kind();
            kind.is_positive() || kind == EventKind::Search
        })
        .cloned()
        .collect();
    let options = RichOptions { with_category: true, ..RichOptions::default() };
    Ok(history_text(&chosen, catalog, Locale::for_language(language)?, &options))
}

/// The unit vector along the mean over languages of each text's embedding.
fn mean_embeddings(
    model: &CausalModel,
    by_language: &[Vec<String>],
) -> Result<Array2<f32>, ProclivityError> {
    let rows = by_language.first().map_or(0, Vec::len);
    let mut mean = Array2::zeros((rows, model.embedding_dim()));
    for texts in by_language {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        mean += &model.embed(&texts, &mut |_| {})?;
    }
    normalize_rows(&mut mean);
    Ok(mean)
}

/// Moves each interest's vector from its words to the items that these words are closest to:
/// seeded spherical k-means with soft assignments. A list of words reads unlike an item's text, and
/// a small model's vectors show it.
///
/// # Formula
/// cₖ ∝ seedₖ + mean over items of P(k|x) eₓ, P(k|x) = softmax over k of 16 · eₓ·cₖ, four times
///
/// # Source
/// S. Basu, A. Banerjee, R. Mooney. *Semi-supervised clustering by seeding.* ICML 2002.
fn among_items(seeds: Array2<f32>, items: &Array2<f32>) -> Array2<f32> {
    const STEPS: usize = 4;
    const TEMPERATURE: f32 = 16.0;
    let mut centers = seeds.clone();
    for _ in 0..STEPS {
        let mut weights = items.dot(&centers.t()) * TEMPERATURE;
        for mut row in weights.rows_mut() {
            let max = row.fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
            row.mapv_inplace(|logit| (logit - max).exp());
            let total = row.sum();
            row /= total;
        }
        for mut column in weights.columns_mut() {
            let total = column.sum().max(f32::MIN_POSITIVE);
            column /= total;
        }
        centers = weights.t().dot(items);
        normalize_rows(&mut centers);
        centers += &seeds;
        normalize_rows(&mut centers);
    }
    centers
}

/// Each sequence without the items that it has had before.
pub fn first_occurrences(sequence: &[u32]) -> Vec<u32> {
    let mut seen = HashSet::new();
    sequence.iter().copied().filter(|&item| seen.insert(item)).collect()
}
