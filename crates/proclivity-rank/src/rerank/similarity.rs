//! How alike two items are by their embeddings.

use crate::RankError;

/// The cosine between the embeddings of two items.
///
/// A zero embedding has no direction: its item is like no other, with cosine 0. The matrix of the
/// cosines is symmetric and positive semidefinite with ones on its diagonal, as a determinantal
/// point process needs it.
///
/// # Formula
/// cos(a, b) = eₐ·e_b / (‖eₐ‖ ‖e_b‖)
#[derive(Debug, Clone)]
pub struct CosineSimilarity<'a> {
    rows: &'a [f32],
    embedding_dim: usize,
    inverse_norms: Vec<f64>,
}

impl<'a> CosineSimilarity<'a> {
    /// The similarities of a catalog. The embeddings are borrowed, their norms kept.
    ///
    /// # Shapes
    /// `embeddings`: `[items, embedding_dim]`, row after row.
    ///
    /// # Errors
    /// [`RankError::Length`] when the rows don't come out even (or have no length),
    /// [`RankError::InvalidEmbedding`] for one that isn't finite.
    pub fn new(embeddings: &'a [f32], embedding_dim: usize) -> Result<Self, RankError> {
        if embedding_dim == 0 || !embeddings.len().is_multiple_of(embedding_dim) {
            return Err(RankError::Length {
                what: "numbers in the last embedding",
                expected: embedding_dim,
                got: embeddings.len().checked_rem(embedding_dim).unwrap_or(embeddings.len()),
            });
        }
        let norms = embeddings.chunks_exact(embedding_dim).enumerate().map(|(item, row)| {
            let squared = dot(row, row);
            match squared {
                0.0 => Ok(0.0),
                _ if squared.is_finite() => Ok(squared.sqrt().recip()),
                _ => Err(RankError::InvalidEmbedding { item }),
            }
        });
        let inverse_norms = norms.collect::<Result<_, _>>()?;
        Ok(Self { rows: embeddings, embedding_dim, inverse_norms })
    }

    /// The cosine between two items, in O(dim); 1 of an item with itself.
    ///
    /// # Panics
    /// For an item that has no embedding.
    pub fn between(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (a as usize, b as usize);
        let inverse_norms = self.inverse_norms[a] * self.inverse_norms[b];
        if a == b { 1.0 } else { dot(self.row(a), self.row(b)) * inverse_norms }
    }

    fn row(&self, item: usize) -> &[f32] {
        &self.rows[item * self.embedding_dim..][..self.embedding_dim]
    }
}

/// Eight sums side by side, so that the loop becomes vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f64; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}
