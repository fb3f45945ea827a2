//! The linear model: what comes next after a history, how sure that is, and why.
//!
//! `cargo run --release -p proclivity-posterior --example linear`
#![expect(clippy::print_stdout, reason = "a command")]

use proclivity_posterior::{
    Belief, Linear, LinearConfig, LinearSequence, PosteriorError, Timescale,
};

fn main() -> Result<(), PosteriorError> {
    const NAMES: [&str; 5] = ["tent", "stove", "rope", "novel", "lamp"];
    let timescale = Timescale { ridge: 2.0, ..Timescale::default() };
    let config = LinearConfig { timescales: vec![timescale], ..LinearConfig::default() };
    let family = Linear::new(config, NAMES.len(), None)?;

    // Sequences are exact evidence: added, merged and taken back to the bit.
    let mut belief = Belief::new(&family);
    for _ in 0..20 {
        belief.update(&family, &LinearSequence(&[0, 1, 2]))?;
        belief.update(&family, &LinearSequence(&[3, 4]))?;
    }
    belief.update(&family, &LinearSequence(&[0, 3, 3, 3]))?;
    belief.retract(&family, &LinearSequence(&[0, 3, 3, 3]))?;

    let model = belief.posterior(&family)?;
    let history = [3, 0, 1];
    let scores = model.scores(&history)?;
    let variances = model.score_variances(&history)?;
    for (item, name) in NAMES.iter().enumerate() {
        let why = model.contributions(&history, item as u32)?;
        let why: Vec<String> = why.iter().map(|part| format!("{part:+.2}")).collect();
        println!(
            "{name:5} {:+.2} ± {:.2}   from novel, tent, stove: {}",
            scores[item],
            variances[item].sqrt(),
            why.join(" ")
        );
    }
    Ok(())
}
// tent  +0.00 ± 0.01   from novel, tent, stove: +0.00 +0.00 +0.00
// stove +0.06 ± 0.06   from novel, tent, stove: +0.00 +0.69 -0.63
// rope  +0.91 ± 0.05   from novel, tent, stove: +0.00 +0.05 +0.86
// novel +0.00 ± 0.01   from novel, tent, stove: +0.00 +0.00 +0.00
// lamp  +0.58 ± 0.05   from novel, tent, stove: +0.58 +0.00 +0.00
