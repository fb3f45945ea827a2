//! Beliefs about hypotheses, exact over a finite set whatever their likelihoods come from, and sampled
//! where there is no such set.

mod choice;
mod finite;
mod model;
mod monte_carlo;
mod psis;
mod scores;
mod sharpness;

pub use choice::choice_log_probs;
pub use finite::{Finite, FiniteEvidence, FinitePosterior, LogLikelihood};
pub use model::{HypothesisConfig, HypothesisModel};
pub use monte_carlo::Particles;
pub use psis::{ParetoSmoothed, pareto_smooth};
pub use scores::HypothesisScores;
pub use sharpness::{ScoredChoice, SharpnessConfig, SharpnessFit, choice_log_loss, fit_sharpness};
