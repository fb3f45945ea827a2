//! What comes next: from texts before there are events, from counts after; users come and go.
#![expect(clippy::print_stdout, reason = "a command")]

use ndarray::array;
use proclivity_posterior::{
    Belief, Kernel, MarkovChain, NextStepConfig, PosteriorError, Predictive, Sequence, Transitions,
};

const NAMES: [&str; 4] = ["tent", "sleeping bag", "saucepan", "frying pan"];

fn main() -> Result<(), PosteriorError> {
    // Unit-length embeddings of the items' texts: two to camp with, two to cook with.
    let embeddings = array![[1.0_f32, 0.0], [0.96, 0.28], [0.28, 0.96], [0.0, 1.0]];
    let kernel = Kernel::nearest(embeddings.view(), 3, 6.0)?;
    let config = NextStepConfig { prior_strength: 2.0, slow_share: 0.3, ..Default::default() };
    let family = Transitions::new(config, NAMES.len(), Some(kernel.clone()))?;

    let mut belief = Belief::new(&family);
    print("after a tent, by its text", &belief.posterior(&family)?, &[0]);
    let (anna, bert) = ([0, 1, 3], [0, 2, 3, 0, 3]);
    for user in [&anna[..], &bert, &bert] {
        belief.update(&family, &Sequence(user))?;
    }
    let model = belief.posterior(&family)?;
    print("after a tent, as users did", &model, &[0]);
    println!("a frying pan after bag and tent: {:.3?}", model.contributions(&[1, 0], 3)?);
    // Bert goes, and all that he did with him.
    belief.retract(&family, &Sequence(&bert))?;
    belief.retract(&family, &Sequence(&bert))?;
    print("after a tent, without Bert", &belief.posterior(&family)?, &[0]);

    // Unit counts are a proper likelihood, with intervals and a probability of the evidence.
    let chain = MarkovChain::new(&[1.0; NAMES.len()], 0.1, 2.0, Some(kernel))?;
    let mut belief = Belief::new(&chain);
    belief.update(&chain, &Sequence(&bert))?;
    let row = belief.posterior(&chain)?.row(0)?;
    let above = 1.0 - row.marginal_cdf(3, 0.2);
    println!("a pan follows a tent in more than 20 %: probability {above:.3}");
    println!("log-evidence {:.3}", belief.log_evidence(&chain)?);
    Ok(())
}

fn print(what: &str, model: &impl Predictive, history: &[u32]) {
    let mut log_probs = [0.0; NAMES.len()];
    model.log_probs(history, &mut log_probs);
    let items = NAMES.iter().zip(log_probs);
    let items: Vec<String> =
        items.map(|(name, log_prob)| format!("{name} {:.3}", log_prob.exp())).collect();
    println!("{what}: {}", items.join(", "));
}

// after a tent, by its text: tent 0.025, sleeping bag 0.907, saucepan 0.040, frying pan 0.028
// after a tent, as users did: tent 0.025, sleeping bag 0.216, saucepan 0.221, frying pan 0.538
// a frying pan after bag and tent: [0.184, 0.336]
// after a tent, without Bert: tent 0.065, sleeping bag 0.621, saucepan 0.017, frying pan 0.297
// a pan follows a tent in more than 20 %: probability 0.542
// log-evidence -10.960
