//! A user's interests as shares: prior, likelihood, and beliefs about them.

mod belief;
mod dirichlet;
mod exact;
mod likelihood;
mod model;

pub use belief::{InterestBelief, ShareInterval, SoftLabels, entropy, kl_divergence};
pub use dirichlet::Dirichlet;
pub use exact::{DirichletMixture, exact_shares};
pub use likelihood::InterestLikelihood;
pub use model::InterestModel;
