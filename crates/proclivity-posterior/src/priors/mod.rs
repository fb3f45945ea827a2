//! Where a user's belief starts: what a population is like, and what a language model says of the user.

mod categorical;
mod half_life;
mod language;
mod population;

pub use categorical::{LabelCounts, LabelLikelihood};
pub use half_life::{HalfLifeConfig, HalfLifeFit, TimedEvent, fit_half_life};
pub use language::{LanguagePrior, LanguagePriorConfig, LanguagePriorFit};
pub use population::{PopulationConfig, fit_population};
