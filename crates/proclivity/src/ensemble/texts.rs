//! What an ensemble's members know of the items' texts.

use ndarray::Array2;
use proclivity_posterior::Kernel;
use proclivity_text::TfIdf;

use crate::ProclivityError;

/// What the texts of all items say, in two views: a language model's embeddings and TF-IDF vectors.
/// Either will do; together they see more, as words keep apart what embeddings blur.
#[derive(Debug, Clone)]
pub struct ItemTexts {
    embeddings: Option<(Array2<f32>, Kernel)>,
    tf_idf: Option<(TfIdf, Kernel)>,
    kernel: Kernel,
}

impl ItemTexts {
    /// Normalises the rows of `embeddings`, `[items, dim]`. For each view every item has a kernel: a
    /// softmax of `temperature` · cosine over its nearest `neighbors`; with both views, their mean.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] without a view, [`ProclivityError::Posterior`] for views of
    /// different items and for what [`Kernel::nearest`] refuses.
    pub fn new(
        embeddings: Option<Array2<f32>>,
        tf_idf: Option<TfIdf>,
        neighbors: usize,
        temperature: f64,
    ) -> Result<Self, ProclivityError> {
        let embeddings = embeddings.map(|mut embeddings| {
            normalize_rows(&mut embeddings);
            let kernel = Kernel::nearest(embeddings.view(), neighbors, temperature)?;
            Ok::<_, ProclivityError>((embeddings, kernel))
        });
        let tf_idf = tf_idf.map(|tf_idf| {
            let of = |item| tf_idf.cosines([(item, 1.0)]);
            let kernel = Kernel::from_similarity(tf_idf.len(), neighbors, temperature, of)?;
            Ok::<_, ProclivityError>((tf_idf, kernel))
        });
        Self::of_views(embeddings.transpose()?, tf_idf.transpose()?)
    }

    fn of_views(
        embeddings: Option<(Array2<f32>, Kernel)>,
        tf_idf: Option<(TfIdf, Kernel)>,
    ) -> Result<Self, ProclivityError> {
        let kernel = match (&embeddings, &tf_idf) {
            (Some((_, one)), Some((_, other))) => one.mean(other)?,
            (Some((_, kernel)), None) | (None, Some((_, kernel))) => kernel.clone(),
            (None, None) => return Err(ProclivityError::Empty { what: "views of item texts" }),
        };
        Ok(Self { embeddings, tf_idf, kernel })
    }

    /// What the TF-IDF vectors alone say.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] where there are none.
    pub fn without_embeddings(&self) -> Result<Self, ProclivityError> {
        Self::of_views(None, self.tf_idf.clone())
    }

    /// What the embeddings alone say.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] where there are none.
    pub fn without_tf_idf(&self) -> Result<Self, ProclivityError> {
        Self::of_views(self.embeddings.clone(), None)
    }

    /// Which items' texts are close.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// A vector of unit length for each item, `[items, dim]`, where there are embeddings.
    pub fn embeddings(&self) -> Option<&Array2<f32>> {
        self.embeddings.as_ref().map(|(embeddings, _)| embeddings)
    }

    /// The TF-IDF vectors, where there are any.
    pub fn tf_idf(&self) -> Option<&TfIdf> {
        self.tf_idf.as_ref().map(|(tf_idf, _)| tf_idf)
    }
}

/// Gives every row that isn't zero unit length.
pub(crate) fn normalize_rows(rows: &mut Array2<f32>) {
    for mut row in rows.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
}
