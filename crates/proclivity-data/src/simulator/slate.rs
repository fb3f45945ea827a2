//! Slates: what a policy shows, what the user examines of it, and what they choose.

use rand::{Rng, RngExt};
use rand_distr::Exp1;

use super::draw::pick;
use super::world::{Place, World};
use super::{Shown, Slate};

/// A slate and the position chosen from it.
pub(super) fn show(
    world: &World<'_>,
    place: &Place,
    slate: &Slate,
    shares: &[f64],
    rng: &mut impl Rng,
) -> (Vec<Shown>, Option<usize>) {
    // Where the policy doesn't ask for utility, it needn't be computed.
    let liking = |local: usize| match slate.relevance {
        0.0 => 0.0,
        relevance => {
            relevance * world.utility(place.item(local), shares).max(f64::MIN_POSITIVE).ln()
        }
    };
    let candidates: Vec<(usize, f64)> = place
        .met
        .iter()
        .map(|&(local, log_popularity)| (local, slate.popularity * log_popularity + liking(local)))
        .collect();
    let mut shown: Vec<Shown> = plackett_luce(&candidates, slate.size, rng)
        .into_iter()
        .enumerate()
        .map(|(position, (local, propensity))| {
            let examination = (1.0 + position as f64).powf(-slate.position_bias);
            let item = place.item(local);
            Shown { item, propensity, examination, examined: false, choice: 0.0 }
        })
        .collect();
    let mut weights = Vec::with_capacity(shown.len() + 1);
    for shown in &mut shown {
        shown.examined = rng.random::<f64>() < shown.examination;
        weights.push(if shown.examined { world.utility(shown.item, shares) } else { 0.0 });
    }
    weights.push(slate.none_utility);
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return (shown, None);
    }
    for (shown, weight) in shown.iter_mut().zip(&weights) {
        shown.choice = weight / total;
    }
    let chosen = pick(&weights, rng);
    let chosen = shown.get(chosen).map(|_| chosen);
    (shown, chosen)
}

/// The first `size` of candidates drawn one after the other in proportion to exp(log weight), each
/// with the probability of the draw given those before.
///
/// Sorting by Exp(1) / weight is drawing in turn, since each is the arrival time of a Poisson
/// process; in logarithms nothing overflows, and no weight vanishes beside a large one.
fn plackett_luce(
    candidates: &[(usize, f64)],
    size: usize,
    rng: &mut impl Rng,
) -> Vec<(usize, f64)> {
    let mut arrivals: Vec<(f64, usize, f64)> = candidates
        .iter()
        .map(|&(candidate, log_weight)| {
            let waiting: f64 = rng.sample(Exp1);
            (waiting.ln() - log_weight, candidate, log_weight)
        })
        .collect();
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    // log Σ of the weights of all that are left, from the last to the first.
    let mut left = f64::NEG_INFINITY;
    let mut drawn: Vec<(usize, f64)> = arrivals
        .into_iter()
        .rev()
        .map(|(_, candidate, log_weight)| {
            let larger = left.max(log_weight);
            left = larger + ((left - larger).exp() + (log_weight - larger).exp()).ln();
            (candidate, (log_weight - left).exp())
        })
        .collect();
    drawn.reverse();
    drawn.truncate(size);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn plackett_luce_draws_in_turn_with_the_stated_propensities() {
        let weights = [4.0_f64, 2.0, 1.0, 1.0];
        let candidates: Vec<(usize, f64)> =
            weights.iter().enumerate().map(|(i, weight)| (i, weight.ln())).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut counts = [[0.0_f64; 4]; 4];
        let draws = 40_000.0;
        for _ in 0..draws as usize {
            let drawn = plackett_luce(&candidates, 2, &mut rng);
            let [(first, p), (second, q)] = drawn[..] else { panic!("{drawn:?}") };
            assert!((p - weights[first] / 8.0).abs() < 1e-12);
            assert!((q - weights[second] / (8.0 - weights[first])).abs() < 1e-12);
            counts[first][second] += 1.0;
        }
        for (first, counts) in counts.iter().enumerate() {
            for (second, count) in counts.iter().enumerate() {
                let p = match first == second {
                    true => 0.0,
                    false => weights[first] / 8.0 * weights[second] / (8.0 - weights[first]),
                };
                let error = (p * (1.0 - p) / draws).sqrt();
                assert!((count / draws - p).abs() <= 4.0 * error, "{first}, {second}");
            }
        }
        // Weights beyond what a float holds: e^2000, e^0, e^-2000.
        let extreme = [(0, -2_000.0), (1, 0.0), (2, 2_000.0)];
        let drawn = plackett_luce(&extreme, 3, &mut rng);
        assert_eq!(drawn, [(2, 1.0), (1, 1.0), (0, 1.0)]);
    }
}
