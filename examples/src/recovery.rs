//! How well estimates of interests recover the truth of a simulation.

use proclivity::posterior::{DirichletMixture, PosteriorError, kl_divergence};
use rayon::prelude::*;

/// Means over users, and over interests where intervals are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    /// Mean KL(θ‖estimate), in nats.
    pub kl_divergence: f64,
    /// How many true shares lie in the central 50 % interval, if the estimate is a distribution.
    pub inside_50: Option<f64>,
    /// The same for 90 %.
    pub inside_90: Option<f64>,
}

/// Compares estimates with the true shares of each case: viewed items, and θ. A progress bar says
/// how many cases are done.
///
/// # Errors
/// What the estimate refuses.
pub fn recovery(
    name: &str,
    cases: &[(Vec<u32>, &[f64])],
    estimate: impl Fn(&[u32]) -> Result<(Vec<f64>, Option<DirichletMixture>), PosteriorError> + Sync,
) -> Result<Recovery, PosteriorError> {
    let bar = crate::progress_bar(cases.len(), name);
    let each: Vec<(f64, Option<[usize; 2]>)> = cases
        .par_iter()
        .map(|(items, truth)| {
            let (mean, posterior) = estimate(items)?;
            let inside = posterior.map(|posterior| {
                let mut inside = [0, 0];
                for (k, &share) in truth.iter().enumerate() {
                    let probability = posterior.marginal_cdf(k, share);
                    for (inside, tail) in inside.iter_mut().zip([0.25, 0.05]) {
                        *inside += usize::from((tail..=1.0 - tail).contains(&probability));
                    }
                }
                inside
            });
            bar.inc(1);
            Ok((kl_divergence(truth, &mean), inside))
        })
        .collect::<Result<_, PosteriorError>>()?;
    bar.finish_and_clear();
    let users = each.len() as f64;
    let shares = cases.iter().map(|(_, truth)| truth.len()).sum::<usize>() as f64;
    let inside = |at: usize| -> Option<f64> {
        let inside: Option<usize> = each.iter().map(|(_, inside)| inside.map(|i| i[at])).sum();
        inside.map(|inside| inside as f64 / shares)
    };
    Ok(Recovery {
        kl_divergence: each.iter().map(|(kl, _)| kl).sum::<f64>() / users,
        inside_50: inside(0),
        inside_90: inside(1),
    })
}

/// Raw shares: which part of the items serves each interest above all, at least 0.1 %.
pub fn shares_by_label(affinities: &[Vec<f64>], items: &[u32]) -> Vec<f64> {
    const FLOOR: f64 = 1e-3;
    let mut counts = vec![0.0; affinities.first().map_or(0, Vec::len)];
    for &item in items {
        for (count, &affinity) in counts.iter_mut().zip(&affinities[item as usize]) {
            *count += f64::from(u8::from(affinity == 1.0));
        }
    }
    let total: f64 = counts.iter().sum::<f64>().max(1.0);
    let floored: Vec<f64> = counts.iter().map(|count| (count / total).max(FLOOR)).collect();
    let sum: f64 = floored.iter().sum();
    floored.iter().map(|share| share / sum).collect()
}
