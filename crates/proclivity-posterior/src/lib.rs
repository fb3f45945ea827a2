#![doc = include_str!("../README.md")]

mod assumed_density;
mod belief;
mod error;
mod fading;
mod family;
mod fixed;
mod hypotheses;
mod interests;
mod linear;
mod linear_mixture;
mod log_sum_exp;
mod next_step;
mod pool;
mod predictive;
mod sites;
mod views;

pub use assumed_density::AssumedDensity;
pub use belief::Belief;
pub use error::PosteriorError;
pub use fading::{Fading, HalfLife};
pub use family::{Approximate, Conjugate, Exact, Family, Fingerprint, Statistic};
pub use hypotheses::{Finite, FiniteEvidence, FinitePosterior, LogLikelihood, choice_log_probs};
pub use interests::{
    Dirichlet, DirichletMixture, InterestBelief, InterestLikelihood, InterestModel, ShareInterval,
    SoftLabels, entropy, exact_shares, kl_divergence,
};
pub use linear::{
    Bag, Ease, EaseEvidence, EaseModel, IntervalFactor, Linear, LinearConfig, LinearEvidence,
    LinearModel, LinearSequence, Precision, Timescale, positive_log_scores,
};
pub use linear_mixture::{LinearMixture, mixture_weights};
pub use next_step::{Kernel, NextStep, NextStepConfig, nearest_items};
pub use pool::{
    Candidates, LogLinearPool, RankRange, RankingCase, Reliability, ReliabilityBin,
    ReliabilityGroups, Splice, SpliceConfig, SpliceEvent, WeightSearch, coordinate_search,
    inverse_temperature,
};
pub use predictive::Predictive;
pub use sites::Sites;
pub use views::fuse_views;
