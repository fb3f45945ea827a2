#![doc = include_str!("../README.md")]

mod assumed_density;
mod belief;
mod diagnostics;
mod error;
mod fading;
mod family;
mod fixed;
mod hypotheses;
mod interests;
mod linear_mixture;
mod log_sum_exp;
mod next_step;
mod predictive;
mod sites;
mod views;

pub use assumed_density::AssumedDensity;
pub use belief::Belief;
pub use diagnostics::{Replicate, SbcConfig, SbcQuantity, SbcReport, Uniformity, UniformityBand};
pub use error::PosteriorError;
pub use fading::{Fading, HalfLife};
pub use family::{Approximate, Conjugate, Exact, Family, Fingerprint, Statistic};
pub use hypotheses::{Finite, FiniteEvidence, FinitePosterior, LogLikelihood, choice_log_probs};
pub use interests::{
    Chosen, Dirichlet, DirichletMixture, Dismissed, GammaRates, GibbsConfig, GibbsDraws,
    InterestLikelihood, InterestModel, Labelled, Rates, RatesEvidence, ShareInterval, Shown,
    Variational, VariationalConfig, entropy, exact_shares, kl_divergence,
};
pub use linear_mixture::{LinearMixture, mixture_weights};
pub use next_step::{Kernel, NextStep, NextStepConfig, nearest_items};
pub use predictive::Predictive;
pub use sites::Sites;
pub use views::fuse_views;
