//! Late fusion: one embedding from several views of an item, such as its text and its picture.

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::PosteriorError;
use crate::error::{finite, in_range, same_length};

/// Embeddings whose cosine is the weighted mean of the views' cosines.
///
/// Each view is brought to unit length and takes dimensions of its own. An item that lacks a view
/// (a row of zeros) has its weight shared out among the views that it has; an item without any is a
/// row of zeros. The result goes wherever text embeddings go: into a
/// [`Kernel`](crate::Kernel), a likelihood, or features of a linear model.
///
/// # Formula
/// cos(a, b) = Σᵥ √(wₐᵥ w_bᵥ) cosᵥ(a, b), wₐᵥ = wᵥ / Σ of the weights of the views that a has
///
/// # Shapes
/// each view: `[items, dim of the view]`; result: `[items, Σ dim]`
///
/// # Errors
/// [`PosteriorError::Empty`] without views, [`PosteriorError::OutOfRange`] for a weight that is
/// negative or not finite or where all are 0, [`PosteriorError::Length`] for views of different
/// numbers of items, [`PosteriorError::NotFinite`] for a NaN or infinity.
pub fn fuse_views(views: &[(f64, ArrayView2<'_, f32>)]) -> Result<Array2<f32>, PosteriorError> {
    let Some((_, first)) = views.first() else {
        return Err(PosteriorError::Empty { what: "views" });
    };
    let items = first.nrows();
    for (weight, view) in views {
        in_range("weight", *weight, *weight >= 0.0 && weight.is_finite(), "0 or more")?;
        same_length("items of a view", items, view.nrows())?;
        finite("view", *view)?;
    }
    let total: f64 = views.iter().map(|(weight, _)| weight).sum();
    in_range("sum of weights", total, total > 0.0 && total.is_finite(), "a number above 0")?;

    let embedding_dim = views.iter().map(|(_, view)| view.ncols()).sum();
    let mut fused = Array2::zeros((items, embedding_dim));
    let mut present = vec![0.0; items];
    let mut start = 0;
    for (weight, view) in views {
        let end = start + view.ncols();
        let mut part = fused.slice_mut(s![.., start..end]);
        for (item, (mut to, from)) in
            part.axis_iter_mut(Axis(0)).zip(view.axis_iter(Axis(0))).enumerate()
        {
            let length = from.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                let scale = weight.sqrt() / length;
                to.zip_mut_with(&from, |to, &from| *to = (f64::from(from) * scale) as f32);
                present[item] += weight;
            }
        }
        start = end;
    }
    for (mut row, weight) in fused.axis_iter_mut(Axis(0)).zip(present) {
        if weight > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / f64::sqrt(weight)) as f32);
        }
    }
    Ok(fused)
}
