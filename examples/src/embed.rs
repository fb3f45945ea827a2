//! A catalog's texts as vectors: by a language model, and by TF-IDF.

use std::error::Error;
use std::path::Path;

use ndarray::Array2;
use proclivity::encoder::{BertEncoder, ComputeDevice, embed_cached};
use proclivity::schema::{Catalog, Language};
use proclivity::text::{TfIdf, item_text};

use crate::progress_bar;

/// The embeddings of all items' English texts by the checkpoint in `model`, kept in `cache`.
///
/// # Shapes
/// result: `[items, dimensions]`
///
/// # Errors
/// When the checkpoint can't be read, or the cache neither read nor written.
pub fn embed_items(
    catalog: &Catalog,
    model: &Path,
    device: &ComputeDevice,
    cache: &Path,
) -> Result<Array2<f32>, Box<dyn Error>> {
    let encoder = BertEncoder::load(model, device)?;
    let texts = english_texts(catalog);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bar = progress_bar(texts.len(), "embedding the catalog");
    let told = &mut |done| bar.set_position(done as u64);
    let embeddings = embed_cached(&encoder, &texts, cache, told)?;
    bar.finish();
    Ok(embeddings)
}

/// The TF-IDF vectors of all items' English texts.
pub fn item_tf_idf(catalog: &Catalog) -> TfIdf {
    let texts = english_texts(catalog);
    TfIdf::new(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn english_texts(catalog: &Catalog) -> Vec<String> {
    catalog.items().iter().map(|item| item_text(item, &Language::ENGLISH)).collect()
}
