//! What a language model can do for the rest of proclivity: embed texts, score them, write them.

use ndarray::Array2;

use crate::EncoderError;

/// Turns texts into vectors of unit length.
pub trait TextEncoder {
    /// Length of each embedding.
    fn embedding_dim(&self) -> usize;

    /// A hash of everything that the embeddings depend on: weights, tokenizer, settings.
    fn fingerprint(&self) -> &str;

    /// Embeds texts; `progress` is told how many are done, now and then.
    ///
    /// The result for a text doesn't depend on the others. Texts longer than the model's context
    /// are truncated at its end.
    ///
    /// # Shapes
    /// `[texts.len(), embedding_dim]`, rows in the order of `texts`, each of unit length.
    ///
    /// # Errors
    /// When a text can't be tokenized.
    fn embed(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Array2<f32>, EncoderError>;
}

/// Gives texts probabilities.
pub trait LanguageModel {
    /// log P(continuation | prompt) in nats for each continuation, summed over its tokens.
    ///
    /// The prompt may be empty. A prompt longer than the context loses its beginning.
    ///
    /// # Errors
    /// When a text can't be tokenized or a continuation alone is longer than the context.
    fn log_probs(&self, prompt: &str, continuations: &[&str]) -> Result<Vec<f64>, EncoderError>;
}
