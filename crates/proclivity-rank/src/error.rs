//! What a ranking refuses.

use proclivity_posterior::PosteriorError;

/// An error of ranking, with the value that caused it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// A log probability that is NaN or +∞.
    #[error("the log probability of item {item} is {value}, expected a finite number or -inf")]
    InvalidLogProb {
        /// The item's index.
        item: usize,
        /// Its log probability.
        value: f64,
    },
    /// Two lengths that have to agree.
    #[error("{what}: {got} where {expected} were expected")]
    Length {
        /// What is counted.
        what: &'static str,
        /// The length it has to have.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// A contribution to a probability that is negative or not finite.
    #[error("contribution {position} is {value}, expected a finite number from 0")]
    InvalidContribution {
        /// Position among the contributions, from 0.
        position: usize,
        /// The contribution.
        value: f64,
    },
    /// A score that is NaN or +∞.
    #[error("the score of item {item} is {value}, expected a finite number or -inf")]
    InvalidScore {
        /// The item's index.
        item: usize,
        /// Its score.
        value: f64,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}, expected {expected}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// Something that may not be empty.
    #[error("there are no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A number that is not finite.
    #[error("{what}[{position}] is {value}, expected a finite number")]
    NotFinite {
        /// The list.
        what: &'static str,
        /// Position, from 0; of an array, in the order of its rows.
        position: usize,
        /// The value.
        value: f64,
    },
    /// An item outside of the catalog.
    #[error("item {item} is outside of the catalog of {items} items")]
    UnknownItem {
        /// The item's index.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// An item that a list has twice.
    #[error("item {item} is listed twice")]
    Duplicate {
        /// The item's index.
        item: u32,
    },
    /// A position outside of a history.
    #[error("position {position} is outside of a history of {events} events")]
    UnknownPosition {
        /// The position, from 0.
        position: usize,
        /// How many events there are.
        events: usize,
    },
    /// What the posterior refused.
    #[error(transparent)]
    Posterior(#[from] PosteriorError),
}
