//! What the language model says about items: the distribution of a first one, and sentences.

use proclivity_encoder::LanguageModel;
use proclivity_schema::Catalog;
use proclivity_text::{Locale, title_text, view_prefix};

use crate::ProclivityError;

/// P(first item), by a language model that has read behaviour and is asked what a user of whom it
/// knows nothing views.
///
/// # Formula
/// P(x) ∝ P(title of x | the words that open a view), normalised over the catalog
///
/// # Errors
/// [`ProclivityError::Encoder`] when a title can't be scored.
pub fn first_item_distribution(
    model: &impl LanguageModel,
    catalog: &Catalog,
    locale: &Locale,
) -> Result<Vec<f64>, ProclivityError> {
    let frame = view_prefix(locale);
    let titles: Vec<String> = catalog
        .items()
        .iter()
        .map(|item| format!("{}{}", title_text(item, locale), frame.after))
        .collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let log_probs = model.log_probs(&frame.before, &titles)?;
    let max = log_probs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut probs: Vec<f64> = log_probs.iter().map(|p| (p - max).exp()).collect();
    let total: f64 = probs.iter().sum();
    probs.iter_mut().for_each(|p| *p /= total);
    Ok(probs)
}
