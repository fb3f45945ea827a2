//! A user's interests as rates and shares: prior, likelihood, events, and beliefs about them.

mod dirichlet;
mod events;
mod exact;
mod gamma_rates;
mod gibbs;
mod likelihood;
mod model;
mod rates;
mod shares;
mod steps;
mod variational;

pub use dirichlet::Dirichlet;
pub use events::{Chosen, Dismissed, Labelled, Shown};
pub use exact::{DirichletMixture, exact_shares};
pub use gamma_rates::GammaRates;
pub use gibbs::{GibbsConfig, GibbsDraws};
pub use likelihood::InterestLikelihood;
pub use model::InterestModel;
pub use rates::{Rates, RatesEvidence};
pub use shares::{ShareInterval, entropy, kl_divergence};
pub use variational::{Variational, VariationalConfig};
