//! Item vectors of a model's width from longer ones.

use faer::{MatRef, Side};
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::EncoderError;

/// The projections of vectors onto their principal components, of mean length 1. Where there are
/// fewer components than `width`, the rest is random and small.
///
/// # Shapes
/// `[items, dimensions]` to `[items, width]`
pub(super) fn principal_components(
    vectors: ArrayView2<'_, f32>,
    width: usize,
    seed: u64,
) -> Result<Array2<f32>, EncoderError> {
    let (items, dimensions) = vectors.dim();
    let mut centred = vectors.mapv(f64::from);
    for mut column in centred.columns_mut() {
        let mean = column.mean().unwrap_or(0.0);
        column -= mean;
    }
    let covariance: Vec<f64> = centred.t().dot(&centred).iter().copied().collect();
    let covariance = MatRef::from_row_major_slice(&covariance, dimensions, dimensions);
    let eigen = covariance
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| EncoderError::NonFiniteEmbedding { index: 0 })?;
    // Ascending.
    let basis = eigen.U();
    let kept = width.min(dimensions);
    let basis = Array2::from_shape_fn((dimensions, kept), |(row, column)| {
        basis[(row, dimensions - 1 - column)]
    });
    let projected = centred.dot(&basis);
    let mean_length =
        projected.rows().into_iter().map(|row| row.dot(&row).sqrt()).sum::<f64>() / items as f64;
    let scale = if mean_length > 0.0 { 1.0 / mean_length } else { 1.0 };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let small = 0.1 / (width as f64).sqrt();
    Ok(Array2::from_shape_fn((items, width), |(item, column)| match column < kept {
        true => (projected[[item, column]] * scale) as f32,
        false => {
            let z: f64 = StandardNormal.sample(&mut rng);
            (z * small) as f32
        }
    }))
}
