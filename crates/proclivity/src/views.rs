//! Items' texts, pictures and sounds in one embedding.

use ndarray::{Array2, ArrayView2};
use proclivity_posterior::fuse_views;
use proclivity_schema::{Catalog, Embedding, Item};
use serde::{Deserialize, Serialize};

use crate::ProclivityError;

/// How much each view of an item counts.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `text` | 1 | the text's embedding | from 0 |
/// | `image` | 0.5 | the picture's, where an item has one | from 0 |
/// | `audio` | 0.5 | the sound's, where an item has one | from 0 |
///
/// The defaults are a place to begin from: weights are chosen by held-out log loss like any other
/// parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct ViewWeights {
    pub text: f64,
    pub image: f64,
    pub audio: f64,
}

impl Default for ViewWeights {
    fn default() -> Self {
        Self { text: 1.0, image: 0.5, audio: 0.5 }
    }
}

/// The embeddings of all items by [`fuse_views`]: of their texts, which an encoder made, and of the
/// pictures and sounds that the catalog has. A view that no item has takes no dimensions.
///
/// # Shapes
/// `text`: `[items, dim]`; result: `[items, dim + image dim + audio dim]`
///
/// # Errors
/// [`ProclivityError::Count`] when two items' vectors of one view differ in length, and what
/// [`fuse_views`] refuses.
pub fn fuse_item_views(
    text: ArrayView2<'_, f32>,
    catalog: &Catalog,
    weights: &ViewWeights,
) -> Result<Array2<f32>, ProclivityError> {
    let image = matrix("numbers of an image's embedding", catalog, Item::image)?;
    let audio = matrix("numbers of a sound's embedding", catalog, Item::audio)?;
    let mut views = vec![(weights.text, text)];
    for (weight, view) in [(weights.image, &image), (weights.audio, &audio)] {
        views.extend(view.as_ref().map(|view| (weight, view.view())));
    }
    Ok(fuse_views(&views)?)
}

/// One view of all items, zeros where an item has none; `None` where no item has one.
fn matrix(
    what: &'static str,
    catalog: &Catalog,
    view: impl Fn(&Item) -> Option<&Embedding>,
) -> Result<Option<Array2<f32>>, ProclivityError> {
    let Some(first) = catalog.items().iter().find_map(&view) else { return Ok(None) };
    let embedding_dim = first.values().len();
    let mut matrix = Array2::zeros((catalog.len(), embedding_dim));
    for (item, mut row) in catalog.items().iter().zip(matrix.rows_mut()) {
        if let Some(embedding) = view(item) {
            let got = embedding.values().len();
            if got != embedding_dim {
                return Err(ProclivityError::Count { what, expected: embedding_dim, got });
            }
            row.iter_mut().zip(embedding.values()).for_each(|(to, &from)| *to = from);
        }
    }
    Ok(Some(matrix))
}
