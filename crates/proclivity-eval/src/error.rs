//! What an evaluation refuses.

use std::path::PathBuf;

use proclivity_rank::RankError;

/// An error of an evaluation, with the value that caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
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
    /// Something that may not be empty.
    #[error("there are no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A number that is not finite, at a position of a list.
    #[error("{what}[{position}] is {value}, expected a finite number")]
    NotFinite {
        /// The list.
        what: &'static str,
        /// Position, from 0.
        position: usize,
        /// The value.
        value: f64,
    },
    /// A score that is NaN, at a position of a list.
    #[error("{what}[{position}] is NaN")]
    NotANumber {
        /// The list.
        what: &'static str,
        /// Position, from 0.
        position: usize,
    },
    /// A number that is no probability.
    #[error("prediction {position} has probability {value}, expected a number from 0 to 1")]
    InvalidProbability {
        /// Position among the predictions, from 0.
        position: usize,
        /// The value.
        value: f64,
    },
    /// A probability of a logged item that no policy can have had.
    #[error(
        "ranking {ranking}, place {place}: the {policy} policy has probability {value}, expected a \
         number up to 1, above 0 for the logging policy"
    )]
    InvalidPropensity {
        /// Whose probability it is, `logging` or `target`.
        policy: &'static str,
        /// The ranking, from 0.
        ranking: usize,
        /// The place in the ranking, from 0.
        place: usize,
        /// The value.
        value: f64,
    },
    /// A log that holds nothing of the target policy at some place.
    #[error("place {place}: the target policy shows none of what was logged there")]
    NoOverlap {
        /// The place, from 0.
        place: usize,
    },
    /// An embedding whose length is not 1.
    #[error("embedding {position} has the squared length {squared_norm}, expected a unit vector")]
    NotAUnitVector {
        /// Position among the embeddings, from 0.
        position: usize,
        /// The sum of the squares of its components.
        squared_norm: f64,
    },
    /// Shares of interests that are negative or don't sum to 1.
    #[error(
        "shares {} sum to {sum}, the least is {least}, expected shares from 0 that sum to 1",
        place.map_or("of the user".into(), |place| format!("of the item at place {place}"))
    )]
    InvalidShares {
        /// The item's place in the list, from 0; `None` for the user's own shares.
        place: Option<usize>,
        /// Their sum.
        sum: f64,
        /// The least of them.
        least: f64,
    },
    /// A rank that so many relevant items cannot have.
    #[error("{relevant} relevant items cannot all have ranks up to {rank}")]
    ImpossibleRank {
        /// The rank, from 1.
        rank: usize,
        /// How many items are said to stand at that rank or before.
        relevant: usize,
    },
    /// A case with an item outside of the catalog.
    #[error("user {user}: item {item} is outside of the catalog of {items} items")]
    UnknownItem {
        /// The user of the case.
        user: u32,
        /// The item's index.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// A user that is held out but has no sequence.
    #[error("user {user} is not one of {users} users")]
    UnknownUser {
        /// The user.
        user: u32,
        /// How many there are.
        users: usize,
    },
    /// A user that is held out twice.
    #[error("user {user} is held out twice")]
    DuplicateUser {
        /// The user.
        user: u32,
    },
    /// An event before the one that it follows in its sequence.
    #[error("user {user}: event {position} is earlier than the one before it")]
    TimeReversed {
        /// The user.
        user: u32,
        /// Position in the sequence, from 0.
        position: usize,
    },
    /// Results that stand beside another user's case.
    #[error("case {position} is of user {expected}, its result of user {got}")]
    OtherUser {
        /// Position among the cases, from 0.
        position: usize,
        /// The user of the case.
        expected: u32,
        /// The user of the result.
        got: u32,
    },
    /// A predictive that a user's ranking refused.
    #[error("user {user}: {source}")]
    Ranking {
        /// The user of the case.
        user: u32,
        /// What was wrong.
        source: RankError,
    },
    /// Predictions that could not be written.
    #[error("predictions could not be written: {0}")]
    Write(#[from] std::io::Error),
    /// A report that could not be turned into HTML.
    #[cfg(feature = "report")]
    #[error("the report could not be rendered: {0}")]
    Render(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A report that could not be written.
    #[cfg(feature = "report")]
    #[error("{}: {source}", path.display())]
    WriteReport {
        /// The file.
        path: std::path::PathBuf,
        /// What was wrong.
        source: std::io::Error,
    },
    /// A search's trace that could not be read or written.
    #[error("{}: {source}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        source: std::io::Error,
    },
    /// A search's trace that another search is writing.
    #[error("{}: another search is writing this trace", path.display())]
    TraceInUse {
        /// The file.
        path: PathBuf,
    },
    /// A line that is none of a search's trace.
    #[error("{}:{line}: not a line of a search's trace", path.display())]
    DamagedTrace {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The trace of another search.
    #[error("{}:{line}: the trace of another search, with other {what}", path.display())]
    ForeignTrace {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is different.
        what: &'static str,
    },
}
