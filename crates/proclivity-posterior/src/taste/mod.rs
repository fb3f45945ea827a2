//! Taste: what a user's ratings or choices say of the weights of an item's features.

mod choice;
mod cholesky;
mod domains;
mod kept_directions;
mod laplace;
mod low_rank;
mod low_rank_posterior;
mod mixture;
mod normal;
mod normal_inverse_gamma;
mod student_t;
mod subspace;
mod triangle;

pub use choice::{Choice, ChoiceSet};
pub use domains::{DomainEvidence, Domains, RatedIn};
pub use laplace::{ChoicePosterior, Laplace};
pub use low_rank::LowRankNormal;
pub use low_rank_posterior::LowRankPosterior;
pub use mixture::{TasteMixture, TasteMixtureConfig};
pub use normal::{Measured, Normal, NormalEvidence, NormalPosterior};
pub use normal_inverse_gamma::{
    NormalInverseGamma, NormalInverseGammaPosterior, Rated, RegressionEvidence,
};
pub use student_t::StudentT;
