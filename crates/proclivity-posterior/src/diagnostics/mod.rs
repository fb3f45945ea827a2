//! What tells whether a belief can be trusted: calibration, coverage, contraction, identifiability, checks.

mod sbc;
mod uniformity;

pub use sbc::{Replicate, SbcConfig, SbcQuantity, SbcReport};
pub use uniformity::{Uniformity, UniformityBand};
