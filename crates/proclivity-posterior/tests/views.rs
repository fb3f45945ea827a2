//! Late fusion is the weighted mean of cosines.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{PosteriorError, fuse_views};
use proptest::prelude::*;

fn cosine(view: &Array2<f32>, a: usize, b: usize) -> f64 {
    let dot = |a: usize, b: usize| -> f64 {
        view.row(a).iter().zip(view.row(b)).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn view(dim: usize) -> impl Strategy<Value = Array2<f32>> {
    prop::collection::vec(0.1_f32..2.0, 3 * dim)
        .prop_map(move |values| Array2::from_shape_vec((3, dim), values).unwrap())
}

proptest! {
    #[test]
    fn cosines_are_weighted_means(text in view(4), image in view(3), weight in 0.0_f64..5.0) {
        let fused = fuse_views(&[(1.0, text.view()), (weight, image.view())]).unwrap();
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let expected =
                (cosine(&text, a, b) + weight * cosine(&image, a, b)) / (1.0 + weight);
            prop_assert!((cosine(&fused, a, b) - expected).abs() < 1e-5);
        }
        let length: f32 = fused.row(0).iter().map(|value| value * value).sum();
        prop_assert!((length - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_missing_view_leaves_its_weight_to_the_others(text in view(4), mut image in view(3)) {
        image.row_mut(0).fill(0.0);
        let fused = fuse_views(&[(1.0, text.view()), (1.0, image.view())]).unwrap();
        let expected = 0.5_f64.sqrt() * cosine(&text, 0, 1);
        prop_assert!((cosine(&fused, 0, 1) - expected).abs() < 1e-5);
    }
}

#[test]
fn senseless_views_are_typed_errors() {
    let view = array![[1.0_f32, 0.0], [0.0, 1.0]];
    let fuse = |weight: f64, other: &Array2<f32>| {
        fuse_views(&[(0.0, view.view()), (weight, other.view())])
    };
    assert!(matches!(fuse_views(&[]), Err(PosteriorError::Empty { .. })));
    assert!(matches!(fuse(0.0, &view), Err(PosteriorError::OutOfRange { .. })));
    assert!(matches!(fuse(f64::NAN, &view), Err(PosteriorError::OutOfRange { .. })));
    assert!(matches!(fuse(1.0, &array![[1.0, 0.0]]), Err(PosteriorError::Length { .. })));
    let nan = array![[f32::NAN, 0.0], [1.0, 1.0]];
    assert!(matches!(fuse(1.0, &nan), Err(PosteriorError::NotFinite { .. })));
    let nothing = Array2::zeros((2, 2));
    assert_eq!(fuse(1.0, &nothing).unwrap(), Array2::<f32>::zeros((2, 4)));
}
