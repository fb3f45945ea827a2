//! Beliefs about a finite set of hypotheses, exact whatever their likelihoods come from.

mod choice;
mod finite;

pub use choice::choice_log_probs;
pub use finite::{Finite, FiniteEvidence, FinitePosterior, LogLikelihood};
