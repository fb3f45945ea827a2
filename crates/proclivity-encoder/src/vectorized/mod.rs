//! Functions of many numbers at once, on the host's memory, in the widest instructions it has.
//!
//! Loops are plain, over fixed numbers of lanes, so that the compiler vectorises them; `pulp` compiles
//! them for each instruction set and picks the best one when the program runs.

mod add_norm;
mod attention;
mod cached;
mod gated;
mod gelu;
mod lane_attention;
mod lane_norm;
mod lanes;
mod layer_norm;
mod log_sum_exp;
mod slopes;
mod softmax_rows;
mod tanh;

pub(crate) use add_norm::{NormWeights, add_norm};
pub(crate) use attention::{RelativeBias, attention};
pub(crate) use cached::{Span, cached_attention};
pub(crate) use gated::gated;
pub(crate) use gelu::{gelu, gelu_with_slopes};
pub(crate) use lane_attention::lane_attention;
pub(crate) use lane_norm::lane_norm;
pub(crate) use lanes::{add_lane_product, into_lanes, lanes, out_of_lanes, panels, stacked};
pub(crate) use layer_norm::{layer_norm, layer_norm_backward};
pub(crate) use log_sum_exp::log_sum_exp;
pub(crate) use slopes::{Gate, tangents};
pub(crate) use softmax_rows::{causal_softmax, causal_softmax_backward};
pub(crate) use tanh::{gelu_tanh, tanh};

/// How many numbers go side by side.
const LANES: usize = 16;
/// As many where there are few.
const HALF: usize = LANES / 2;

/// The sum of a function of pairs of numbers.
#[inline(always)]
fn sum_of(left: &[f32], right: &[f32], function: impl Fn(f32, f32) -> f32) -> f32 {
    let (lefts, left_rest) = left.as_chunks::<LANES>();
    let (rights, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (left, right) in lefts.iter().zip(rights) {
        for lane in 0..LANES {
            sums[lane] += function(left[lane], right[lane]);
        }
    }
    for (&left, &right) in left_rest.iter().zip(right_rest) {
        sums[0] += function(left, right);
    }
    sums.into_iter().sum()
}

/// The exponential of a number that is not above 0, within 3 · 10⁻⁷ of it: 2ⁿ · exp(r) with
/// |r| ≤ ln 2 / 2, exp(r) by its Taylor polynomial.
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "ln 2 in two parts that add up")]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let r = x - power * 0.693_359_375 + power * 2.121_944_4e-4;
    let mut sum = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * r + coefficient;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    sum * f32::from_bits(exponent << 23)
}
