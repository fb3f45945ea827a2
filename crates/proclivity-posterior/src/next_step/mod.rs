//! Next-step: what follows an item, from counts of what did and from the texts of what might.

mod chain;
mod config;
mod counting;
mod counts;
mod family;
mod kernel;
mod predictive;
mod prior;

pub use chain::{MarkovChain, MarkovChainPosterior};
pub use config::NextStepConfig;
pub use counts::TransitionCounts;
pub use family::{Sequence, Transitions};
pub use kernel::{Kernel, nearest_items};
pub use predictive::NextStep;
