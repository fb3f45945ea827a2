#![doc = include_str!("../README.md")]

mod assumed_density;
mod belief;
mod decisions;
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
pub use decisions::{
    InformationGain, LinearMoments, Preference, Sample, Score, best_probabilities,
    gamma_preference, information_gain, information_gain_by_draws, label_information_gain,
    normal_preference, preference_by_draws, score_quantiles, thompson_scores,
    upper_confidence_bounds,
};
pub use diagnostics::{
    Coverage, CoverageConfig, Credible, Identifiability, Moments, PredictiveCheck,
    PredictiveCheckConfig, Replicate, SbcConfig, SbcQuantity, SbcReport, Uniformity,
    UniformityBand, category_entropy, contraction, dirichlet_divergence, mean_log_popularity,
    repeat_rate,
};
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
