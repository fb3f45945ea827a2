#![doc = include_str!("../README.md")]

mod assumed_density;
mod belief;
mod decisions;
mod diagnostics;
mod error;
mod fading;
mod family;
mod fixed;
mod guard;
mod hypotheses;
mod interests;
mod linear;
mod linear_mixture;
mod log_sum_exp;
mod minimize;
mod next_step;
mod pool;
mod predictive;
mod priors;
mod sites;
mod taste;
mod vectorized;
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
pub use guard::{Guarded, MixturePosterior, Predictable, PriorMixture, ToEach, guard_weights};
pub use hypotheses::{
    Finite, FiniteEvidence, FinitePosterior, HypothesisConfig, HypothesisModel, HypothesisScores,
    LogLikelihood, ParetoSmoothed, Particles, ScoredChoice, SharpnessConfig, SharpnessFit,
    choice_log_loss, choice_log_probs, fit_sharpness, pareto_smooth,
};
pub use interests::{
    Chosen, Dirichlet, DirichletMixture, Dismissed, GammaRates, GibbsConfig, GibbsDraws,
    InterestLikelihood, InterestModel, Labelled, Rates, RatesEvidence, ShareInterval, Shown,
    Variational, VariationalConfig, entropy, exact_shares, kl_divergence,
};
pub use linear::{
    Bag, Ease, EaseEvidence, EaseModel, IntervalFactor, Linear, LinearConfig, LinearEvidence,
    LinearModel, LinearSequence, Precision, Timescale, positive_log_scores,
};
pub use linear_mixture::{LinearMixture, mixture_weights};
pub use log_sum_exp::log_sum_exp;
pub use next_step::{
    Kernel, MarkovChain, MarkovChainPosterior, NextStep, NextStepConfig, Sequence,
    TransitionCounts, Transitions, nearest_items,
};
pub use pool::{
    Candidates, LogLinearPool, RankRange, RankingCase, Reliability, ReliabilityBin,
    ReliabilityGroups, Splice, SpliceConfig, SpliceEvent, WeightSearch, coordinate_search,
    inverse_temperature,
};
pub use predictive::Predictive;
pub use priors::{
    HalfLifeConfig, HalfLifeFit, LabelCounts, LabelLikelihood, LanguagePrior, LanguagePriorConfig,
    LanguagePriorFit, PopulationConfig, TimedEvent, fit_half_life, fit_population,
};
pub use sites::Sites;
pub use taste::{
    Choice, ChoicePosterior, ChoiceSet, DomainEvidence, Domains, Laplace, LowRankNormal,
    LowRankPosterior, Measured, Normal, NormalEvidence, NormalInverseGamma,
    NormalInverseGammaPosterior, NormalPosterior, Rated, RatedIn, RegressionEvidence, StudentT,
    TasteMixture, TasteMixtureConfig,
};
pub use views::fuse_views;
