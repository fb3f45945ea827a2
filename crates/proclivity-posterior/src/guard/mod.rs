//! The guard: a mixture of priors, so that a bad one costs a known amount at most.

mod mixture;
mod prequential;
mod weights;

pub use mixture::{MixturePosterior, PriorMixture, ToEach};
pub use prequential::{Guarded, Predictable};
pub use weights::guard_weights;
