//! What a ranking refuses.

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
}
