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
    /// A number that is NaN or infinite.
    #[error("number {position} of the {what} is {value}, expected a finite one")]
    NotFinite {
        /// What the number is in.
        what: &'static str,
        /// Its position there, row by row from 0.
        position: usize,
        /// The number.
        value: f32,
    },
    /// A seen item that doesn't exist, or that doesn't come after the one before it.
    #[error(
        "query {query}: seen item {item} at position {position} doesn't exist or doesn't ascend"
    )]
    SeenItem {
        /// The query, from 0.
        query: usize,
        /// Position among the query's seen items, from 0.
        position: usize,
        /// The item's index.
        item: u32,
    },
    /// A dot product of finite vectors that f32 can't hold.
    #[error("the score of item {item} for query {query} is beyond the range of f32")]
    ScoreOverflow {
        /// The query, from 0.
        query: usize,
        /// The item's index.
        item: u32,
    },
    /// A setting outside of its range.
    #[error("{name} is {value}, expected {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// What it may be.
        range: &'static str,
    },
}
