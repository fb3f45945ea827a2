//! What an ensemble's members know of the items' texts.

use ndarray::Array2;
use proclivity_posterior::Kernel;
use proclivity_text::TfIdf;

use crate::ProclivityError;

/// What the texts of all items say, seen two ways: embeddings by a language model, and the words
/// themselves. Either will do; together they see more, as words keep apart what embeddings blur.
#[derive(Debug, Clone)]
pub struct ItemTexts {
    embeddings: Option<Array2<f32>>,
    words: Option<TfIdf>,
    neighbors: usize,
    temperature: f64,
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
        mut embeddings: Option<Array2<f32>>,
        words: Option<TfIdf>,
        neighbors: usize,
        temperature: f64,
    ) -> Result<Self, ProclivityError> {
        let mut of_embeddings = None;
        if let Some(embeddings) = &mut embeddings {
            normalize_rows(embeddings);
            of_embeddings = Some(Kernel::nearest(embeddings.view(), neighbors, temperature)?);
        }
        let mut of_words = None;
        if let Some(words) = &words {
            let similar = |item| words.cosines([(item, 1.0)]);
            of_words = Some(Kernel::similar(words.len(), neighbors, temperature, similar)?);
        }
        let kernel = match (of_embeddings, of_words) {
            (Some(one), Some(other)) => one.mean(&other)?,
            (Some(kernel), None) | (None, Some(kernel)) => kernel,
            (None, None) => {
                return Err(ProclivityError::Empty { what: "embeddings or words of item texts" });
            }
        };
        Ok(Self { embeddings, words, neighbors, temperature, kernel })
    }

    /// What the words alone say.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] where there are none.
    pub fn without_embeddings(&self) -> Result<Self, ProclivityError> {
        Self::new(None, self.words.clone(), self.neighbors, self.temperature)
    }

    /// What the embeddings alone say.
    ///
    /// # Errors
    /// [`ProclivityError::Empty`] where there are none.
    pub fn without_words(&self) -> Result<Self, ProclivityError> {
        Self::new(self.embeddings.clone(), None, self.neighbors, self.temperature)
    }

    /// Which items' texts are close.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// A vector of unit length for each item, `[items, dim]`, where there are embeddings.
    pub fn embeddings(&self) -> Option<&Array2<f32>> {
        self.embeddings.as_ref()
    }

    /// The words of the texts, where they are given.
    pub fn words(&self) -> Option<&TfIdf> {
        self.words.as_ref()
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
