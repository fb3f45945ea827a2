#![doc = include_str!("../README.md")]

mod belief;
mod dirichlet;
mod error;
mod exact;
mod hypotheses;
mod interest_model;
mod kernel;
mod likelihood;
mod mixture;
mod next_step;
mod predictive;
mod views;

pub use belief::{InterestBelief, ShareInterval, SoftLabels, entropy, kl_divergence};
pub use dirichlet::Dirichlet;
pub use error::PosteriorError;
pub use exact::{DirichletMixture, exact_shares};
pub use hypotheses::{HypothesisBelief, choice_log_probs};
pub use interest_model::InterestModel;
pub use kernel::{Kernel, nearest_items};
pub use likelihood::InterestLikelihood;
pub use mixture::{LinearMixture, mixture_weights};
pub use next_step::{NextStep, NextStepConfig};
pub use predictive::Predictive;
pub use views::fuse_views;
