//! Embeddings of texts by their last token.

use ndarray::Array2;

use super::Decoder;
use crate::{EncoderError, TextEncoder};

/// The hidden state of a text's last token, as Qwen3-Embedding is trained for it.
///
/// The tokenizer puts the token that ends a text behind it where it is set up to.
impl TextEncoder for Decoder {
    fn embedding_dim(&self) -> usize {
        self.network.width()
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn embed(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Array2<f32>, EncoderError> {
        let mut embeddings = Array2::zeros((texts.len(), self.embedding_dim()));
        for (index, text) in texts.iter().enumerate() {
            let mut tokens = self.text_tokens(index, text)?;
            if tokens.len() > self.context {
                // The end stays, which is the token that is pooled.
                tokens.drain(self.context - 1..tokens.len() - 1);
            }
            let mut cache = self.network.cache(tokens.len());
            let vector = super::layers::host(self.network.read(&tokens, &mut cache));
            let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            if !(norm > 0.0 && norm.is_finite()) {
                return Err(EncoderError::NonFiniteEmbedding { index });
            }
            let unit = vector.iter().map(|x| x / norm);
            embeddings.row_mut(index).iter_mut().zip(unit).for_each(|(to, x)| *to = x);
            progress(index + 1);
        }
        Ok(embeddings)
    }
}
