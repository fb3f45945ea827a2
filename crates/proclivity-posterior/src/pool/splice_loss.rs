//! The smooth parts of a splice's log loss, with gradients and Hessians.

use super::candidates::{BANDS, rank_bins, sharpness};
use super::newton::Quadratic;

/// −Σ log P(head or tail): logistic in features.
///
/// # Formula
/// Σₙ log(1 + exp(−yₙ wᵀxₙ)), yₙ = 1 for the head and −1 for the tail
pub(crate) fn membership_loss(events: &[(Vec<f64>, bool)], weights: &[f64]) -> Quadratic {
    Quadratic::sum(events, weights.len(), |total, (features, in_head)| {
        let log_odds: f64 = features.iter().zip(weights).map(|(x, w)| x * w).sum();
        let prob = log_sigmoid(log_odds).exp();
        total.value -= log_sigmoid(if *in_head { log_odds } else { -log_odds });
        let residual = prob - if *in_head { 1.0 } else { 0.0 };
        let curvature = prob * log_sigmoid(-log_odds).exp();
        for (i, x) in features.iter().enumerate() {
            total.gradient[i] += residual * x;
            for (j, y) in features.iter().enumerate() {
                total.hessian[i * weights.len() + j] += curvature * x * y;
            }
        }
    })
}

/// How many parameters the head has beside its drops.
pub(crate) const SLOPES: usize = 2;

/// −Σ log P(item | head): softmax of a slope times the score less the drops down to the item's bin.
///
/// Parameters: the slope, by how much it grows with the margin m of the first score over the tenth,
/// then the drop d from each bin to the next.
///
/// # Formula
/// log P(x) = (β₀ + β₁ m) s(x) − Σ over 1 ≤ k ≤ bin(x) of dₖ − log Σ over y of exp(…)
pub(crate) fn head_loss(events: &[(&[f64], usize)], parameters: &[f64]) -> Quadratic {
    let bins = parameters.len() - SLOPES + 1;
    Quadratic::sum(events, parameters.len(), |total, &(scores, position)| {
        let logits = head_logits(scores, parameters);
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Of each bin and all after it: Σ p and Σ p s; and Σ p s² over everything.
        let (mut mass, mut score_mass) = (vec![0.0; bins + 1], vec![0.0; bins + 1]);
        let (mut second, mut target_bin) = (0.0, 0);
        for (at, ((bin, &score), logit)) in rank_bins(scores).zip(scores).zip(&logits).enumerate() {
            let weight = (logit - largest).exp();
            mass[bin] += weight;
            score_mass[bin] += weight * score;
            second += weight * score * score;
            if at == position {
                target_bin = bin;
            }
        }
        let whole: f64 = mass.iter().sum();
        for bin in (0..bins).rev() {
            mass[bin] += mass[bin + 1];
            score_mass[bin] += score_mass[bin + 1];
        }
        mass.iter_mut().for_each(|mass| *mass /= whole);
        score_mass.iter_mut().for_each(|mass| *mass /= whole);
        let mean = score_mass[0];
        let variance = second / whole - mean * mean;
        total.value += largest + whole.ln() - logits[position];
        let width = parameters.len();
        let scales = [1.0, sharpness(scores)];
        for (i, scale) in scales.iter().enumerate() {
            total.gradient[i] += scale * (mean - scores[position]);
            for (j, other) in scales.iter().enumerate() {
                total.hessian[i * width + j] += scale * other * variance;
            }
        }
        for bin in 1..bins {
            let row = SLOPES + bin - 1;
            total.gradient[row] += if target_bin >= bin { 1.0 } else { 0.0 } - mass[bin];
            let covariance = mean * mass[bin] - score_mass[bin];
            for (column, scale) in scales.iter().enumerate() {
                total.hessian[row * width + column] += scale * covariance;
                total.hessian[column * width + row] += scale * covariance;
            }
            for other in 1..bins {
                total.hessian[row * width + SLOPES + other - 1] +=
                    mass[bin.max(other)] - mass[bin] * mass[other];
            }
        }
    })
}

/// −Σ log P(item's band | tail) / P(band | tail) by the mixture: how the bands' weights change it.
///
/// # Formula
/// Σₙ log Σ over b of mₙ(b) exp(c_b) − c at the item's band, m the mixture's mass of each band
pub(crate) fn band_loss(events: &[([f64; BANDS], usize)], weights: &[f64]) -> Quadratic {
    Quadratic::sum(events, BANDS, |total, &(mass, band)| {
        let weighted: Vec<f64> =
            mass.iter().zip(weights).map(|(mass, weight)| mass * weight.exp()).collect();
        let whole: f64 = weighted.iter().sum();
        total.value += whole.ln() - weights[band];
        for (i, mass) in weighted.iter().enumerate() {
            let share = mass / whole;
            total.gradient[i] += share - if i == band { 1.0 } else { 0.0 };
            total.hessian[i * BANDS + i] += share;
            for (j, other) in weighted.iter().enumerate() {
                total.hessian[i * BANDS + j] -= share * other / whole;
            }
        }
    })
}

/// The logit of each position of a head, up to a constant; never rising from one to the next.
pub(crate) fn head_logits(scores: &[f64], parameters: &[f64]) -> Vec<f64> {
    let slope = parameters[0] + parameters[1] * sharpness(scores);
    let (mut dropped, mut drops) = (0, 0.0);
    let logit = |(bin, &score): (usize, &f64)| {
        while dropped < bin {
            drops += parameters.get(SLOPES + dropped).copied().unwrap_or(0.0);
            dropped += 1;
        }
        slope * score - drops
    };
    rank_bins(scores).zip(scores).map(logit).collect()
}

/// log 1/(1 + exp(−x))
pub(crate) fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradient against differences of the value, Hessian against differences of the gradient.
    fn check(point: &[f64], function: impl Fn(&[f64]) -> Quadratic) {
        const STEP: f64 = 1e-5;
        let at = function(point);
        for i in 0..point.len() {
            let moved = |by: f64| {
                let mut point = point.to_vec();
                point[i] += by;
                function(&point)
            };
            let (up, down) = (moved(STEP), moved(-STEP));
            let slope = (up.value - down.value) / (2.0 * STEP);
            assert!((slope - at.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{i}");
            for j in 0..point.len() {
                let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * STEP);
                let given = at.hessian[j * point.len() + i];
                assert!((slope - given).abs() < 1e-6 * (1.0 + slope.abs()), "{i}, {j}");
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let features = [(vec![1.0, -2.0, 0.3, 1.5, 0.2, 4.0], true), (vec![1.0; 6], false)];
        check(&[0.1, 0.7, -0.4, 0.2, 0.9, -0.3], |w| membership_loss(&features, w));
        let scores = [0.0, -0.1, -0.1, -0.4, -0.9, -1.0, -1.0, -2.5, -3.0];
        let events = [(&scores[..], 0), (&scores[..], 3), (&scores[..6], 5), (&scores[..], 8)];
        let bands = [([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0], 1), ([0.125; BANDS], 6)];
        check(&[0.1, 0.4, -0.3, 0.0, 0.2, -0.1, 0.7, 0.3], |c| band_loss(&bands, c));
        check(&[0.8, 0.2, 0.3, 0.1, 0.6], |p| head_loss(&events, p));
    }
}
