//! What a user is after, said in three sentences or in none of them.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::array;
use proclivity_posterior::{
    Belief, Finite, LogLikelihood, PosteriorError, ScoredChoice, SharpnessConfig, choice_log_probs,
    fit_sharpness,
};

fn main() -> Result<(), PosteriorError> {
    let names = ["cooks for guests", "runs marathons", "repairs old radios", "none of these"];
    let texts = ["a cast-iron pan", "a pair of socks", "a soldering iron"];
    // A language model's log p(text | "Someone who …") and log p(text | "Someone").
    let scores = array![[-14.1, -15.0, -21.5], [-18.8, -13.2, -22.0], [-17.9, -15.1, -16.4]];
    let null_scores = array![-17.0, -14.2, -20.0];
    let log_popularity = array![0.3_f64, 0.6, 0.1].mapv(f64::ln);
    let prior = Finite::new(&[1.0, 1.0, 1.0, 1.0])?;

    // How sharply the scores speak, from what other users chose.
    let chose = |chosen| ScoredChoice {
        scores: scores.view(),
        null_scores: null_scores.view(),
        log_popularity: log_popularity.view(),
        chosen,
    };
    let others = [vec![0, 0, 1, 0], vec![1, 1, 0, 1], vec![2, 2, 1, 2], vec![1, 0, 1, 1]]
        .map(|history| history.into_iter().map(chose).collect::<Vec<_>>());
    let fit =
        fit_sharpness(&others.each_ref().map(Vec::as_slice), &prior, &SharpnessConfig::default())?;
    println!(
        "sharpness {:.2}: {:.3} nats a choice, {:.3} by popularity",
        fit.sharpness, fit.log_loss, fit.popularity_log_loss
    );

    let log_probs =
        choice_log_probs(scores.view(), null_scores.view(), log_popularity.view(), fit.sharpness)?;
    let mut belief = Belief::new(&prior);
    for chosen in [2, 1, 2] {
        belief.update(&prior, &LogLikelihood(&log_probs.column(chosen).to_vec()))?;
    }
    let posterior = belief.posterior(&prior)?;
    for (name, prob) in names.iter().zip(posterior.probs()) {
        println!("{prob:.3} {name}");
    }
    for (text, log_prob) in texts.iter().zip(posterior.predict(log_probs.view())?) {
        println!("next: {:.3} {text}", log_prob.exp());
    }
    Ok(())
}

// sharpness 0.56: 0.914 nats a choice, 1.063 by popularity
// 0.001 cooks for guests
// 0.006 runs marathons
// 0.934 repairs old radios
// 0.059 none of these
// next: 0.148 a cast-iron pan
// next: 0.300 a pair of socks
// next: 0.552 a soldering iron
