//! What can go wrong between a log and a recommendation.

use proclivity_encoder::EncoderError;
use proclivity_eval::EvalError;
use proclivity_posterior::PosteriorError;
use proclivity_rank::RankError;
use proclivity_schema::SchemaError;
use proclivity_text::TextError;

/// An error of the facade, most often one of the crates that it composes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProclivityError {
    /// Of the language model.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// Of the evaluation.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Of the beliefs.
    #[error(transparent)]
    Posterior(#[from] PosteriorError),
    /// Of the ranking.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// Of an id or a value.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Of the words.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Arrays that don't belong together.
    #[error("{got} {what} where {expected} were expected")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there have to be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Something that may not be empty.
    #[error("there are no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A state that another recommender made.
    #[error("the user's state has {got} interests, the recommender {expected}")]
    ForeignState {
        /// Interests of the recommender.
        expected: usize,
        /// Interests of the state.
        got: usize,
    },
}
