//! Exact and labelled-approximate Bayesian beliefs about interests: prior, likelihood, posterior, predictive.

mod predictive;

pub use predictive::Predictive;
