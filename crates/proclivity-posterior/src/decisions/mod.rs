//! What to do with a belief: what to show, what to ask, and how sure a preference is.

mod bounds;
mod information;
mod preference;
mod sample;

pub use bounds::{LinearMoments, score_quantiles, upper_confidence_bounds};
pub use information::{
    InformationGain, information_gain, information_gain_by_draws, label_information_gain,
};
pub use preference::{Preference, gamma_preference, normal_preference, preference_by_draws};
pub use sample::{Sample, Score, best_probabilities, thompson_scores};
