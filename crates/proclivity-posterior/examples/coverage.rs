//! How often credible intervals of shares hold the truth, over 10,000 simulated users: the README's table.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    Belief, CoverageConfig, Credible, Dirichlet, GibbsConfig, InterestLikelihood, InterestModel,
    PosteriorError, ShareInterval, VariationalConfig, exact_shares,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Intervals<'a> = dyn Fn(&[u32], f64) -> Result<Vec<ShareInterval>, PosteriorError> + Sync + 'a;

fn main() -> Result<(), PosteriorError> {
    // Three interests choose among eight items; the last two interests have much in common.
    let weights = array![
        [9.0, 6.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0, 2.0, 8.0, 6.0, 3.0, 1.0, 2.0],
        [1.0, 1.0, 1.0, 4.0, 3.0, 6.0, 6.0, 2.0],
    ];
    let model = |concentration: [f64; 3], temperature: f64| {
        let phi: Array2<f64> = weights.mapv(|weight: f64| weight.powf(temperature));
        let likelihood = InterestLikelihood::from_weights(phi.view())?;
        InterestModel::new(Dirichlet::new(concentration.to_vec())?, likelihood)
    };
    let prior = [1.0, 0.5, 0.8];
    let right = model(prior, 1.0)?;
    let (vague, sharp) = (model(prior, 0.5)?, model(prior, 2.0)?);
    let stubborn = model([4.0, 2.0, 3.2], 1.0)?;

    let exact = |model: &InterestModel, history: &[u32], level: f64| {
        exact_shares(model.prior(), model.likelihood(), history, usize::MAX)?.intervals(level)
    };
    let before = Belief::new(&right).posterior(&right)?;
    let sampled = |history: &[u32], level: f64| {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        GibbsConfig::default()
            .sample(&before, right.likelihood(), history, &mut rng)?
            .intervals(level)
    };
    let variational = |history: &[u32], level: f64| {
        let config = VariationalConfig::default();
        config.fit(&before, right.likelihood(), history)?.posterior().intervals(level)
    };

    println!("| inference | users | 50 % | 90 % | width at 90 % |\n|---|---|---|---|---|");
    let row = |inference: &str, users: &str, sticky: f64, intervals: &Intervals<'_>| {
        let config = CoverageConfig::default();
        let coverage = config.run(|rng| {
            let truth = right.prior().sample(rng);
            let events = rng.random_range(1..=12);
            let history = history(&right, &truth, events, sticky, rng)?;
            let levels = config.levels.iter().map(|&level| intervals(&history, level));
            let levels: Vec<_> = levels.collect::<Result<_, _>>()?;
            let ends = |k: usize| levels.iter().map(move |all| (all[k].lower, all[k].upper));
            let share = |(k, &truth)| Credible { truth, intervals: ends(k).collect() };
            Ok(truth.iter().enumerate().map(share).collect())
        })?;
        let cell = |level: usize| {
            let (coverage, error) = (coverage[level].coverage, coverage[level].standard_error);
            format!("{:.1} ± {:.1}", 100.0 * coverage, 100.0 * error)
        };
        let width = coverage[1].mean_width;
        println!("| {inference} | {users} | {} | {} | {width:.3} |", cell(0), cell(1));
        Ok::<_, PosteriorError>(())
    };
    let own = "the model's own";
    row("`exact_shares`", own, 0.0, &|history, level| exact(&right, history, level))?;
    row("Gibbs", own, 0.0, &sampled)?;
    row("running belief", own, 0.0, &|history, level| {
        right.belief(history)?.posterior(&right)?.intervals(level)
    })?;
    row("variational", own, 0.0, &variational)?;
    row("`exact_shares`", "φ to the power ½", 0.0, &|history, level| {
        exact(&vague, history, level)
    })?;
    row("`exact_shares`", "φ squared", 0.0, &|history, level| exact(&sharp, history, level))?;
    row("`exact_shares`", "prior 4 times as strong", 0.0, &|history, level| {
        exact(&stubborn, history, level)
    })?;
    row("`exact_shares`", "half of the events keep the last interest", 0.5, &|history, level| {
        exact(&right, history, level)
    })
}

/// Events of one user, each of an interest of its own or, as `sticky` says, of the last one's.
fn history<R: Rng>(
    model: &InterestModel,
    shares: &[f64],
    events: usize,
    sticky: f64,
    rng: &mut R,
) -> Result<Vec<u32>, PosteriorError> {
    let mut interest = categorical(shares, rng);
    let phi = (0..model.likelihood().item_count() as u32).map(|x| model.likelihood().item(x));
    let phi = phi.collect::<Result<Vec<_>, _>>()?;
    let event = |_| {
        if rng.random::<f64>() >= sticky {
            interest = categorical(shares, rng);
        }
        let column: Vec<f64> = phi.iter().map(|row| row[interest]).collect();
        categorical(&column, rng) as u32
    };
    Ok((0..events).map(event).collect())
}

fn categorical<R: Rng>(probs: &[f64], rng: &mut R) -> usize {
    let mut left = rng.random::<f64>();
    let chosen = probs.iter().position(|prob| {
        left -= prob;
        left < 0.0
    });
    chosen.unwrap_or(probs.len() - 1)
}

// | inference | users | 50 % | 90 % | width at 90 % |
// |---|---|---|---|---|
// | `exact_shares` | the model's own | 49.8 ± 0.3 | 90.1 ± 0.2 | 0.642 |
// | Gibbs | the model's own | 49.8 ± 0.3 | 90.1 ± 0.2 | 0.641 |
// | running belief | the model's own | 32.7 ± 0.3 | 69.1 ± 0.3 | 0.488 |
// | variational | the model's own | 35.3 ± 0.3 | 72.3 ± 0.3 | 0.456 |
// | `exact_shares` | φ to the power ½ | 54.2 ± 0.3 | 92.5 ± 0.2 | 0.720 |
// | `exact_shares` | φ squared | 43.0 ± 0.3 | 83.3 ± 0.2 | 0.561 |
// | `exact_shares` | prior 4 times as strong | 25.3 ± 0.3 | 56.9 ± 0.3 | 0.434 |
// | `exact_shares` | half of the events keep the last interest | 47.3 ± 0.3 | 88.2 ± 0.2 | 0.632 |
