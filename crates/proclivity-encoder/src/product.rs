//! The product of rows with a layer's weights, and the memory that products pass on.

use burn::tensor::Tensor;
use rayon::prelude::*;

/// x · weightᵀ.
///
/// For few rows, reading the weights takes all the time. On the host they are read fastest as the
/// left matrix, which is then not rearranged first, and in parts, by all threads.
///
/// # Shapes
/// x: `[rows, from]`, weight: `[to, from]` → `[rows, to]`
pub(crate) fn product(x: Tensor<2>, weight: &Tensor<2>, on_host: bool) -> Tensor<2> {
    const FEW_ROWS: usize = 64;
    // A part of most widths, so that parts take equally long.
    const OUTPUTS: usize = 192;
    let (rows, outputs) = (x.dims()[0], weight.dims()[0]);
    if !on_host || rows > FEW_ROWS {
        return x.matmul(weight.clone().transpose());
    }
    let device = x.device();
    let parts: Vec<(Tensor<2>, Tensor<2>)> = (0..outputs)
        .step_by(OUTPUTS)
        .map(|first| {
            let part = weight.clone().narrow(0, first, OUTPUTS.min(outputs - first));
            (part, x.clone().transpose())
        })
        .collect();
    let parts = parts.into_par_iter().map(|(weight, x)| weight.matmul(x)).collect();
    Tensor::from_data(Tensor::cat(parts, 0).transpose().into_data(), &device)
}

/// Has the C library keep some of what is freed, instead of giving it back to the system and asking
/// for it anew at every product, which takes a tenth of the time: glibc keeps twice as much as the
/// largest block that was mapped and freed.
pub(crate) fn keep_freed_memory() {
    const BYTES: usize = 24 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BYTES)));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::ComputeDevice;

    #[test]
    fn few_and_many_rows_are_multiplied_as_in_f64() {
        let device: ComputeDevice = "flex".parse().unwrap();
        let numbers = |salt: usize, count: usize| -> Vec<f32> {
            (0..count).map(|at| (((at + salt) * 7919) % 1013) as f32 / 500.0 - 1.0).collect()
        };
        let (from, to) = (37, 300);
        for rows in [1, 2, 64, 65] {
            let (x, weight) = (numbers(1, rows * from), numbers(2, to * from));
            let tensor = |values: &[f32], rows| {
                Tensor::<2>::from_data(
                    TensorData::new(values.to_vec(), [rows, from]),
                    device.burn(),
                )
            };
            let got = product(tensor(&x, rows), &tensor(&weight, to), true);
            assert_eq!(got.dims(), [rows, to]);
            let got = got.into_data().try_into_vec_as::<f32>().unwrap();
            for (row, got) in x.chunks(from).zip(got.chunks(to)) {
                for (weight, got) in weight.chunks(from).zip(got) {
                    let products =
                        row.iter().zip(weight).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let expected: f64 = products.sum();
                    assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} for {expected}");
                }
            }
        }
    }
}
