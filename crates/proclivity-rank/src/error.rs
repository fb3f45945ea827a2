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
    /// An item that stands twice in a list.
    #[error("item {item} stands twice in the list")]
    DuplicateItem {
        /// The item's index.
        item: u32,
    },
    /// Something that may not be empty.
    #[error("there are no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// An age that is NaN.
    #[error("the age of item {item} is {value}, expected a number")]
    InvalidAge {
        /// The item's index.
        item: u32,
        /// Its age.
        value: f64,
    },
    /// An embedding with a number that isn't finite.
    #[error("the embedding of item {item} isn't finite")]
    InvalidEmbedding {
        /// The item's index.
        item: usize,
    },
    /// A number that is no probability.
    #[error("the probability of item {item} is {value}, expected a number from 0 to 1")]
    InvalidProbability {
        /// The item's index.
        item: u32,
        /// Its probability.
        value: f64,
    },
    /// Shares of interests that are no distribution.
    #[error(
        "the shares of {owner} sum to {sum}, the least of them being {least}, \
         expected none below 0 and a sum of 1",
        owner = item.map_or_else(|| "the user".to_owned(), |item| format!("item {item}")),
    )]
    InvalidShares {
        /// Whose shares: an item's index, or none for the user.
        item: Option<u32>,
        /// Their sum.
        sum: f64,
        /// The least of them.
        least: f64,
    },
    /// A similarity that is NaN or infinite, or not positive of an item with itself.
    #[error("the similarity of items {a} and {b} is {value}, which is no similarity")]
    InvalidSimilarity {
        /// An item's index.
        a: u32,
        /// Another's, or the same.
        b: u32,
        /// Their similarity.
        value: f64,
    },
    /// Similarities that no determinantal point process can have.
    #[error(
        "the similarities aren't positive semidefinite: item {item} leaves a residual of {residual}"
    )]
    NotPositiveSemidefinite {
        /// The item's index.
        item: u32,
        /// What its own similarity is short of what the chosen items explain; NaN where the
        /// similarities are too large to compute with.
        residual: f64,
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

/// Refuses a parameter that isn't in its range.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    valid: bool,
    expected: &'static str,
) -> Result<(), RankError> {
    if valid { Ok(()) } else { Err(RankError::OutOfRange { name, value, expected }) }
}
