//! Lists that also find out: drawn from a belief or from a softmax, and how probable they were.

mod list;
mod plackett_luce;
mod propensity;

pub use list::{rank_by_scores, thompson_list, upper_confidence_list};
pub use plackett_luce::PlackettLuce;
pub use propensity::{Propensities, Propensity, PropensityConfig};
