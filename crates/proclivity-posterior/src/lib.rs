#![doc = include_str!("../README.md")]

mod assumed_density;
mod belief;
mod error;
mod fading;
mod family;
mod fixed;
mod guard;
mod hypotheses;
mod interests;
mod linear_mixture;
mod log_sum_exp;
mod minimize;
mod next_step;
mod predictive;
mod priors;
mod sites;
mod views;

pub use assumed_density::AssumedDensity;
pub use belief::Belief;
pub use error::PosteriorError;
pub use fading::{Fading, HalfLife};
pub use family::{Approximate, Conjugate, Exact, Family, Fingerprint, Statistic};
pub use guard::{Guarded, MixturePosterior, Predictable, PriorMixture, ToEach, guard_weights};
pub use hypotheses::{
    Choice, Finite, FiniteEvidence, FinitePosterior, LogLikelihood, ParetoSmoothed, Particles,
    SharpnessConfig, SharpnessFit, choice_log_loss, choice_log_probs, fit_sharpness, pareto_smooth,
};
pub use interests::{
    Dirichlet, DirichletMixture, InterestBelief, InterestLikelihood, InterestModel, ShareInterval,
    SoftLabels, entropy, exact_shares, kl_divergence,
};
pub use linear_mixture::{LinearMixture, mixture_weights};
pub use next_step::{Kernel, NextStep, NextStepConfig, nearest_items};
pub use predictive::Predictive;
pub use priors::{
    HalfLifeConfig, HalfLifeFit, Label, LabelCounts, LabelLikelihood, LanguagePrior,
    LanguagePriorConfig, LanguagePriorFit, PopulationConfig, TimedEvent, fit_half_life,
    fit_population,
};
pub use sites::Sites;
pub use views::fuse_views;
